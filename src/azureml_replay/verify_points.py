"""One run's metrics, target against archive: by digests as both stream; only a difference is looked at row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.compare import SeriesDigest, compare_points, compare_series
from azureml_replay.errors import NotFound
from azureml_replay.model import Finding, Points, RunId, Series
from azureml_replay.plan import Step
from azureml_replay.workspace import Target


@dataclass(slots=True)
class PointCheck:
    """Compares the metrics of one run at a time."""

    archive: Archive
    target: Target

    async def findings(self, step: Step) -> list[Finding]:
        """What differs once the target has settled: rows that were appended a moment ago may show up late."""
        found = await self._differences(step)
        if not found:
            return []
        await self.target.settle(step.run.id)
        return await self._differences(step)

    async def _differences(self, step: Step) -> list[Finding]:
        expected = {series.key: series for series, _ in step.series}
        actual = {series.key for series in await self.target.series(step.run.id)}
        unplanned = sorted(key.name for key in actual - expected.keys())
        found = [Finding(step.source, f"metric {name}", "extra", "", "rows") for name in unplanned]
        for series in expected.values():
            found += await self._series(step, series)
        return found

    async def _series(self, step: Step, series: Series) -> list[Finding]:
        wanted, there = SeriesDigest(), SeriesDigest()
        for points in self.archive.points(step.source, series.key):
            wanted.add(points)
        shape: Series | None = None
        async for points in self._rows(step.run.id, series):
            there.add(points)
            shape = points.series
        found = [*compare_series(step.source, series, shape)] if shape is not None else []
        if wanted != there:
            expected = (row for points in self.archive.points(step.source, series.key) for row in points.rows())
            actual = [row async for points in self._rows(step.run.id, series) for row in points.rows()]
            found += compare_points(expected, actual, series, run=step.source)
        return found

    async def _rows(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        try:
            async for points in self.target.points(run, series):
                yield points
        except NotFound:
            return  # not a row of it: the digests say so
