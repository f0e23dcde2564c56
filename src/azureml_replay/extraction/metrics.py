"""Brings the metrics of one run into an archive: every row, the last ones, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import HISTORY_LEFT_OUT, METRICS_LEFT_OUT
from azureml_replay.errors import NotFound
from azureml_replay.extraction.staging import Staging
from azureml_replay.model import ROWS_PER_CHUNK, Omission, Points, RunId, Series, SeriesKey
from azureml_replay.progress import Progress
from azureml_replay.workers import side_by_side
from azureml_replay.workspace.source import KnowsGaps, Source


class Metrics(Enum):
    """How much of the metrics is extracted."""

    FULL = "full"
    LAST = "last"
    """The last value of each metric, as MLflow's search gives it by pages: no request for single runs."""
    NONE = "none"


LEFT_OUT = {
    Metrics.NONE: ("metrics", METRICS_LEFT_OUT),
    Metrics.LAST: ("metrics beyond the last value of each", HISTORY_LEFT_OUT),
}
"""Level -> omission: what a run then lacks, and why; a later call that wants more brings the run again."""

NAMED_BY_MLFLOW = ("metrics that MLflow does not show", "the metric service names none, MLflow names scalars")
"""The omission where the service has no `metric/v2.0 …/list`: nobody knows whether a run has other metrics."""


def more_than(wanted: Metrics) -> Iterator[str]:
    """Reasons of omissions of which `wanted` would bring what lacks."""
    levels = list(Metrics)
    return (LEFT_OUT[less][1] for less in levels[levels.index(wanted) + 1 :])


@dataclass(slots=True)
class MetricBringer:
    """Brings the metrics of one run at a time into the staged generation."""

    source: Source
    archive: Archive
    progress: Progress
    level: Metrics
    room: asyncio.Semaphore
    """Bounds the series that are read at once, of all runs together: each holds a chunk or two."""

    async def bring(self, run: RunId, last: Sequence[Points], staging: Staging) -> int:
        """Bring metrics; the number of rows. `last` are last values, only used where the archive loses no row by it."""
        if staging.before and self._has_more(run):
            return await self._bring_all(run, staging)
        if self.level in LEFT_OUT:
            staging.omit(Omission(run, *LEFT_OUT[self.level]))
        if self.level is Metrics.LAST:
            return self._put_last(run, last, staging)
        return await self._bring_all(run, staging) if self.level is Metrics.FULL else 0

    def _has_more(self, run: RunId) -> bool:
        """True where last values alone would take rows out of the archive: the run is then brought whole."""
        levels = list(Metrics)
        less = levels[levels.index(self.level) :]
        return not any(self.archive.lacks(run, LEFT_OUT[level][1]) for level in less if level in LEFT_OUT)

    def _put_last(self, run: RunId, last: Iterable[Points], staging: Staging) -> int:
        pieces = list(last)
        for start in range(0, len(pieces), ROWS_PER_CHUNK):
            staging.add(partial(self.archive.put_chunk, run, pieces[start : start + ROWS_PER_CHUNK]))
        self.progress.done("points extracted", len(pieces))
        return len(pieces)

    async def _bring_all(self, run: RunId, staging: Staging) -> int:
        """Bring every row; their number."""
        listed = await self.source.series(run)
        for gap in self.source.gaps(run) if isinstance(self.source, KnowsGaps) else ():
            staging.omit(gap)
        if self.source.named_by_mlflow:
            staging.omit(Omission(run, *NAMED_BY_MLFLOW))
        packing = _Packing(self.archive, staging, run, listed, self.progress)
        await side_by_side(listed, lambda series: self._rest(run, series, packing), packing.take, self.room)
        packing.put()
        described = [packing.described.get(series.key, series) for series in listed]
        staging.add(lambda: self.archive.put_series(run, described))
        return packing.rows

    async def _rest(self, run: RunId, series: Series, packing: _Packing) -> AsyncIterator[Points]:
        """The rows of a series that fill no chunk; full chunks are written as they come."""
        try:
            async for points in self.source.points(run, series):
                if len(points) < ROWS_PER_CHUNK:
                    yield points
                else:
                    packing.put_alone(points)
        except NotFound:
            name = series.key.name
            packing.staging.omit(Omission(run, f"metric {name}", "listed, but its rows were not found"))


@dataclass(slots=True)
class _Packing:
    """Packs rows of a run into chunks: rows that fill one alone, the others together; one chunk is in memory at most.

    So the chunks are the same whichever series is read first.
    """

    archive: Archive
    staging: Staging
    run: RunId
    listed: Sequence[Series]
    progress: Progress
    rows: int = 0
    described: dict[SeriesKey, Series] = field(default_factory=dict)
    """Series as they came with their rows, which say more than the list."""
    held: list[Points] = field(default_factory=list)
    numbered: bool = False

    def take(self, _: Series, points: Points) -> None:
        """Take rows that do not fill a chunk, or none."""
        self._count(points)
        if not len(points):
            return
        if sum(map(len, self.held)) + len(points) > ROWS_PER_CHUNK:
            self.put()
            self.staging.flush()
        self.held.append(points)

    def put(self) -> None:
        """Write the rows in memory as one chunk."""
        if self.held:
            self.staging.add(partial(self.archive.put_chunk, self.run, self.held))
        self.held = []

    def put_alone(self, points: Points) -> None:
        """Write rows that fill a chunk. Series get their numbers in the service's order, whichever is read first."""
        if not self.numbered:
            self.staging.add(lambda: self.archive.put_series(self.run, self.listed))
            self.numbered = True
        self._count(points)
        self.staging.add(lambda: self.archive.put_chunk(self.run, [points]))
        self.staging.flush()

    def _count(self, points: Points) -> None:
        self.described[points.series.key] = points.series
        self.rows += len(points)
        self.progress.done("points extracted", len(points))
