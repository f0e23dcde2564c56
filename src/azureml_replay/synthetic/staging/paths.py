"""Chooses the place of an original file below `./outputs` of a replaying job (pure): FIDELITY, Files, synthetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from azureml_replay.planning.files import TOO_LONG, characters

DEFAULT_ENVIRONMENT = "azureml://registries/azureml/environments/sklearn-1.5/versions/26"
"""A curated environment: an image that exists, Python 3.10, no build (synthetic.md 9). Pinned, as `latest` changes."""

LOGS = ("logs", "azureml-logs", "user_logs", "system_logs")
"""Top folders that the service writes itself: a job cannot put files there."""
_SUFFIX = 8
"""Characters that a number after a collision may add."""
LONGEST_NAME_BYTES = 255
"""Bytes of one part of a path at most, on every usual file system."""


@dataclass(slots=True)
class Places:
    """Gives every file a path of its own. Equal calls in equal order give equal paths."""

    _files: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)

    def take(self, path: str) -> str:
        """`path`, or where it is taken, the path with a number: `a.txt` becomes `a_2.txt`."""
        *folders, name = path.split("/")
        above = ""
        for folder in folders:
            above += self._free(above, folder, alone=False) + "/"
            self._folders.add(above[:-1])
        place = above + self._free(above, name, alone=True)
        self._files.add(place)
        return place

    def _free(self, above: str, name: str, *, alone: bool) -> str:
        """A free name in a folder; `alone`: for a file, while a folder's name may be there already."""
        whole, number, found = PurePosixPath(name), 1, name
        while above + found in self._files or (alone and above + found in self._folders):
            number += 1
            found = f"{whole.stem}_{number}{whole.suffix}"
        return found


def place_of(path: str) -> str:
    """The place of a path before collisions; `refusal` says which paths have none."""
    family = path.partition("/")[0]
    if family == "outputs" and "/" in path:
        return path
    return f"outputs/original_logs/{path}" if family in LOGS else f"outputs/other/{path}"


def refusal(path: str, room: int) -> str | None:
    """The reason why a job cannot have a file of this path, or None. `room`: characters of a path below its run."""
    parts = path.split("/")
    if any(part in (".", "..") for part in parts):
        return "its name would lead out of its folder"
    if any(not part for part in parts) or "\0" in path:
        return "no file system holds an empty part of a path"
    if any(len(part.encode(errors="replace")) > LONGEST_NAME_BYTES - _SUFFIX for part in parts):
        return "its name is too long for a file of a job"
    return TOO_LONG if characters(place_of(path)) > room - _SUFFIX else None
