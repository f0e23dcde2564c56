"""Finds the values for which a target refuses a run or an experiment: everything else of it is carried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from azureml_replay.errors import Rejected, ServiceError
from azureml_replay.model import Experiment, Run
from azureml_replay.planning.refused import Parts, ValueName, parts_of_experiment, without, without_values
from azureml_replay.workspace.target import Outcome, Refused, Target

Write = Callable[[Sequence[ValueName]], Awaitable[Outcome]]
"""Writes some of the values; repeatable."""


@dataclass(frozen=True, slots=True)
class RefusedParts:
    """What was found."""

    values: dict[ValueName, str]
    """Kind and name of each refused value -> the target's words."""
    whole: Refused | None = None
    """The refusal of the run without any of its values, where that was refused too."""


async def refused_of_run(target: Target, run: Run, *, there: bool) -> RefusedParts:
    """Write a run without its values, then with halves of them, down to those to blame. Repeatable.

    `there`: the target has the run already. Raises Rejected, Unavailable for what is not about a value.
    """
    parts = Parts.of(run)
    write = target.update_runs if there else target.put_runs
    bare = _refusal((await write(run.experiment, [parts.bare]))[run.id])
    if bare is not None:
        return RefusedParts({}, bare)

    async def some(names: Sequence[ValueName]) -> Outcome:
        left = without(run, [name for name in parts.values if name not in set(names)])
        return (await target.update_runs(run.experiment, [left]))[run.id]

    return RefusedParts(await refused_among(parts.values, some))


async def refused_of_experiment(target: Target, experiment: Experiment) -> RefusedParts:
    """The same of an experiment. Repeatable."""
    bare, names = parts_of_experiment(experiment)

    async def some(chosen: Sequence[ValueName]) -> Outcome:
        return await _outcome(target, without_values(experiment, [name for name in names if name not in chosen]))

    whole = _refusal(await _outcome(target, bare))
    return RefusedParts({}, whole) if whole is not None else RefusedParts(await refused_among(names, some))


async def refused_among(names: Sequence[ValueName], write: Write) -> dict[ValueName, str]:
    """The values among these that are refused when written by themselves, by halving. Raises as `write` answers."""
    if not names:
        return {}
    refused = _refusal(await write(names))
    if refused is None:
        return {}
    if len(names) == 1:
        return {names[0]: refused.reason}
    middle = len(names) // 2
    return {**await refused_among(names[:middle], write), **await refused_among(names[middle:], write)}


async def _outcome(target: Target, experiment: Experiment) -> Outcome:
    try:
        await target.put_experiment(experiment)
    except Rejected as error:
        refused = Refused.of(error)
        if refused.of_item:
            return refused
        raise
    return None


def _refusal(outcome: Outcome) -> Refused | None:
    """The refusal of the item; None where it is there. Raises everything else."""
    if isinstance(outcome, ServiceError):
        raise outcome
    if outcome is None:
        return None
    if not outcome.of_item:
        raise outcome.error()
    return outcome
