"""Which rows lie under which root, and how their sums are kept up: by triggers that only this process has.

Each table is one line of `TABLES`. Temporary triggers tell `RowSums` of every row that a transaction writes, whoever
writes it, and the sums are brought up to date before it ends: no command can forget it, and a row that any other
program changes is not told. A replay of 300 runs tells of 22 rows a run, 0.09 s of its 2.2 s of CPU; in turns with one
that tells nobody, the best of eight took 6.44 and 6.38 s (50 ms, width 32). Reckoning each run's receipts anew with
every mark would be as cheap for small runs and grow with the square of the files of a large one.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from azureml_replay.archive.canonical import (
    added,
    document_cell,
    json_cell,
    line,
    number,
    part_bytes,
    part_of,
    plain_cell,
    plain_cells,
    sum_bytes,
)

CONTENT = 0
"""Whose the content root is; proof roots are of targets, by their number."""
NOTES = -1
"""Of rows that are under no root, as moments are in them: changed by hand, they are found all the same."""
ROOT_PART = 128
"""Bytes of a run's digest that are in the content root: the rest is of moments."""
_NAME = re.compile(r"@(\w+)")


@dataclass(frozen=True, slots=True)
class SummedTable:
    """The rows of one table, as they count in a sum. In SQL, `@` stands before each of the row's own columns."""

    name: str
    columns: str
    """In this order. `{}` behind one says that it holds JSON, `~` that it holds a compressed document."""
    whose: str = "''"
    """An expression, and one sum for each of its values: so it is told whose rows differ."""
    owner: str = str(CONTENT)
    where: str = "true"

    @property
    def cells(self) -> tuple[str, ...]:
        """Expressions, in the order of the columns."""
        named = (name.rstrip("{}~") for name in self.columns.split(", "))
        return tuple(name if "@" in name else f"@{name}" for name in named)

    @property
    def readers(self) -> tuple[Callable[[Any], Any], ...]:
        """What makes each cell canonical."""
        kinds: Mapping[str, Callable[[Any], Any]] = {"}": json_cell, "~": document_cell}
        return tuple(kinds.get(name[-1], plain_cell) for name in self.columns.split(", "))

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the columns that matter: a change of any other changes no sum."""
        told = " ".join((*self.cells, self.whose, self.owner, self.where))
        return tuple(dict.fromkeys(_NAME.findall(told)))

    def rows(self) -> str:
        """A query of all of them: owner, whose, cells; in the order of the first two."""
        told = ", ".join((f"cast({self.owner} as integer)", _text(self.whose), *self.cells))
        return f"select {told} from {self.name} where {self.where} order by 1, 2".replace("@", "")  # noqa: S608

    def triggers(self) -> Iterator[str]:
        """Temporary ones, that tell of each row that comes and goes."""
        comes, goes = self._told("new"), self._told("old")
        used = ", ".join(self.used)
        for when, told in (("insert", comes), (f"update of {used}", goes + comes), ("delete", goes)):
            yield f"create temp trigger sum_{self.name}_{when[:6]} after {when} on main.{self.name} begin {told} end"

    def _told(self, row: str) -> str:
        cells = ", ".join((self.owner, _text(self.whose), *self.cells))
        function = "came" if row == "new" else "went"
        told = f"select {function}('{self.name}', {cells}) where {self.where};"
        return told.replace("@", f"{row}.")


def _text(expression: str) -> str:
    return f"ifnull(cast({expression} as text), '')"


def _of_target(name: str, columns: str) -> SummedTable:
    """Rows of a run, in the proof root of the target in which it was replayed."""
    return SummedTable(name, columns, whose="@run", owner="@target")


def _evidence(name: str, columns: str) -> SummedTable:
    """What was to be carried into a target and what of it was compared, in the target's proof root."""
    return SummedTable(name, columns, whose="@whose", owner="@target")


_OF_ASSET = "@kind || ' ' || @name || ':' || @version"
TABLES = (
    SummedTable("archive", "kind, key, redaction"),
    SummedTable("redact_glob", "glob", whose="@glob"),
    SummedTable("experiment", "name, id, unknown{}, record~, record_bytes", whose="@name"),
    SummedTable("job", "name, record~, record_bytes, unknown{}, code", whose="@name"),
    SummedTable(
        "run",
        "id, parent, experiment, status, kind, created, modified, creator, tags{}, selected, "
        f"substr(@content_digest,1,{ROOT_PART})",
        whose="@id",
    ),
    SummedTable(
        "omission", "run, origin, what, reason", whose="@run", where="@origin in ('job', 'experiment', 'workspace')"
    ),
    SummedTable(
        "content",
        "datastore, path, etag, sha256, size_bytes",
        whose="@datastore || '/' || @path",
        where="@sha256 is not null",
    ),
    SummedTable("object", "sha256, size_bytes, md5", whose="lower(hex(@sha256))"),
    SummedTable("code", "reference, sha256, reason", whose="@reference"),
    SummedTable(
        "asset", "kind, name, version, created, archived, redacted, unknown{}, record~, record_bytes", whose=_OF_ASSET
    ),
    SummedTable(
        "asset_container", "kind, name, archived, unknown{}, record~, record_bytes", whose="@kind || ' ' || @name"
    ),
    SummedTable("asset_ref", "owner, whose, place, text, kind, name, version, outside", whose="@whose"),
    SummedTable("asset_lack", "kind, name, version, reason", whose=_OF_ASSET),
    SummedTable(
        "asset_file",
        "kind, name, version, datastore, path, size_bytes, md5, etag, content_type, metadata{}, unknown{}, blob_type",
        whose=_OF_ASSET,
    ),
    SummedTable(
        "asset_receipt",
        "kind, name, version, state, there_name, there_version, planned, answered, fields{}, detail, at",
        whose=_OF_ASSET,
        owner="@target",
    ),
    SummedTable("asset_extraction", "scope, kinds, at", owner=str(NOTES)),
    SummedTable("target", "kind, key, name, probe{}", owner="@id"),
    _of_target("receipt", "run, item, state, digest, detail, at, rows, size_bytes"),
    _of_target("binding", "run, target_run"),
    _evidence("evidence", "way, whose, carried{}, fields{}, points{}, files{}, bytes{}, children{}"),
    _evidence("finding", "way, whose, aspect, number, what, kind, expected, actual"),
    _evidence("planned_omission", "way, whose, number, what, reason"),
    SummedTable("look", "number, began, ended, aspects{}, units{}, experiments{}", whose="@number", owner="@target"),
    _of_target("edit", "run, what, expected, actual, sent, wanted, found, since, accepted_by, accepted_at"),
    _of_target("sent_run", "run, record, record_bytes"),
    _of_target("sent_file", "run, path, size_bytes, md5"),
    _of_target(
        "target_points",
        "run, number, name, namespace, columns{}, ux_type, schema_id, rows, differing, digest",
    ),
    SummedTable("imported", "file, digest, files, at", owner=str(NOTES)),
    SummedTable("asset_naming", "place, text", whose="@place", owner=str(NOTES)),
    SummedTable("studio", "place, address", whose="@place", owner=str(NOTES)),
    SummedTable("examination", "place, side, at, rows{}", whose="@place", owner=str(NOTES)),
    SummedTable("session", "command, began, ended, outcome, parts{}, traffic{}", whose="@began", owner=str(NOTES)),
)
"""A table of a target's evidence joins by one line here, and one in docs/concepts/archive-format.md."""
_READERS = {table.name: table.readers for table in TABLES}
_ALL_PLAIN = frozenset(table.name for table in TABLES if set(table.readers) == {plain_cell})


def line_of(table: str, cells: Sequence[Any]) -> bytes:
    """The written form of a row, by its cells as SQLite gives them."""
    if table in _ALL_PLAIN:  # as receipts are, of which a replay writes twenty a run
        return line(table, plain_cells(cells))
    return line(table, [reader(cell) for reader, cell in zip(_READERS[table], cells, strict=True)])


_WITH_DOCUMENTS = frozenset(table.name for table in TABLES if document_cell in table.readers)


# A row that goes is most often one that came a moment ago: an intent gives way to its receipt, a run is listed, then
# chosen. Under 1 KB each, but for those with documents, which stay as they are.
@lru_cache(maxsize=8_000)
def _remembered(table: str, *cells: Any) -> int:  # noqa: ANN401
    return number(line_of(table, cells))


def _counted(table: str, cells: Sequence[Any]) -> int:
    return number(line_of(table, cells)) if table in _WITH_DOCUMENTS else _remembered(table, *cells)


class RowSums:
    """What the rows that came and went in one transaction change."""

    def __init__(self) -> None:
        self._changes: defaultdict[tuple[int, str, str], int] = defaultdict(int)

    def came(self, table: str, owner: int, whose: str, *cells: Any) -> None:  # noqa: ANN401
        """A row is there now."""
        self._changes[owner, table, whose] += _counted(table, cells)

    def went(self, table: str, owner: int, whose: str, *cells: Any) -> None:  # noqa: ANN401
        """A row is there no more."""
        self._changes[owner, table, whose] -= _counted(table, cells)

    def forget(self) -> None:
        """The transaction is rolled back."""
        self._changes.clear()

    def write(self, db: sqlite3.Connection) -> None:
        """Brings the sums of the archive up to date; in the transaction that wrote the rows."""
        if not self._changes:
            return
        totals: defaultdict[int, int] = defaultdict(int)
        for (owner, _, _), change in self._changes.items():
            totals[owner] += change
        roots = [(owner, sum_bytes(added(change))) for owner, change in totals.items()]
        parts = [(*key, part_bytes(part_of(change))) for key, change in self._changes.items() if change]
        upsert = "on conflict do update set sum = joined(sum, excluded.sum)"
        db.executemany(f"insert into root values (?, ?) {upsert}", roots)  # noqa: S608
        db.executemany(f"insert into checksum values (?, ?, ?, ?) {upsert}", parts)  # noqa: S608
        self.forget()


def _joined(kept: bytes, change: bytes) -> bytes:
    """The sum of two sums, of as many bytes."""
    size = len(kept)
    whole = int.from_bytes(kept, "little") + int.from_bytes(change, "little")
    return (whole & ((1 << 8 * size) - 1)).to_bytes(size, "little")


class Connection(sqlite3.Connection):
    """To an `archive.db`, with what its transaction has changed so far."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # as sqlite3 takes them
        super().__init__(*arguments, **options)
        self.create_function("joined", 2, _joined, deterministic=True)
        self.sums = RowSums()
        self.together = False
        """True while transactions are parts of a longer one."""
        self._due = False

    def watch(self) -> None:
        """From the next transaction on the sums follow every row that this connection writes."""
        self._due = True

    def prepare(self) -> None:
        """Before each transaction: 3 ms before the first one, which nobody pays who only reads."""
        if not self._due:
            return
        self._due = False
        self.create_function("came", -1, self.sums.came)
        self.create_function("went", -1, self.sums.went)
        for table in TABLES:
            for trigger in table.triggers():
                self.execute(trigger)
