"""Shows runs again that `undo` hid, and takes its mark off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from azureml_replay.errors import ServiceError
from azureml_replay.model import RunId
from azureml_replay.workers import for_each
from azureml_replay.workspace.mark import UNDO_TAG, VOID_MARK
from azureml_replay.workspace.target import Outcome, Target

MARKS_AT_ONCE = 8
"""Of one request's runs: a mark is removed run by run."""


async def bring_back(
    target: Target, experiment: str, runs: Sequence[RunId], *, hidden: bool
) -> Mapping[RunId, Outcome]:
    """`hidden` is what the runs are to be. Repeatable; at most `RUNS_PER_REQUEST`.

    The mark says with the same request that it is void; where it cannot be removed then, it stays so.
    """
    outcomes = await target.hide_runs(experiment, runs, hidden=hidden, tags=dict.fromkeys(runs, VOID_MARK))

    async def unmark(run: RunId) -> None:
        with suppress(ServiceError):
            await target.remove_tags(experiment, run, [UNDO_TAG])

    await for_each([run for run in runs if outcomes.get(run) is None], unmark, MARKS_AT_ONCE)
    return outcomes
