"""Takes back what an archive's replay wrote into a workspace: runs are hidden, their files removed.

Nothing else is touched: a run must say of itself that it is ours and still be as it was sent, and so must a file. What
is hidden gets a mark by the same request, so that any archive's replay can tell it from what somebody else hid. Points
stay; a later replay shows the runs again and sends their files, not their points. Where that was confirmed, what is
hidden is then deleted (deleting.py). May be killed and repeated at any moment: the ledger says first that a thing may
be gone, the wire comes after.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetState
from azureml_replay.archive.database import now
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import ExperimentItem, FileItem, JobItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import HIDDEN, STATUS, editable
from azureml_replay.deleting import (
    Deleting,
    check_confirmed,
    check_deletes,
    held_up,
    hidden_jobs,
    hidden_runs,
    in_batches,
)
from azureml_replay.direct.asset_undo import take_back_assets, undoable_assets
from azureml_replay.errors import Rejected, ServiceError, UserError, noted
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.experiments import OWNER, taken_back
from azureml_replay.progress import SILENT, Progress
from azureml_replay.synthetic.options import job_of, jobs_put
from azureml_replay.synthetic.staging.stage import clear
from azureml_replay.target.bringing_back import note_owner
from azureml_replay.target.lease import hold, leased
from azureml_replay.target.one_prefix import refuse_other_prefix
from azureml_replay.target.probe import note_made
from azureml_replay.target.profile import known_profile
from azureml_replay.target.referred import Referred
from azureml_replay.target.undone import Undoable, Undone
from azureml_replay.verification.borrowers import Borrowers
from azureml_replay.verification.going import FileJudge
from azureml_replay.verification.strangers import Ours
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset_rule import asset_rule_of
from azureml_replay.workspace.jobs import with_jobs
from azureml_replay.workspace.limits import FILES_PER_REQUEST
from azureml_replay.workspace.mark import has_room, is_taken_back, may_be_taken_back, undo_mark
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.target import Outcome, Refused, Target

logger = logging.getLogger("azureml_replay")

RUNS_AT_ONCE = 8
"""Of one request's runs, whose files are removed."""
HIDDEN_BY_HAND = "was archived there by hand: it stays so"
GONE = "{what} is not in the target any more: replay makes it anew"


def undoable(archive: Archive, target: Place) -> Undoable:
    """From the ledger alone. Raises UserError where this archive never wrote into the target."""
    ledger = archive.ledger(target)
    marks = (RunItem.CREATE, RunItem.SHAPE, RunItem.DELETED, RunItem.JOB_DELETED)
    assets = len(undoable_assets(ledger))
    if not assets and not any(ledger.runs_with(item) for item in marks):
        raise UserError(f"archive {archive.folder} wrote nothing into {target}: name the target it was replayed into")
    runs, staying = _not_undone(ledger, RunItem.CREATE, RunItem.UNDONE), held_up(archive, ledger)
    return Undoable(
        runs=len(runs),
        files=sum(isinstance(item, FileItem) for run in runs for item in ledger.receipts(run)),
        jobs=sum(len(jobs_put(ledger, root)) for root in _not_undone(ledger, RunItem.SHAPE, RunItem.JOB_UNDONE)),
        hidden_runs=sum(run not in staying for run in hidden_runs(ledger)),
        staying_runs=len(staying),
        hidden_jobs=len(hidden_jobs(ledger)),
        assets=assets,
        assets_deleted=not asset_rule_of(target).archives,
    )


def _not_undone(ledger: TargetLedger, item: RunItem, undone: RunItem) -> list[RunId]:
    done = set(ledger.runs_with(undone, sent=True))
    return [run for run in ledger.runs_with(item) if run not in done]


async def undo(
    archive: Archive,
    target: Target,
    *,
    delete: str | None = None,
    take_over: bool = False,
    width: int = 32,
    progress: Progress = SILENT,
) -> Undone:
    """Hide the runs that the archive's ledger names, remove their files, archive jobs and experiments left empty.

    `delete`, the workspace's name as it is spelt, confirms that what is hidden then, now or by an earlier call, is to
    be removed for good. Repeatable. Raises UserError for another name, Unavailable, Rejected where nothing can be read,
    Forbidden where the login may delete nothing, LeaseTaken where another call writes what comes from this source: with
    `take_over` that one is ended. A single run that fails is named in the result.
    """
    if delete is not None:
        check_deletes(target.ref)
        check_confirmed(target.ref, delete)
    async with leased(target, archive.source, take_over=take_over, progress=progress) as writing:
        undoing = await _undo(archive, writing, width, progress)
        files = RunFiles(writing, archive, progress)
        deleting = Deleting(undoing.ours, writing, progress, files, undoing.borrowers)
        if delete is not None:
            await deleting.all(width)
    return undoing.result(deleting)


async def _undo(archive: Archive, target: Target, width: int, progress: Progress) -> _Undoing:
    ledger = archive.ledger(target.ref)
    refuse_other_prefix(ledger, target)
    ours = Ours(archive, ledger, known_profile(ledger))
    undoing = _Undoing(ours, target, progress, RunFiles(target, archive, progress), Borrowers(ours, target))
    runs = _not_undone(ledger, RunItem.CREATE, RunItem.UNDONE)
    progress.expect("runs hidden", len(runs))
    jobs = _not_undone(ledger, RunItem.SHAPE, RunItem.JOB_UNDONE)
    if runs or jobs or undoable_assets(ledger):
        await hold(target)
    await undoing.take_back_assets()  # first: what still stands then may lie in files of runs
    if runs:
        await undoing.look_at_assets()
        await undoing.held.begin(len(runs), archive.totals().runs)
        await for_each(in_batches(runs), undoing.take_back, width)
        undoing.held.end()
    await for_each(jobs, undoing.take_back_job, width)
    await undoing.archive_empty(width)
    return undoing


@dataclass(slots=True)
class _Undoing:
    ours: Ours
    target: Target
    progress: Progress
    held: RunFiles
    borrowers: Borrowers
    runs: int = 0
    files: int = 0
    jobs: int = 0
    assets: int = 0
    last_copies: int = 0
    experiments: list[str] = field(default_factory=list)
    referred: Referred = field(default_factory=Referred)
    left: list[tuple[RunId, str]] = field(default_factory=list)
    gone: list[tuple[RunId, str]] = field(default_factory=list)
    failed: list[tuple[RunId, str]] = field(default_factory=list)

    @property
    def archive(self) -> Archive:
        return self.ours.archive

    @property
    def ledger(self) -> TargetLedger:
        return self.ours.ledger

    @property
    def profile(self) -> TargetProfile:
        return self.ours.profile

    def result(self, deleting: Deleting) -> Undone:
        return Undone(
            runs=self.runs,
            files=self.files,
            jobs=self.jobs,
            experiments=tuple(sorted(self.experiments)),
            left=tuple(sorted(self.left)),
            gone=tuple(sorted(self.gone)),
            failed=tuple(sorted([*self.failed, *deleting.failed])),
            assets=self.assets,
            assets_deleted=not asset_rule_of(self.ledger.target).archives,
            last_copies=self.last_copies,
            deleted=deleting.runs,
            deleted_jobs=deleting.jobs,
            kept=tuple(sorted(deleting.kept)),
        )

    async def take_back_assets(self) -> None:
        """Those that this archive made."""
        self.assets, left, failed = await take_back_assets(self.archive, self.ledger, self.target)
        self.left += left
        self.failed += failed

    async def look_at_assets(self) -> None:
        """Of others, before any file goes: they may lie in files of our runs."""
        receipts = self.ledger.asset_receipts().values()
        archives = asset_rule_of(self.ledger.target).archives  # else a name and version may be somebody's by now
        gone = {one.there for one in receipts if archives and one.state is AssetState.UNDONE}
        self.referred = await Referred.of(self.target, self.archive.source, gone)

    # Runs

    async def take_back(self, batch: Sequence[RunId]) -> None:
        """At most a request's worth of runs."""
        ids = {run: run for run in batch} | self.ledger.target_ids(batch)
        held = await self.target.details(list(ids.values()))
        found = {run: held[there].run for run, there in ids.items() if there in held}
        for run, there in ids.items():
            if run not in found:
                self._forget_gone(run, there)
        ours = {run: there for run, there in found.items() if self._may_go(run, there)}
        for some in _by_experiment(ours):
            await self._hide(some)

    def _forget_gone(self, run: RunId, there: RunId) -> None:
        """A run that was sent and is not there: no receipt of it counts any more. An intent alone stays one."""
        receipt = self.ledger.receipt(run, RunItem.CREATE)
        if receipt is not None and receipt.state is State.SENT:
            self.ledger.drop_evidence([run], Way.RUN)
            self.ledger.void(run)
            self.gone.append((run, GONE.format(what=f"run {there}")))

    def _may_go(self, run: RunId, there: Run) -> bool:
        """Ours by its own word, and as it was sent: what has become somebody's work is left alone."""
        why = self.ours.why_not(run, there)
        if why is not None:
            self.left.append((run, why))
        return why is None

    async def _hide(self, runs: Mapping[RunId, Run]) -> None:
        """Runs of one experiment: the ledger first, then the wire, then the files of each."""
        going = {run: await self._going(run, there) for run, there in runs.items()}
        for run, there in runs.items():
            self._expect_gone(run, there, going[run])
        ids = {there.id: run for run, there in runs.items()}
        experiment = next(iter(runs.values())).experiment
        outcomes = await self._hide_marked(experiment, list(runs.values()))
        for there_id, outcome in outcomes.items():
            if outcome is not None:
                self._fail(ids[there_id], outcome.reason if isinstance(outcome, Refused) else str(outcome))
        hidden = [there_id for there_id, outcome in outcomes.items() if outcome is None]
        holders = {there.id: there.lender or there.id for there in runs.values()}
        await for_each(hidden, lambda there: self._remove(ids[there], holders[there], going[ids[there]]), RUNS_AT_ONCE)

    async def _hide_marked(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """With the mark, but for runs that others gave so many tags that it has no room."""
        marks = {run.id: undo_mark(run.id) for run in runs if has_room(run, self.profile.limits.tags)}
        return await self.target.hide_runs(experiment, [run.id for run in runs], hidden=True, tags=marks)

    async def _going(self, run: RunId, there: Run) -> Sequence[str]:
        """Paths of files that may go."""
        going = await FileJudge(self.ours, self.target, self.held, self.referred, self.borrowers).going(run, there)
        self.left += ((run, why) for why in going.left)
        self.last_copies += going.last_copies
        return going.paths

    def _expect_gone(self, run: RunId, there: Run, paths: Iterable[str]) -> None:
        """From now on a replay sends the files and shows the run again, whatever of this call comes to pass."""
        sent = self.ledger.sent(run)
        self.ledger.put_sent({run: {**(self._like_the_source(run, there) if sent is None else sent), HIDDEN: True}})
        self.ledger.drop_evidence([run], Way.RUN)
        self.ledger.forget(run, [RunItem.WHOLE, RunItem.FINISH, RunItem.FAILED, RunItem.UNREAD])
        self.ledger.mark(run, map(FileItem, paths), State.SENDING)

    def _like_the_source(self, run: RunId, there: Run) -> dict[str, str | bool | None]:
        """Of a run whose creation was never answered: what the source does not have may be somebody's."""
        source = self.archive.run(run)
        ours = editable(source) if source else {}
        made = {STATUS, f"tag {lineage.TAG}"}
        return {name: value for name, value in editable(there).items() if name in made or ours.get(name) == value}

    async def _remove(self, run: RunId, there: RunId, paths: Sequence[str]) -> None:
        """The per-run boundary."""
        try:
            await self._remove_files(run, there, paths)
        except ServiceError as error:
            self._fail(run, noted(error, f"run {run}"))
            return
        self.runs += 1
        self.ledger.mark(run, [RunItem.UNDONE], State.SENT)
        logger.debug("run %s hidden", run)
        self.progress.done("runs hidden")

    async def _remove_files(self, run: RunId, there: RunId, paths: Sequence[str]) -> None:
        going = iter(paths)
        while batch := list(islice(going, FILES_PER_REQUEST)):
            outcomes = await self.target.remove_files(there, batch)
            gone = [path for path, outcome in outcomes.items() if outcome is None]
            self.ledger.forget(run, map(FileItem, gone))
            self.files += len(gone)
            self.progress.done("files removed", len(gone))
            for path, outcome in outcomes.items():
                if isinstance(outcome, ServiceError):
                    raise outcome
                if outcome is not None:
                    self.left.append((run, f"file {path}: {outcome.reason}"))

    # Jobs

    async def take_back_job(self, root: RunId) -> None:
        """The jobs that stand for a root run, with all that is below them, and what is staged for them."""
        run = self.archive.run(root)
        shown = job_of(self.ledger, root) if self.ledger.receipt(root, RunItem.JOB_UNDONE) is None else None
        shown = None if run is None or run.hidden else shown
        self.ledger.mark(root, [RunItem.JOB_UNDONE], State.SENDING)
        self.ledger.drop_evidence((run.id for run in self.archive.unit(root)), Way.JOB)
        try:
            jobs = jobs_put(self.ledger, root)
            whys = {name: await self._archive_job(root, name, shown=name == shown) for name in jobs}
            await clear(self.archive, with_jobs(self.target).submitter, root)
        except ServiceError as error:
            self._fail(root, noted(error, f"job {root}"))
            return
        left = [(root, f"job {name} of the target {why}") for name, why in whys.items() if why]
        self.left += left
        if left:
            self.ledger.forget(root, [RunItem.JOB_UNDONE])
        else:
            self.ledger.mark(root, [RunItem.JOB_UNDONE], State.SENT)

    async def _archive_job(self, root: RunId, name: RunId, *, shown: bool) -> str | None:
        """Why it is left alone; None where it is archived or gone. Raises Rejected, Unavailable.

        `shown`: it is the one that replay left to be seen, and no undo has begun to hide it.
        """
        details = (await self.target.details([name])).get(name)
        if details is None:
            if (receipt := self.ledger.receipt(root, JobItem(name))) and receipt.state is State.SENT:
                self.gone.append((root, GONE.format(what=f"job {name}")))
            return None
        if not lineage.is_our_job(details.run, self.archive.source, root):
            return "is not ours"
        if details.run.hidden:
            by_undo = is_taken_back(details.run) or may_be_taken_back(details.run)
            return HIDDEN_BY_HAND if shown and not by_undo else None
        outcome = (await self._hide_marked(details.run.experiment, [details.run]))[name]
        if outcome is not None:
            raise outcome if isinstance(outcome, ServiceError) else outcome.error()
        self.jobs += 1
        self.progress.done("jobs archived")
        return None

    # Experiments

    async def archive_empty(self, width: int) -> None:
        """Experiments that replay made and in which every run is hidden now."""
        sent = {one.name for one in self.archive.experiments() if self.ledger.receipt(OWNER, ExperimentItem(one.name))}
        held = [one async for page in self.target.experiments() for one in page if one.name in sent]
        made = {one.name for one in held if note_owner(self.ledger, one, self.archive.source)}
        names = made | (sent - self.profile.experiments)
        note_made(self.ledger, names)  # a replay looks at them before it writes them again
        held = [one for one in held if one.name in names]
        ours = self._ours_in(names)
        await for_each(held, lambda one: self._archive_if_empty(one, ours[one.name]), width)

    def _ours_in(self, names: Collection[str]) -> Mapping[str, set[RunId]]:
        """Experiment -> ids of runs that were created in it."""
        created, found = set(self.ledger.runs_with(RunItem.CREATE)), {name: set[RunId]() for name in names}
        ids = self.ledger.target_ids(created)
        for row in self.archive.listing() if created else ():
            if row.experiment in found and row.id in created:
                found[row.experiment].add(ids.get(row.id, row.id))
        return found

    async def _archive_if_empty(self, experiment: Experiment, ours: set[RunId]) -> None:
        async for page in self.target.runs(experiment):
            if any(not run.hidden for run in page):
                return
            ours.difference_update(run.id for run in page)
        if ours and await self._any_there(ours):
            why = "the list of its runs lacks ours, so runs of others may be seen in it"
            self.left.append((OWNER, f"experiment {experiment.name}: {why}"))
            return
        item = [ExperimentItem(experiment.name)]
        self.ledger.drop_evidence([experiment.name], Way.EXPERIMENT)
        self.ledger.mark(OWNER, item, State.SENDING)  # a replay sends it again, an undo comes back
        if experiment.archived is None:
            marked = taken_back(experiment, self.archive.source, self.profile.limits.tags)
            word = {key: value for key, value in marked.tags.items() if experiment.tags.get(key) != value}
            # Its own values are not named: what somebody wrote there since they were listed stays.
            try:
                await self.target.put_experiment(replace(marked, description=None, tags=word, archived=now()))
            except Rejected as error:
                if not (refused := Refused.of(error)).of_item:
                    raise
                self.ledger.mark(OWNER, item, State.SENT)
                self.left.append((OWNER, f"experiment {experiment.name}: {refused.reason}"))
                return
            self.experiments.append(experiment.name)
        self.ledger.forget(OWNER, item)

    async def _any_there(self, runs: Iterable[RunId]) -> bool:
        for batch in in_batches(runs):
            if await self.target.details(batch):
                return True
        return False

    def _fail(self, run: RunId, why: str) -> None:
        self.failed.append((run, why))
        self.progress.say(f"run {run} was not taken back: {why}")


def _by_experiment(runs: Mapping[RunId, Run]) -> Iterator[dict[RunId, Run]]:
    for name in {run.experiment for run in runs.values()}:
        yield {source: run for source, run in runs.items() if run.experiment == name}
