"""Carries a run of which the target refused something: everything else of it, and what was refused is an omission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_generation
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.items import Item, Payload, RunItem, ValueItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.due import Due
from azureml_replay.direct.runs import RunSender
from azureml_replay.model import Omission, Run, RunForm, RunId
from azureml_replay.planning.plan import LEFT, Step
from azureml_replay.planning.refused import ERROR, NEW_IDS, STATUS, TYPE, refused_by, refused_with, without
from azureml_replay.target.parts import refused_of_run
from azureml_replay.workspace.target import Refused, Target

OF_DELETED = f" (a run of this id was deleted there; {NEW_IDS} brings it under another one)"
"""Behind the reason why a run is left out: a service may take the id of a deleted run never again."""
OF_ID = f" (it refuses the id alone: {NEW_IDS} tries another one)"
"""The same where nobody knows what became of that id: another archive, or somebody, may have deleted its run."""


@dataclass(slots=True)
class InPart:
    """Deals with the runs of one replay that were refused. All methods are repeatable."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    runs: RunSender
    plan_anew: Callable[[Step], Step]
    """Plans a step by what the ledger says now, and keeps that for what is sent later."""
    left: dict[RunId, str] = field(default_factory=dict)
    """Runs that the target refuses as a whole, and those below them, with the reason."""

    async def create(self, step: Step, refused: Refused) -> bool:
        """Create a run without the values to blame; one that is refused bare is left out. False: it is not there.

        One that is there keeps what it has, and is no omission: then its change is what fails. Raises Rejected,
        Unavailable.
        """
        if not refused.of_item:
            self._give_up(step, refused, refused_by(refused.reason))
            return False
        if refused.of_status:
            return await self._create_neutral(step, refused)
        there = step.source in self.runs.known
        run = self.runs.update_of(step) if there else self.runs.signed(step.run)
        found = await refused_of_run(self.target, run, there=there)
        if found.whole is not None:
            return await self._create_neutral(step, found.whole)
        self._refuse(step, {ValueItem(*name): words for name, words in found.values.items()})
        anew = self.plan_anew(step)
        if not there:  # looking for the values has created it, and says what it was sent with, which is immutable
            self.runs.known[step.source] = (await self.target.details([anew.run.id]))[anew.run.id].run
            self.runs.created.add(step.source)
        await self.runs.create([anew])
        if self.runs.refused.pop(step.source, None) is not None:
            raise refused.error()
        return True

    async def finish(self, step: Step, refused: Refused) -> bool:
        """End a run without the account of its error, which may be to blame. Raises Rejected, Unavailable.

        False where something else is.
        """
        if refused.of_status:
            return await self._finish_managed(step, refused)
        there = step.run.error and await self.runs.finish([replace(step, run=without(step.run, [ERROR]))])
        self.runs.refused.pop(step.source, None)
        if not there:
            raise refused.error()
        self._refuse(step, {ValueItem(*ERROR): refused.reason})
        self.plan_anew(step)
        return True

    async def _create_neutral(self, step: Step, refused: Refused) -> bool:
        """Create a run, for the type of which its status is the target's affair, without one; else it is left out.

        Values of it may be refused besides: they are looked for whichever of the two the target told first.
        """
        if refused.of_status and step.run.form is RunForm.KEPT:
            self._refuse(step, {ValueItem(*TYPE): refused.reason})
            again = self.plan_anew(step)
            await self.runs.create([again])
            still = self.runs.refused.pop(step.source, None)
            return still is None or await self.create(again, still)
        at_fault = OF_ID if not refused.of_status and self._is_unknown(step) else ""
        self._give_up(step, refused, f"{refused_by(refused.reason)}{at_fault}")
        return False

    def _give_up(self, step: Step, refused: Refused, why: str) -> None:
        if step.source in self.runs.known:
            raise refused.error("what changed of it is refused, and it stays as it was sent: ")
        self.leave_out(step, why)

    def _is_unknown(self, step: Step) -> bool:
        """True for a run that is not there, of whose deletion nothing is known here."""
        return self.ledger.receipt(step.source, RunItem.DELETED) is None and step.source not in self.runs.known

    async def _finish_managed(self, step: Step, refused: Refused) -> bool:
        """End a run of which the status is the target's affair: as one without a type, else without its status."""
        if step.run.form is RunForm.KEPT and await self._finish_external(step):
            self._refuse(step, {ValueItem(*TYPE): refused.reason})
            self.plan_anew(step)
            return True
        self._refuse(step, {ValueItem(*STATUS): refused.reason})
        there = await self.runs.finish([self.plan_anew(step)])
        self.runs.refused.pop(step.source, None)
        if not there:
            raise refused.error()
        return True

    async def _finish_external(self, step: Step) -> bool:
        """Give a run a type that it can be given after another (null leaves a type be), and end it.

        Nothing else of it is written: its properties are immutable and tell what was sent, its tags may be edited.
        """
        run = step.run
        typed = Run(id=run.id, experiment=run.experiment, lender=run.lender, form=RunForm.EXTERNAL)
        if (await self.target.put_runs(run.experiment, [typed])).get(run.id) is not None:
            return False
        there = await self.runs.finish([replace(step, run=replace(run, form=RunForm.EXTERNAL))])
        self.runs.refused.pop(step.source, None)
        return bool(there)

    def leave_out(self, step: Step, why: str) -> None:
        """Give up a run: an omission, which later calls do not try again while the source's run stays as it is."""
        self._leave_out(step, why, Due(self.archive, self.ledger).whole(step))

    def leave_out_below(self, step: Step, parent: RunId) -> None:
        """The same with its parent, which was given up: it is tried again once that one, or one above it, changes."""
        self._leave_out(step, refused_with(parent), Due(self.archive, self.ledger).left_below(step))

    def _leave_out(self, step: Step, why: str, whole: Payload) -> None:
        if self.ledger.receipt(step.source, RunItem.DELETED):
            why = f"{why}{OF_DELETED}"
        self.left[step.source] = why
        self._refuse(step, {RunItem.CREATE: why})
        self.ledger.carry({step.source: {LEFT: why}}, Way.RUN)
        self.ledger.put_planned_omissions(Topic(Way.RUN, step.source), [Omission(step.source, "run", why)])
        self.ledger.mark_whole({step.source: whole})

    def is_left(self, run: RunId) -> bool:
        """True for a run that was given up, in this call or an earlier one."""
        receipt = self.ledger.receipt(run, RunItem.CREATE)
        return run in self.left or (receipt is not None and receipt.state is State.REFUSED)

    def _refuse(self, step: Step, items: dict[Item, str]) -> None:
        self.ledger.refuse(step.source, items, of_generation(self.archive.generation(step.source)))
