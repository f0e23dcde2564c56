"""Runs of the target, read back and compared value by value with what was planned.

The target is read through the same reader as the source was, and compared with the archive: nothing that replay
remembers of what it sent is believed.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_kept, of_run
from azureml_replay.archive.edits import Edit
from azureml_replay.archive.evidence import OTHERS, Aspect, Looked, Topic, Way
from azureml_replay.archive.items import ExperimentItem, FileItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.experiments import kept_under
from azureml_replay.comparison.runs import STATE, compare_experiments, compare_visibility
from azureml_replay.comparison.shown import shown
from azureml_replay.comparison.three_way import GONE_REASON, LOST, REMOVED
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.files.bytes import Supply
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import Experiment, Finding, Omission, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.candidates import Original
from azureml_replay.planning.experiments import OWNER, experiment_omissions
from azureml_replay.planning.files import ALL_FILES
from azureml_replay.planning.fit import places_in_source
from azureml_replay.planning.made_files import MADE
from azureml_replay.planning.plan import Step, is_left, plan_run, plan_units
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.target.bringing_back import note_owner
from azureml_replay.target.profile import known_profile
from azureml_replay.verification.attribution import (
    attribution,
    attribution_of_experiment,
    creation_finding,
    type_finding,
)
from azureml_replay.verification.edits import kept_beside
from azureml_replay.verification.files import FileCheck
from azureml_replay.verification.points import PointCheck
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.seen import DirectUnits, LookAtRuns, SeenRuns, mark_of
from azureml_replay.verification.values import value_findings
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE, RUNS_PER_REQUEST
from azureml_replay.workspace.mark import JOB_TAKEN_BACK, SOURCE_TAG, TAKEN_BACK, is_taken_back
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target

logger = logging.getLogger("azureml_replay")
INDEX_ENTRY = ": index entry"
COPY = ("further copy", "further copies")
WHENCE = "of runs of this source (made twice, or sent by another archive)"
COPIES_NAMED = 3
"""Of an experiment, by their ids: by these one finds the others."""


async def verify_runs(
    proof: Proof,
    target: Target,
    units: DirectUnits,
    *,
    source: Source | None = None,
    width: int = 32,
    progress: Progress = SILENT,
    by: LookAtRuns | None = None,
) -> None:
    """Compare what the plan says of the runs of `units` with the runs that the target holds under their ids.

    Writes to the archive of `proof` only. A run that was looked for and is not there is a finding. Where the bytes of
    files are looked at and the source told no checksum, those that the archive holds are read, or else the source's:
    then it needs `source`. `by` looks at the runs. Raises Unavailable, Rejected, IntegrityError, UserError.
    """
    held = RunFiles(target, proof.archive, progress)
    verifying = _Verifying.of(proof, target, units, held, source=source, width=width, progress=progress)
    total = proof.archive.totals().extracted
    progress.expect("runs verified", total)
    if proof.files.artifacts:
        await held.begin(total, total)
    if by is None:
        await for_each(verifying.steps(), verifying.verify, width)
    else:
        verifying.take(await by(proof, list(units.roots(proof.archive) or proof.archive.units()), held))
    await verifying.verify_experiments(width)
    held.end()


async def verify_part(
    proof: Proof,
    target: Target,
    units: Sequence[RunId],
    *,
    source: Source | None,
    shelved: bool,
    width: int,
    progress: Progress,
) -> SeenRuns:
    """Compare the runs of units of a part of an archive, as `verify_runs`; of experiments only what it needs for them.

    `shelved`: the target's storage was listed onto the part's shelf.
    """
    held = RunFiles(target, proof.archive, progress)
    verifying = _Verifying.of(
        proof, target, DirectUnits(Selection(include=tuple(units))), held, source=source, width=width, progress=progress
    )
    if proof.files.artifacts:
        await held.begin_on_shelf(whole=shelved)
    await for_each(verifying.steps(), verifying.verify, width)
    there = {name: marks.tobytes() for name, marks in verifying.there.items()}
    return SeenRuns(frozenset(verifying.experiments), frozenset(verifying.direct), there)


@dataclass(slots=True)
class _Verifying:
    proof: Proof
    target: Target
    units: DirectUnits
    points_of: PointCheck
    files_of: FileCheck
    profile: TargetProfile
    progress: Progress
    experiments: set[str] = field(default_factory=set)
    """Names of those in which runs were looked for."""
    direct: set[str] = field(default_factory=set)
    """Those among them in which one should stand as it was: a job that was removed carried nothing of an experiment."""
    there: dict[str, array[int]] = field(default_factory=dict)
    """Experiment -> marks of the ids of our runs that it shows: 8 bytes each, of 100,000 names it would be 10 MB."""

    @classmethod
    def of(
        cls,
        proof: Proof,
        target: Target,
        units: DirectUnits,
        held: RunFiles,
        *,
        source: Source | None,
        width: int,
        progress: Progress,
    ) -> _Verifying:
        """One that looked at nothing yet."""
        archive, ledger = proof.archive, proof.ledger
        points_of = PointCheck(archive, ledger, target, asyncio.Semaphore(width))
        files_of = FileCheck(archive, ledger, target, held, proof.files, Supply(archive, source), proof.deep)
        return cls(proof, target, units, points_of, files_of, known_profile(ledger), progress)

    def take(self, seen: Sequence[SeenRuns]) -> None:
        """What others saw of runs."""
        for one in seen:
            self.experiments |= one.experiments
            self.direct |= one.direct
            for name, marks in one.there.items():
                self.there.setdefault(name, array("q")).frombytes(marks)

    @property
    def archive(self) -> Archive:
        return self.proof.archive

    @property
    def ledger(self) -> TargetLedger:
        return self.proof.ledger

    async def steps(self) -> AsyncIterator[tuple[Step, Run | None]]:
        """Steps with what the target holds of each, asked for in bulk.

        Without runs that were to be left out, or that wait for the extraction of another one before they are sent.
        """
        steps = plan_units(self.archive, self.units.roots(self.archive), None, self.profile)
        while batch := list(islice(steps, RUNS_PER_REQUEST)):
            carried = self.ledger.carried([step.source for step in batch])
            batch = [step for step in batch if not (step.waits_for or is_left(carried.get(step.source)))]
            found = await self.target.details([step.run.id for step in batch]) if batch else {}
            for step in batch:
                details = found.get(step.run.id)
                yield step, details.run if details else None

    async def verify(self, pair: tuple[Step, Run | None]) -> None:
        """Compares one run, None where the target has none of its id."""
        step, actual = pair
        self.experiments.add(step.run.experiment)
        if not self._stood_as_job(step):
            self.direct.add(step.run.experiment)
        subject = Topic(Way.RUN, step.source)
        if actual is None:
            self.ledger.put_target_points(step.source, ())
            self.ledger.put_edits(step.source, ())
            absent = Looked([Finding(step.source, "run", self._why_absent(step), step.run.id, "")])
            nothing = dict.fromkeys((Aspect.POINTS, Aspect.FILES, Aspect.BYTES), Looked())
            self.proof.record(subject, {Aspect.FIELDS: absent, **nothing}, step.omissions)
        else:
            if not actual.hidden:
                self.there.setdefault(actual.experiment, array("q")).append(mark_of(actual.id))
            outcomes, gone = await self._compare(step, actual)
            told = {one.what for one in gone}
            planned = (one for one in step.omissions if one.what not in told)
            self.proof.record(subject, outcomes, (*planned, *gone))
        logger.debug("run %s compared%s", step.source, ": the target has none" if actual is None else "")
        self.progress.done("runs verified")

    def _why_absent(self, step: Step) -> str:
        """The kind of the finding: what `undo` deleted, as a run or with its job, a replay creates anew."""
        if self._stood_as_job(step):
            return JOB_TAKEN_BACK
        hidden = (RunItem.DELETED, RunItem.UNDONE)  # a hidden one may have gone along with another
        if any(self.ledger.receipt(step.source, item) for item in hidden):
            return TAKEN_BACK
        created = self.ledger.receipt(step.source, RunItem.CREATE)
        return REMOVED if created is not None and created.state is State.SENT else "absent"

    def _stood_as_job(self, step: Step) -> bool:
        """True for a run that was never sent but as a step of a job, which `undo` removed."""
        as_run = any(self.ledger.receipt(step.source, item) for item in (RunItem.CREATE, RunItem.DELETED))
        return not as_run and self.ledger.receipt(step.unit, RunItem.JOB_DELETED) is not None

    async def _compare(self, step: Step, actual: Run) -> tuple[Mapping[Aspect, Looked], Sequence[Omission]]:
        files = await self.files_of.check(step, actual)
        differing = [*self._compare_run(step, actual), *type_finding(self.ledger, step, actual)]
        if self.profile.by(step.route).created_at_start:
            differing += creation_finding(self.ledger, step, actual)
        points = Looked(await self.points_of.findings(step), {"points": step.points})
        outcomes = {Aspect.FIELDS: Looked(differing), Aspect.POINTS: points, **files.outcomes}
        beside = [*files.omissions, *self.points_of.not_compared.pop(step.source, ())]
        if not any(outcome.findings for outcome in outcomes.values()):
            self._put_edits(step, ())
            return outcomes, beside
        if is_taken_back(actual) and self.ledger.receipt(step.source, RunItem.FINISH):
            self.ledger.forget(step.source, [RunItem.WHOLE, RunItem.FINISH])  # else a replay would not look at it
        there = files.there if step.choice.artifacts else {}
        most = self.profile.by(step.route).limits.properties
        who = attribution(self.ledger, step, actual, wanted=files.wanted, there=there, most=most)
        if who.older:
            self._look_again(step, [path for path in MADE if f"file {path}" in who.older])
        judged = {aspect: who.of(outcome) for aspect, outcome in outcomes.items()}
        self._put_edits(step, [edit for _, _, edits in judged.values() for edit in edits])
        gone = [*beside, *(omission for _, lost, _ in judged.values() for omission in lost)]
        lost = {f"{one.what}{end}" for one in files.omissions if one.reason == GONE_REASON for end in ("", INDEX_ENTRY)}
        return {aspect: _without_hope(outcome, lost) for aspect, (outcome, _, _) in judged.items()}, gone

    def _look_again(self, step: Step, made: Sequence[str]) -> None:
        """Let the next replay look at a run that was sent, where something of it is to be sent once more.

        `made`: so are these files of ours.
        """
        receipt = self.ledger.receipt(step.source, RunItem.CREATE)
        if receipt is not None and receipt.state is State.SENT:
            self.ledger.forget(step.source, [RunItem.WHOLE, *map(FileItem, made)])
            self.ledger.mark_runs(RunItem.CREATE, {step.source: of_kept(of_run(step.run))}, State.SENT)

    def _put_edits(self, step: Step, edits: Sequence[Edit]) -> None:
        """First: findings without them are nobody's, so a call that is killed in between accepts nothing."""
        if self.proof.files != ALL_FILES:
            edits = kept_beside(self.ledger.edits(step.source), edits)
        self.ledger.put_edits(step.source, edits)

    def _compare_run(self, step: Step, actual: Run) -> Iterator[Finding]:
        """Field by field; what the service itself adds to every run is no difference."""
        profile = self.profile.by(step.route)
        kept = profile.keeps("properties")
        if not lineage.is_ours(actual, self.archive.source, step.source, properties_kept=kept):
            yield Finding(step.source, "lineage", "differs", "replayed from this run", "somebody else's run")
        elif kept:
            for fact, wanted, found in lineage.differences(step.run, actual):
                yield Finding(step.source, f"lineage: {fact}", "differs", wanted, found)
        mark = lineage.source_mark(self.archive.source)
        if profile.ids == "theirs" and actual.tags.get(SOURCE_TAG) != mark:  # by it another archive finds the run
            yield Finding(step.source, f"lineage: tag {SOURCE_TAG}", "differs", mark, actual.tags.get(SOURCE_TAG) or "")
        for place, value in places_in_source(actual, self.archive.source):
            yield Finding(step.source, place, "differs", f"a place in {self.target.ref}", value)
        for finding in value_findings(step.run, actual, profile.added):
            yield replace(finding, run=step.source)

    # Experiments

    async def verify_experiments(self, width: int) -> None:
        """Compares their own values, and looks for runs in them that nobody planned."""
        held = {one.name: one async for page in self.target.experiments() for one in page}
        if self.units.selection.everything:
            sent = (item for item in self.ledger.receipts(OWNER) if isinstance(item, ExperimentItem))
            names = {item.name for item in sent}
            self.experiments |= names
            self.direct |= names
        for name in sorted(self.experiments - held.keys()):
            found = await self.target.experiment(name)  # a service may leave archived ones out of its list
            held |= {name: found} if found is not None else {}
        await for_each(sorted(self.experiments), lambda one: self._experiment(one, held.get(one)), _at_once(width))
        if self.units.selection.everything:
            others = [held[name] for name in sorted(held.keys() - self.experiments)]
            extra: list[Finding] = []
            await for_each(others, lambda one: self._extra_runs(one, extra), _at_once(width))
            self.proof.record(OTHERS, {Aspect.CHILDREN: Looked(extra)})

    async def _experiment(self, name: str, found: Experiment | None) -> None:
        """Compares one experiment, None where the target has none of its name."""
        planned = self.archive.experiment(name)
        differing, extra, omissions = list[Finding](), list[Finding](), list[Omission]()
        if found is None:
            self.ledger.put_edits(kept_under(name), ())
            differing = [Finding(OWNER, f"experiment {name}", "absent", name, "")]
        else:
            await self._extra_runs(found, extra)
            made = note_owner(self.ledger, found, self.archive.source)
            own = name in self.profile.experiments and not made
            if planned is not None and (own or name not in self.direct):
                differing += compare_visibility(planned, found)
                omissions += experiment_omissions(planned, found)
            elif planned is not None:
                carried, omissions = self.ledger.experiment_as_carried(planned, self.profile.limits)
                differing, gone = self._compare_ours(carried, found)
                omissions = [*omissions, *gone]
        outcomes = {Aspect.FIELDS: Looked(differing), Aspect.CHILDREN: Looked(extra)}
        self.proof.record(Topic(Way.EXPERIMENT, name), outcomes, omissions)

    def _compare_ours(self, planned: Experiment, found: Experiment) -> tuple[list[Finding], list[Omission]]:
        """An experiment that replay made, without the lineage on either side; and what it lost at the source since."""
        undone = lineage.is_taken_back(found, self.archive.source)
        wanted, there = lineage.without_lineage(planned), lineage.without_lineage(found)
        differing = list(compare_experiments(wanted, there))
        if not differing:
            self.ledger.put_edits(kept_under(found.name), ())
            return [], []
        mark = lineage.sent_of_another(found, self.archive.source)
        who = attribution_of_experiment(self.ledger, wanted, there, mark, taken_back=undone)
        outcome, gone, edits = who.of(Looked(differing))
        self.ledger.put_edits(kept_under(found.name), edits)
        state = shown(f"experiment {found.name}") + STATE
        told = [replace(one, kind=TAKEN_BACK) if undone and one.what == state else one for one in outcome.findings]
        return told, gone

    async def _extra_runs(self, experiment: Experiment, findings: list[Finding]) -> None:
        """A run below one of ours that the source does not have, and copies of our runs that another archive sent.

        A list that lacks runs of ours which are there to be seen says nothing about others: then each is asked.
        """
        lacking, copies = set(self.there.pop(experiment.name, ())), list[RunId]()
        async for page in self.target.runs(experiment):
            lacking.difference_update(mark_of(run.id) for run in page)
            findings += self._strangers(page)
            copies += self._copies(page)
        if copies:
            what, named = shown(f"experiment {experiment.name}: runs"), ", ".join(copies[:COPIES_NAMED])
            findings.append(Finding(OWNER, what, "extra", "", f"{counted(len(copies), *COPY)} {WHENCE}: {named}"))
        if lacking:
            found = {one.what: one for one in findings}
            async for page in self._children_in(experiment.name):
                found |= {one.what: one for one in self._strangers(page)}
            findings[:] = found.values()

    def _strangers(self, page: Sequence[Run]) -> list[Finding]:
        ours = [run for run in page if run.parent and self._known(run.parent) and not self._of_job(run.parent)]
        extra = [run for run in ours if not self._known(run.id)]
        return [Finding(OWNER, f"run {run.id}", "extra", "", f"child of {run.parent}") for run in extra]

    def _copies(self, page: Sequence[Run]) -> list[RunId]:
        """Runs that say that they were written from one of the archive's, which stands under another id here.

        By more than tags, which a job's steps and a clone of ours have, too. What `undo` of another archive hid is gone
        for people.
        """
        told = {run.id: original for run in page if (original := self._original(run)) and not is_taken_back(run)}
        ours = self.ledger.target_ids(told.values())
        twice = ((run, original) for run in page if (original := told.get(run.id)))
        return [
            run.id
            for run, original in twice
            if (there := ours.get(original, original)) != run.id and self._known(there) and self._is_copy(run, original)
        ]

    def _original(self, run: Run) -> RunId | None:
        """The run of the source that a run of the target names."""
        if (told := lineage.origin(run)) is not None:
            return told
        tag = run.tags.get(lineage.TAG)
        return RunId(tag) if tag and run.tags.get(SOURCE_TAG) == lineage.source_mark(self.archive.source) else None

    def _is_copy(self, run: Run, original: RunId) -> bool:
        """False for one that has nothing of ours but the tags: somebody made it of one of ours."""
        if lineage.origin(run) is not None:
            return lineage.is_ours(run, self.archive.source, original)
        unit = self.archive.unit_of(original) or original
        step = plan_run(self.archive, original, self.profile, root=unit, depth=0)
        if step is None:
            return False
        told = Original(self.archive.source, step.run, original, self.profile)
        return told.is_told_by(run) or told.is_made(run)

    async def _children_in(self, name: str) -> AsyncIterator[Sequence[Run]]:
        """Direct children of our runs of an experiment, whichever it is that they are in."""
        ours = (row.id for row in self.archive.listing() if row.experiment == name)
        while batch := list(islice(ours, RUNS_PER_REQUEST)):
            ids, pages = self.ledger.target_ids(batch), list[Sequence[Run]]()

            async def ask(run: RunId, ids: Mapping[RunId, RunId] = ids, pages: list[Sequence[Run]] = pages) -> None:
                with suppress(NotFound):
                    pages += [page async for page in self.target.children(ids.get(run, run))]

            await for_each(batch, ask, LISTED_AT_ONCE)
            for page in pages:
                yield page

    def _known(self, there: RunId) -> bool:
        """True for a run that stands, or should, for one of the archive's; not for one that merely has such an id."""
        original = self.ledger.original_of(there)
        if original is None or not self.archive.generation(original):
            return False
        return not is_left(self.ledger.carried([original]).get(original))

    def _of_job(self, there: RunId) -> bool:
        """A job keeps its run's id where that is free; what its steps are called is for its own verification."""
        if there in self.units.jobs:
            return True
        return bool(self.units.without) and self.archive.unit_of(self.ledger.source_id(there)) in self.units.without


def _without_hope(outcome: Looked, lost: Collection[str]) -> Looked:
    """Files that lack and that the source lost too: no replay can send them."""
    told = [replace(one, kind=LOST) if one.kind == "absent" and one.what in lost else one for one in outcome.findings]
    return replace(outcome, findings=told)


def _at_once(width: int) -> int:
    return min(width, LISTED_AT_ONCE)
