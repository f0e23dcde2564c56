"""Writers of exported rows: one file for each table, written as rows come."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self, TypeAlias, get_type_hints

from azureml_replay.archive.records import dumps
from azureml_replay.disk.outputs import private_opener
from azureml_replay.errors import UserError
from azureml_replay.formats.tables.rows import TABLES, Row, columns

if TYPE_CHECKING:
    import pyarrow

Cell: TypeAlias = "str | int | float | bool | None"
ROWS_PER_GROUP = 50_000
"""Rows of a Parquet group: about 5 MB of Python objects, and groups large enough to be scanned fast."""


class Writer(Protocol):
    """Writes rows, by table; closes its files at the end."""

    escaped: int
    """Texts with half of a surrogate pair, which is written as `\\ud800` where the format cannot hold it."""

    def write(self, table: str, row: Row) -> None:
        """Write one more row. NOT repeatable: appends."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Finish the files, unless an error is being raised."""
        ...


class JsonLines:
    """`runs.jsonl` and so on: an object a line, UTF-8."""

    escaped = 0
    """Always 0: JSON has an escape for half of a surrogate pair, so every text is read back as it was."""

    def __init__(self, folder: Path) -> None:
        """Makes an empty file for every table."""
        self._stack = ExitStack()
        self._files = {name: self._stack.enter_context(_binary(folder / f"{name}.jsonl")) for name in TABLES}

    def write(self, table: str, row: Row) -> None:
        """Write one more line."""
        self._files[table].write(dumps(_cells(row)).strip() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()


class Parquet:
    """`runs.parquet` and so on, zstd. Its texts are UTF-8, which has no form for half of a surrogate pair."""

    def __init__(self, folder: Path) -> None:
        """Makes the files. Raises UserError where pyarrow is not installed."""
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            from pyarrow import parquet  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise UserError("Parquet needs pyarrow: pip install 'azureml-job-replayer[parquet]'") from error
        self.escaped = 0
        self._table = pa.Table
        self._stack = ExitStack()
        self._schemas = {name: _schema(pa, row) for name, row in TABLES.items()}
        self._files = {
            name: self._stack.enter_context(
                parquet.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
            )
            for name, schema in self._schemas.items()
        }
        self._held: dict[str, list[dict[str, Cell]]] = {name: [] for name in TABLES}

    def write(self, table: str, row: Row) -> None:
        """Keep one more row; a full group is written to the file."""
        held = self._held[table]
        held.append(_cells(row))
        if len(held) >= ROWS_PER_GROUP:
            self._flush(table)

    def _flush(self, table: str) -> None:
        rows, schema = self._held[table], self._schemas[table]
        if not rows:
            return
        try:
            group = self._table.from_pylist(rows, schema=schema)
        except UnicodeEncodeError:  # rare: checking every text beforehand would slow every export down
            group = self._table.from_pylist([self._escape(row) for row in rows], schema=schema)
        self._files[table].write_table(group)
        rows.clear()

    def _escape(self, row: Mapping[str, Cell]) -> dict[str, Cell]:
        written = {name: _in_utf8(cell) for name, cell in row.items()}
        self.escaped += sum(written[name] != cell for name, cell in row.items())
        return written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._stack:
            if error is None:
                for table in TABLES:
                    self._flush(table)


def _binary(path: Path) -> BinaryIO:
    return open(path, "wb", opener=private_opener)


def _cells(row: Row) -> dict[str, Cell]:
    return {name: getattr(row, name) for name in columns(type(row))}


def _in_utf8(cell: Cell) -> Cell:
    return cell.encode(errors="backslashreplace").decode() if isinstance(cell, str) else cell


def _schema(pa: Any, row: type[Row]) -> pyarrow.Schema:  # noqa: ANN401 - the module, imported late
    kinds: Mapping[object, Any] = {
        str: pa.string(),
        str | None: pa.string(),
        int: pa.int64(),
        int | None: pa.int64(),
        float | None: pa.float64(),
        bool: pa.bool_(),
    }
    hints = get_type_hints(row)
    return pa.schema([pa.field(each.name, kinds[hints[each.name]]) for each in fields(row)])
