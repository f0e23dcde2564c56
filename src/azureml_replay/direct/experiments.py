"""Experiments on their way into a target: name, description, tags, and at last whether they are archived."""

from __future__ import annotations

import hashlib

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.ledger import State
from azureml_replay.model import Experiment
from azureml_replay.planning.experiments import OWNER, planned_experiments
from azureml_replay.selection import Selection
from azureml_replay.workspace.target import Target


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


def _digest(experiment: Experiment) -> bytes:
    carried = (experiment.name, experiment.description, sorted(experiment.tags.items()), experiment.archived)
    return hashlib.blake2b(repr(carried).encode(), digest_size=16).digest()
