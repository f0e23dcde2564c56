"""Lets runs begin anew: under other ids, where theirs are taken or final, and where `undo` deleted them."""

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


def bring_back(ledger: TargetLedger, run: RunId, deleted: set[RunId], *, there: bool) -> None:
    """A run that `undo` took back is to be sent. `deleted`, to which it is added, are those that it removed for good.

    One that is not there is gone: the call that removed it was stopped before it could say so, or it went along with
    another one, or somebody removed it.
    """
    hidden = ledger.receipt(run, RunItem.UNDONE) is not None
    if (hidden or run in deleted) and not there:
        ledger.void(run)
        deleted.add(run)
    elif hidden:
        ledger.forget(run, [RunItem.UNDONE, RunItem.KEPT])
