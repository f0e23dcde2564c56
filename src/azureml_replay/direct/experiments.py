"""Sends experiments: name, description, tags, and at last whether they are archived."""

from __future__ import annotations

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_experiment
from azureml_replay.archive.items import ExperimentItem, Payload
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.planning.experiments import OWNER, planned_experiments
from azureml_replay.selection import Selection
from azureml_replay.workspace.target import Target


async def send_experiments(
    archive: Archive, ledger: TargetLedger, target: Target, selection: Selection, *, existing: frozenset[str]
) -> None:
    """Send the experiments. Repeatable. One that the target had before us keeps its description, tags and state."""
    for experiment in planned_experiments(archive, selection):
        item, digest = ExperimentItem(experiment.name), of_experiment(experiment)
        if ledger.has_sent(OWNER, item, digest):
            continue
        ledger.mark(OWNER, {item: Payload(digest)}, State.SENDING)
        if experiment.name not in existing:
            await target.put_experiment(experiment)
        ledger.mark(OWNER, {item: Payload(digest)}, State.SENT)
