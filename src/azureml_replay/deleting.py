"""Removes for good what `undo` has hidden: runs, by the service's way to delete a job of their id, and jobs.

A run goes where nothing is in it that this archive did not send, and nothing stands below it any more: its own children
are asked first, and where one stays, so does what is above. A job goes where nothing is in it that it did not make or
log itself. The ledger says first that it may be gone, the wire comes after, and then the target is looked
at again: what it still shows stays hidden, with the reason. May be killed and repeated at any moment; between hidden
and gone nothing is worse than hidden.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import Forbidden, NotFound, Rejected, ServiceError, UserError, noted
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.progress import Progress
from azureml_replay.synthetic.options import jobs_put
from azureml_replay.synthetic.strangers import JobStrangers
from azureml_replay.target.lease import hold
from azureml_replay.verification.borrowers import Borrowers
from azureml_replay.verification.strangers import Ours, Strangers, in_words
from azureml_replay.workers import for_each
from azureml_replay.workspace.jobs import with_jobs
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import of_kind
from azureml_replay.workspace.target import Target

logger = logging.getLogger("azureml_replay")

RUNS_AT_ONCE = 8
"""Of one batch, that are deleted."""
NEVER_A_JOB = "the service, which deletes jobs alone, has no job of its id"
SHOWN_STILL = "the service said that it is deleted, and shows it still"
SHOWN_AGAIN = "was shown again in the target since"
GONE_BELOW = "what stood below it is gone since: the next `undo --delete` asks for it"


def check_confirmed(target: Place, named: str) -> None:
    """Raise UserError unless `named` is the workspace from which runs are to be deleted, as it is spelt."""
    if named not in (target.short, target.name):
        raise UserError(f"{named} was confirmed, and runs would be deleted in {target.short}: nothing was changed")


def check_deletes(target: Place) -> None:
    """Raise UserError for a target that removes no run for good, before anything is changed."""
    if of_kind(target).plain:
        raise UserError(
            f"{target} removes no run for good: undo hides them, and whoever runs the server removes what is "
            "hidden by `mlflow gc`"
        )


def hidden_runs(ledger: TargetLedger) -> list[RunId]:
    """Runs that `undo` hid and that are not known to be gone, by id: also one whose deletion was cut short."""
    begun = set(ledger.runs_with(RunItem.DELETED)) - set(ledger.runs_with(RunItem.DELETED, sent=True))
    return sorted({*ledger.runs_with(RunItem.UNDONE, sent=True), *begun})


def held_up(archive: Archive, ledger: TargetLedger) -> set[RunId]:
    """Hidden runs of which it is known that they stay: the service keeps them, or one below them."""
    parents: dict[RunId, RunId | None] = {}
    waiting = list(ledger.runs_with(RunItem.KEPT))
    if waiting:
        parents = {row.id: row.parent for row in archive.listing()}
    stay = set[RunId]()
    while waiting:
        run = waiting.pop()
        if run not in stay:
            stay.add(run)
            above = parents.get(run)
            waiting += [above] if above else []
    return stay.intersection(hidden_runs(ledger))


def hidden_jobs(ledger: TargetLedger) -> list[RunId]:
    """Root runs whose jobs `undo` archived, so far as this archive put them."""
    return [root for root in ledger.runs_with(RunItem.JOB_UNDONE, sent=True) if jobs_put(ledger, root)]


@dataclass(slots=True)
class Deleting:
    """One call's."""

    ours: Ours
    target: Target
    progress: Progress
    held: RunFiles
    """Not begun: what an earlier listing has is gone."""
    borrowers: Borrowers
    runs: int = 0
    jobs: int = 0
    kept: list[tuple[RunId, str]] = field(default_factory=list)
    """Runs of the source, and why what stands for them stays hidden."""
    staying: dict[RunId, RunId] = field(default_factory=dict)
    """Run of the source -> one below it that stays: it would hang below nothing, or go along unasked."""
    asks: bool = True
    """False where it is known that all of it stays: then nobody looks into the runs."""
    failed: list[tuple[RunId, str]] = field(default_factory=list)

    @property
    def ledger(self) -> TargetLedger:
        return self.ours.ledger

    async def all(self, width: int) -> None:
        """Everything that is hidden, children before their parents. Raises Forbidden where the login may not."""
        hidden, jobs = hidden_runs(self.ledger), hidden_jobs(self.ledger)
        self.progress.expect("runs deleted", len(hidden))
        self.asks = len(held_up(self.ours.archive, self.ledger)) < len(hidden)
        if jobs or self.asks:
            await hold(self.target)  # what is in a run is looked at while nobody else adds to it
        if self.asks:
            await self.held.begin(len(hidden), self.ours.archive.totals().runs)
        for level in self._levels(hidden):
            await for_each(in_batches(level), self._delete, width)
        self.held.end()
        await for_each(jobs, self._delete_jobs, width)

    def _levels(self, runs: Sequence[RunId]) -> Iterator[list[RunId]]:
        depths = self.ours.archive.depths(runs)
        for depth in sorted({depths.get(run, 0) for run in runs}, reverse=True):
            yield [run for run in runs if depths.get(run, 0) == depth]

    # Runs

    async def _delete(self, batch: Sequence[RunId]) -> None:
        """Runs of one depth, at most a request's worth."""
        ids = {run: run for run in batch} | self.ledger.target_ids(batch)
        there = await self._look(ids)
        for run in batch:
            if run not in there:
                self._gone(run)
        asked: dict[RunId, Rejected | None] = {}
        going = [(run, found) for run, found in there.items() if self._may_go(run, found)]
        await for_each(going, lambda pair: self._ask(*pair, asked), RUNS_AT_ONCE)
        still = await self._look({run: ids[run] for run in asked})
        for run, refused in asked.items():
            if run in still:
                self._keep(run, refused)
            else:
                self._gone(run)

    async def _look(self, ids: Mapping[RunId, RunId]) -> dict[RunId, Run]:
        """Run of the source -> the target's run of each id that it has."""
        held = await self.target.details(list(ids.values())) if ids else {}
        return {run: held[there].run for run, there in ids.items() if there in held}

    def _may_go(self, run: RunId, there: Run) -> bool:
        """By what is known without a look into it."""
        known, below = self.ledger.receipt(run, RunItem.KEPT), self.staying.get(run)
        why = self.ours.why_not(run, there)
        if why is None and not there.hidden:
            why = f"run {there.id} {SHOWN_AGAIN}"
        if why is None and known is not None:
            why = known.detail or NEVER_A_JOB
        if why is None and below is not None:
            why = f"run {self.ledger.target_id(below) or below} below it stays"
        if why is None and not self.asks:
            why = GONE_BELOW
        if why is not None:
            self._stays(run, why)
        return why is None

    async def _ask(self, run: RunId, there: Run, asked: dict[RunId, Rejected | None]) -> None:
        """The per-run boundary, but for a right that lacks: no other run could be deleted then."""
        try:
            strange = await Strangers(self.ours, self.target, self.held).in_run(run, there)
            if borrower := await self.borrowers.of(there.id):
                strange.append(f"what run {borrower} of the target shows")
            if strange:
                self._stays(run, in_words(strange))
                return
            self.ledger.mark(run, [RunItem.DELETED], State.SENDING)
            asked[run] = await self._refused(there.id)
        except Forbidden:
            raise
        except ServiceError as error:
            self._hold_up(run)
            self._fail(run, noted(error, f"run {run}"))

    def _stays(self, run: RunId, why: str) -> None:
        self.kept.append((run, why))
        self._hold_up(run)

    def _hold_up(self, run: RunId) -> None:
        """What is above it in the source stays, too."""
        details = self.ours.archive.run(run)
        if details is not None and details.parent:
            self.staying.setdefault(details.parent, run)

    async def _refused(self, there: RunId) -> Rejected | None:
        try:
            await with_jobs(self.target).submitter.delete_job(there)
        except Forbidden:
            raise
        except Rejected as error:
            return error
        return None

    def _gone(self, run: RunId) -> None:
        """From now on a replay creates it anew. One that somebody else deleted is not counted."""
        self.runs += self.ledger.receipt(run, RunItem.DELETED) is not None
        self.ledger.drop_evidence([run], Way.RUN)
        self.ledger.void(run)
        logger.debug("run %s deleted", run)
        self.progress.done("runs deleted")

    def _keep(self, run: RunId, refused: Rejected | None) -> None:
        """It stays hidden. What the service will never do is not asked for again."""
        self.ledger.forget(run, [RunItem.DELETED])
        if refused is not None and not isinstance(refused, NotFound):
            self._stays(run, f"the service refused to delete it: {noted(refused, f'run {run}')}")
            return
        why = NEVER_A_JOB if refused else SHOWN_STILL
        self.ledger.mark(run, [RunItem.KEPT], State.SENT, why)
        self._stays(run, why)

    # Jobs

    async def _delete_jobs(self, root: RunId) -> None:
        """Those that this archive put for a root run, each with what the service made below it."""
        try:
            gone = [await self._delete_job(root, name) for name in jobs_put(self.ledger, root)]
        except Forbidden:
            raise
        except ServiceError as error:
            self._fail(root, noted(error, f"job {root}"))
            return
        if all(gone):
            unit = [run.id for run in self.ours.archive.unit(root)]
            self.ledger.drop_evidence(unit, Way.JOB)
            self.ledger.void_job(root, unit)

    async def _delete_job(self, root: RunId, name: RunId) -> bool:
        """The service takes along what is below a job, or does not: what is left is deleted one by one, or told.

        False where the job itself stays.
        """
        found = (await self._look({root: name})).get(root)
        if found is None:
            return True
        if not lineage.is_our_job(found, self.ours.archive.source, root) or not found.hidden:
            what = SHOWN_AGAIN if lineage.is_our_job(found, self.ours.archive.source, root) else "is not ours"
            self.kept.append((root, f"job {name} {what}"))
            return False
        strangers = JobStrangers(self.ours.archive, self.ledger, self.target)
        below, strange = await strangers.in_job(root, name)
        if strange:
            self.kept.append((root, f"job {name}: {in_words(strange)}"))
            return False
        self.ledger.mark(root, [RunItem.JOB_DELETED], State.SENDING)
        refused = {name: await self._refused(name)}
        if not await self._look({root: name}):
            self.jobs += 1
            self.progress.done("jobs deleted")
            refused |= await self._delete_below(below)
        still = await self._look({one: one for one in refused})
        for one in still:
            words = noted(error, f"job {one}") if (error := refused[one]) else SHOWN_STILL
            self.kept.append((root, f"job {name}: {words}" if one == name else f"run {one} of job {name}: {words}"))
        return name not in still

    async def _delete_below(self, below: Sequence[RunId]) -> dict[RunId, Rejected | None]:
        """Those that are still there, the lowest first."""
        left = await self._look({one: one for one in below})
        return {one: await self._refused(one) for one in below if one in left}

    def _fail(self, run: RunId, why: str) -> None:
        self.failed.append((run, why))
        self.progress.say(f"run {run} was not deleted: {why}")


def in_batches(runs: Iterable[RunId]) -> Iterator[list[RunId]]:
    """As many as go into a request."""
    waiting = iter(runs)
    while batch := list(islice(waiting, RUNS_PER_REQUEST)):
        yield batch
