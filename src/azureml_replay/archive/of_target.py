"""What the parts of a target's ledger share: the target, bound once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from azureml_replay.archive.database import Database
from azureml_replay.archive.sums import Connection
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place


class OfTarget(Database):
    """Queries over the archive's own connection, for one target."""

    def __init__(self, folder: Path, db: Connection, target: Place) -> None:
        """Not to be called: `Archive.ledger` makes ledgers."""
        super().__init__(folder, db)
        self.target = target
        self._known: int | None = None

    @property
    def _number(self) -> int | None:
        """The target's number in the archive; while it has none, None, which equals nothing in SQL."""
        if self._known is not None:
            return self._known
        row = self._one("select id from target where kind = ? and key = ?", (self.target.kind, self.target.key))
        number = row and int(row[0])
        if not self._db.in_transaction:  # a row of this transaction may be rolled back
            self._known = number
        return number

    def _owner(self) -> int:
        """The target's number, given to it now where it has none; in the caller's transaction."""
        if self._known is None:
            row = (self.target.kind, self.target.key, self.target.name)
            self._execute("insert or ignore into target (kind, key, name) values (?, ?, ?)", row)
        number = self._number
        if number is None:
            raise LookupError(f"target {self.target} vanished from the ledger")
        return number

    def _replace(self, table: str, run: RunId, rows: Sequence[tuple[str, ...]]) -> None:
        """Write rows of one run, numbered, in place of its former ones."""
        with self._transaction():
            owner = self._owner()
            self._execute(f"delete from {table} where target = ? and run = ?", (owner, run))  # noqa: S608  # our tables
            for number, row in enumerate(rows):
                marks = ", ".join("?" * (3 + len(row)))
                self._execute(f"insert into {table} values ({marks})", (owner, run, number, *row))  # noqa: S608
