"""The metrics of one run on their way into an archive: every row, the last ones, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import HISTORY_LEFT_OUT
from azureml_replay.errors import NotFound
from azureml_replay.model import ROWS_PER_CHUNK, Omission, Points, RunId, Series, SeriesKey
from azureml_replay.progress import Progress
from azureml_replay.workers import side_by_side
from azureml_replay.workspace import Source


class Metrics(Enum):
    """How much of the metrics comes."""

    FULL = "full"
    LAST = "last"
    """The last value of each name, as MLflow's search gives it by pages: no request a run."""
    NONE = "none"


LEFT_OUT = {
    Metrics.NONE: ("metrics", "left out by --metrics none"),
    Metrics.LAST: ("metrics beyond the last value of each", HISTORY_LEFT_OUT),
}
"""What a run then lacks, and why; a later call that wants more brings it again."""

NAMED_BY_MLFLOW = ("metrics that MLflow does not show", "the metric service names none, MLflow names scalars")
"""Where `metric/v2.0 …/list` is not spoken: nobody knows whether a run has others."""


def more_than(wanted: Metrics) -> Iterator[str]:
    """Reasons for which a run lacks what `wanted` would bring."""
    levels = list(Metrics)
    return (LEFT_OUT[less][1] for less in levels[levels.index(wanted) + 1 :])


@dataclass(slots=True)
class MetricBringer:
    """Brings the metrics of one run at a time, into the generation that is being staged."""

    source: Source
    archive: Archive
    progress: Progress
    level: Metrics
    room: asyncio.Semaphore
    """For series that are read at once, of all runs: each holds a chunk or two."""

    async def bring(self, run: RunId, last: Sequence[Points]) -> int:
        """How many rows came. `last` are the last values, where only they are wanted. An archive gets no poorer."""
        if self._has_more(run):
            return await self._bring_all(run)
        if self.level in LEFT_OUT:
            self.archive.put_omissions([Omission(run, *LEFT_OUT[self.level])])
        if self.level is Metrics.LAST:
            return self._put_last(run, last)
        return await self._bring_all(run) if self.level is Metrics.FULL else 0

    def _has_more(self, run: RunId) -> bool:
        """What is wanted now would take rows out of the archive: the run then comes whole."""
        levels = list(Metrics)
        less = levels[levels.index(self.level) :]
        return self.archive.generation(run) > 0 and not any(
            self.archive.lacks(run, LEFT_OUT[level][1]) for level in less if level in LEFT_OUT
        )

    def _put_last(self, run: RunId, last: Iterable[Points]) -> int:
        pieces = list(last)
        for start in range(0, len(pieces), ROWS_PER_CHUNK):
            self.archive.put_chunk(run, pieces[start : start + ROWS_PER_CHUNK])
        self.progress.done("points extracted", len(pieces))
        return len(pieces)

    async def _bring_all(self, run: RunId) -> int:
        """Series in the service's order, short ones packed together."""
        listed = await self.source.series(run)
        if self.source.named_by_mlflow:
            self.archive.put_omissions([Omission(run, *NAMED_BY_MLFLOW)])
        packing = _Packing(self.archive, run, self.progress)
        await side_by_side(listed, lambda series: self._points(run, series), packing.take, self.room)
        packing.put()
        self.archive.put_series(run, [packing.whole.get(series.key, series) for series in listed])
        return packing.total

    async def _points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        try:
            async for points in self.source.points(run, series):
                yield points
        except NotFound:
            name = series.key.name
            self.archive.put_omissions([Omission(run, f"metric {name}", "listed, but its rows were not found")])


@dataclass(slots=True)
class _Packing:
    """Rows of a run on their way into chunks; at most one is held."""

    archive: Archive
    run: RunId
    progress: Progress
    pieces: list[Points] = field(default_factory=list)
    held: int = 0
    total: int = 0
    whole: dict[SeriesKey, Series] = field(default_factory=dict)
    """As they came with their rows, which tell more of them than the list."""

    def take(self, series: Series, points: Points) -> None:
        """The next rows."""
        self.whole[series.key] = points.series
        if not len(points):
            return
        if self.held + len(points) > ROWS_PER_CHUNK:
            self.put()
        self.pieces.append(points)
        self.held += len(points)
        self.total += len(points)
        self.progress.done("points extracted", len(points))

    def put(self) -> None:
        """What is held, as a chunk."""
        if self.pieces:
            self.archive.put_chunk(self.run, self.pieces)
        self.pieces, self.held = [], 0
