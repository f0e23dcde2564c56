"""Read the target back, compare every value with what was planned, record the findings.

The target is read through the same reader as the source was, and compared with the archive: nothing that replay
remembers of what it sent is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.runs import compare_experiments, compare_runs
from azureml_replay.files.bytes import Supply
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import (
    Experiment,
    Finding,
    Omission,
    Run,
    RunId,
)
from azureml_replay.planning import lineage
from azureml_replay.planning.experiments import OWNER, experiment_omissions, planned_experiments
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.planning.fit import PLACES, led_back
from azureml_replay.planning.plan import Step, plan
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.target.profile import known_profile
from azureml_replay.verification.attribution import Judged, judged
from azureml_replay.verification.files import FileCheck, FilesChecked
from azureml_replay.verification.points import PointCheck
from azureml_replay.verification.verdict import FindingTally, Verdict, unread
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE, RUNS_PER_REQUEST
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target


async def verify(
    archive: Archive,
    target: Target,
    selection: Selection = Selection(),
    *,
    source: Source | None = None,
    deep: bool = False,
    files: FileChoice = ALL_FILES,
    width: int = 32,
    progress: Progress = SILENT,
) -> Verdict:
    """Compare everything that the archive's plan says with what the target holds. Writes to the archive only.

    `deep` reads the bytes of every file on the target; where the source told no checksum, those that the archive holds,
    or else the source's: then it needs `source`. Where `files` leaves none out, those are compared that the last
    replay into this target was to carry. Raises Unavailable, Rejected, IntegrityError, UserError.
    """
    ledger = archive.ledger(target.ref)
    files = _as_replayed(ledger, files, progress)
    profile = known_profile(ledger)
    held = RunFiles(target, archive, progress)
    points_of = PointCheck(archive, ledger, target, asyncio.Semaphore(width))
    files_of = FileCheck(archive, target, held, Supply(archive, source) if deep else None)
    verifying = _Verifying(archive, ledger, target, points_of, files_of, files, profile, progress, held)
    total = archive.totals().extracted
    progress.expect("runs verified", total)
    await verifying.all(selection, width, total)
    return replace(verifying.verdict(), unread=unread(archive, selection))


def _as_replayed(ledger: TargetLedger, given: FileChoice, progress: Progress) -> FileChoice:
    kept = ledger.file_choice()
    if given != ALL_FILES or kept is None:
        return given
    choice = FileChoice.from_json(kept)
    if choice != ALL_FILES:
        progress.say(f"files as replayed: {choice.flags()}")
    return choice


@dataclass(slots=True)
class _Verifying:
    archive: Archive
    ledger: TargetLedger
    target: Target
    points_of: PointCheck
    files_of: FileCheck
    choice: FileChoice
    profile: TargetProfile
    progress: Progress
    held: RunFiles
    runs: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    unverifiable: int = 0
    found: FindingTally = field(default_factory=FindingTally)
    reasons: dict[str, int] = field(default_factory=dict)

    def verdict(self) -> Verdict:
        return Verdict(
            runs=self.runs,
            points=self.points,
            files=self.files,
            bytes=self.bytes,
            unverifiable=self.unverifiable,
            omissions=sum(self.reasons.values()),
            findings=self.found.count,
            reasons=dict(self.reasons),
            unknown=self.archive.unknown(),
            kinds=dict(self.found.kinds),
            first=tuple(self.found.first),
        )

    async def all(self, selection: Selection, width: int, total: int) -> None:
        self._omit(list(self.archive.omissions()))
        await self.held.begin(total, total)
        await for_each(self._steps(selection), self._verify, width)
        await self._verify_experiments(selection, width)
        self.held.end()

    async def _steps(self, selection: Selection) -> AsyncIterator[tuple[Step, Run | None]]:
        """Steps with what the target holds of each, asked for in bulk."""
        steps = plan(self.archive, selection, self.choice, self.profile)
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
        found = Judged([Finding(step.source, "run", "absent", step.run.id, "")], ())
        if actual is not None:
            found = await self._judge(step, actual)
        else:
            self.ledger.put_target_points(step.source, ())
        omissions = (*step.omissions, *found.gone)
        self.ledger.put_findings(step.source, found.findings)
        self.ledger.put_planned_omissions(step.source, omissions)
        counts = {"points": step.points, "files": step.files, "unverifiable": found.unverifiable}
        self.ledger.verified(step.source, counts)
        self._omit(omissions)
        self.runs += 1
        self.points += step.points if actual is not None else 0
        self.found.add(found.findings)
        self.progress.done("runs verified")

    async def _judge(self, step: Step, actual: Run) -> Judged:
        files = await self.files_of.check(step, actual)
        self._count(files)
        findings = [*self._compare_run(step, actual), *await self.points_of.findings(step), *files.findings]
        wanted, there = files.wanted, files.there if step.choice.artifacts else {}
        found = judged(self.ledger, step, actual, findings, wanted=wanted, there=there)
        return replace(found, unverifiable=files.unverifiable)

    def _count(self, checked: FilesChecked) -> None:
        self.files += checked.files
        self.bytes += checked.bytes
        self.unverifiable += checked.unverifiable

    def _compare_run(self, step: Step, actual: Run) -> Iterator[Finding]:
        """Field by field; what the service itself adds to every run is no difference."""
        kept = self.profile.keeps("properties")
        if not lineage.is_ours(actual, self.archive.source, step.source, properties_kept=kept):
            yield Finding(step.source, "lineage", "differs", "replayed from this run", "somebody else's run")
        elif kept:
            for fact, wanted, found in lineage.differences(step.run, actual):
                yield Finding(step.source, f"lineage: {fact}", "differs", wanted, found)
        for place, value in led_back(actual, self.archive.source):
            yield Finding(step.source, place, "differs", f"a place in {self.target.ref}", value)
        ignored = {lineage.PROPERTY, *PLACES, *self.profile.added}
        properties = {key: value for key, value in step.run.properties.items() if key != lineage.PROPERTY}
        for finding in compare_runs(replace(step.run, properties=properties), actual, ignored=ignored):
            yield replace(finding, run=step.source)

    # Experiments

    async def _verify_experiments(self, selection: Selection, width: int) -> None:
        """Their own values, and runs in them that nobody planned."""
        existing = self.profile.experiments
        held = {one.name: one async for page in self.target.experiments() for one in page}
        findings: list[Finding] = []
        omissions: list[Omission] = []
        for experiment in planned_experiments(self.archive, selection):
            found = held.get(experiment.name) or await self.target.experiment(experiment.name)
            if found is not None:
                held[found.name] = found  # a service may leave archived ones out of its list
            if found is None:
                findings.append(Finding(OWNER, f"experiment {experiment.name}", "absent", experiment.name, ""))
            elif experiment.name not in existing:
                findings += compare_experiments(experiment, found)
            omissions += experiment_omissions(experiment, existing)
        listed = [held[name] for name in sorted(held) if self.archive.experiment(name) is not None]
        await for_each(listed, lambda one: self._extra_runs(one, findings), min(width, LISTED_AT_ONCE))
        self.ledger.put_findings(OWNER, findings)
        self.ledger.put_planned_omissions(OWNER, omissions)
        self._omit(omissions)
        self.found.add(findings)

    async def _extra_runs(self, experiment: Experiment, findings: list[Finding]) -> None:
        """A run below one of ours that the source does not have."""
        async for page in self.target.runs(experiment):
            ours = [run for run in page if run.parent and self._known(run.parent)]
            extra = [run for run in ours if not self._known(run.id)]
            findings += [Finding(OWNER, f"run {run.id}", "extra", "", f"child of {run.parent}") for run in extra]

    def _known(self, there: RunId) -> bool:
        return self.archive.run(self.ledger.source_id(there)) is not None
