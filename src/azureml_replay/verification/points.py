"""One run's metrics, target against archive, as both stream; only where they differ they are looked at row by row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.chunk_reader import OpenChunks
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.excerpt import thinned
from azureml_replay.comparison.rows import compare_series, differing_rows, has_last, row_findings
from azureml_replay.comparison.series import SeriesComparison
from azureml_replay.comparison.shown import shown
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.model import Differing, Finding, Omission, Points, Row, RunId, Series
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
        unplanned = actual - expected.keys() - step.waiting - step.refused_series
        found = [await self._extra(step, there[key]) for key in sorted(unplanned, key=lambda key: key.name)]
        kept: list[Differing] = []
        self.not_compared[step.source] = []
        beside = [there[key] for key in sorted(actual - expected.keys() - unplanned, key=lambda key: key.name)]
        if not expected and not beside:
            return found, kept
        # Read name by name, the chunk of ten short ones would be decoded ten times: a fifth of what a run takes.
        numbers = self.archive.chunk_numbers(step.contents)
        chunks = OpenChunks(self.archive, step.contents, numbers, step.rows.tables, step.rows.there)
        for series in beside:
            known = [row for points in chunks.points(series.key) for row in points.rows()]
            look = self._of_waiting if series.key in step.waiting else self._of_refused
            found += await look(step, series, known)

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

    async def _of_waiting(self, step: Step, series: Series, known: Sequence[Row]) -> list[Finding]:
        """Where only the last value is known: rows that we sent before, or such among which that value is."""
        what, sent = f"metric {series.key.name}", self.ledger.sent(step.source) or {}
        rows = [row async for points in self._rows(step.run.id, series) for row in points.rows()]
        if not rows:
            return []
        if what in sent:
            before = sent[what]
            as_sent = isinstance(before, bool) or len(rows) == int(before or 0)
            return [] if as_sent else [Finding(step.source, what, "extra", "", counted(len(rows), "row"))]
        if all(has_last(rows, last) for last in known):
            self.not_compared[step.source].append(Omission(step.source, f"{what}: rows", NOT_OURS))
            return []
        last = ", ".join(str(value) for value in known[-1][2])
        there = f"{counted(len(rows), 'row')}, none with this value at its step and time"
        return [Finding(step.source, shown(what), "differs", f"{last} as its last value", there)]

    async def _of_refused(self, step: Step, series: Series, known: Sequence[Row]) -> list[Finding]:
        """Where the target refused the metric: rows that arrived before are the source's; any others are not."""
        shape: Series | None = None
        rows: list[Row] = []
        async for points in self._rows(step.run.id, series):
            shape = points.series
            rows += points.rows()
        if shape is None or not rows:
            return []
        if not known or len(known[0][2]) != len(shape.columns):
            return [Finding(step.source, shown(f"metric {series.key.name}"), "extra", "", counted(len(rows), "row"))]
        strange = [pair for pair in differing_rows(known, rows, shape) if pair[1] is not None]
        return [*row_findings(strange, shape, run=step.source)]

    async def _series(self, step: Step, series: Series, chunks: OpenChunks) -> tuple[list[Finding], list[Differing]]:
        comparison = SeriesComparison(step.rows.there.distinct(chunks.points(series.key)))
        shape: Series | None = None
        async for points in self._rows(step.run.id, series):
            comparison.add(points)
            shape = points.series
        found = [*compare_series(step.source, series, shape)] if shape is not None else []
        if comparison.equal() or (shape is not None and len(shape.columns) != len(series.columns)):
            return found, []  # rows of other columns differ all: the finding of the columns says so
        expected = (row for points in step.rows.there.distinct(chunks.points(series.key)) for row in points.rows())
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
