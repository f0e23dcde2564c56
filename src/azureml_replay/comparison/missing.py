"""Rows that one side lacks, counted as the other side's are read (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.comparison.rows import Identity, identity
from azureml_replay.model import Points, SeriesKey


@dataclass(slots=True)
class Missing:
    """The rows of some pieces that a target lacks, each as often as it lacks it.

    Memory grows with these pieces alone: the target may hold the whole series that they were sent into.
    """

    pieces: Sequence[Points]
    repeats: bool = True
    """False for a target that keeps one of equal rows: whoever sent it, it is there."""
    _lacking: dict[SeriesKey, Counter[Identity]] = field(init=False)

    def __post_init__(self) -> None:
        self._lacking = {piece.series.key: Counter() for piece in self.pieces}
        for piece in self.pieces:
            found = Counter(_identities(piece))
            self._lacking[piece.series.key].update(found if self.repeats else dict.fromkeys(found, 0))
        if not self.repeats:
            self._lacking = {key: Counter(dict.fromkeys(rows, 1)) for key, rows in self._lacking.items()}

    def there(self, points: Points) -> None:
        """Count rows that the target holds; rows of other series are passed over. NOT repeatable."""
        self._count(points, -1)

    def also_sent(self, points: Points) -> None:
        """Count rows that were sent beside these: as many of the target's equal rows are theirs. NOT repeatable."""
        self._count(points, +1)

    def rows(self) -> Iterator[Points]:
        """The lacking rows in their order, once all rows of the target were counted; of equal rows the first ones."""
        left = {key: Counter(counts) for key, counts in self._lacking.items()}
        for piece in self.pieces:
            lacking = _taken(piece, left[piece.series.key])
            if lacking is not None:
                yield lacking

    def _count(self, points: Points, sign: int) -> None:
        asked = self._lacking.get(points.series.key)
        if asked is None:
            return
        if not self.repeats and sign > 0:
            return
        for found in _identities(points):
            if found in asked:
                asked[found] += sign


def _identities(points: Points) -> Iterator[Identity]:
    types = [kind for _, kind in points.series.columns]
    return (identity(row, types) for row in points.rows())


def _taken(piece: Points, lacking: Counter[Identity]) -> Points | None:
    rows = []
    for row, found in zip(piece.rows(), _identities(piece), strict=True):
        if lacking[found] > 0:
            lacking[found] -= 1
            rows.append(row)
    return Points.of(piece.series, rows) if rows else None
