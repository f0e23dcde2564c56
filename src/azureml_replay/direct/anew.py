"""Lets runs begin anew: under other ids, where theirs are taken or final, and where `undo` deleted them."""

from __future__ import annotations

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.planning.ids import new_id


def rename(archive: Archive, ledger: TargetLedger, root: RunId) -> None:
    """Give new ids to the runs of a unit that were not sent under their own. Repeatable.

    Also to those that the target refused under the ids that they have now, as runs of these were deleted, and to runs
    below such a one: they are tried once more. What was sent of one under another id counts for nothing.
    """
    ids: dict[RunId, RunId] = {}
    for run in archive.unit(root):
        created, now = ledger.receipt(run.id, RunItem.CREATE), ledger.target_id(run.id)
        refused = created is not None and created.state is State.REFUSED
        if refused or (created is not None and now is None and ledger.receipt(run.id, RunItem.DELETED)):
            if ledger.sent(run.id) is not None:
                ledger.void(run.id)
            ledger.forget(run.id, [RunItem.CREATE, RunItem.WHOLE])
            created = None
        if created is None:
            made = now if now is not None and not refused else new_id(archive.source, now or run.id, ledger.target)
            ids[run.id] = made
    ledger.bind(ids)


def _was_sent(ledger: TargetLedger, run: RunId) -> bool:
    created = ledger.receipt(run, RunItem.CREATE)
    return created is not None and created.state is State.SENT


def bring_back(ledger: TargetLedger, run: RunId, deleted: set[RunId], *, there: bool, asked: bool = False) -> None:
    """A run that `undo` took back is to be sent. `deleted`, to which it is added, are those that it removed for good.

    One that is not there is gone: the call that removed it was stopped before it could say so, or it went along with
    another one, or somebody removed it. `asked`: so is one that was sent, as the target was asked for it.
    """
    hidden = ledger.receipt(run, RunItem.UNDONE) is not None
    gone = hidden or run in deleted or (asked and _was_sent(ledger, run))
    if gone and not there:
        ledger.void(run)
        deleted.add(run)
    elif hidden:
        ledger.forget(run, [RunItem.UNDONE, RunItem.KEPT])
