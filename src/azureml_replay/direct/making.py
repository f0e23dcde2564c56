"""Makes runs whose ids are the target's own, before anything else of them is sent.

Making is not repeatable: each call makes a run. So the intent goes to the disk first, then the target is asked which
runs of this source it has, then what lacks is made, and the ledger keeps which is which. From then on such a run is one
that the target holds already, and all else about it is repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_generation, of_run
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import editable
from azureml_replay.direct.experiments import ExperimentOwners
from azureml_replay.direct.runs import of_creation
from azureml_replay.errors import Remedy, ServiceError, Uncertain, noted
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.ids import named
from azureml_replay.planning.plan import Step, plan_units
from azureml_replay.target.lease import hold
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.target import Refused, Target

TOGETHER = 1_000
"""Runs in memory at once, and whose intents are written together."""
CLOSED = (
    "experiment {name} is archived in the target, where MLflow's routes take no new run: "
    "restore it, then run the same command again"
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
    found: dict[str, dict[RunId, RunId]] = field(default_factory=dict)
    """Experiment -> source run -> run of the target, as it was asked before the first run was made in it."""

    async def begin(self, steps: Sequence[Step]) -> None:
        """Make the runs of the steps, of their whole units, and of units that they name."""
        units = [one for one in dict.fromkeys(self._units(steps)) if one not in self.begun]
        waiting = iter(plan_units(self.archive, units, self.files, self.profile))
        while some := list(islice(waiting, TOGETHER)):
            await self._make_all([step for step in some if not step.waits_for and self._is_due(step.source)])
        self.begun.update(units)

    def is_made(self, run: RunId) -> bool:
        """True for a run that the ledger knows in the target. An id that nobody sent yet is a plan."""
        return self.ledger.target_id(run) is not None and self.ledger.receipt(run, RunItem.CREATE) is not None

    def _is_due(self, run: RunId) -> bool:
        """False too for one that was refused as it is: accepted now, nobody would fill it, since it was left out."""
        receipt = self.ledger.receipt(run, RunItem.CREATE)
        if receipt is not None and receipt.state is State.REFUSED:
            return receipt.digest != of_generation(self.archive.generation(run))
        return not self.is_made(run)

    def forget(self, deleted: Iterable[RunId]) -> None:
        """Forget the ids of runs that were deleted, and are not made yet: plans would name them."""
        if gone := [run for run in deleted if not self.is_made(run)]:
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

    async def _make_all(self, steps: Sequence[Step]) -> None:
        """Parents first."""
        for _, level in groupby(sorted(steps, key=lambda step: step.depth), key=lambda step: step.depth):
            await self._make_level([step for step in level if self._has_parent(step)])

    async def _make_level(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        await hold(self.target)  # what is asked before the first run is made must not be old by then
        names = dict.fromkeys(step.run.experiment for step in steps)
        await self.owners.settle(names, self.width)  # by the intents below all would be ours
        self.ledger.mark_runs(RunItem.CREATE, {step.source: of_run(step.run) for step in steps}, State.SENDING)
        await for_each(names, self._look, min(self.width, LISTED_AT_ONCE))
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

    async def _look(self, experiment: str) -> None:
        """Ask once which runs of this source are in the experiment, whoever made them; and open it to new ones."""
        if experiment in self.found:
            return
        held = await self.target.experiment(experiment)
        if held is not None:
            await self.owners.open(held)
        self.found[experiment] = await self._held(experiment)

    async def _held(self, experiment: str) -> dict[RunId, RunId]:
        mark = lineage.source_mark(self.archive.source)
        runs: Mapping[RunId, Mapping[str, str]] = await self.target.tagged_runs(experiment, SOURCE_TAG, mark)
        return {RunId(tags[lineage.TAG]): there for there, tags in runs.items() if lineage.TAG in tags}

    async def _of(self, step: Step) -> RunId | None:
        """The id of a run that is found or made; None where neither could be, of which somebody hears."""
        name = step.run.experiment
        there: RunId | Refused | None = self.found[name].get(step.source)
        if there is None and name in self.owners.closed:
            self.fail(step.source, CLOSED.format(name=name), None)
            return None
        try:
            there = there or await self._make(step)
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
                self.found[run.experiment] |= await self._held(run.experiment)
                if step.source in self.found[run.experiment]:
                    return self.found[run.experiment][step.source]
                continue
            if not isinstance(there, Refused):
                self.created.add(step.source)
                self.ledger.put_sent({step.source: {**editable(run), **of_creation(run)}})
            return there
        raise lost

    def _made(self, step: Step) -> Run:
        """The run with what it is made with, below the run that stands for its parent by now."""
        run = lineage.made(step.run, self.archive.source)
        parent = run.parent and self.ledger.target_id(self.ledger.source_id(run.parent))
        return replace(run, parent=parent)
