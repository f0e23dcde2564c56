"""What a run holds as one digest, of values alone: whichever way its rows were numbered, cut and compressed (pure).

A digest has five parts of 32 bytes: of the document, of the series with their rows, of the files, of the omissions,
and of the moments at which storage was asked for files that it does not have. The last is in no root.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from azureml_replay.archive.canonical import DIGEST_BYTES, digest_of, document_cell, json_cell, line, plain_cell
from azureml_replay.model import Value

PARTS = ("document", "series", "files", "omissions", "moments")
"""In their order."""
_NONE, _FALSE, _TRUE, _FLOAT, _INT, _LONG, _TEXT = range(7)
_ARRAYS = {"d": _FLOAT, "q": _INT}


def part_of_lines(lines: Iterable[bytes]) -> bytes:
    """Of rows in a given order, one on a line."""
    return digest_of(b"".join(one + b"\n" for one in lines))


def document_line(unknown: str | None, record: bytes, record_bytes: int) -> bytes:
    """Of a row of `run_version`."""
    return line("run_version", [json_cell(unknown), document_cell(record), record_bytes])


def series_line(cells: Sequence[Any], points: bytes) -> bytes:
    """Of a row of `series`: name, namespace, columns, ux_type, schema_id, rows, more, unknown, longest_text."""
    name, namespace, columns, ux_type, schema_id, rows, more, unknown, longest_text = cells
    told = [name, namespace, json_cell(columns), ux_type, schema_id, rows, json_cell(more), json_cell(unknown)]
    return line("series", list(map(_plain, [*told, longest_text, points])))


def file_line(cells: Sequence[Any]) -> bytes:
    """Of a row of `artifact`, in the order of `FILE_COLUMNS`; without a type of blob as before there was any."""
    *plain, more, unknown, metadata, stored_unknown, blob_type = cells
    told = [json_cell(cell) for cell in (more, unknown, metadata, stored_unknown)]
    return line("artifact", [*map(plain_cell, plain), *told, *([blob_type] if blob_type else [])])


FILE_COLUMNS = (
    "path, datastore, location, indexed, size_bytes, md5, etag, content_type, "
    "more, unknown, metadata, stored_unknown, blob_type"
)


def omission_line(cells: Sequence[Any]) -> bytes:
    """Of a row of `omission`: origin, what, reason."""
    return line("omission", list(map(plain_cell, cells)))


def moment_line(cells: Sequence[Any]) -> bytes:
    """Of a row of `artifact`: path, datastore, location, gone."""
    return line("gone", list(map(plain_cell, cells)))


def _plain(cell: Any) -> Any:  # noqa: ANN401  # canonical already, or the cell of a row
    return cell if isinstance(cell, dict) else plain_cell(cell)


class ColumnDigest:
    """Of the values of one column: what kinds they are, a byte each, and what they are."""

    __slots__ = ("_kinds", "_values")

    def __init__(self) -> None:
        self._kinds, self._values = blake2b(digest_size=DIGEST_BYTES), blake2b(digest_size=DIGEST_BYTES)

    def add(self, values: Sequence[Value]) -> None:
        """The next ones, however many come at a time."""
        kinds, written = _written(values)
        self._kinds.update(kinds)
        self._values.update(written)

    def digest(self) -> bytes:
        """64 bytes."""
        return self._kinds.digest() + self._values.digest()


class PointsDigest:
    """Of the rows of one series, in their order."""

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        self._columns: list[ColumnDigest] = []

    def add(self, steps: Sequence[Value], times: Sequence[Value], values: Sequence[Sequence[Value]]) -> None:
        """The next rows."""
        columns = (steps, times, *values)
        while len(self._columns) < len(columns):
            self._columns.append(ColumnDigest())
        for digest, column in zip(self._columns, columns, strict=False):
            digest.add(column)

    def digest(self) -> bytes:
        """32 bytes; of no rows those of nothing."""
        return digest_of(*(column.digest() for column in self._columns))


def _written(values: Sequence[Value]) -> tuple[bytes, bytes]:
    """Doubles and whole numbers in 8 bytes, the lowest first; texts, and longer numbers as texts, behind their size."""
    if isinstance(values, array):
        return bytes([_ARRAYS[values.typecode]]) * len(values), _little(values)
    told = [_value(value) for value in values]
    return bytes(kind for kind, _ in told), b"".join(written for _, written in told)


def _value(value: Value) -> tuple[int, bytes]:
    if value is None:
        return _NONE, b""
    if isinstance(value, bool):
        return (_TRUE if value else _FALSE), b""
    if isinstance(value, float):
        return _FLOAT, struct.pack("<d", value)
    if isinstance(value, str):
        return _TEXT, _sized(value.encode("utf-8", "surrogatepass"))
    if -(2**63) <= value < 2**63:
        return _INT, struct.pack("<q", value)
    return _LONG, _sized(format(value, "x").encode())


def _sized(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _little(numbers: array[Any]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
