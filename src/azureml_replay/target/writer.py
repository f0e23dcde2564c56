"""How runs come into a target and end there: one writer for each route, chosen by `writer_of` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from azureml_replay.errors import ServiceError
from azureml_replay.model import Run, RunId
from azureml_replay.workspace.profile import WriteRoute
from azureml_replay.workspace.target import Outcome, Refused, Target

Created = RunId | Refused | ServiceError
"""What became of a run that was to be created: the id that it has, or why it is not there."""


def under_its_id(run: Run, created: Mapping[RunId, Created]) -> Run:
    """The run under the id that it has in the target; as it is where it is not there."""
    there = created[run.id]
    return run if isinstance(there, Refused | ServiceError) else replace(run, id=there)


class RunWriter(Protocol):
    """Writes runs of one target by one route. All but `create` is repeatable."""

    async def create(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Created]:
        """Create runs with everything that they carry; parents must be there. By the ids that they were given."""
        ...

    async def write(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Bring runs that are there up to date, all but their end."""
        ...

    async def finish(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write error, status, end and `hidden`."""
        ...


@dataclass(frozen=True, slots=True)
class HistoryWriter:
    """Writes the run history, under ids of ours: here `create` is repeatable too."""

    target: Target

    async def create(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Created]:
        """See RunWriter."""
        outcomes = await self.target.put_runs(experiment, runs)
        return {run: run if outcome is None else outcome for run, outcome in outcomes.items()}

    async def write(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """See RunWriter."""
        return await self.target.put_runs(experiment, runs)

    async def finish(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """See RunWriter."""
        return await self.target.finish_runs(experiment, runs)


@dataclass(frozen=True, slots=True)
class MlflowWriter:
    """Writes as MLflow's clients do, under ids of the target's own."""

    target: Target

    async def create(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Created]:
        """See RunWriter. What is made by a call whose answer is lost stays: direct/making.py finds such runs again."""
        return {run.id: await self._create(experiment, run) for run in runs}

    async def _create(self, experiment: str, run: Run) -> Created:
        there = await self.target.make_run(experiment, run)
        if isinstance(there, Refused):
            return there
        outcome = (await self.write(experiment, [replace(run, id=there)])).get(there)
        return there if outcome is None else outcome

    async def write(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """See RunWriter."""
        return await self.target.update_runs(experiment, runs)

    async def finish(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """See RunWriter."""
        return await self.target.end_runs(experiment, runs)


def writer_of(target: Target, route: WriteRoute) -> RunWriter:
    """The writer of a route."""
    return MlflowWriter(target) if route is WriteRoute.MLFLOW else HistoryWriter(target)
