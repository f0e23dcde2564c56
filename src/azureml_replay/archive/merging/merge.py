"""Archives of one source -> one of them: two people, two machines, a laptop that was lost halfway."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.merging.folding import Folded
from azureml_replay.counting import counted
from azureml_replay.errors import IntegrityError, UserError
from azureml_replay.progress import SILENT, Progress

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged(Folded):
    """What came of all archives together. A run that several of them had counts once for each."""

    archives: int


def merge(archive: Archive, others: Iterable[StrPath], *, dry_run: bool = False, progress: Progress = SILENT) -> Merged:
    """Fold archives of the same source into `archive`, one after the other; they stay as they are. Repeatable.

    Each comes whole or, where the process is killed, not at all. `dry_run` says what would come, and writes nothing:
    of each as if it were the only one. Raises UserError for folders that hold no archive, for one of another source,
    in use, of a newer version, or that holds what `archive` takes out, and where a run stands as two in a target;
    IntegrityError for a damaged one. Before the first one is folded, all are looked at.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(folder)) for folder in _each(archive, others)]
        _refuse(archive, opened)
        for other in opened:
            _check(other, progress)
        done = [archive.fold(other, dry_run=dry_run, progress=progress) for other in opened]
    sums = {field.name: sum(getattr(one, field.name) for one in done) for field in fields(Folded)}
    return Merged(archives=len(done), **sums)


def _each(archive: Archive, others: Iterable[StrPath]) -> Sequence[Path]:
    """Each folder once. Raises UserError for the one that the others go into."""
    found: dict[str, Path] = {}
    for folder in map(Path, others):
        place = os.path.realpath(folder)
        if place == os.path.realpath(archive.folder):
            raise UserError(f"{folder} is the archive that the others are folded into: name others behind it")
        found.setdefault(place, folder)
    if not found:
        raise UserError(f"nothing to fold into {archive.folder}: name another archive of the same source behind it")
    return list(found.values())


def _opened(folder: Path) -> Archive:
    """Locked, so that nobody writes to it meanwhile; on a read-only disk nobody can."""
    return Archive.open(folder, write=os.access(folder, os.W_OK) or not folder.exists())


def _refuse(archive: Archive, others: Sequence[Archive]) -> None:
    """Raise UserError for what does not go together, in the order in which they would be folded."""
    version, globs = archive.takes_out()
    for other in others:
        if other.source != archive.source:
            raise UserError(
                f"archive {other.folder} holds the workspace {other.source}, and {archive.folder} holds "
                f"{archive.source}: only archives of one source go together"
            )
        theirs, more = other.takes_out()
        if theirs != version:
            raise UserError(
                f"archive {other.folder} takes out secrets by version {theirs} of the table, and {archive.folder} by "
                f"version {version}: extract what {other.folder} holds into {archive.folder}"
            )
        if lacking := sorted(globs - more):
            raise UserError(
                f"archive {other.folder} holds what --redact {lacking[0]} takes out of {archive.folder}: "
                f"extract into {other.folder} with the same --redact, then merge"
            )
        globs |= more


def _check(other: Archive, progress: Progress) -> None:
    """Raise IntegrityError for an archive that is not as it was written: its rows get new digests here."""
    progress.doing(f"checking {other.folder}")
    found = other.checked(read_data=False)
    if found.damages:
        first, rest = found.damages[0], found.damaged - 1
        more = f" (and {counted(rest, 'more damage', 'more damages')})" if rest else ""
        raise IntegrityError(f"archive {other.folder}: {first.what}: {first.why}{more}; nothing of it was merged")
