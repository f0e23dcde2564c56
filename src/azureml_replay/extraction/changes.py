"""Finds changes that a source's lists do not show: runs that disappeared, points and files that came after the end.

A list that shows a change is believed. An unchanged `lastModifiedUtc` does not prove unchanged points and files
(docs/concepts/sync.md). So runs at rest are compared with two things that are cheap to read in bulk: the storage's
listing (5,000 files a request) and the last values of whole experiments (hundreds of runs a request).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from azureml_replay.archive.archive import Archive
from azureml_replay.counting import counted
from azureml_replay.errors import Rejected
from azureml_replay.files.of_run import RunFiles
from azureml_replay.instants import TICKS_PER_SECOND
from azureml_replay.model import Location, Points, Row, RunId, StoredFile
from azureml_replay.progress import Progress
from azureml_replay.terminal.hints import hint
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.profile import of_kind
from azureml_replay.workspace.source import Source

Version: TypeAlias = tuple[str | None, int]
_NOT_SPOKEN = frozenset({404, 405, 501})
_MILLISECOND = TICKS_PER_SECOND // 1_000
"""Ticks in a millisecond: MLflow's times are no finer."""

BY_THE_LAST = (
    "{} that ended: of new points a server shows the last of each metric alone, which are as they were; "
    "`{}` also finds points at earlier steps"
)
"""A plain server tells no time of change."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """Marks runs of the archive that have to be extracted again. All methods are repeatable."""

    source: Source
    archive: Archive
    progress: Progress

    async def disappeared(self) -> frozenset[RunId]:
        """Note selected runs that no list named and the source does not know any more; their ids. Deletes nothing."""
        unseen = self.archive.unseen()
        gone: list[RunId] = []
        while batch := list(islice(unseen, RUNS_PER_REQUEST)):
            found = await self.source.details(batch)
            self.archive.put_listed([details.run for details in found.values()])
            gone += [run for run in batch if run not in found]
        self.archive.note_gone(gone)
        return frozenset(gone)

    async def files(self, files_of: RunFiles) -> None:
        """Mark runs at rest whose own files in the storage are different now, by place, ETag and size."""
        for run in self.archive.at_rest():
            there = {file.location: _version(file.stored) async for file in files_of.stored(run) if file.stored}
            if there != self._files(run):
                self.archive.bring_again(run)

    def _files(self, run: RunId) -> dict[Location, Version]:
        there = (one for one in self.archive.artifacts(run) if one.gone is None)
        stored = [one.stored for one in there if one.stored is not None]
        folder = self.source.place(run, "")
        return {
            file.location: _version(file)
            for file in stored
            if file.location.datastore == folder.datastore and folder.path in file.location.path
        }

    async def points(self) -> None:
        """Mark runs at rest that logged a value since, as the last values in MLflow's search show."""
        resting = {row.experiment for row in self.archive.listing() if row.extracted}
        searched = [one for one in self.archive.experiments() if one.name in resting]
        try:
            async for page in self.source.last_values(searched):
                self._compare(page)
            if of_kind(self.archive.source).plain and (left := sum(1 for _ in self.archive.at_rest())):
                self.progress.say(BY_THE_LAST.format(counted(left, "run"), self._reads_all()))
        except Rejected as error:
            if error.status not in _NOT_SPOKEN:
                raise
            self.progress.say(
                f"points that came after a run's end cannot be looked for, as the service has no search of runs: "
                f"`{self._reads_all()}` reads all"
            )

    def _reads_all(self) -> str:
        return hint("extract", "--source", self.archive.source, "--archive", self.archive.folder, "--check-all")

    def _compare(self, page: Mapping[RunId, Sequence[Points]]) -> None:
        for run, last in page.items():
            if last and self.archive.is_at_rest(run) and not self._has(run, last):
                self.archive.bring_again(run)

    def _has(self, run: RunId, last: Sequence[Points]) -> bool:
        lacking = {self.archive.clean_name(points.series.key.name): row for points in last for row in points.rows()}
        for _, pieces in self.archive.chunks(run):
            for piece in pieces:
                row = lacking.get(piece.series.key.name)
                if row is not None and _holds(piece, row):
                    del lacking[piece.series.key.name]
            if not lacking:
                return True
        return not lacking


def _version(file: StoredFile) -> Version:
    """What tells that a file was written anew: not every storage has ETags."""
    return file.etag, file.size_bytes


def _holds(piece: Points, row: Row) -> bool:
    """True where one of the rows is this one as MLflow shows it: no step as 0, times cut to milliseconds."""
    step, ticks, (value,) = row
    if value == value and all(value not in column for column in piece.values):  # noqa: PLR0124 not for NaN
        return False  # ten times as fast as row by row
    return any(
        (there or 0) == step and abs((time or 0) - (ticks or 0)) < _MILLISECOND and _same(value, values)
        for there, time, values in piece.rows()
    )


def _same(value: object, values: Sequence[object]) -> bool:
    return any(value == one or (value != value and one != one) for one in values)  # noqa: PLR0124 NaN is NaN
