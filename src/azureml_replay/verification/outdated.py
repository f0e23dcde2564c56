"""Files that changed at the source unseen: the target's are as they were sent, and replay has to send them again.

An MLflow server tells path and size of a file alone, so one that was replaced by as many bytes is listed as before.
Only who has read both sides knows.
"""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.archive.items import FileItem, RunItem
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.files.receipts import payload_of
from azureml_replay.model import Finding, RunId, StoredFile


def note_outdated(ledger: TargetLedger, owner: RunId, path: str, now: StoredFile, there: StoredFile) -> bool:
    """True where a file of a run or an asset is as it was sent: its receipt is of these bytes from now on. Repeatable.

    `now`: the source's, as it is listed; `there`: the target's, with the MD5 that was read.
    """
    receipt, sent = ledger.receipt(owner, FileItem(path)), ledger.sent_file(owner, path)
    if receipt is None or sent is None or not receipt.is_of(payload_of(now).digest) or _is_edited(receipt, sent, there):
        return False
    before = replace(now, md5=there.md5)
    if sent.md5 is None:
        ledger.put_sent_files(owner, {path: before})
    ledger.forget(owner, [RunItem.WHOLE])  # first: a call that is killed in between leaves the rest to the next look
    ledger.mark(owner, {FileItem(path): replace(payload_of(before), detail=receipt.detail)}, State.SENT, durable=False)
    return True


def _is_edited(receipt: Receipt, sent: StoredFile, there: StoredFile) -> bool:
    """By the MD5 of what was sent; where nobody kept one, by the ETag."""
    if sent.md5 is not None:
        return sent.md5 != there.md5
    return receipt.detail is None or receipt.detail != there.etag


def as_read(there: StoredFile, differing: Finding) -> StoredFile:
    """The target's file with the MD5 of its bytes, which a finding about them tells."""
    return replace(there, md5=bytes.fromhex(differing.actual))
