"""Runs that show the files and points of another one, as reused steps do. Only reads.

No service is known to find runs by what they show: every run of the workspace is listed, once, before the first answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.verification.strangers import Ours
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.target import Target


@dataclass(slots=True)
class Borrowers:
    """Those of a target that this archive may not take back."""

    ours: Ours
    target: Target
    _found: dict[RunId, RunId] | None = None
    """Run -> the first one that shows what it holds."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, holder: RunId) -> RunId | None:
        """A run that shows what another one holds; None for nobody's. Raises Unavailable, Rejected."""
        if self.ours.profile.own_contents:
            return None
        async with self._turn:
            if self._found is None:
                self._found = await self._listed()
        return self._found.get(holder)

    async def _listed(self) -> dict[RunId, RunId]:
        found: dict[RunId, RunId] = {}

        async def look(experiment: Experiment) -> None:
            async for page in self.target.runs(experiment):
                for run in page:
                    if run.lender is not None and not self._goes(run):
                        found.setdefault(run.lender, run.id)

        every = [one async for page in self.target.experiments() for one in page]
        await for_each(every, look, LISTED_AT_ONCE)
        return found

    def _goes(self, run: Run) -> bool:
        """True for one of ours, as it was sent: it is taken back too."""
        original = self.ours.ledger.original_of(run.id)
        return original is not None and self.ours.why_not(original, run) is None
