"""Rows of a run, read from several chunks of its archive at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.model import Points, RunId, SeriesKey, Share
from azureml_replay.planning.normalise import EXACT, RowsThere

MOST_OPEN = 5
"""Chunks in memory at most: requests take rows from four places, each of which may be between two chunks."""


@dataclass(frozen=True, slots=True)
class ChunkPart:
    """The rows of one series in one chunk."""

    seq: int
    """The chunk's number in its run."""
    piece: int
    rows: int


@dataclass(slots=True)
class OpenChunks:
    """Chosen chunks of a run; the `MOST_OPEN` that were used last are in memory. Raises IntegrityError."""

    archive: Archive
    run: RunId
    seqs: Iterable[int]
    without: Collection[SeriesKey] = ()
    """Series whose rows are not given."""
    there: RowsThere = EXACT
    """How rows are given: as a target holds them, those of one piece; by the names that they have there."""
    left: dict[int, int] = field(default_factory=dict)
    """Chunk -> rows that are still to be taken."""
    _parts: dict[SeriesKey, list[ChunkPart]] = field(default_factory=dict)
    _open: dict[int, Sequence[Points]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for seq in self.seqs:
            self.left[seq] = 0
            for at, piece in enumerate(self._pieces(seq)):
                self._parts.setdefault(piece.series.key, []).append(ChunkPart(seq, at, len(piece)))
                self.left[seq] += len(piece)

    def lengths(self) -> list[int]:
        """How many rows each series has, in the order in which the series were logged first."""
        return [sum(part.rows for part in parts) for parts in self._parts.values()]

    def points(self, key: SeriesKey) -> Iterator[Points]:
        """All rows of one name there, piece by piece."""
        return (self._pieces(part.seq)[part.piece] for part in self._parts.get(key, ()))

    def take(self, shares: Iterable[Share]) -> list[tuple[int, Points]]:
        """The rows of each share as pairs of chunk number and rows, none of them empty."""
        lines = list(self._parts.values())
        return [taken for at, start, stop in shares for taken in self._rows(lines[at], start, stop)]

    def _rows(self, parts: Iterable[ChunkPart], start: int, stop: int) -> Iterator[tuple[int, Points]]:
        for part in parts:
            if start < part.rows and stop > 0:
                yield part.seq, self._pieces(part.seq)[part.piece].slice(max(start, 0), min(stop, part.rows))
            start, stop = start - part.rows, stop - part.rows

    def _pieces(self, seq: int) -> Sequence[Points]:
        pieces = self._open.pop(seq, None) or self._read(seq)
        self._open[seq] = pieces
        if len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return pieces

    def _read(self, seq: int) -> Sequence[Points]:
        chunk = self.archive.chunk(self.run, seq)
        return [self.there.of(piece) for piece in chunk if piece.series.key not in self.without]
