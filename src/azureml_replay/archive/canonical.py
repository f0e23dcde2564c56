"""Rows of the archive as lines, and many lines as one root: what the archive is checked by (pure).

A root is a sum, so that one row that changes costs the same whether there are ten or ten million: each line is
stretched to 2048 bits, and the numbers are added. With so many bits no set of other lines with the same sum can be
found (Wagner's way would take 2^90 steps; with 256 bits it would take 2^32). `docs/concepts/archive-format.md` writes
the forms down: where one changes, every root that somebody kept is worth nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, shake_256
from typing import Any

from azureml_replay.json_text import canonical, loads_once

BITS = 2048
"""Of a line's number, and of a sum."""
_MODULUS = 1 << BITS
_PART = (1 << 128) - 1
DIGEST_BYTES = 32
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
_OWN = frozenset({"float", "object"})
"""Keys of the objects that stand for what JSON cannot say: an object of the archive with one of them is wrapped."""


def digest_of(*data: bytes) -> bytes:
    """BLAKE2b, 32 bytes."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for piece in data:
        digest.update(piece)
    return digest.digest()


def exact(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """JSON without doubles, and different for different values."""
    if isinstance(value, dict):
        inner = {key: one if one.__class__ in _AS_THEY_ARE else exact(one) for key, one in value.items()}
        return {"object": inner} if len(inner) == 1 and not _OWN.isdisjoint(inner) else inner
    if isinstance(value, list):
        return [exact(one) for one in value]
    if isinstance(value, float):
        return {"float": struct.pack(">d", value).hex()}
    return {"bytes": value.hex()} if isinstance(value, bytes) else value


def plain_cell(value: Any) -> Any:  # noqa: ANN401  # the cell of a row
    """Numbers and texts as they are; bytes in an object, so that no text equals them."""
    return value if value.__class__ in _AS_THEY_ARE else exact(value)


def plain_cells(cells: Sequence[Any]) -> list[Any]:
    """The same of many."""
    return [cell if cell.__class__ in _AS_THEY_ARE else exact(cell) for cell in cells]


# Runs of one kind log the same names: read anew each time, their columns take a tenth of a run's digest.
@lru_cache(maxsize=1_000)
def json_cell(text: Any) -> Any:  # noqa: ANN401  # the cell of a row
    """What a text of JSON says. One that says nothing is no error here: it is a row unlike the one written."""
    if text is None:
        return None
    try:
        return {"json": exact(loads_once(text))}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {"unreadable": plain_cell(text)}


def document_cell(record: Any) -> Any:  # noqa: ANN401  # the cell of a row
    """What a compressed document says, whichever zlib wrote it."""
    try:
        return {"json": exact(loads_once(_inflated(record)))}
    except (ValueError, TypeError, zlib.error, RecursionError):
        return {"unreadable": plain_cell(record)}


def _inflated(record: bytes) -> bytes:
    """`zlib.decompress` would read over bytes that follow. Raises zlib.error, ValueError."""
    inflating = zlib.decompressobj()
    text = inflating.decompress(record) + inflating.flush()
    if inflating.unused_data or not inflating.eof:
        raise ValueError("not one compressed document")
    return text


def line(table: str, cells: Sequence[Any]) -> bytes:
    """The written form of one row: JSON, a list of the table's name and the cells."""
    return canonical([table, *cells])


def number(written: bytes) -> int:
    """What a line adds to a sum."""
    return int.from_bytes(shake_256(written).digest(BITS // 8), "little")


def added(*numbers: int) -> int:
    """Their sum; a line is taken out by its negative."""
    return sum(numbers) % _MODULUS


def part_of(total: int) -> int:
    """Of a sum so much as tells whose rows differ; it proves nothing."""
    return total & _PART


def root_of(total: int) -> str:
    """A sum as people keep it: 64 digits."""
    return digest_of(total.to_bytes(BITS // 8, "little")).hex()


def sum_bytes(total: int) -> bytes:
    """As the archive keeps it."""
    return total.to_bytes(BITS // 8, "little")


def part_bytes(part: int) -> bytes:
    """As the archive keeps it."""
    return part.to_bytes(16, "little")


def number_of(kept: Any) -> int:  # noqa: ANN401  # the cell of a row
    """Of `sum_bytes` or `part_bytes`; -1, which no sum is, of anything else."""
    return int.from_bytes(kept, "little") if isinstance(kept, bytes) else -1
