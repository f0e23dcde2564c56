"""Asks a target which rows of a run it lacks, where it is not known what arrived."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.missing import Missing
from azureml_replay.errors import NotFound
from azureml_replay.model import Points, Series, SeriesKey
from azureml_replay.planning.plan import Step
from azureml_replay.workspace.target import Target


@dataclass(frozen=True, slots=True)
class MissingPoints:
    """Asks about one run. All methods only read."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    step: Step
    settled: bool = False
    """True where rows are answered once they are there: what was answered can be read."""

    async def untouched(self, seqs: Sequence[int]) -> set[int]:
        """Chunks none of whose rows arrived, as no row of the target lies within their times.

        Every series is read once. Reading it for each chunk, a million rows that stopped halfway would take 25,000
        pages; this way it is 500, and those of the chunks that were begun.
        """
        await self._settle(seqs)
        spans: dict[SeriesKey, list[_Span]] = {}
        wanted: dict[SeriesKey, Series] = {}
        for seq in seqs:
            for piece in self._pieces(seq):
                spans.setdefault(piece.series.key, []).append(_Span.of(seq, piece))
                wanted[piece.series.key] = piece.series
        touched: set[int] = set()
        for key, series in wanted.items():
            async for points in self._there(series):
                times = sorted(map(_time, points.times))
                touched.update(span.seq for span in spans[key] if span.holds_any(times))
        return set(seqs) - touched

    async def of(self, seq: int) -> list[Points]:
        """The rows of a chunk that the target lacks. Memory holds one chunk's rows, however long the series is."""
        await self._settle([seq])
        missing = Missing(self._pieces(seq), repeats=self.step.rows.there.rule.repeats)
        for piece in self._sent_before(seq):
            missing.also_sent(piece)
        for series in {piece.series.key: piece.series for piece in missing.pieces}.values():
            async for points in self._there(series):
                missing.there(points)
        return list(missing.rows())

    async def _settle(self, seqs: Sequence[int]) -> None:
        """Rows of a chunk whose answer never came may still be on their way, however they were sent."""
        begun = (self.ledger.receipt(self.step.source, ChunkItem(seq)) for seq in seqs)
        if not self.settled or any(one is not None and one.state is State.SENDING for one in begun):
            await self.target.settle(self.step.run.experiment, self.step.run.id)

    def _sent_before(self, seq: int) -> Iterator[Points]:
        """Rows of other chunks that were sent: equal rows in the target are theirs, not this chunk's."""
        receipts = self.ledger.receipts(self.step.source)
        for other, payload in self.archive.chunk_payloads(self.step.contents).items():
            receipt = receipts.get(ChunkItem(other))
            if other != seq and receipt and receipt.is_of(payload.digest):
                yield from self._pieces(other)

    def _pieces(self, seq: int) -> list[Points]:
        chunk = self.archive.chunk(self.step.contents, seq)
        unsent, there = self.step.unsent, self.step.rows.there
        return [there.of(piece) for piece in chunk if piece.series.key not in unsent]

    async def _there(self, series: Series) -> AsyncIterator[Points]:
        try:
            async for points in self.target.points(self.step.run.id, series):
                yield points
        except NotFound:
            return  # nothing of this series has arrived


@dataclass(frozen=True, slots=True)
class _Span:
    """The times of a chunk's rows of one series: the first and the last, in ticks."""

    seq: int
    first: int
    last: int

    @classmethod
    def of(cls, seq: int, points: Points) -> _Span:
        times = list(map(_time, points.times))
        return cls(seq, min(times, default=0), max(times, default=0))

    def holds_any(self, times: Sequence[int]) -> bool:
        """True where one of the sorted `times` lies within the span."""
        at = bisect_left(times, self.first)
        return at < len(times) and times[at] <= self.last


def _time(ticks: int | None) -> int:
    """A row's ticks; a row without a time counts as before all others."""
    return -1 if ticks is None else ticks
