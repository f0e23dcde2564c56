"""One run's metrics, target against archive, as both stream; only where they differ they are looked at row by row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.chunk_reader import OpenChunks
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.excerpt import thinned
from azureml_replay.comparison.rows import compare_series, differing_rows, row_findings
from azureml_replay.comparison.series import SeriesComparison
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.model import Differing, Finding, Omission, Points, RunId, Series
from azureml_replay.planning.plan import Step
from azureml_replay.verification.proof import once_settled
from azureml_replay.workers import side_by_side
from azureml_replay.workspace.target import Target

NOT_OURS = "rows that this archive never sent: not compared while only its last value is known (--metrics last)"
KEPT_BYTES = 64 << 20
"""What an archive keeps of one target's curves: some 8,000 series of which every row differs, 10 KB each."""


@dataclass(slots=True)
class PointCheck:
    """Compares the metrics of one run at a time."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    room: asyncio.Semaphore
    """For series that are read at once, of all runs: each holds a few chunks."""
    not_compared: dict[RunId, list[Omission]] = field(default_factory=dict)
    """Of runs that were looked at, until they are asked about: rows with which nothing here can be compared."""

    async def findings(self, step: Step) -> list[Finding]:
        """What differs once the target has settled."""
        if step.lender:
            return []  # whose they are is compared, and the points themselves with that run
        found, kept = await once_settled(self.target, step.run, lambda: self._differences(step))
        if kept and self.ledger.target_points_bytes() > KEPT_BYTES:
            kept = []  # the report says of a series that differs that its curve was not kept
        self.ledger.put_target_points(step.source, kept)
        return found

    async def _differences(self, step: Step) -> tuple[list[Finding], list[Differing]]:
        expected = {series.key: series for series, _ in step.series}
        there = {series.key: series for series in await self.target.series(step.run.id)}
        actual = there.keys()
        sent = self.ledger.sent(step.source) or {}
        strange = sorted(key.name for key in actual & step.waiting if f"metric {key.name}" not in sent)
        self.not_compared[step.source] = [Omission(step.source, f"metric {name}: rows", NOT_OURS) for name in strange]
        unplanned = actual - expected.keys() - step.waiting - step.refused_series
        found = [await self._extra(step, there[key]) for key in sorted(unplanned, key=lambda key: key.name)]
        kept: list[Differing] = []
        if not expected:
            return found, kept
        # Read name by name, the chunk of ten short ones would be decoded ten times: a fifth of what a run takes.
        chunks = OpenChunks(self.archive, step.source, self.archive.chunk_numbers(step.source))

        async def compared(series: Series) -> AsyncIterator[tuple[list[Finding], list[Differing]]]:
            yield await self._series(step, series, chunks)

        def take(_: Series, compared: tuple[list[Finding], list[Differing]]) -> None:
            found.extend(compared[0])
            kept.extend(compared[1])

        await side_by_side(expected.values(), compared, take, self.room)
        return found, kept

    async def _extra(self, step: Step, series: Series) -> Finding:
        """The finding about a series that nobody planned, with the number of its rows."""
        rows = sum([len(points) async for points in self._rows(step.run.id, series)])
        return Finding(step.source, f"metric {series.key.name}", "extra", "", counted(rows, "row"))

    async def _series(self, step: Step, series: Series, chunks: OpenChunks) -> tuple[list[Finding], list[Differing]]:
        comparison = SeriesComparison(chunks.points(series.key))
        shape: Series | None = None
        async for points in self._rows(step.run.id, series):
            comparison.add(points)
            shape = points.series
        found = [*compare_series(step.source, series, shape)] if shape is not None else []
        if comparison.equal() or (shape is not None and len(shape.columns) != len(series.columns)):
            return found, []  # rows of other columns differ all: the finding of the columns says so
        expected = (row for points in chunks.points(series.key) for row in points.rows())
        actual = [row async for points in self._rows(step.run.id, series) for row in points.rows()]
        pairs = differing_rows(expected, actual, series)
        found += row_findings(pairs, series, run=step.source)
        return found, [thinned(series, actual, pairs)]

    async def _rows(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        try:
            async for points in self.target.points(run, series):
                yield points
        except NotFound:
            return  # not a row of it: the digests say so
