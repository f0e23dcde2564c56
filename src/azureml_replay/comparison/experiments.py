"""Which side's value of an experiment stays where both workspaces may have changed since it was sent (pure).

The same three sides as for runs (three_way.py). Values go by the names that findings show.
"""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.comparison.runs import STATE
from azureml_replay.comparison.three_way import NOTHING, Fate, OneValue, decided
from azureml_replay.model import Editable, Experiment, RunId


def kept_under(name: str) -> RunId:
    """The name under which a ledger keeps the values of an experiment beside those of runs: no run's id has a space."""
    return RunId(f"experiment {name}")


def state_of(name: str) -> str:
    """The name of the value that says whether an experiment is archived."""
    return f"experiment {name}{STATE}"


def values_of(experiment: Experiment) -> dict[str, str | bool | None]:
    """Name -> value of everything that people can edit; an empty description is none, a tag without a value is one."""
    what = f"experiment {experiment.name}"
    described = {f"{what}: description": experiment.description} if experiment.description else {}
    tags = {f"{what}: tag {key}": value for key, value in experiment.tags.items()}
    return {state_of(experiment.name): experiment.archived is not None, **described, **tags}


def fates_of_experiment(
    wanted: Experiment, found: Experiment, sent: Editable | None, *, taken_back: bool
) -> dict[str, Fate]:
    """Name -> what becomes of each value that differs between the source's experiment as planned and the target's.

    Both without our lineage. `sent` are the values that this archive sent last, None where they are unknown: then what
    the target has stays. `taken_back`: `undo` archived it, which is no edit; what else it has may be one.
    """
    state = state_of(wanted.name)
    before = _begun(wanted.name) if sent is None else sent
    ours, theirs = values_of(wanted), values_of(found)
    by_name = {}
    for name in {**ours, **theirs}:
        sides = OneValue(*(side.get(name, NOTHING) for side in (ours, theirs, before)))
        by_name[name] = decided(sides, None, known=sent is not None, state=name == state)
    if taken_back and by_name.get(state):
        by_name[state] = Fate.SEND
    return {name: fate for name, fate in by_name.items() if fate is not None}


def update_of(wanted: Experiment, found: Experiment, stay: frozenset[str]) -> Experiment:
    """What to write of `wanted`: only what differs from what is there, and nothing of the values that stay.

    A write leaves a description and tags that it does not name as they are; of the state it names what it should be.
    """
    what = f"experiment {wanted.name}"
    goes = values_of(wanted).items() - values_of(found).items()
    names = {name for name, _ in goes} - stay
    return replace(
        wanted,
        description=wanted.description if f"{what}: description" in names else None,
        tags={key: value for key, value in wanted.tags.items() if f"{what}: tag {key}" in names},
        archived=found.archived if state_of(wanted.name) in stay else wanted.archived,
    )


def changes(update: Experiment, found: Experiment) -> bool:
    """True where an update that `update_of` made would change anything."""
    told = update.description is not None or bool(update.tags)
    return told or (update.archived is None) != (found.archived is None)


def sent_of_experiment(wanted: Experiment, before: Editable | None, stay: frozenset[str]) -> Editable:
    """The values sent last, after a write that left those of `stay` as they were."""
    old = _begun(wanted.name) if before is None else before
    return {**old, **{name: value for name, value in values_of(wanted).items() if name not in stay}}


def _begun(name: str) -> Editable:
    """What is known of one of which nothing was sent: whoever makes one makes it active."""
    return {state_of(name): False}
