"""Makes runs whose ids are the target's own, before anything else of them is sent.

Making is not repeatable: each call makes a run. So the intent goes to the disk first, then the target is asked which
runs of this source it has, then what lacks is made, and the ledger keeps which is which. From then on such a run is one
that the target holds already, and all else about it is repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_generation, of_run
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import editable
from azureml_replay.direct.experiments import ExperimentOwners
from azureml_replay.direct.found_runs import FoundRuns
from azureml_replay.direct.runs import of_creation
from azureml_replay.errors import Remedy, ServiceError, Uncertain, noted
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.ids import is_chosen, named
from azureml_replay.planning.plan import Step, plan_units, planned_anew
from azureml_replay.target.lease import hold
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.profile import TargetProfile, WriteRoute
from azureml_replay.workspace.target import Refused, Target

TOGETHER = 1_000
"""Runs in memory at once, and whose intents are written together."""
CLOSED = (
    "experiment {name} is archived in the target, and takes no new run: restore it, then run the same command again"
)
ATTEMPTS = 3
"""Of one run, where answers are lost: after each the target is asked whether it has it."""


@dataclass(slots=True, kw_only=True)
class Making:
    """Makes the runs of one replay. All methods are repeatable."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    profile: TargetProfile
    owners: ExperimentOwners
    found: FoundRuns
    files: FileChoice
    width: int
    fail: Callable[[RunId, str, Remedy | None], None]
    """Called for each run that could not be made, with the reason."""
    leave_out: Callable[[Step, Refused], None]
    """Called for each run that the target will not have."""
    created: set[RunId] = field(default_factory=set)
    """Runs that this call made: nobody else can have sent anything into them."""
    begun: set[RunId] = field(default_factory=set)
    """Roots of units whose runs were made, as far as they could be."""
    opened: set[str] = field(default_factory=set)
    """Experiments that were opened to new runs, so far as they are ours to open."""

    async def begin(self, steps: Sequence[Step]) -> None:
        """Make the runs of the steps, of their whole units, and of units that they name."""
        units = [one for one in dict.fromkeys(self._units(steps)) if one not in self.begun]
        planned = plan_units(self.archive, units, self.files, self.profile)
        waiting = (step for step in planned if step.route is WriteRoute.MLFLOW)
        while some := list(islice(waiting, TOGETHER)):
            due = [step for step in some if not step.waits_for and self._is_due(step.source)]
            if due:
                await hold(self.target)  # what is asked before the first run is made must not be old by then
                await self._make_all(await self._without_found(due))
        self.begun.update(units)

    async def look(self, experiments: Iterable[str]) -> None:
        """Open experiments of ours to which anything is to be written, and hear which are closed."""
        names = sorted(set(experiments) - self.opened)
        await self.owners.settle(names, self.width)
        await for_each(names, self._open, min(self.width, LISTED_AT_ONCE))

    def is_made(self, run: RunId) -> bool:
        """True for a run that the ledger knows in the target. An id that nobody sent yet is a plan."""
        return self.ledger.routes([run]).get(run) is not None

    def _is_due(self, run: RunId) -> bool:
        """False too for one that was refused as it is: accepted now, nobody would fill it, since it was left out."""
        receipt = self.ledger.receipt(run, RunItem.CREATE)
        if receipt is not None and receipt.state is State.REFUSED:
            return receipt.digest != of_generation(self.archive.generation(run))
        return not self.is_made(run)

    def forget(self, deleted: Iterable[RunId]) -> None:
        """Forget ids that the target gave to runs that were deleted, and are not made yet: plans would name them."""
        ids = self.ledger.target_ids(deleted)
        if gone := [run for run, there in ids.items() if not is_chosen(run, there) and not self.is_made(run)]:
            self.ledger.unbind(gone)

    def take_created(self, runs: Collection[RunId]) -> set[RunId]:
        """Those that this call made, once: 100,000 ids take 10 MB."""
        mine = self.created.intersection(runs)
        self.created -= mine
        return mine

    def _units(self, steps: Iterable[Step]) -> Iterator[RunId]:
        """Values that name a run are immutable: it must have its id before they are sent."""
        for step in steps:
            yield step.unit
            for run in named(step.run):
                source = self.ledger.source_id(run)
                unit = self.archive.unit_of(source)
                if source != step.source and unit is not None and not self.is_made(source):
                    yield unit

    async def _without_found(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Those that are to be made: not one that is there, nor one whose family turns out to go by the history."""
        if not await self.found.take_over(steps, by_ids=True):
            return steps
        again = [
            planned_anew(self.archive, step, self.files, self.profile)
            for step in steps
            if not self.is_made(step.source)
        ]
        return [step for step in again if step.route is WriteRoute.MLFLOW]

    async def _make_all(self, steps: Sequence[Step]) -> None:
        """Parents first."""
        for _, level in groupby(sorted(steps, key=lambda step: step.depth), key=lambda step: step.depth):
            await self._make_level([step for step in level if self._has_parent(step)])

    async def _make_level(self, steps: Sequence[Step]) -> None:
        intents = {step.source: of_run(step.run) for step in steps}
        self.ledger.mark_runs(RunItem.CREATE, intents, State.SENDING, detail=WriteRoute.MLFLOW.value)
        names = [name for name in dict.fromkeys(step.run.experiment for step in steps) if name not in self.opened]
        for name in names:
            self.ledger.expect_experiment(name)
        await for_each(names, self._open, min(self.width, LISTED_AT_ONCE))
        ids: dict[RunId, RunId] = {}

        async def make(step: Step) -> None:
            there = await self._of(step)
            if there is not None:
                ids[step.source] = there

        try:
            await for_each(steps, make, self.width)
        finally:
            self.ledger.bind(ids)

    def _has_parent(self, step: Step) -> bool:
        return step.run.parent is None or self.is_made(self.ledger.source_id(step.run.parent))

    async def _open(self, experiment: str) -> None:
        """An experiment to new runs."""
        held = await self.owners.look(experiment)
        if held is not None:
            await self.owners.open(held)
        self.opened.add(experiment)

    async def _of(self, step: Step) -> RunId | None:
        """The id of a run that is made; None where it could not be, of which somebody hears."""
        name = step.run.experiment
        if name in self.owners.closed:
            self.fail(step.source, CLOSED.format(name=name), None)
            return None
        try:
            there = await self._make(step)
            closed = isinstance(there, Refused) and there.of_item and await self.owners.is_closed(name)
        except ServiceError as error:
            self.fail(step.source, noted(error, f"run {step.source}"), error.remedy)
            return None
        if not isinstance(there, Refused):
            return there
        if closed:
            self.fail(step.source, CLOSED.format(name=name), None)
        elif there.of_item:
            self.leave_out(step, there)
        else:
            self.fail(step.source, there.reason, there.remedy)
        return None

    async def _make(self, step: Step) -> RunId | Refused:
        run = self._made(step)
        for _ in range(ATTEMPTS):
            try:
                there = await self.target.make_run(run.experiment, run)
            except Uncertain as error:
                lost = error
                await self.found.look(run.experiment, again=True)
                if found := (await self.found.of([step])).get(step.source):
                    return found
                continue
            if not isinstance(there, Refused):
                self.created.add(step.source)
                self.ledger.put_sent({step.source: {**editable(run), **of_creation(run)}})
            return there
        raise lost

    def _made(self, step: Step) -> Run:
        """The run with what it is made with, below the run that stands for its parent by now."""
        run = lineage.made(step.run, self.archive.source)
        above = run.parent and self.ledger.source_id(run.parent)
        return replace(run, parent=above and (self.ledger.target_id(above) or above))
