"""Requests of many items, of which one that is refused keeps no other from arriving."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from azureml_replay.azure import rights
from azureml_replay.azure.wire.decode import Problem
from azureml_replay.errors import Rejected, Unavailable
from azureml_replay.model import Run, RunId
from azureml_replay.sending.sender import NOT_SPOKEN
from azureml_replay.workspace.target import Outcome, Refused


def outcome_of(problem: Problem) -> Outcome:
    """The outcome of an item that an answer reports as not done."""
    if problem.passing:
        return Unavailable(problem.message, code=problem.code)
    return Refused(problem.message, remedy=rights.remedy_of(problem.message), of_status=problem.of_status)


async def in_halves(
    runs: Sequence[Run], send: Callable[[Sequence[Run]], Awaitable[Mapping[RunId, Outcome]]]
) -> Mapping[RunId, Outcome]:
    """Send all; where the whole request is refused, send each half by itself, down to the item that is to blame.

    Raises Rejected where the refusal is about the caller (login, role) or the route, not about an item.
    """
    if not runs:
        return {}
    try:
        return await send(runs)
    except Rejected as error:
        of_status = Problem(error.code, str(error.args[0])).of_status
        if error.status in (401, 403, *NOT_SPOKEN) and not of_status:
            raise
        if len(runs) == 1:
            return {runs[0].id: replace(Refused.of(error), of_status=of_status)}
    middle = len(runs) // 2
    return {**await in_halves(runs[:middle], send), **await in_halves(runs[middle:], send)}
