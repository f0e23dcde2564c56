"""The verdict on each file of a run, by what verify said of the run as a whole (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay.comparison.shown import shown
from azureml_replay.comparison.three_way import LOST
from azureml_replay.model import Artifact, Finding, Omission
from azureml_replay.planning.fit import OWN_FOLDER

_SUFFIXES = (": bytes", ": index entry")
"""What follows a file's path where a finding is about a part of it."""


@dataclass(frozen=True, slots=True)
class FileStates:
    """The verdicts on the files of one run."""

    found: Mapping[str, str]
    """Path, or the end of a path that replay moved below `replay/` -> `absent` or `differs`."""
    left: frozenset[str]
    """Findings' words of files that are left out; `files` and `run` stand for all of them."""
    otherwise: str
    """Of a file that nothing names: `equal`, `size` or `unverified`."""
    by_size: bool
    """True where files without a checksum were compared by their size alone."""

    @classmethod
    def of(
        cls,
        listed: Sequence[Artifact],
        findings: Iterable[Finding],
        left: Iterable[Omission],
        *,
        compared: bool,
        unverifiable: int,
    ) -> FileStates:
        """The verdicts for a run's files, findings and omissions.

        `compared`: verify looked at everything of the run; `unverifiable` files only by their size.
        """
        found: dict[str, str] = {}
        for one in findings:
            state = "absent" if one.kind in ("absent", LOST) else "differs"
            if one.what == "run" or one.what.startswith("file "):
                found[_path(one.what)] = state
        without = sum(one.stored is not None and one.stored.md5 is None for one in listed)
        # More than lack a checksum here: the target lacks others, and nobody knows which.
        otherwise = "size" if unverifiable > without else "equal"
        names = frozenset(one.what for one in left)
        return cls(found, names, otherwise if compared else "unverified", unverifiable > 0)

    def of_file(self, one: Artifact) -> str:
        """The verdict on one file: `left`, `absent`, `differs`, `equal`, `size` or `unverified`."""
        named = shown(f"file {one.path}")
        if one.stored is None or self.left & {named, f"file {one.path}", "files", "run"}:
            return "left"
        path = _path(named)
        state = self.found.get("run") or self.found.get(path) or self.found.get(_moved(path, self.found), "")
        if state or self.otherwise != "equal":
            return state or self.otherwise
        return "size" if self.by_size and one.stored.md5 is None else "equal"


def _path(what: str) -> str:
    for suffix in _SUFFIXES:
        what = what.removesuffix(suffix)
    return what.removeprefix("file ")


def _moved(path: str, found: Mapping[str, str]) -> str:
    """The path below `replay/` under which findings know a file that could not keep its own; empty where none does."""
    return next((one for one in found if one.startswith(OWN_FOLDER) and one.endswith(f"/{path}")), "")
