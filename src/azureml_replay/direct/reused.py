"""Lets reused steps wait for the run whose files and points they show: jobs go newest first, and that may be older."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.direct.due import Due
from azureml_replay.model import RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step, plan_unit, without_lender
from azureml_replay.workspace.profile import TargetProfile


@dataclass(slots=True)
class WaitingSteps:
    """The steps of one replay that came before their lenders, and the steps below them."""

    due: Due
    may_come: Callable[[RunId], bool]
    """True for a run that is not in the target now, but that a later call may bring."""
    waiting: dict[RunId, set[RunId]] = field(default_factory=dict)
    """Unit -> its waiting runs."""

    def ready(self, steps: Sequence[Step]) -> list[Step]:
        """The steps that can be sent now; the others are remembered."""
        return [step for step in steps if not self._waits(step)]

    def rest(self, files: FileChoice, profile: TargetProfile) -> Iterator[Step]:
        """The remembered steps, planned anew once all others were sent: parents first, under their lenders' new ids."""
        for unit, runs in self.waiting.items():
            steps = plan_unit(self.due.archive, unit, files, profile)
            yield from (self.without_absent(step) for step in steps if step.source in runs)

    def without_absent(self, step: Step) -> Step:
        """The step, without its lender where that is not in the target and cannot come later."""
        if step.lender is None or self.due.is_there(step.lender.source) or self.may_come(step.lender.source):
            return step
        return without_lender(step)

    def _waits(self, step: Step) -> bool:
        waiting = self.waiting.get(step.unit, set())
        below = step.run.parent and self.due.ledger.source_id(step.run.parent) in waiting
        if below or (step.lender and not self.due.is_there(step.lender.source)):
            self.waiting.setdefault(step.unit, waiting).add(step.source)
            return True
        return False
