"""Read the target back, compare every value with what was planned, record the findings.

The target is read through the same reader as the source was, and compared with the archive: nothing that replay
remembers of what it sent is believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay import lineage
from azureml_replay.archive.archive import Archive
from azureml_replay.compare import SeriesDigest, compare_files, compare_points, compare_runs, compare_series
from azureml_replay.errors import NotFound
from azureml_replay.limits import RUNS_PER_REQUEST
from azureml_replay.listing import StorageListing, path_in_run
from azureml_replay.model import (
    Artifact,
    Experiment,
    Finding,
    Location,
    Omission,
    Points,
    Row,
    Run,
    RunId,
    Series,
    StoredFile,
)
from azureml_replay.plan import PlanOptions, Step, file_omission, plan, target_path
from azureml_replay.probe import Probe
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.send_experiments import OWNER, as_sent, experiment_omissions, planned_experiments
from azureml_replay.send_files import own_files
from azureml_replay.workers import for_each
from azureml_replay.workspace import Source, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was compared and what came of it."""

    runs: int
    points: int
    files: int
    bytes: int
    unverifiable: int
    """Files without a checksum on one of the sides; `deep` reads their bytes instead."""
    omissions: int
    """As planned: each is listed with its reason."""
    findings: int
    reasons: Mapping[str, int]
    """Omissions by reason."""


async def verify(
    archive: Archive,
    target: Target,
    selection: Selection,
    *,
    source: Source | None = None,
    deep: bool = False,
    options: PlanOptions = PlanOptions(),
    width: int = 32,
    progress: Progress = SILENT,
) -> Verdict:
    """Compare everything that the archive's plan says with what the target holds. Writes to the archive only.

    `deep` reads the bytes of every file on the target, and on the source where the source has no checksum; it needs
    `source`. Raises Unavailable, Rejected, IntegrityError.
    """
    known = archive.probe(target.ref)
    probe = Probe.from_json(known) if known is not None else None
    storage = StorageListing(target, archive, progress)
    verifying = _Verifying(archive, target, source if deep else None, options, progress, probe, storage)
    total = archive.totals().extracted
    progress.expect("runs verified", total)
    await verifying.all(selection, width, total)
    return verifying.verdict()


@dataclass(slots=True)
class _Verifying:
    archive: Archive
    target: Target
    deep_source: Source | None
    options: PlanOptions
    progress: Progress
    probe: Probe | None
    storage: StorageListing
    runs: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    unverifiable: int = 0
    findings: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def verdict(self) -> Verdict:
        return Verdict(
            runs=self.runs,
            points=self.points,
            files=self.files,
            bytes=self.bytes,
            unverifiable=self.unverifiable,
            omissions=sum(self.reasons.values()),
            findings=self.findings,
            reasons=dict(self.reasons),
        )

    async def all(self, selection: Selection, width: int, total: int) -> None:
        self._omit(list(self.archive.omissions()))
        if self.options.artifacts:
            await self.storage.begin(total, total)
        await for_each(self._steps(selection), self._verify, width)
        await self._verify_experiments(selection, width)
        self.storage.end()

    async def _steps(self, selection: Selection) -> AsyncIterator[tuple[Step, Run | None]]:
        """Steps with what the target holds of each, asked for in bulk."""
        lost = frozenset(self.probe.lost) if self.probe else frozenset[str]()
        options = PlanOptions(artifacts=self.options.artifacts, lost=lost, limits=self.options.limits)
        steps = plan(self.archive, selection, options)
        while batch := list(islice(steps, RUNS_PER_REQUEST)):
            found = await self.target.details([step.run.id for step in batch])
            for step in batch:
                details = found.get(step.run.id)
                yield step, details.run if details else None

    def _omit(self, omissions: Sequence[Omission]) -> None:
        for omission in omissions:
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1

    async def _verify(self, pair: tuple[Step, Run | None]) -> None:
        step, actual = pair
        omissions = list(step.omissions)
        findings = [Finding(step.source, "run", "absent", step.run.id, "")]
        if actual is not None:
            findings = [*self._compare_run(step, actual)]
            findings += await self._compare_metrics(step)
            if self.options.artifacts:
                findings += await self._compare_files(step, actual, omissions)
        self.archive.put_findings(self.target.ref, step.source, findings)
        self.archive.put_planned_omissions(self.target.ref, step.source, omissions)
        self.archive.verified(self.target.ref, step.source, {"points": step.points, "files": step.files})
        self._omit(omissions)
        self.runs += 1
        self.findings += len(findings)
        self.progress.done("runs verified")

    def _compare_run(self, step: Step, actual: Run) -> Iterator[Finding]:
        """Field by field; what the service itself adds to every run is no difference."""
        if not lineage.is_ours(actual, self.archive.source, step.source):
            yield Finding(step.source, "lineage", "differs", "replayed from this run", "somebody else's run")
        ignored = {lineage.PROPERTY, *(self.probe.added if self.probe else ())}
        properties = {key: value for key, value in step.run.properties.items() if key != lineage.PROPERTY}
        for finding in compare_runs(replace(step.run, properties=properties), actual, ignored=ignored):
            yield replace(finding, run=step.source)

    # Metrics

    async def _compare_metrics(self, step: Step) -> list[Finding]:
        findings: list[Finding] = []
        expected = {series.key: series for series, _ in step.series}
        actual = {series.key: series for series in await self.target.series(step.run.id)}
        unplanned = actual.keys() - expected.keys()
        findings += [Finding(step.source, f"metric {key.name}", "extra", "", "rows") for key in unplanned]
        for series in expected.values():
            findings += await self._compare_series(step, series)
        return findings

    async def _compare_series(self, step: Step, series: Series) -> list[Finding]:
        """By digests as both sides stream; only a difference is looked at row by row."""
        wanted, found = SeriesDigest(), SeriesDigest()
        for points in self.archive.points(step.source, series.key):
            wanted.add(points)
        shape: Series | None = None
        async for points in self._target_points(step.run.id, series):
            found.add(points)
            shape = points.series
        self.points += wanted.count
        if wanted != found:
            actual = [row async for points in self._target_points(step.run.id, series) for row in points.rows()]
            return [*compare_points(self._rows(step, series), actual, series, run=step.source)]
        return [*compare_series(step.source, series, shape)] if shape is not None else []

    def _rows(self, step: Step, series: Series) -> Iterator[Row]:
        return (row for points in self.archive.points(step.source, series.key) for row in points.rows())

    async def _target_points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        try:
            async for points in self.target.points(run, series):
                yield points
        except NotFound:
            return  # no row of it: the digests say so

    # Files

    async def _compare_files(self, step: Step, actual: Run, omissions: list[Omission]) -> list[Finding]:
        """Paths, sizes and checksums of storage and index; bytes where `deep`."""
        stored = {path_in_run(file, actual.container): file async for file in self.storage.files(actual.container)}
        indexed = {artifact.path async for page in self._index(actual) for artifact in page}
        expected, origins = self._expected_files(step, omissions)
        findings, unverifiable = compare_files(step.source, expected.items(), stored)
        unlisted = expected.keys() - indexed
        findings += [Finding(step.source, f"file {path}: index entry", "absent", path, "") for path in unlisted]
        if self.deep_source is not None:
            for path in expected.keys() & stored.keys():
                findings += await self._compare_bytes(step, path, origins.get(path), expected[path], stored[path])
            unverifiable = 0
        self.unverifiable += unverifiable
        self.files += len(expected)
        self.bytes += sum(file.size_bytes for file in expected.values())
        return findings

    def _expected_files(
        self, step: Step, omissions: list[Omission]
    ) -> tuple[dict[str, StoredFile], dict[str, Location]]:
        """What the target should hold, and where the source keeps it."""
        files: dict[str, StoredFile] = {}
        origins: dict[str, Location] = {}
        for artifact in self.archive.artifacts(step.source):
            if artifact.stored is None:
                omissions += [omission] if (omission := file_omission(step.source, artifact)) else []
                continue
            path = target_path(artifact.path)
            files[path], origins[path] = artifact.stored, artifact.location
        for made in own_files(self.archive, step):
            md5 = hashlib.md5(made.data, usedforsecurity=False).digest()
            files[made.path] = StoredFile(location=Location("", made.path), size_bytes=len(made.data), md5=md5)
        return files, origins

    async def _index(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        try:
            async for page in self.target.artifacts(run):
                yield page
        except NotFound:
            return  # a run without files has no container in the index

    async def _compare_bytes(
        self, step: Step, path: str, origin: Location | None, expected: StoredFile, actual: StoredFile
    ) -> list[Finding]:
        found = await _md5(self.target, actual.location)
        wanted = expected.md5
        if wanted is None and origin is not None and self.deep_source is not None:
            wanted = await _md5(self.deep_source, origin)
        if found == wanted:
            return []
        return [Finding(step.source, f"file {path}: bytes", "differs", wanted.hex() if wanted else "", found.hex())]

    # Experiments

    async def _verify_experiments(self, selection: Selection, width: int) -> None:
        """Their own values, and runs in them that nobody planned."""
        existing = frozenset(self.probe.experiments) if self.probe else frozenset[str]()
        held = {one.name: one async for page in self.target.experiments() for one in page}
        findings: list[Finding] = []
        omissions: list[Omission] = []
        for experiment in planned_experiments(self.archive, selection):
            expected = as_sent(experiment, existing)
            findings += _compare_experiment(expected, held.get(experiment.name))
            omissions += experiment_omissions(experiment, existing)
        listed = [held[name] for name in sorted(held) if self.archive.experiment(name) is not None]
        await for_each(listed, lambda one: self._extra_runs(one, findings), width)
        self.archive.put_findings(self.target.ref, OWNER, findings)
        self.archive.put_planned_omissions(self.target.ref, OWNER, omissions)
        self._omit(omissions)
        self.findings += len(findings)

    async def _extra_runs(self, experiment: Experiment, findings: list[Finding]) -> None:
        """A run below one of ours that the source does not have."""
        async for page in self.target.runs(experiment):
            ours = [run for run in page if run.parent and self.archive.run(run.parent)]
            extra = [run for run in ours if not self.archive.run(run.id)]
            findings += [Finding(OWNER, f"run {run.id}", "extra", "", f"child of {run.parent}") for run in extra]


def _compare_experiment(expected: Experiment, actual: Experiment | None) -> Iterator[Finding]:
    what = f"experiment {expected.name}"
    if actual is None:
        yield Finding(OWNER, what, "absent", expected.name, "")
        return
    if expected.description and expected.description != actual.description:
        yield Finding(OWNER, f"{what}: description", "differs", expected.description, actual.description or "")
    if expected.archived and not actual.archived:
        yield Finding(OWNER, f"{what}: archived", "differs", "archived", "active")
    for key, value in expected.tags.items():
        if actual.tags.get(key) != value:
            yield Finding(OWNER, f"{what}: tag {key}", "differs", str(value), str(actual.tags.get(key)))


async def _md5(workspace: Source, location: Location) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    async for data in workspace.read(location):
        digest.update(data)
    return digest.digest()
