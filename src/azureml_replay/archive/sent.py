"""The values that a target was sent last: the third side of a comparison once both workspaces may have changed."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.archive.cells import shaped
from azureml_replay.archive.edits import Edits
from azureml_replay.archive.records import EDITABLE, pack, unpack
from azureml_replay.comparison.shown import shown
from azureml_replay.model import Editable, Location, RunId, StoredFile


class SentValues(Edits):
    """The part of a target's ledger that remembers values, where receipts remember digests."""

    def put_sent(self, values: Mapping[RunId, Editable]) -> None:
        """Keep the values sent of each run in place of former ones; on the disk once a later receipt is. Repeatable."""
        before = {run: self.sent(run) or {} for run in values if self.edits(run)}
        with self._transaction():
            owner = self._owner()
            for run, then in before.items():
                self._sent_anew(run, then, values[run])
            rows = ((owner, run, *pack(dict(kept))) for run, kept in values.items())
            self._executemany("insert or replace into sent_run values (?, ?, ?, ?)", rows)

    def sent(self, run: RunId) -> Editable | None:
        """The values sent last of a run; None where nothing was sent, or by a version that kept no values."""
        row = self._one("select record from sent_run where target = ? and run = ?", (self._number, run))
        whose = f"run {run} as sent"
        found: Editable | None = row and shaped(unpack(row[0], whose), EDITABLE, whose)
        return found

    def put_sent_files(self, run: RunId, files: Mapping[str, StoredFile]) -> None:
        """Keep size and MD5 of files that were sent, by their path in the target; as `put_sent`. Repeatable."""
        edited = self.edits(run)
        with self._transaction():
            owner = self._owner()
            anew = ((owner, run, what) for what in (shown(f"file {path}") for path in files) if what in edited)
            self._executemany("delete from edit where target = ? and run = ? and what = ?", anew)
            rows = ((owner, run, path, file.size_bytes, file.md5) for path, file in files.items())
            self._executemany("insert or replace into sent_file values (?, ?, ?, ?, ?)", rows)

    def sent_files(self, run: RunId) -> dict[str, StoredFile]:
        """The same of all files that were sent, by their path in the target."""
        sql = "select path, size_bytes, md5 from sent_file where target = ? and run = ?"
        rows = self._all(sql, (self._number, run))
        return {path: StoredFile(location=Location("", path), size_bytes=size, md5=md5) for path, size, md5 in rows}

    def sent_file(self, run: RunId, path: str) -> StoredFile | None:
        """Size and MD5 of a file that was sent; None where it never was, or by a version that kept no values."""
        sql = "select size_bytes, md5 from sent_file where target = ? and run = ? and path = ?"
        row = self._one(sql, (self._number, run, path))
        return row and StoredFile(location=Location("", path), size_bytes=row[0], md5=row[1])
