"""Reused steps wait for the run whose files and points they show: it may be older, and jobs go newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step, plan_unit, without_lender
from azureml_replay.workspace.profile import TargetProfile


@dataclass(slots=True)
class WaitingSteps:
    """The steps of one replay that came before their lenders, and what is below them."""

    archive: Archive
    ledger: TargetLedger
    may_come: Callable[[RunId], bool]
    """Whether a run that is not in the target now may be brought there by a later call."""
    waiting: dict[RunId, set[RunId]] = field(default_factory=dict)
    """By unit."""

    def ready(self, steps: Sequence[Step]) -> list[Step]:
        """Those that may go; the others are remembered."""
        return [step for step in steps if not self._waits(step)]

    def rest(self, files: FileChoice, profile: TargetProfile) -> Iterator[Step]:
        """Those remembered, planned anew once all others went: parents first, lenders under the ids they have now."""
        for unit, runs in self.waiting.items():
            steps = plan_unit(self.archive, unit, files, profile)
            yield from (self.without_absent(step) for step in steps if step.source in runs)

    def without_absent(self, step: Step) -> Step:
        """The step; where its lender is not in the target, nor may come later, it goes without."""
        if step.lender is None or self._is_there(step.lender.source) or self.may_come(step.lender.source):
            return step
        return without_lender(step)

    def _waits(self, step: Step) -> bool:
        waiting = self.waiting.get(step.unit, set())
        below = step.run.parent and self.ledger.source_id(step.run.parent) in waiting
        if below or (step.lender and not self._is_there(step.lender.source)):
            self.waiting.setdefault(step.unit, waiting).add(step.source)
            return True
        return False

    def _is_there(self, lender: RunId) -> bool:
        receipt = self.ledger.receipt(lender, RunItem.CREATE)
        return receipt is not None and receipt.state is State.SENT
