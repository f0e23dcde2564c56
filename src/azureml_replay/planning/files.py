"""Chooses the files of a run that are carried, and their paths in the target (pure)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from azureml_replay.counting import counted
from azureml_replay.disk.globs import fits
from azureml_replay.model import Artifact, Json, RunId
from azureml_replay.planning.budget import beyond
from azureml_replay.planning.fit import MOVED_FOLDER, OWN_FOLDER, Fitting
from azureml_replay.planning.history import History, Recorded
from azureml_replay.planning.names import fit_path, moved
from azureml_replay.planning.refused import refused_by
from azureml_replay.workspace.limits import DOCUMENTED, Limits
from azureml_replay.workspace.profile import PathRule

UNINDEXED_FOLDER = OWN_FOLDER + "unindexed/"
TWICE = "the index names another place for this path"
TOO_LONG = f"the target's storage holds no name of more than {DOCUMENTED.blob_name:,} characters"
LOST = "listed by the artifact index, but its bytes were not found"
OVER_BUDGET = "left out by --artifact-budget"
NOT_SERVED = "the target takes no files: it serves none (--no-serve-artifacts, or artifacts: none in its file)"
NOT_CHOSEN = "left out by --no-artifacts"
FOLDER_MARKER = "the mark of the run's folder in the storage: it has no name below the run"
NO_SUCH_PATH = f"the target keeps no such path; {OWN_FOLDER}files.json has it"
NONE_REFUSED: Mapping[str, str] = {}
LONGEST_MOVE = len(UNINDEXED_FOLDER)
"""Characters by which a path in the target may be longer than in the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChoice:
    """Which of the source's files are carried; the others are omissions."""

    artifacts: bool = True
    """False: no file is carried."""
    taken: bool = True
    """False: the target takes none. Of no choice that somebody made."""
    most_bytes: int | None = None
    """The largest size that is carried; None: any."""
    globs: tuple[str, ...] = ()
    """Patterns of paths, as the source shows them; empty: all paths."""
    budget: int | None = None
    """The bytes of a run's files together, the most telling first; None: any."""
    others: tuple[FileChoice, ...] = ()
    """Choices of earlier calls: a file that one of them takes is carried too."""

    @classmethod
    def from_json(cls, told: Json) -> FileChoice:
        """The choice that `to_json` was given. Raises KeyError, TypeError for anything else."""
        fields: Any = told
        others = tuple(map(cls.from_json, fields.get("others", ())))
        return cls(**{**fields, "globs": tuple(fields["globs"]), "others": others})

    def joined(self, other: FileChoice) -> FileChoice:
        """The choice that takes what either takes."""
        if self in (other, ALL_FILES) or not other.artifacts:
            return self
        if other == ALL_FILES or not self.artifacts:
            return other
        return self if other in self.others else replace(self, others=(*self.others, other))

    def to_json(self) -> dict[str, Json]:
        """The choice as the ledger keeps it; without what older versions did not know as they wrote and digested it."""
        told: dict[str, Json] = {"artifacts": self.artifacts, "most_bytes": self.most_bytes, "globs": list(self.globs)}
        more: dict[str, Json] = {"budget": self.budget, "others": [one.to_json() for one in self.others]}
        return {**told, **{name: value for name, value in more.items() if value not in (None, [])}}

    def flags(self) -> str:
        """The choice as flags, `--files '*.txt' --max-file-size 2GB`; empty where nothing is left out."""
        given = [] if self.artifacts else ["--no-artifacts"]
        for glob in self.globs:
            given += ["--files", glob]
        if self.most_bytes is not None:
            given += ["--max-file-size", _shown(self.most_bytes)]
        if self.budget is not None:
            given += ["--artifact-budget", _shown(self.budget)]
        return " or ".join([shlex.join(given), *(one.flags() for one in self.others)])

    @property
    def narrowed(self) -> bool:
        """True where each file has to be looked at."""
        return self.most_bytes is not None or self.budget is not None or bool(self.globs or self.others)

    def of(self, artifacts: Iterable[Artifact]) -> Iterator[tuple[Artifact, bool, str | None]]:
        """A run's files as `in_order` gives them, each with the reason why it is left out, or None.

        A budget needs the whole list at once; without one it streams.
        """
        if self.budget is None and not self.others:
            yield from ((one, twice, _refusal(self, one)) for one, twice in in_order(artifacts))
            return
        files = list(in_order(artifacts))
        alone = replace(self, others=())
        reasons = zip(*(_reasons(one, [file for file, _ in files]) for one in (alone, *self.others)), strict=True)
        for (one, twice), told in zip(files, reasons, strict=True):
            yield one, twice, None if None in told else told[0]

    def refusal(self, path: str, size_bytes: int) -> str | None:
        """The reason why a file is left out whatever the others of its run are, or None."""
        if any(one.refusal(path, size_bytes) is None for one in self.others):
            return None
        if not self.artifacts:
            return NOT_CHOSEN
        if self.globs and not any(fits(path, glob) for glob in self.globs):
            return "left out by --files"
        if self.most_bytes is not None and size_bytes > self.most_bytes:
            return "left out by --max-file-size"
        return None


def _reasons(choice: FileChoice, files: Sequence[Artifact]) -> list[str | None]:
    """Why each of a run's files is left out by one choice, its budget included."""
    reasons = [_refusal(choice, one) for one in files]
    if choice.budget is None:
        return reasons
    left = beyond((one for one, reason in zip(files, reasons, strict=True) if not reason), choice.budget)
    over = (OVER_BUDGET if (one.path, one.location) in left else None for one in files)
    return [reason or beside for reason, beside in zip(reasons, over, strict=True)]


def _refusal(choice: FileChoice, artifact: Artifact) -> str | None:
    """The reason why a file is left out whatever the others are; None for one without bytes, too."""
    return choice.refusal(artifact.path, artifact.stored.size_bytes) if artifact.stored else None


def _shown(size_bytes: int) -> str:
    """A size as the flag takes it, in the largest unit without a rest: units are powers of 1,024 there."""
    for power, unit in enumerate(("TB", "GB", "MB", "KB")):
        whole, rest = divmod(size_bytes, 1 << 10 * (4 - power))
        if whole and not rest:
            return f"{whole}{unit}"
    return str(size_bytes)


ALL_FILES = FileChoice()
NO_FILES = FileChoice(artifacts=False, taken=False)
"""Of a target that takes none."""


def in_order(artifacts: Iterable[Artifact]) -> Iterator[tuple[Artifact, bool]]:
    """Files given by path, and whether another one with bytes has the path already.

    Index and storage may name different places for one path: the index's file is the one that the run shows.
    """
    for _, group in groupby(artifacts, key=lambda artifact: artifact.path):
        held = 0
        for artifact in sorted(group, key=lambda artifact: not artifact.indexed):
            yield artifact, held > 0 and artifact.stored is not None
            held += artifact.stored is not None


def room_of(run: RunId, limits: Limits = DOCUMENTED) -> int:
    """Characters that a file's path may have in a run of the target, which depend on the run's id there."""
    return min(limits.artifact_path, limits.blob_name - limits.run_folder - len(run))


def characters(path: str) -> int:
    """The length of a path as storages count it: in UTF-16 units."""
    return len(path.encode("utf-16-le", errors="surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of a run as the target should hold it, or the reason why it should not."""

    path: str
    """The path in the target."""
    artifact: Artifact | None = None
    """The source's file; None for a file that we make."""
    made: str | None = None
    """The name of a file that we make: `replay/job.json`, …"""
    omission: str | None = None
    """The reason why the target will not have it."""
    moved: bool = False
    """True where the target takes no such path: it lies elsewhere, under a name of ours."""


def planned(
    artifacts: Iterable[Artifact],
    choice: FileChoice,
    room: int,
    refused: Mapping[str, str] = NONE_REFUSED,
    rule: PathRule | None = None,
) -> Iterator[PlannedFile]:
    """The plan for a run's files, given by path.

    `room`: the characters that a path may have. `refused`: path in the target -> words with which it was refused.
    """
    before = _Paths(rule)
    for artifact, twice, left_out in choice.of(artifacts):
        wanted = target_path(artifact.path, twice=twice)
        path = before.of(wanted, is_there=artifact.stored is not None)
        words = refused_by(refused[path]) if path in refused else None
        yield PlannedFile(
            path, artifact, omission=_omission(artifact, path, left_out or words, room), moved=path != wanted
        )


@dataclass(slots=True)
class _Paths:
    """Paths in a target, as they come in order: there is no file below a file where a disk keeps them."""

    rule: PathRule | None
    above: list[str] = field(default_factory=list)
    """Files that were named last, each the beginning of the next one's path."""

    def of(self, path: str, *, is_there: bool) -> str:
        if self.rule is None or not path:
            return path
        while self.above and not path.startswith(self.above[-1]):
            self.above.pop()
        below = any(path.startswith(f"{file}/") for file in self.above)
        if is_there and not below:
            self.above.append(path)
        return moved(path) if below else fit_path(path, self.rule)


def _omission(artifact: Artifact, path: str, left_out: str | None, room: int) -> str | None:
    if not artifact.path:
        return FOLDER_MARKER
    if artifact.stored is None:
        return artifact.gone or LOST
    return left_out or (TOO_LONG if characters(path) > room else None)


def target_path(path: str, *, twice: bool = False) -> str:
    """The path in the target of a source's file: the same one, but `replay/` is ours; `twice`: the path is taken."""
    if twice:
        return UNINDEXED_FOLDER + path
    return MOVED_FOLDER + path.removeprefix(OWN_FOLDER) if path.startswith(OWN_FOLDER) else path


def is_made(path: str) -> bool:
    """True for a file of the target that we make; those of the source that had to move are none."""
    return path.startswith(OWN_FOLDER) and not path.startswith((MOVED_FOLDER, UNINDEXED_FOLDER))


def count_files(
    recorded: Recorded,
    history: History,
    fitting: Fitting,
    choice: FileChoice,
    room: int,
    *,
    rule: PathRule | None = None,
) -> FilesCounted:
    """The files to send, counted by the run's totals where they suffice. `room`, `rule`: as for `planned`."""
    run, totals = history.contents, history.files
    if not choice.artifacts:
        if totals.files or totals.lost:
            fitting.omit(counted(totals.files + totals.lost, "file"), NOT_CHOSEN if choice.taken else NOT_SERVED)
        return FilesCounted()
    for path in recorded.stored_twice(run) if totals.twice else ():
        fitting.omit(f"path of a second file {path}", f"{TWICE}; it lies below {UNINDEXED_FOLDER}")
    each = choice.narrowed or totals.longest + LONGEST_MOVE > room or history.refused.files or totals.unnamed
    if each or (rule is not None and (totals.files or totals.lost)):
        return _count_each(recorded, history, fitting, choice, room, rule=rule)
    for artifact in recorded.lost_files(run) if totals.lost else ():
        fitting.omit(f"file {artifact.path}", artifact.gone or LOST)
    return FilesCounted(totals.files, totals.bytes)


@dataclass(frozen=True, slots=True)
class FilesCounted:
    """The files of one run that are to be sent."""

    files: int = 0
    bytes: int = 0
    moved: bool = False
    """True where any goes to another path than its own, for the target takes no such path."""


def _count_each(
    recorded: Recorded,
    history: History,
    fitting: Fitting,
    choice: FileChoice,
    room: int,
    *,
    rule: PathRule | None,
) -> FilesCounted:
    """The same by looking at each file, needed where a choice was made, or a name may not be possible."""
    files = size = 0
    any_moved = False
    for one in planned(recorded.artifacts(history.contents), choice, room, history.refused.files, rule):
        if one.artifact and one.omission:
            fitting.omit(f"file {one.artifact.path}", one.omission)
        elif one.artifact and one.artifact.stored:
            files, size = files + 1, size + one.artifact.stored.size_bytes
            any_moved |= one.moved
            if one.moved:
                fitting.omit(f"path of file {one.artifact.path}, which is {one.path} there", NO_SUCH_PATH)
    return FilesCounted(files, size, any_moved)
