"""Finds the runs of a target that stand for runs of the source, and that this archive does not know yet. Only reads.

A call that was stopped made them before it could say so, or another archive of the same source did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.candidates import Original
from azureml_replay.planning.plan import Step
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.target import Target


@dataclass(slots=True)
class FoundRuns:
    """What was asked, experiment by experiment."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    profile: TargetProfile
    width: int
    tagged: dict[str, dict[RunId, list[RunId]]] = field(default_factory=dict)
    """Experiment -> source run -> runs of the target whose tags name it, as they were asked for last."""

    async def look(self, experiment: str) -> None:
        """Ask which runs of an experiment bear the tags of runs of this source. Repeatable."""
        mark = lineage.source_mark(self.archive.source)
        found: dict[RunId, list[RunId]] = {}
        for there, tags in (await self.target.tagged_runs(experiment, SOURCE_TAG, mark)).items():
            if lineage.TAG in tags:
                found.setdefault(RunId(tags[lineage.TAG]), []).append(there)
        self.tagged[experiment] = found

    async def of(self, steps: Sequence[Step]) -> Mapping[RunId, RunId]:
        """Source run -> the run that stands for it, of steps whose parents have their ids; the others are left out."""
        candidates = {step.source: self.tagged[step.run.experiment].get(step.source, ()) for step in steps}
        there: dict[RunId, Run] = {}

        async def ask(batch: Sequence[RunId]) -> None:
            there.update({one: details.run for one, details in (await self.target.details(batch)).items()})

        asked = iter([one for some in candidates.values() for one in some])
        await for_each(iter(lambda: list(islice(asked, RUNS_PER_REQUEST)), []), ask, self.width)
        found: dict[RunId, RunId] = {}
        for step in steps:
            first = self._first(step, [there[one] for one in candidates[step.source] if one in there])
            found |= {step.source: first.id} if first else {}
        return found

    def _first(self, step: Step, candidates: Iterable[Run]) -> Run | None:
        above = step.run.parent and self.ledger.source_id(step.run.parent)
        parent = above and (self.ledger.target_id(above) or above)
        return Original(self.archive.source, step.run, step.source, self.profile).first(candidates, parent)
