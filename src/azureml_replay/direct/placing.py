"""Gives each step the id that its run has in the target, or gets there: asked for, found, or made by the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.anew import bring_back
from azureml_replay.direct.due import Due
from azureml_replay.direct.found_runs import FoundRuns
from azureml_replay.direct.ids import IdCheck
from azureml_replay.direct.in_part import InPart
from azureml_replay.direct.making import CLOSED, Making
from azureml_replay.direct.runs import RunSender
from azureml_replay.errors import Remedy
from azureml_replay.model import RunId
from azureml_replay.planning.plan import Step
from azureml_replay.workspace.profile import TargetProfile, WriteRoute

NO_MORE = "run {there}, which stood for it, is not in the target any more: undo, and a replay after it, make it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Window by window. All methods are repeatable."""

    due: Due
    profile: TargetProfile
    ids: IdCheck
    found: FoundRuns
    making: Making
    runs: RunSender
    """Hears which runs the target holds already."""
    in_part: InPart
    deleted: set[RunId]
    failed: Mapping[RunId, str]
    again: Callable[[Step], Step]
    """Plans a step by what the ledger says now."""
    fail: Callable[[RunId, str, Remedy | None], None]

    @property
    def ledger(self) -> TargetLedger:
        return self.due.ledger

    async def placed(self, steps: list[Step], last: RunId) -> list[Step]:
        """The steps, `last` their last unit, without those that cannot have an id, of which somebody hears.

        Runs that go by the history are looked for under their ids, and once more by their tags where none is there:
        another archive may have sent them by MLflow's routes. Then so goes what their families lack.
        """
        before = dict(self.ids.conflicts)
        placed = await self._asked(steps, last)
        absent = [one for one in placed if one.route is WriteRoute.HISTORY and self._is_absent(one.source)]
        if not absent or not await self.found.take_over(absent, by_ids=False):
            return placed
        self.ids.ask_again(before)
        self.making.begun -= {step.unit for step in steps}
        return await self._asked([self.again(step) for step in steps], last)

    def _is_absent(self, run: RunId) -> bool:
        return run not in self.runs.known and not self.due.is_there(run)

    async def _asked(self, steps: list[Step], last: RunId) -> list[Step]:
        if WriteRoute.MLFLOW in {self.profile.route, *(step.route for step in steps)}:
            return await self._made(steps, last)
        await self.ids.check(steps, last)
        return steps

    async def _made(self, steps: Sequence[Step], last: RunId) -> list[Step]:
        """The steps whose runs the target has by now under ids of its own, and those that go by the history.

        Runs that `undo` deleted, and was stopped before it could say so, are made anew. All are planned anew: they were
        read before these windows' runs, or those that they name, got their ids.
        """
        undone = [step for step in steps if self.ledger.receipt(step.source, RunItem.UNDONE)]
        await self._forget_gone([step for step in undone if step.route is WriteRoute.MLFLOW], last)
        if self.profile.closes:
            await self.making.look({step.run.experiment for step in steps})
        await self.making.begin(steps)
        there: list[Step] = []
        for step in map(self.again, steps):
            if step.route is WriteRoute.HISTORY or self.making.is_made(step.source):
                there.append(step)
            elif not self.in_part.is_left(step.source):
                self._tell_unmade(step)
        await self.ids.check(there, last)
        self.runs.created |= self.making.take_created(self.runs.known)
        self._tell_gone(there)
        return self._without_closed(there) if self.profile.closes else there

    def _without_closed(self, steps: Sequence[Step]) -> list[Step]:
        """Nothing can be written to runs of an experiment that somebody archived: that is for him to undo."""
        closed = self.making.owners.closed
        for step in steps:
            if step.run.experiment in closed:
                self.fail(step.source, CLOSED.format(name=step.run.experiment), None)
        return [step for step in steps if step.run.experiment not in closed]

    async def _forget_gone(self, undone: Sequence[Step], last: RunId) -> None:
        """Before anything is made: a run can't be made below one that is gone."""
        if not (there := [step for step in undone if self.making.is_made(step.source)]):
            return
        absent, self.ids.absent = self.ids.absent, None
        await self.ids.check(there, last)
        self.ids.absent = absent
        gone = [step for step in there if step.source not in self.runs.known]
        for step in gone:
            bring_back(self.ledger, step.source, self.deleted, there=False)
        self.making.forget(step.source for step in gone)
        self.making.begun -= {step.unit for step in gone}
        if gone:
            self.ids.absent = None  # of those that stand for them now nobody has asked

    def _tell_unmade(self, step: Step) -> None:
        parent = step.run.parent
        if parent and self.in_part.is_left(self.ledger.source_id(parent)):
            self.in_part.leave_out_below(step, parent)
        else:
            self.fail(step.source, self.failed.get(step.source, f"its parent {parent} failed"), None)

    def _tell_gone(self, steps: Sequence[Step]) -> None:
        """A run that the target made and has no more is not made again: what became of it is for people to find out."""
        for step in steps:
            made = step.route is WriteRoute.MLFLOW
            if made and step.source not in self.runs.known and not self.runs.is_current(step):
                self.fail(step.source, NO_MORE.format(there=step.run.id), None)
