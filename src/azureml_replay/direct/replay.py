"""Steps -> workspace, recording receipts (direct mode).

Steps go in windows: ask which ids are taken, create parents first, then points and files run by run, then endings.
A receipt is written before an item is sent (`sending`) and after the answer (`sent`). After a kill in between the
target is asked, never guessed about. Everything but appended points may be repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import Payload, RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.anew import bring_back
from azureml_replay.direct.assets import asset_sender
from azureml_replay.direct.batches import batches
from azureml_replay.direct.beginning import begun
from azureml_replay.direct.carrying import carry, leave
from azureml_replay.direct.due import Due
from azureml_replay.direct.experiments import ExperimentOwners, send_experiments
from azureml_replay.direct.files import FileSender, FilesSent
from azureml_replay.direct.foreseen import Told, expect
from azureml_replay.direct.found_runs import FoundRuns
from azureml_replay.direct.ids import IdCheck
from azureml_replay.direct.in_part import InPart
from azureml_replay.direct.intents import Intents
from azureml_replay.direct.making import Making
from azureml_replay.direct.naming import Naming
from azureml_replay.direct.options import OnConflict, Replayed, ReplayOptions
from azureml_replay.direct.parts import Briefing, PartSent, SendRuns, briefed
from azureml_replay.direct.placing import Placing
from azureml_replay.direct.points import Appending, PointSender
from azureml_replay.direct.references import steps_naming
from azureml_replay.direct.reused import WaitingSteps
from azureml_replay.direct.run_points import RunPoints
from azureml_replay.direct.runs import RunSender
from azureml_replay.errors import IntegrityError, Remedy, ServiceError, noted, remedy_lines
from azureml_replay.files.bytes import Supply
from azureml_replay.model import RunId
from azureml_replay.planning.plan import Step, plan, planned_anew
from azureml_replay.planning.refused import refused_by
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.target.lease import again_once_held, held_for, hold, leased
from azureml_replay.workers import Room, for_each
from azureml_replay.workspace.mark import is_taken_back
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target

WINDOW = 1_000
"""Steps in memory at once: about 5 KB each, so 5 MB."""
TO_EXTRACT = "run {} above it is not extracted: extract again to continue"
INTENDED_AHEAD = 25
"""Runs whose intents are written to the disk together."""
SERVICES_FILLED = 2
"""Points and files have the width to themselves: 1,000 small runs took 13.6 s and take 12.5 (width 32, 50 ms)."""


async def replay(
    archive: Archive,
    source: Source | None,
    target: Target,
    selection: Selection = Selection(),
    *,
    options: ReplayOptions = ReplayOptions(),
    take_over: bool = False,
    width: int = 32,
    progress: Progress = SILENT,
    told: Told = lambda _: None,
    by: SendRuns | None = None,
) -> Replayed:
    """Send what the target lacks. May be killed and repeated at any moment: nothing is lost, nothing is sent twice.

    `width` bounds how many runs are worked on at once, twice as many while they are filled. Without `source` all bytes
    come from the archive. Raises UserError where the target is the source or cannot be replayed into, IntegrityError
    for a damaged file, LeaseTaken where another call brings runs of the same source into the target: with `take_over`
    that one is ended. A run that fails is recorded and left to the next call. `told` hears the plan, and what is left
    of it to send. `by` sends units, where runs keep their ids.
    """
    async with leased(target, archive.source, take_over=take_over, progress=progress) as writing:
        return await _replay(
            archive, source, writing, selection, options=options, width=width, progress=progress, told=told, by=by
        )


async def _replay(
    archive: Archive,
    source: Source | None,
    target: Target,
    selection: Selection,
    *,
    options: ReplayOptions,
    width: int,
    progress: Progress,
    told: Told,
    by: SendRuns | None,
) -> Replayed:
    ledger = archive.ledger(target.ref)
    profile, planned, due = await begun(archive, target, selection, options, progress)
    told(planned)
    for line in planned.staying():
        progress.say(f"{target.ref}: {line}")
    expect(planned.left, progress)
    assets = asset_sender(
        archive, ledger, source, target, selection=selection, options=options, width=width, progress=progress
    )
    await assets.look()
    await assets.before_runs()
    replaying = _Replaying.of(archive, source, target, options=options, profile=profile, progress=progress, width=width)
    replaying.runs.returning |= due.returning
    sent: PartSent | None = None
    if by is not None and due.weights and profile.ids == "ours":
        briefing = await briefed(replaying.owners, replaying.placing.found, due, width)
        sent = await by(due, options, profile, briefing, partial(held_for, target))
        await replaying.owners.look_again(sent.looked, width)
        replaying.runs.counted |= due.returning
    elif not planned.left or planned.left.unmarked:  # otherwise every run would be found whole a second time
        assets.changed.clear()
        await replaying.send_units(selection)
    await replaying.send_all(replaying.naming.changed(selection, options.files, profile), replaying.not_asked)
    await send_experiments(archive, target, selection, owners=replaying.owners, prefer=options.prefer, width=width)
    await assets.after_runs()
    naming = steps_naming(archive, assets.changed, selection, options.files, profile)
    await replaying.send_all(naming, replaying.not_asked)
    if replaying.damaged:
        raise replaying.damaged
    done = replaying.result() if sent is None else sent.replayed.and_of(replaying.result())
    remedies = {*done.remedies, *remedy_lines(assets.remedies)}
    return replace(done, assets=assets.sent, remedies=tuple(sorted(remedies)))


async def send_part(
    archive: Archive,
    source: Source | None,
    target: Target,
    units: Sequence[RunId],
    *,
    options: ReplayOptions,
    profile: TargetProfile,
    briefing: Briefing,
    width: int,
    progress: Progress,
) -> PartSent:
    """Send units of a part of an archive to a target that is guarded; whose its experiments are is settled. Repeatable.

    Raises LeaseTaken where the part was given to another one.
    """
    replaying = _Replaying.of(archive, source, target, options=options, profile=profile, progress=progress, width=width)
    replaying.owners.looks.update(briefing.looks)
    replaying.placing.found.tagged |= briefing.tagged
    replaying.owners.known.update(one.name for one in archive.experiments())
    replaying.owners.known.update(row.experiment for row in archive.listing())
    await replaying.send_units(Selection(include=tuple(units)))
    if replaying.damaged:
        raise replaying.damaged
    return PartSent(replaying.result(), frozenset(replaying.owners.looked))


@dataclass(slots=True)
class _Replaying:
    archive: Archive
    ledger: TargetLedger
    target: Target
    options: ReplayOptions
    profile: TargetProfile
    progress: Progress
    width: int
    points: PointSender
    files: FileSender
    points_sent: int = 0
    files_sent: FilesSent = field(default_factory=FilesSent)
    failed: dict[RunId, str] = field(default_factory=dict)
    anew: dict[RunId, Step] = field(default_factory=dict)
    """Steps of the window that were planned again, without what the target refused of their runs."""
    refused: list[tuple[RunId, str]] = field(default_factory=list)
    remedies: list[Remedy | None] = field(default_factory=list)
    damaged: IntegrityError | None = None
    deleted: set[RunId] = field(init=False)
    """Runs that `undo` deleted, or may have: points of theirs may be there, whatever became of the runs."""
    due: Due = field(init=False)
    runs: RunSender = field(init=False)
    owners: ExperimentOwners = field(init=False)
    ids: IdCheck = field(init=False)
    placing: Placing = field(init=False)
    in_part: InPart = field(init=False)
    run_points: RunPoints = field(init=False)
    reused: WaitingSteps = field(init=False)
    naming: Naming = field(init=False)

    @classmethod
    def of(
        cls,
        archive: Archive,
        source: Source | None,
        target: Target,
        *,
        options: ReplayOptions,
        profile: TargetProfile,
        progress: Progress,
        width: int,
    ) -> _Replaying:
        """One that sent nothing yet."""
        ledger = archive.ledger(target.ref)
        files = FileSender(archive, ledger, Supply(archive, source), target, progress, options.prefer, options.attach)
        appending = Appending(target, ledger, Room(width), settled=profile.settles)
        points = PointSender(archive, target, progress, Intents(archive, ledger), appending, profile.rows_of_series)
        return cls(archive, ledger, target, options, profile, progress, width, points, files)

    def __post_init__(self) -> None:
        self.due = Due(self.archive, self.ledger)
        self.naming = Naming(self.archive, self.ledger)
        self.deleted = set(self.ledger.runs_with(RunItem.DELETED))
        self.owners = ExperimentOwners(self.archive.source, self.ledger, self.target)
        found = FoundRuns(self.archive, self.ledger, self.target, self.profile, self.owners, self.width)
        self.runs = RunSender(self.ledger, self.target, self.options.prefer, self._fail, self.profile, self.deleted)
        making = Making(
            archive=self.archive,
            ledger=self.ledger,
            target=self.target,
            profile=self.profile,
            owners=self.owners,
            found=found,
            files=self.options.files,
            width=self.width,
            fail=self._fail,
            leave_out=lambda step, refused: self.in_part.leave_out(step, refused_by(refused.reason)),
        )
        self.ids = IdCheck(
            archive=self.archive,
            ledger=self.ledger,
            target=self.target,
            runs=self.runs,
            again=self._again,
            properties_kept=self.profile.keeps("properties"),
            closes=self.profile.closes,
            width=self.width,
            progress=self.progress,
        )
        making.forget(self.deleted)
        self.in_part = InPart(self.archive, self.ledger, self.target, self.runs, self._planned_anew)
        planned_anew = self._planned_anew
        self.run_points = RunPoints(self.points, self.runs, self.in_part, self.profile, planned_anew, self.anew)
        self.placing = Placing(
            due=self.due,
            profile=self.profile,
            ids=self.ids,
            found=found,
            making=making,
            runs=self.runs,
            in_part=self.in_part,
            deleted=self.deleted,
            failed=self.failed,
            again=self._again,
            fail=self._fail,
        )
        self.reused = WaitingSteps(self.due, self.may_come)

    def result(self) -> Replayed:
        return Replayed(
            runs=self.runs.count + self.runs.told(self.runs.touched),
            points=self.points_sent,
            files=self.files_sent.files,
            own_files=self.files_sent.made,
            bytes=self.files_sent.bytes,
            conflicts=tuple(self.ids.conflicts.values()),
            kept=tuple((run, what) for run in {**self.runs.kept, **self.files.kept} for what in self._kept(run)),
            failed=tuple(self.failed.items()),
            refused=(*self.refused, *((run, "run") for run in self.in_part.left)),
            remedies=remedy_lines(self.remedies),
            write_route=self.profile.route,
        )

    def _kept(self, run: RunId) -> Sequence[str]:
        return sorted(self.runs.kept.get(run, ())) + sorted(self.files.kept.get(run, ()))

    def may_come(self, run: RunId) -> bool:
        """True for a run that is not in the target, but that a later call may bring: it failed, or its id is taken."""
        if self.options.on_conflict is OnConflict.SKIP:
            return run in self.failed
        return run in self.failed or self.archive.unit_of(run) in self.ids.conflicts

    async def send_units(self, selection: Selection) -> None:
        """Send all steps of the chosen units, those that show another run's files after it."""
        await self.send_all(plan(self.archive, selection, self.options.files, self.profile), self.reused.ready)
        await self.send_all(self.reused.rest(self.options.files, self.profile))

    async def send_all(
        self, steps: Iterator[Step], first: Callable[[list[Step]], Sequence[Step]] = lambda window: window
    ) -> None:
        """Send window by window what `first` makes of each."""
        while window := list(islice(steps, WINDOW)):
            await self.send(first(window))
            del window  # otherwise two are in memory while the next one is made: 10 MB

    def not_asked(self, window: list[Step]) -> Sequence[Step]:
        """The window, of whose units nobody has asked whether they are there."""
        self.ids.absent = None
        return window

    async def send(self, window: Sequence[Step]) -> None:
        """Send one window: ids, runs, contents, endings."""
        self.runs.begin_window()
        window = self._without_waiting(self.ids.by_new_ids(window))
        steps = [step for step in window if not self.due.is_whole(step)]
        if not steps:
            return
        if any(map(self.due.has_unsent, steps)):
            await hold(self.target)  # what is there is read while nobody else adds to it
        absent, last = self.ids.absent, window[-1].unit

        async def go() -> None:
            self.ids.absent = absent
            await self._send(steps, last)

        await again_once_held(self.target, go)

    def _without_waiting(self, window: Sequence[Step]) -> list[Step]:
        """The steps that do not wait for the extraction of a run above them; the others fail."""
        for step in window:
            if step.waits_for:
                self._fail(step.source, TO_EXTRACT.format(step.waits_for))
        return [step for step in window if not step.waits_for]

    async def _send(self, steps: list[Step], last: RunId) -> None:
        none_of = self.ids.absent  # a unit of which nobody asks again
        steps = await self.placing.placed(steps, last)
        if self.ids.conflicts and self.options.on_conflict is OnConflict.RENAME:
            steps = await self.ids.renamed(steps, last)
        if self.options.on_conflict is OnConflict.SKIP:
            leave(self.ledger, (step for step in steps if step.unit in self.ids.conflicts))
        steps = [step for step in steps if step.unit not in self.ids.conflicts]
        await self.owners.settle({step.run.experiment for step in steps}, self.width)
        hidden = {there.experiment for there in self.runs.known.values() if is_taken_back(there)}
        await self.owners.look_again(hidden, self.width)
        self.runs.returning |= carry(self.ledger, self.naming, steps)
        for step in steps:
            asked = step.unit != none_of and step.source not in self.failed and not self.runs.is_current(step)
            bring_back(self.ledger, step.source, self.deleted, there=step.source in self.runs.known, asked=asked)
        for _, level in groupby(sorted(steps, key=lambda step: step.depth), key=lambda step: step.depth):
            await for_each(list(batches(level)), self._create, self.width)
        await for_each(self._intended(self._sound(steps)), self._fill, SERVICES_FILLED * self.width)
        await for_each(list(batches(self._sound(steps))), self._finish, self.width)

    def _sound(self, steps: Iterable[Step]) -> list[Step]:
        """Those that go on, as they are planned now."""
        out = self.failed.keys() | self.in_part.left
        return [self.anew.get(step.source, step) for step in steps if step.source not in out]

    def _planned_anew(self, step: Step) -> Step:
        """The step without what the target refused of its run meanwhile."""
        before = {(one.what, one.reason) for one in step.omissions}
        again = self._again(step)
        self.refused += [(step.source, one.what) for one in again.omissions if (one.what, one.reason) not in before]
        self.anew[step.source] = again
        return again

    def _again(self, step: Step) -> Step:
        return self.reused.without_absent(planned_anew(self.archive, step, self.options.files, self.profile))

    # Runs

    async def _create(self, batch: Sequence[Step]) -> None:
        for step in batch:
            if step.run.parent and self.ledger.source_id(step.run.parent) in self.failed:
                self._fail(step.source, f"its parent {step.run.parent} failed")
            elif step.lender and self.may_come(step.lender.source):
                self._fail(step.source, f"the run {step.lender.source}, whose files it shows, is not there yet")
            elif step.run.parent and self.in_part.is_left(self.ledger.source_id(step.run.parent)):
                self.in_part.leave_out_below(step, step.run.parent)
        sound = self._sound(batch)
        with_rows = [step.source for step in sound if self.profile.values_with_rows and step.series]
        await self.runs.create(sound, with_rows)
        self.progress.done("runs begun", self.runs.told(step.source for step in self._sound(sound)))
        for step in sound:
            if step.source in self.runs.refused:
                await self._within(step, self.in_part.create(step, self.runs.refused.pop(step.source)))
            if step.source in self.deleted and (step.source in self.runs.created or step.source in self.runs.known):
                self.ledger.forget(step.source, [RunItem.DELETED])

    async def _finish(self, batch: Sequence[Step]) -> None:
        there = list(await self.runs.finish(batch))
        for step in batch:
            if step.source in self.runs.refused:
                ended = await self._within(step, self.in_part.finish(step, self.runs.refused.pop(step.source)))
                if ended:
                    await self._fill(self.anew[step.source])  # the overflow file has the error now
                    there += await self.runs.finish(self._sound([step]))
        whole = {step.source: self._mark(step) for step in there}
        self.ledger.mark_whole(whole)
        self.progress.done("runs complete", self.runs.told(whole))

    def _mark(self, step: Step) -> Payload:
        """What the receipt of the whole run says: one with values that stay as they are is looked at by every call."""
        again = self._kept(step.source) or step.source in self.runs.accepted
        return self.due.kept(step) if again else self.due.whole(step)

    async def _within(self, step: Step, request: Awaitable[bool]) -> bool:
        """The per-run boundary of what is sent anew without what was refused; False where the run does not go on."""
        try:
            return await request
        except ServiceError as error:
            self._fail(step.source, noted(error, f"run {step.source}"), error.remedy)
        return False

    # Contents

    def _intended(self, steps: Iterable[Step]) -> Iterator[Step]:
        """The steps; the intents to send points are written for many runs at a time, before they are needed.

        One by one, waiting for the disk (5.6 ms each) took 1.3 s of the 4.7 s of 300 runs. A replay that is killed
        may leave intents of so many runs: the target is asked about them.
        """
        waiting = iter(steps)
        while batch := list(islice(waiting, INTENDED_AHEAD)):
            self.points.intents.mark_ahead(step for step in batch if step.series)
            yield from batch

    async def _fill(self, step: Step) -> None:
        """Send points, then files, of one run; an error fails this run only."""
        try:
            step, points = await self.run_points.send(step)
            self.points_sent += points  # `x += await …` would read x before the wait and lose what others add
            there = self.runs.known.get(step.source)
            taken_back = there if there is not None and is_taken_back(there) else None
            sent = await self.files.send(step, taken_back, found=step.source not in self.runs.created)
            if step.source in self.files.refused:
                self.files.refused.discard(step.source)
                self._planned_anew(step)
            self.files_sent = self.files_sent.and_then(sent)
            if sent.files:
                self.runs.touched.add(step.source)
            self.progress.done("runs filled", self.runs.told([step.source]))
        except ServiceError as error:
            self._fail(step.source, noted(error, f"run {step.source}"), error.remedy)
        except IntegrityError as error:  # the command ends with it, once it has sent what is sound
            self.damaged = self.damaged or error
            self.failed[step.source] = str(error)

    def _fail(self, run: RunId, why: str, remedy: Remedy | None = None) -> None:
        if run not in self.failed:
            self.progress.done("runs failed")
        self.failed[run] = why
        self.ledger.fail(run, why)
        self.remedies.append(remedy)
        self.progress.say(f"run {run} is not complete: {why}")
