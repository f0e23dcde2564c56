"""Sends experiments: name, description, tags, and at last whether they are archived."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_experiment
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import ExperimentItem, Payload
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.planning.experiments import OWNER, planned_experiments
from azureml_replay.selection import Selection
from azureml_replay.workspace.target import Target


async def send_experiments(
    archive: Archive, ledger: TargetLedger, target: Target, selection: Selection, *, existing: frozenset[str]
) -> None:
    """Send the experiments. Repeatable. One that the target had before us keeps its description and its tags.

    It keeps its state too, unless that would hide runs that the source shows.
    """
    for experiment in planned_experiments(archive, selection):
        item, digest = ExperimentItem(experiment.name), of_experiment(experiment)
        if ledger.has_sent(OWNER, item, digest):
            continue
        ledger.mark(OWNER, {item: Payload(digest)}, State.SENDING)
        ledger.drop_evidence([experiment.name], Way.EXPERIMENT)
        if experiment.name not in existing:
            await target.put_experiment(experiment)
        elif not experiment.archived:
            await _show(target, experiment.name)
        ledger.mark(OWNER, {item: Payload(digest)}, State.SENT)


async def _show(target: Target, name: str) -> None:
    there = await target.experiment(name)
    if there is not None and there.archived:
        await target.put_experiment(replace(there, archived=None))
