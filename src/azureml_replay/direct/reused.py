"""Reused steps wait for the run whose container they show: it may be older, and jobs go newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.planning.plan import PlanOptions, Step, plan_unit
from azureml_replay.planning.reuse import Lent
from azureml_replay.target.profile import presumed


@dataclass(slots=True)
class Borrowers:
    """The steps of one replay that came before their lenders, and what is below them."""

    archive: Archive
    ledger: TargetLedger
    held: dict[RunId, set[RunId]] = field(default_factory=dict)
    """By unit."""

    def ready(self, steps: Sequence[Step]) -> list[Step]:
        """Those that may go; the others are remembered."""
        return [step for step in steps if not self._hold(step)]

    def steps(self, options: PlanOptions) -> Iterator[Step]:
        """Those remembered, planned anew: parents first, their lenders under the ids that they have by now."""
        for unit, runs in self.held.items():
            yield from (step for step in plan_unit(self.archive, unit, options) if step.source in runs)

    def settled_but(self, may_come: Callable[[RunId], bool]) -> Lent:
        """As `presumed`, once nothing more is sent: a lender that is not there, nor `may_come` later, lends nothing."""
        known = presumed(self.ledger)
        return lambda run, lender: known(run, lender) and (self._is_there(lender) or may_come(lender))

    def _hold(self, step: Step) -> bool:
        held = self.held.get(step.unit, set())
        below = step.run.parent and self.ledger.source_id(step.run.parent) in held
        if below or (step.lender and not self._is_there(step.lender.source)):
            self.held.setdefault(step.unit, held).add(step.source)
            return True
        return False

    def _is_there(self, lender: RunId) -> bool:
        receipt = self.ledger.receipt(lender, RunItem.CREATE)
        return receipt is not None and receipt.state is State.SENT
