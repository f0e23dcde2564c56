"""Archive -> jobs of a target that log what the originals logged: stage, submit, follow, complete, verify, clear.

The ledger and the target are asked at every turn, so a call may be killed anywhere and repeated: nothing is lost, and
no job is put twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.counting import counted
from azureml_replay.errors import ServiceError, UserError, noted
from azureml_replay.files.bytes import Supply
from azureml_replay.model import Run, RunId
from azureml_replay.planning.plan import planned_units
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.synthetic.bodies.known_graphs import Graphs
from azureml_replay.synthetic.bodies.register import place_for
from azureml_replay.synthetic.expected import expected_of
from azureml_replay.synthetic.foreseen import plan_changed
from azureml_replay.synthetic.found import found
from azureml_replay.synthetic.mend import Mender, lacking
from azureml_replay.synthetic.options import (
    Shape,
    SyntheticReplayOptions,
    former_roots,
    job_of,
    planned_trees,
    waiting_units,
)
from azureml_replay.synthetic.originals import ORIGINAL, Originals, unnamed
from azureml_replay.synthetic.parents import Parents
from azureml_replay.synthetic.refused import JobRefusals, RefusedValue
from azureml_replay.synthetic.staging.paths import DEFAULT_ENVIRONMENT
from azureml_replay.synthetic.staging.stage import Stage, clear
from azureml_replay.synthetic.submit import Submit, Told
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.verify import JobCheck
from azureml_replay.synthetic.wait import wait
from azureml_replay.target.bringing_back import bring_back
from azureml_replay.target.cleaned import refuse_uncleaned
from azureml_replay.target.lease import hold, is_held, leased
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.verdict import Verdict, verdict
from azureml_replay.workers import for_each
from azureml_replay.workspace.jobs import SyntheticTarget, with_jobs
from azureml_replay.workspace.mark import is_taken_back
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Outcome, Target

TO_EXTRACT = "run {} of its job is not extracted, and others stand below it: extract again to continue"
SUBMITTED_AT_ONCE = 8
"""At most: ARM refills ten writes a second and principal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticReplayed:
    """What one call did."""

    jobs: int
    """Of the selection: one for each root run."""
    submitted: int
    """Now; the others were there."""
    completed: int
    files: int
    """Staged now."""
    bytes: int
    parents: int
    """Runs of parents that were completed from here, because their job's own token could not."""
    failed: tuple[tuple[RunId, str], ...]
    verdict: Verdict | None
    """None where the jobs were not waited for."""
    mended: int = 0
    """Runs of jobs whose tags, description or name were brought up to date where they stand."""
    changed: int = 0
    """Jobs whose plan changed since they were submitted, and which stand as they were."""
    starts: int = 0
    """Container starts that it takes to submit those anew."""
    refused: tuple[tuple[RunId, str], ...] = ()
    """Run and what of it the target refused, as became known in this call: each is an omission, the rest is there."""
    unnamed: Mapping[str, int] = field(default_factory=dict)
    """Kind of asset (environment, data, model) -> how many the originals name, and their jobs do not."""
    original: bool = False
    """True where jobs were to name what the originals name, as far as it is in the target."""


async def replay_synthetic(
    archive: Archive,
    source: Source | None,
    target: Target,
    selection: Selection = Selection(),
    *,
    options: SyntheticReplayOptions = SyntheticReplayOptions(),
    take_over: bool = False,
    width: int = 32,
    progress: Progress = SILENT,
    told: Told = lambda root, job: None,  # noqa: ARG005
) -> SyntheticReplayed:
    """Submit what the target lacks, follow it to its end, mend and verify it. May be killed and repeated at any moment.

    `width` bounds how many root runs are worked on at once. Raises UserError where the target is the source, LeaseTaken
    where another call writes what comes from the same source: with `take_over` that one is ended. A root run that fails
    is named in the result and left to the next call. `told` hears of each job that is submitted now.
    """
    async with leased(with_jobs(target), archive.source, take_over=take_over, progress=progress) as writing:
        return await _replay(
            archive, source, writing, selection, options=options, width=width, progress=progress, told=told
        )


async def _replay(
    archive: Archive,
    source: Source | None,
    target: SyntheticTarget,
    selection: Selection,
    *,
    options: SyntheticReplayOptions,
    width: int,
    progress: Progress,
    told: Told,
) -> SyntheticReplayed:
    if archive.source == target.ref:
        raise UserError(f"source and target are the same workspace ({target.ref}): name another target")
    refuse_uncleaned(archive, selection)
    archive.put_studio(target.ref, target.studio)
    ledger, submitter = archive.ledger(target.ref), target.submitter
    original = options.environment == ORIGINAL
    environment = DEFAULT_ENVIRONMENT if original else options.environment
    place = await place_for(submitter, target.ref, compute=options.compute, environment=environment)
    stage = Stage(archive, ledger, Supply(archive, source), submitter, progress)
    graphs = Graphs(ledger, submitter)
    refusals = JobRefusals(archive, ledger, target)
    submitting = Submit(archive, ledger, submitter, place, stage, graphs, progress, told, refusals)
    if original:
        submitting.originals = Originals(archive, ledger, submitter, target.ref, options.compute)
    running = _Running(archive, ledger, target, stage, submitting, progress, refusals)
    running.unnamed = unnamed(archive, ledger, planned_units(archive, selection), original=original)
    if options.resubmit:
        submitting.anew = running.to_resubmit(selection, options.shape)
    running.expect(planned_units(archive, selection))
    running.fail_waiting(planned_units(archive, selection))
    await for_each(running.trees(selection, options.shape), running.submit, min(width, SUBMITTED_AT_ONCE))
    if not options.wait:
        return running.result(None)
    await wait(submitter, dict(running.jobs), ended=running.ended, width=width, progress=progress)
    proof = _proof(archive, ledger, selection)
    running.check = JobCheck(proof, target, running.refusals, former=former_roots(archive, ledger))
    await for_each(running.trees(selection, options.shape), running.settle, width)
    await for_each(sorted(running.check.standing), running.show_home, min(width, SUBMITTED_AT_ONCE))
    await running.check.verify_homes(width)
    if not running.unseen:  # otherwise what was known of those jobs before would go on counting
        ledger.end_look(running.check.proof.look)
    return running.result(verdict(archive, ledger, selection))


def _proof(archive: Archive, ledger: TargetLedger, selection: Selection) -> Proof:
    """Of the units that were chosen, and of the experiments in which their jobs stand."""
    aspects, units = (
        (Aspect.FIELDS, Aspect.POINTS, Aspect.FILES, Aspect.CHILDREN),
        set(planned_units(archive, selection)),
    )
    homes = {one.experiment for one in archive.listing() if one.id in units}
    return Proof(archive, ledger, ledger.begin_look(aspects, units, homes))


@dataclass(slots=True)
class _Running:
    archive: Archive
    ledger: TargetLedger
    target: SyntheticTarget
    stage: Stage
    submitting: Submit
    progress: Progress
    refusals: JobRefusals
    jobs: dict[RunId, str] = field(default_factory=dict)
    """Root run -> job, of those that stand."""
    endings: dict[RunId, str] = field(default_factory=dict)
    failed: dict[RunId, str] = field(default_factory=dict)
    unseen: set[RunId] = field(default_factory=set)
    """Of those that failed: root runs whose jobs could not be looked at to the end."""
    unnamed: dict[str, int] = field(default_factory=dict)
    older: dict[RunId, tuple[RunId, ...]] = field(default_factory=dict)
    """Root run -> jobs of ours in whose place its job stands."""
    parents: int = 0
    mended: int = 0
    check: JobCheck = field(init=False)
    """From the moment on at which the jobs have ended."""

    @property
    def _mender(self) -> Mender:
        return Mender(self.archive, self.ledger, self.target, self.refusals)

    def expect(self, roots: Iterable[RunId]) -> None:
        """Tell how many jobs there are to submit, by the ledger."""
        lacking = sum(root in self.submitting.anew or job_of(self.ledger, root) is None for root in roots)
        if lacking:
            self.progress.expect("jobs submitted", lacking)

    def fail_waiting(self, roots: Iterable[RunId]) -> None:
        """Of these nothing is submitted, and a job that stands is left as it is, until the archive is complete."""
        for root, above in waiting_units(self.archive, roots):
            self._fail(root, TO_EXTRACT.format(above))

    def trees(self, selection: Selection, shape: Shape) -> Iterator[tuple[Tree, Shape]]:
        return planned_trees(self.archive, self.ledger, selection, shape)

    def to_resubmit(self, selection: Selection, shape: Shape) -> frozenset[RunId]:
        """Roots of units whose job's plan changed, by the ledger; says how many container starts they take."""
        starts: dict[RunId, int] = {}
        for tree, as_planned in self.trees(selection, shape):
            if plan_changed(self.archive, self.ledger, tree, as_planned):
                starts[tree.root] = sum(1 for _ in tree.leaves())
        if starts:
            jobs, containers = counted(len(starts), "job"), counted(sum(starts.values()), "container start")
            self.progress.say(f"the plan of {jobs} changed since: submitting anew, {containers}")
        return frozenset(starts)

    async def show_home(self, name: str) -> None:
        """Show an experiment again that somebody archived in the target: its jobs would be invisible. Repeatable."""
        there, planned = await self.target.experiment(name), self.archive.experiment(name)
        if there is not None and there.archived and planned is not None and not planned.archived:
            await self.target.put_experiment(replace(there, archived=None))

    def ended(self, root: RunId, status: str) -> None:
        self.endings[root] = status

    async def submit(self, planned: tuple[Tree, Shape]) -> None:
        """The per-run boundary."""
        tree, shape = planned
        for remark in tree.remarks:
            self.progress.say(remark)
        try:
            standing = await self.submitting.job_of(tree, shape)
            await self._show_again(tree.root, standing.job)
            self.jobs[tree.root], self.older[tree.root] = standing.job, standing.older
            self.ledger.forget(tree.root, [RunItem.FAILED])
        except ServiceError as error:
            self._fail(tree.root, noted(error, f"job {tree.root}"))

    async def _show_again(self, root: RunId, job: RunId) -> None:
        """A job that `undo` archived."""
        if self.ledger.receipt(root, RunItem.JOB_UNDONE) is None and root not in self.submitting.taken_back:
            return
        await self._hide(job, hidden=False)
        self.ledger.forget(root, [RunItem.JOB_UNDONE])

    async def _hide(self, job: RunId, *, hidden: bool) -> None:
        found = (await self.target.details([job])).get(job)
        if found is None or found.run.hidden == hidden:
            return
        outcome = (await self._hidden(found.run, hidden=hidden))[job]
        if outcome is not None:
            raise outcome if isinstance(outcome, ServiceError) else outcome.error()

    async def _hidden(self, run: Run, *, hidden: bool) -> Mapping[RunId, Outcome]:
        if not hidden and is_taken_back(run):
            return await bring_back(self.target, run.experiment, [run.id], hidden=False)
        return await self.target.hide_runs(run.experiment, [run.id], hidden=hidden)

    async def settle(self, planned: tuple[Tree, Shape]) -> None:
        """The parents' values, the verdict, and the staged files, which stay while anything is missing."""
        tree, shape = planned
        job = self.jobs.get(tree.root)
        try:
            if job is not None and self.endings[tree.root] == "Completed":
                await self._complete(tree, RunId(job), shape)
                for old in self.older[tree.root]:
                    await self._hide(old, hidden=True)
                await self._hide_former(tree, shape)
            differing = await self._check(tree, shape, job)
            if job is not None and not differing:
                await clear(self.archive, self.target.submitter, tree.root)
        except ServiceError as error:
            self.unseen.add(tree.root)
            self._fail(tree.root, noted(error, f"job {tree.root}"))
            return
        if job is not None and self.endings[tree.root] != "Completed":
            why = f"job {job} ended {self.endings[tree.root]}: its steps tell why in outputs/replay/refused.json"
            self._fail(tree.root, why)

    async def _hide_former(self, tree: Tree, shape: Shape) -> None:
        """Jobs of runs that were roots when these were put: the job is complete in which a step stands for each."""
        former = await self.check.of_former(tree.root)
        if not any(former.values()) or plan_changed(self.archive, self.ledger, tree, shape):
            return
        for run, jobs in former.items():
            self.ledger.mark(run, [RunItem.JOB_UNDONE], State.SENDING)
            for job in jobs:
                await self._hide(job.id, hidden=True)
            self.ledger.mark(run, [RunItem.JOB_UNDONE], State.SENT)

    async def _check(self, tree: Tree, shape: Shape, job: str | None) -> int:
        """The number of findings, once files of ours that tell of the original say what they should."""
        differing = await self.check.check(tree, job, shape)
        if not differing or job is None or tree.root in self.check.changed:
            return differing
        held = await found(self.target, tree, RunId(job))
        if not await self._mender.files(tree, held, shape.files):
            return differing
        return await self.check.check(tree, job, shape)

    async def _complete(self, tree: Tree, job: RunId, shape: Shape) -> None:
        """What changed since it was sent, and the parents' values.

        Those are appended, so what lacks is found out while nobody else can write it.
        """
        held, looking = await found(self.target, tree, job), Parents(self.archive, self.target, only_look=True)
        refused = await self.refusals.learn(tree, held, job, shape.files)
        writes = lacking(self.ledger, tree, held, job, refused).updates
        if not is_held(self.target) and (writes or await looking.complete(tree, held, refused)):
            await hold(self.target)
            held = await found(self.target, tree, job)
        mended = await self._mender.texts(tree, held, job, refused)
        if mended:
            held = await found(self.target, tree, job)
            refused = await self.refusals.learn(tree, held, job, shape.files)
        self.mended += mended
        parents = Parents(self.archive, self.target)
        self.parents += await parents.complete(tree, held, refused)
        self._keep(tree, job, parents.refused)

    def _keep(self, tree: Tree, job: RunId, refused: Sequence[tuple[str, RefusedValue]]) -> None:
        """What runs of parents were refused now."""
        of = {wanted.key: wanted for wanted in expected_of(tree)} if refused else {}
        for key in dict(refused):
            self.refusals.keep(of[key], job, [value for one, value in refused if one == key])

    def _fail(self, root: RunId, why: str) -> None:
        if root not in self.failed:
            self.progress.done("jobs failed")
        self.failed[root] = why
        self.ledger.fail(root, why)
        self.progress.say(f"run {root} is not complete: {why}")

    def result(self, verdict: Verdict | None) -> SyntheticReplayed:
        return SyntheticReplayed(
            jobs=len(self.jobs.keys() | self.failed.keys()),
            submitted=self.submitting.submitted,
            completed=sum(status == "Completed" for status in self.endings.values()),
            files=self.stage.files,
            bytes=self.stage.bytes,
            parents=self.parents,
            failed=tuple(self.failed.items()),
            verdict=verdict,
            mended=self.mended,
            changed=len(self.check.changed) if verdict else 0,
            starts=sum(self.check.changed.values()) if verdict else 0,
            refused=(*self.stage.refused, *self.refusals.told),
            unnamed=self.unnamed,
            original=self.submitting.originals is not None,
        )
