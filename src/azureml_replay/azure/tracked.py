"""Runs that are made and ended by MLflow's routes, under ids of the service's own.

Everything else of them goes through the services that take it: properties, tags, inputs and errors through run history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from azureml_replay.azure.services.history import RUNS_AT_ONCE, RunHistory
from azureml_replay.azure.services.mlflow import MlflowService
from azureml_replay.azure.wire.decode import Problem
from azureml_replay.azure.wire.encode_mlflow import can_end
from azureml_replay.errors import Rejected, ServiceError
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.sending.sender import NOT_SPOKEN
from azureml_replay.workers import map_bounded
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.target import Outcome, Refused


class TrackedRuns:
    """The runs of one workspace, as MLflow's clients write them."""

    def __init__(self, history: RunHistory, tracking: MlflowService) -> None:
        """Nothing is asked yet."""
        self._history, self._tracking = history, tracking
        self._experiments: dict[str, str] = {}
        """Name -> id."""
        self._turn = asyncio.Lock()
        """Of those who look for an experiment: many runs are made in it at once."""

    async def make(self, experiment: str, run: Run, check: Check = unchecked) -> RunId | Refused:
        """Make a run with its name, start, parent and tags; its id. NOT repeatable. Raises Uncertain, Rejected."""
        place = await self._place(experiment)
        try:
            return await self._tracking.create_run(place, run, check)
        except Rejected as error:
            return _refusal(error)

    async def tagged(self, experiment: Experiment, tag: str, value: str) -> Mapping[RunId, Mapping[str, str]]:
        """The runs that bear a tag, with all their tags."""
        self._experiments[experiment.name] = experiment.id
        found: dict[RunId, Mapping[str, str]] = {}
        async for page in self._tracking.tagged(experiment.id, tag, value):
            found |= page
        return found

    async def end(self, experiment: str, runs: Sequence[Run], now: Instant) -> Mapping[RunId, Outcome]:
        """Write errors, ends, and what no end can say. Repeatable."""
        outcomes = await self._history.tell_errors(experiment, runs, now)
        ending = [run for run in runs if outcomes[run.id] is None and can_end(run)]
        ended = dict(zip((run.id for run in ending), await map_bounded(ending, self._end, RUNS_AT_ONCE), strict=True))
        outcomes = await self._history.or_ended(runs, {**outcomes, **ended})
        return await self._history.finish_states(experiment, runs, outcomes)

    async def _end(self, run: Run) -> Outcome:
        try:
            await self._tracking.end_run(run)
        except Rejected as error:
            return _refusal(error)
        except ServiceError as error:
            return error
        return None

    async def _place(self, experiment: str) -> str:
        async with self._turn:
            if experiment not in self._experiments:
                self._experiments[experiment] = (await self._history.experiment_made(experiment)).id
        return self._experiments[experiment]


def _refusal(error: Rejected) -> Refused:
    """The refusal of an item. Raises what is about the caller or the route."""
    of_status = Problem(error.code, str(error.args[0])).of_status
    if error.status in (401, 403, *NOT_SPOKEN) and not of_status:
        raise error
    return replace(Refused.of(error), of_status=of_status)
