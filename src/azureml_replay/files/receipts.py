"""What the receipt of a file says: by it what was sent is told from what the archive has now."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.archive.digests import of_bytes, of_file
from azureml_replay.archive.items import FileItem, Item, Payload
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.model import StoredFile
from azureml_replay.workspace.put_files import HeldFile, NewFile


def payload_of(stored: StoredFile) -> Payload:
    """What the receipt of one of the source's files says."""
    return Payload(of_file(stored), size_bytes=stored.size_bytes)


def payload_of_made(file: NewFile | HeldFile) -> Payload:
    """The same of a file that we make."""
    if isinstance(file, HeldFile):
        return payload_of(file.stored)
    return Payload(of_bytes(file.data), size_bytes=len(file.data))


def other_content(receipts: Mapping[Item, Receipt], payloads: Mapping[str, Payload]) -> set[str]:
    """Paths of files of which something was sent, or begun, that is not what `payloads` have there."""
    found = set[str]()
    for path, payload in payloads.items():
        receipt = receipts.get(FileItem(path))
        if receipt is None or receipt.digest is None or receipt.state is State.REFUSED:
            continue
        if not receipt.is_of(payload.digest):
            found.add(path)
    return found
