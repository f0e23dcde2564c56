"""Runs of the target, read back and compared value by value with what was planned.

The target is read through the same reader as the source was, and compared with the archive: nothing that replay
remembers of what it sent is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, replace
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
from azureml_replay.planning.fit import PLACES, places_in_source
from azureml_replay.planning.plan import Step, plan_units, planned_units
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.target.profile import known_profile
from azureml_replay.verification.attribution import Judged, judged
from azureml_replay.verification.files import FileCheck
from azureml_replay.verification.points import PointCheck
from azureml_replay.verification.proof import Proof
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE, RUNS_PER_REQUEST
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target


async def verify_runs(
    proof: Proof,
    target: Target,
    units: DirectUnits,
    *,
    source: Source | None = None,
    deep: bool = False,
    files: FileChoice = ALL_FILES,
    width: int = 32,
    progress: Progress = SILENT,
) -> None:
    """Compare what the plan says of the runs of `units` with the runs that the target holds under their ids.

    Adds to `proof`, and writes to its archive only. A run that was looked for and is not there is a finding. `deep`
    reads the bytes of every file on the target; where the source told no checksum, those that the archive holds, or
    else the source's: then it needs `source`. Where `files` leaves none out, those are compared that the last replay
    into this target was to carry. Raises Unavailable, Rejected, IntegrityError, UserError.
    """
    archive, ledger = proof.archive, proof.ledger
    files = _as_replayed(ledger, files, progress)
    held = RunFiles(target, archive, progress)
    points_of = PointCheck(archive, ledger, target, asyncio.Semaphore(width))
    files_of = FileCheck(archive, target, held, Supply(archive, source) if deep else None)
    verifying = _Verifying(proof, target, units, points_of, files_of, files, known_profile(ledger), progress)
    total = archive.totals().extracted
    progress.expect("runs verified", total)
    await held.begin(total, total)
    await for_each(verifying.steps(), verifying.verify, width)
    await verifying.verify_experiments(width)
    held.end()


@dataclass(frozen=True, slots=True)
class DirectUnits:
    """The units that are looked for as runs: what was replayed directly, and what was not replayed at all."""

    selection: Selection
    without: Collection[RunId] = ()
    """Roots of units that stand in the target as jobs alone."""
    jobs: Collection[RunId] = ()
    """Names of the jobs that were put: what is below them is for their own verification."""

    def roots(self, archive: Archive) -> Iterator[RunId] | None:
        """None: every unit of the archive."""
        if self.selection.everything and not self.without:
            return None
        return (root for root in planned_units(archive, self.selection) if root not in self.without)

    def any(self, archive: Archive) -> bool:
        """False where every chosen unit stands as a job alone. True where nothing is chosen at all."""
        return not self.without or next(self.roots(archive) or iter(()), None) is not None


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
    proof: Proof
    target: Target
    units: DirectUnits
    points_of: PointCheck
    files_of: FileCheck
    choice: FileChoice
    profile: TargetProfile
    progress: Progress

    @property
    def archive(self) -> Archive:
        return self.proof.archive

    @property
    def ledger(self) -> TargetLedger:
        return self.proof.ledger

    async def steps(self) -> AsyncIterator[tuple[Step, Run | None]]:
        """Steps with what the target holds of each, asked for in bulk."""
        steps = plan_units(self.archive, self.units.roots(self.archive), self.choice, self.profile)
        while batch := list(islice(steps, RUNS_PER_REQUEST)):
            found = await self.target.details([step.run.id for step in batch])
            for step in batch:
                details = found.get(step.run.id)
                yield step, details.run if details else None

    async def verify(self, pair: tuple[Step, Run | None]) -> None:
        """Compares one run, None where the target has none of its id."""
        step, actual = pair
        found = Judged([Finding(step.source, "run", "absent", step.run.id, "")], ())
        if actual is not None:
            found = await self._judge(step, actual)
        else:
            self.ledger.put_target_points(step.source, ())
        self.proof.runs += 1
        self.proof.points += step.points if actual is not None else 0
        counts = {"points": step.points, "files": step.files, "unverifiable": found.unverifiable}
        self.proof.record(step.source, found.findings, (*step.omissions, *found.gone), counts)
        self.progress.done("runs verified")

    async def _judge(self, step: Step, actual: Run) -> Judged:
        files = await self.files_of.check(step, actual)
        self.proof.files += files.files
        self.proof.own_files += files.own_files
        self.proof.bytes += files.bytes
        self.proof.unverifiable += files.unverifiable
        findings = [*self._compare_run(step, actual), *await self.points_of.findings(step), *files.findings]
        wanted, there = files.wanted, files.there if step.choice.artifacts else {}
        found = judged(self.ledger, step, actual, findings, wanted=wanted, there=there)
        return replace(found, unverifiable=files.unverifiable)

    def _compare_run(self, step: Step, actual: Run) -> Iterator[Finding]:
        """Field by field; what the service itself adds to every run is no difference."""
        kept = self.profile.keeps("properties")
        if not lineage.is_ours(actual, self.archive.source, step.source, properties_kept=kept):
            yield Finding(step.source, "lineage", "differs", "replayed from this run", "somebody else's run")
        elif kept:
            for fact, wanted, found in lineage.differences(step.run, actual):
                yield Finding(step.source, f"lineage: {fact}", "differs", wanted, found)
        for place, value in places_in_source(actual, self.archive.source):
            yield Finding(step.source, place, "differs", f"a place in {self.target.ref}", value)
        ignored = {lineage.PROPERTY, *PLACES, *self.profile.added}
        properties = {key: value for key, value in step.run.properties.items() if key != lineage.PROPERTY}
        for finding in compare_runs(replace(step.run, properties=properties), actual, ignored=ignored):
            yield replace(finding, run=step.source)

    # Experiments

    async def verify_experiments(self, width: int) -> None:
        """Compares their own values, and looks for runs in them that nobody planned."""
        existing = self.profile.experiments
        held = {one.name: one async for page in self.target.experiments() for one in page}
        findings: list[Finding] = []
        omissions: list[Omission] = []
        for experiment in planned_experiments(self.archive, self.units.selection, self.units.without):
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
        self.proof.omit(omissions)
        self.proof.found.add(findings)

    async def _extra_runs(self, experiment: Experiment, findings: list[Finding]) -> None:
        """A run below one of ours that the source does not have."""
        async for page in self.target.runs(experiment):
            ours = [run for run in page if run.parent and self._known(run.parent) and not self._of_job(run.parent)]
            extra = [run for run in ours if not self._known(run.id)]
            findings += [Finding(OWNER, f"run {run.id}", "extra", "", f"child of {run.parent}") for run in extra]

    def _known(self, there: RunId) -> bool:
        return self.archive.run(self.ledger.source_id(there)) is not None

    def _of_job(self, there: RunId) -> bool:
        """A job keeps its run's id where that is free; what its steps are called is for its own verification."""
        if there in self.units.jobs:
            return True
        return bool(self.units.without) and self.archive.unit_of(self.ledger.source_id(there)) in self.units.without
