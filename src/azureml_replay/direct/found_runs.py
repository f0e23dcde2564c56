"""Finds the runs of a target that stand for runs of the source, and that this archive does not know yet.

A call that was stopped made them before it could say so, or another archive of the same source did: by either route.
From then on such a run is one that was sent, under the id that it has and by the route by which it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_run
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.direct.experiments import ExperimentOwners
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.candidates import Original
from azureml_replay.planning.ids import new_id
from azureml_replay.planning.plan import Step
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE, RUNS_PER_REQUEST
from azureml_replay.workspace.mark import SOURCE_TAG
from azureml_replay.workspace.profile import TargetProfile, WriteRoute
from azureml_replay.workspace.target import Target


@dataclass(slots=True)
class FoundRuns:
    """What was asked by one call, experiment by experiment. All methods are repeatable."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    profile: TargetProfile
    owners: ExperimentOwners
    width: int
    tagged: dict[str, Mapping[RunId, Sequence[RunId]]] = field(default_factory=dict)
    """Experiment -> source run -> runs of the target whose tags name it, as they were asked for last."""

    async def take_over(self, steps: Sequence[Step], *, by_ids: bool) -> bool:
        """Note the runs that stand for steps of which nothing was sent; False where there are none.

        `by_ids`: also those under ids that the history gives them, which whoever sends by it asks for anyway.
        """
        names = dict.fromkeys(step.run.experiment for step in steps)
        await self.owners.settle(names, self.width)  # by the intents below all would be ours
        unknown = [name for name in names if name not in self.tagged]
        await for_each(unknown, self.look, min(self.width, LISTED_AT_ONCE))
        found = await self.of(steps, by_ids=by_ids and not self.profile.plain)  # a server of MLflow has no history
        if found:
            digests = {step.source: of_run(step.run) for step in steps if step.source in found}
            self.ledger.mark_runs(RunItem.CREATE, digests, State.SENDING, detail=WriteRoute.MLFLOW.value)
            self.ledger.bind(found)
        return bool(found)

    async def look(self, experiment: str, *, again: bool = False) -> None:
        """Ask which runs of an experiment bear the tags of runs of this source."""
        mark, held = lineage.source_mark(self.archive.source), await self.owners.look(experiment, again=again)
        found: dict[RunId, list[RunId]] = {}
        for there, tags in (await self.target.tagged_runs(held, SOURCE_TAG, mark) if held else {}).items():
            if lineage.TAG in tags:
                found.setdefault(RunId(tags[lineage.TAG]), []).append(there)
        self.tagged[experiment] = found

    async def of(self, steps: Sequence[Step], *, by_ids: bool = False) -> Mapping[RunId, RunId]:
        """Source run -> the run that stands for it; the others are left out. Of experiments that were looked at."""
        candidates = {step.source: self._candidates(step, by_ids=by_ids) for step in steps}
        there: dict[RunId, Run] = {}

        async def ask(batch: Sequence[RunId]) -> None:
            there.update({one: details.run for one, details in (await self.target.details(batch)).items()})

        asked = iter(dict.fromkeys(one for some in candidates.values() for one in some))
        await for_each(iter(lambda: list(islice(asked, RUNS_PER_REQUEST)), []), ask, self.width)
        found: dict[RunId, RunId] = {}
        for step in sorted(steps, key=lambda step: step.depth):
            fitting = [there[one] for one in candidates[step.source] if one in there]
            original = Original(self.archive.source, step.run, step.source, self.profile.by(WriteRoute.MLFLOW))
            first = original.first(fitting, self._parent(step, found))
            found |= {step.source: first.id} if first else {}
        return found

    def _candidates(self, step: Step, *, by_ids: bool) -> Sequence[RunId]:
        tagged = self.tagged[step.run.experiment].get(step.source, [])
        if not by_ids or self.owners.looks[step.run.experiment] is None:
            return tagged
        return [step.source, new_id(self.archive.source, step.source, self.ledger.target), *tagged]

    def _parent(self, step: Step, found: Mapping[RunId, RunId]) -> RunId | None:
        above = step.run.parent and self.ledger.source_id(step.run.parent)
        return above and (found.get(above) or self.ledger.target_id(above) or above)
