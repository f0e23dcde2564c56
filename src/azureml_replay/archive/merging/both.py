"""Two archives over one connection: ours to be written, the other one attached to it as `theirs`, to be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from azureml_replay.archive.cells import declared_tables
from azureml_replay.archive.database import PAGE
from azureml_replay.archive.objects import Objects
from azureml_replay.archive.sums import Connection
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.progress import SILENT, Progress
from azureml_replay.workspace.place import Place


class Other(Protocol):
    """The other archive, over a connection of its own."""

    folder: Path

    def ledger(self, target: Place) -> TargetLedger:
        """What reached one target."""
        ...


class Both(Objects):
    """What the parts of a merge share. All of them write in one transaction, which `Folding` begins."""

    def __init__(self, folder: Path, db: Connection, other: Other, *, progress: Progress = SILENT) -> None:
        """Over our archive's own connection."""
        super().__init__(folder, db)
        self.other, self.progress = other, progress

    def _told(self) -> None:
        """Bring the sums up to date: what a transaction has changed is held in memory until then."""
        self._guarded(lambda: self._db.sums.write(self._db))

    def _spans(self, table: str, key: str) -> Iterator[tuple[Any, ...]]:
        """Of the other's rows, for `within`: so many at a time that their sums are few.

        From the first row on: no value lies before all texts, since SQLite takes a number for the text of its digits.
        """
        above, low = "true", tuple[Any, ...]()
        some = f"select {key} from theirs.{table} where {{}} order by {key} limit ?"  # noqa: S608  # our own words
        while rows := self._all(some.format(above), (*low, PAGE)):
            yield *rows[0], *rows[-1]
            self._told()
            above, low = f"({key}) > ({', '.join('?' * len(rows[-1]))})", rows[-1]

    def _batches(self, sql: str, values: Sequence[Any], size: int = PAGE) -> Iterator[list[str]]:
        """The texts of the first column, some at a time, but no empty one; `sql` as `_pages` takes it."""
        batch: list[str] = []
        for name, *_ in self._pages(sql, values, ("",), size):
            batch.append(name)
            if len(batch) == size:
                yield batch
                self._told()
                batch = []
        if batch:
            yield batch
            self._told()


def within(key: str) -> str:
    """A condition for the values of a span."""
    marks = ", ".join("?" * len(key.split(", ")))
    return f"({key}) >= ({marks}) and ({key}) <= ({marks})"


@cache
def columns(table: str) -> tuple[str, ...]:
    """Those of a table, as the migrations leave them."""
    return tuple(name for name, *_ in declared_tables()[table])


def listed(table: str, prefix: str = "", **instead: str) -> str:
    """The columns of a table in SQL; in place of some other expressions."""
    return ", ".join(instead.get(name, f"{prefix}{name}") for name in columns(table))
