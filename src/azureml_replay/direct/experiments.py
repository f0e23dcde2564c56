"""Experiments on their way into a target: name, description, tags, and at last whether they are archived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.ledger import State
from azureml_replay.model import Experiment, Omission, RunId
from azureml_replay.selection import Selection, chosen
from azureml_replay.workspace.source import Target

OWNER = RunId("")
"""Experiments belong to no run: their receipts stand under the empty id."""


def experiment_item(name: str) -> str:
    """The receipt's name of an experiment."""
    return f"experiment {name}"


async def send_experiments(archive: Archive, target: Target, selection: Selection, *, existing: frozenset[str]) -> None:
    """Repeatable. An experiment that the target had before us keeps its own description, tags and state."""
    for experiment in planned_experiments(archive, selection):
        item, digest = experiment_item(experiment.name), _digest(experiment)
        receipt = archive.receipt(target.ref, OWNER, item)
        if receipt and receipt.state is State.SENT and receipt.digest == digest:
            continue
        archive.mark(target.ref, OWNER, {item: digest}, State.SENDING)
        if experiment.name not in existing:
            await target.put_experiment(experiment)
        archive.mark(target.ref, OWNER, {item: digest}, State.SENT)


def planned_experiments(archive: Archive, selection: Selection) -> Iterator[Experiment]:
    """All of the archive's; under a selection those that its runs lie in."""
    if selection.everything:
        yield from archive.experiments()
        return
    choice = chosen(archive.listing(), selection)
    names = {row.experiment for row in archive.listing() if choice.takes(row)}
    yield from (experiment for experiment in archive.experiments() if experiment.name in names)


def experiment_omissions(experiment: Experiment, existing: frozenset[str]) -> Iterator[Omission]:
    """What an experiment of the same name in the target keeps us from carrying."""
    if experiment.name not in existing:
        return
    for what, value in (
        ("description", experiment.description),
        ("tags", experiment.tags),
        ("archived", experiment.archived),
    ):
        if value:
            reason = "the target had an experiment of this name before, which keeps its own"
            yield Omission(OWNER, f"experiment {experiment.name}: {what}", reason)


def _digest(experiment: Experiment) -> bytes:
    carried = (experiment.name, experiment.description, sorted(experiment.tags.items()), experiment.archived)
    return hashlib.blake2b(repr(carried).encode(), digest_size=16).digest()
