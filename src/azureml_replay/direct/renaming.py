"""Gives runs of a target ids of their own, where theirs are taken or final."""

from __future__ import annotations

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.planning.ids import new_id


def rename(archive: Archive, ledger: TargetLedger, root: RunId) -> None:
    """Give new ids to the runs of a unit that were not sent under their own. Repeatable.

    Also to those whose ids the target does not take again, as runs of these were deleted: they are tried once more.
    """
    for run in archive.unit(root):
        if ledger.receipt(run.id, RunItem.DELETED) and ledger.target_id(run.id) is None:
            ledger.forget(run.id, [RunItem.CREATE, RunItem.WHOLE])
    unsent = [run.id for run in archive.unit(root) if ledger.receipt(run.id, RunItem.CREATE) is None]
    ledger.bind({run: new_id(archive.source, run, ledger.target) for run in unsent})
