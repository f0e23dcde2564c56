"""What a target was told last: the third side of every comparison once both workspaces may have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from azureml_replay.archive.ledger import Ledger
from azureml_replay.archive.records import pack, unpack
from azureml_replay.model import Editable, Location, RunId, StoredFile
from azureml_replay.workspace.place import WorkspaceRef


class SentValues(Ledger):
    """The part of the ledger that remembers values, where receipts remember digests."""

    def put_sent(self, target: WorkspaceRef, values: Mapping[RunId, Editable]) -> None:
        """Takes the place of what was kept of each run. Safe from a power cut once a later receipt is. Repeatable."""
        with self._transaction():
            owner = self._owner(target)
            rows = ((owner, run, *pack(dict(kept))) for run, kept in values.items())
            self._executemany("insert or replace into sent_run values (?, ?, ?, ?)", rows)

    def sent(self, target: WorkspaceRef, run: RunId) -> Editable | None:
        """None where nothing was sent, or by a version that kept no values."""
        row = self._one("select record from sent_run where target = ? and run = ?", (self._target(target), run))
        found: Editable | None = row and unpack(row[0], f"run {run} as sent")
        return found

    def put_sent_files(self, target: WorkspaceRef, run: RunId, files: Mapping[str, StoredFile]) -> None:
        """By the path in the target. As `put_sent`. Repeatable."""
        with self._transaction():
            owner = self._owner(target)
            rows = ((owner, run, path, file.size_bytes, file.md5) for path, file in files.items())
            self._executemany("insert or replace into sent_file values (?, ?, ?, ?, ?)", rows)

    def sent_file(self, target: WorkspaceRef, run: RunId, path: str) -> StoredFile | None:
        """Its size and MD5; None where it was never sent, or by a version that kept no values."""
        sql = "select size_bytes, md5 from sent_file where target = ? and run = ? and path = ?"
        row = self._one(sql, (self._target(target), run, path))
        return row and StoredFile(location=Location("", path), size_bytes=row[0], md5=row[1])

    def forget(self, target: WorkspaceRef, run: RunId, items: Iterable[str]) -> None:
        """Drops receipts: as if these items had never been sent. Durable. Repeatable."""
        with self._transaction(durable=True):
            owner = self._owner(target)
            rows = ((owner, run, item) for item in items)
            self._executemany("delete from receipt where target = ? and run = ? and item = ?", rows)

    def created(self, target: WorkspaceRef, item: str, *, sent: bool = False) -> list[RunId]:
        """Runs that have a receipt of `item`, or without `sent` the intent to send it; by run."""
        only = " and state = 'sent'" if sent else ""
        sql = f"select run from receipt where target = ? and item = ?{only} and run > ? order by run limit ?"  # noqa: S608
        return [RunId(run) for (run,) in self._pages(sql, (self._target(target), item), ("",))]
