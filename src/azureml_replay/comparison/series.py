"""Compares two streams of rows, however long they are (pure).

Two rows are equal when step, time and bits are equal (FIDELITY, Metrics); their order does not count.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from azureml_replay.comparison.rows import identity
from azureml_replay.model import Points


class SeriesDigest:
    """A digest that is equal for equal multisets of rows, whatever their order: 24 bytes for a million rows."""

    def __init__(self) -> None:
        self._count = self._sum = 0

    def add(self, points: Points) -> None:
        """Add rows of the series, in any order and division. NOT repeatable: counts."""
        types = [kind for _, kind in points.series.columns]
        for row in points.rows():
            told = blake2b(repr(identity(row, types)).encode(), digest_size=16).digest()
            self._sum = (self._sum + int.from_bytes(told)) % (1 << 128)
        self._count += len(points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeriesDigest) and (self._count, self._sum) == (other._count, other._sum)

    __hash__ = None  # type: ignore[assignment]  # it changes with every row

    @property
    def count(self) -> int:
        """The number of rows that were added."""
        return self._count


class SeriesComparison:
    """Compares an expected series with the same series as it is read, in at most two chunks of memory.

    Rows that come in the order of the archive are compared by columns: 0.2 µs a row. Where they do not, both sides are
    added up row by row, at 2.7 µs each.
    """

    def __init__(self, expected: Iterable[Points]) -> None:
        """`expected` is the series in the archive."""
        self._coming = iter(expected)
        self._next: Points | None = None
        self._wanted, self._there = SeriesDigest(), SeriesDigest()

    def add(self, actual: Points) -> None:
        """Compare the next rows of the target. NOT repeatable."""
        at = 0
        while at < len(actual):
            wanted = self._take(len(actual) - at)
            there = actual.slice(at, at + len(wanted) if wanted else len(actual))
            if wanted is None or not _equal_in_order(wanted, there):
                self._there.add(there)
                if wanted is not None:
                    self._wanted.add(wanted)
            at += len(there)

    def equal(self) -> bool:
        """True, once all rows have been added, for the same rows, each as often."""
        while (rest := self._take()) is not None:
            self._wanted.add(rest)
        return self._wanted == self._there

    def _take(self, most: int | None = None) -> Points | None:
        """The next expected rows, at least one and `most` at most; None at the end."""
        while not self._next:
            self._next = next(self._coming, None)
            if self._next is None:
                return None
        taken = self._next.slice(0, most or len(self._next))
        self._next = self._next.slice(len(taken), len(self._next))
        return taken


def _equal_in_order(one: Points, other: Points) -> bool:
    """True for equal rows in equal order; false also for mixed columns, which are left to the digests."""
    return (
        one.series.columns == other.series.columns
        and _same(one.steps, other.steps)
        and _same(one.times, other.times)
        and all(map(_same, one.values, other.values))
    )


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    kinds = {*map(type, one), *map(type, other)}
    if kinds == {float}:  # by their bits: NaN is NaN, and -0.0 is not 0.0
        return array("d", one).tobytes() == array("d", other).tobytes()
    return (kinds <= {int, type(None)} or kinds == {str}) and list(one) == list(other)
