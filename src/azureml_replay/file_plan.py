"""Which files of a run are carried, and where to (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

from azureml_replay.fitting import MOVED_FOLDER, OWN_FOLDER
from azureml_replay.model import Artifact, Json

UNINDEXED_FOLDER = OWN_FOLDER + "unindexed/"
TWICE = "the index names another place for this path"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChoice:
    """Which of the source's files are carried. What is left out is an omission."""

    artifacts: bool = True
    """False: none."""
    most_bytes: int | None = None
    """Larger files stay behind."""
    globs: tuple[str, ...] = ()
    """Paths as the source shows them; none: all."""

    @classmethod
    def from_json(cls, told: Json) -> FileChoice:
        """As `dataclasses.asdict` gave it. Raises KeyError, TypeError for anything else."""
        fields: Any = told
        return cls(**{**fields, "globs": tuple(fields["globs"])})

    def flags(self) -> str:
        """As the command line says it, `--files '*.txt' --max-file-size 2GB`; empty where nothing is left out."""
        given = [] if self.artifacts else ["--no-artifacts"]
        for glob in self.globs:
            given += ["--files", glob]
        if self.most_bytes is not None:
            given += ["--max-file-size", _shown(self.most_bytes)]
        return shlex.join(given)

    @property
    def narrowed(self) -> bool:
        """Each file must be looked at."""
        return self.most_bytes is not None or bool(self.globs)

    def refusal(self, path: str, size_bytes: int) -> str | None:
        """Why a file is left out, or None."""
        if self.globs and not any(fnmatchcase(path, glob) for glob in self.globs):
            return "left out by --files"
        if self.most_bytes is not None and size_bytes > self.most_bytes:
            return "left out by --max-file-size"
        return None


def _shown(size_bytes: int) -> str:
    """In the largest unit that leaves no rest: units are powers of 1,024 there."""
    for power, unit in enumerate(("TB", "GB", "MB", "KB")):
        whole, rest = divmod(size_bytes, 1 << 10 * (4 - power))
        if whole and not rest:
            return f"{whole}{unit}"
    return str(size_bytes)


ALL_FILES = FileChoice()


def in_order(artifacts: Iterable[Artifact]) -> Iterator[tuple[Artifact, bool]]:
    """Files that have bytes, given by path; and whether another one holds the path already.

    Index and storage may name different places for one path: the index's is the one that the run shows.
    """
    for _, group in groupby(artifacts, key=lambda artifact: artifact.path):
        stored = (artifact for artifact in group if artifact.stored is not None)
        for number, artifact in enumerate(sorted(stored, key=lambda artifact: not artifact.indexed)):
            yield artifact, number > 0


def placed(artifacts: Iterable[Artifact], choice: FileChoice = ALL_FILES) -> Iterator[tuple[str, Artifact]]:
    """What is carried of a run's files, given by path: each with its path in the target."""
    if not choice.artifacts:
        return
    for artifact, twice in in_order(artifacts):
        if artifact.stored and not choice.refusal(artifact.path, artifact.stored.size_bytes):
            yield target_path(artifact.path, twice=twice), artifact


def target_path(path: str, *, twice: bool = False) -> str:
    """Where a source's file goes: the same path, but `replay/` is ours; `twice`: where another file holds the path."""
    if twice:
        return UNINDEXED_FOLDER + path
    return MOVED_FOLDER + path.removeprefix(OWN_FOLDER) if path.startswith(OWN_FOLDER) else path
