"""Metric rows of one run on their way into a target, with receipts.

The service appends and never replaces (clients.md 4.2), so a request that may have arrived is never sent again
blindly: after an interruption the target is asked, and only what it lacks is sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.ledger import Receipt, State, points_item
from azureml_replay.compare import Identity, identity
from azureml_replay.errors import NotFound, Rejected, Uncertain
from azureml_replay.limits import ROWS_PER_REQUEST, ROWS_PER_SERIES_AND_REQUEST
from azureml_replay.model import Points, RunId, Series, SeriesKey, WorkspaceRef
from azureml_replay.plan import Step
from azureml_replay.progress import Progress
from azureml_replay.workspace import Target

ATTEMPTS = 5
"""How often one chunk is asked for and completed before the run is left to the next call."""


def requests(pieces: Sequence[Points]) -> Iterator[list[Points]]:
    """Pieces cut so that each list is one request: at most 250 rows of a series, 1,000 in all (pure).

    As few as can be: the larger of rows / 1,000 and the longest series / 250, both rounded up. To keep that promise
    each request first takes what the requests after it could not, then fills up from the longest.
    """
    left = {at: len(piece) for at, piece in enumerate(pieces) if len(piece)}
    while left:
        most, rows = max(left.values()), sum(left.values())
        after = max(-(-rows // ROWS_PER_REQUEST), -(-most // ROWS_PER_SERIES_AND_REQUEST)) - 1
        take = {at: max(0, rows - after * ROWS_PER_SERIES_AND_REQUEST) for at, rows in left.items()}
        room = ROWS_PER_REQUEST - sum(take.values())
        for at in sorted(left, key=lambda at: -left[at]):
            more = min(ROWS_PER_SERIES_AND_REQUEST - take[at], left[at] - take[at], room)
            take[at] += more
            room -= more
        yield [_next(pieces[at], left[at], count) for at, count in take.items() if count]
        left = {at: rows - take[at] for at, rows in left.items() if rows > take[at]}


def _next(piece: Points, left: int, count: int) -> Points:
    start = len(piece) - left
    return piece.slice(start, start + count)


@dataclass(slots=True)
class Intents:
    """Intents of runs that are sent side by side: those that come while the disk is waited for go down together."""

    archive: Archive
    target: WorkspaceRef
    waiting: dict[tuple[RunId, str], bytes] = field(default_factory=dict)
    ahead: set[tuple[RunId, str]] = field(default_factory=set)
    """On the disk, and not sent by this process yet: the target need not be asked."""

    def mark_ahead(self, runs: Iterable[RunId]) -> None:
        """Everything of runs of which nothing was ever sent, in one wait for the disk."""
        items = {
            (run, points_item(seq)): digest
            for run in runs
            if not any(item.startswith(points_item("")) for item in self.archive.receipts(self.target, run))
            for seq, digest in self.archive.chunk_digests(run).items()
        }
        if items:
            self.archive.mark_sending(self.target, items)
            self.ahead.update(items)

    async def mark(self, run: RunId, item: str, digest: bytes) -> None:
        """On the disk when this returns."""
        if (run, item) in self.ahead:
            self.ahead.remove((run, item))
            return
        self.waiting[run, item] = digest
        await asyncio.sleep(0)  # whoever is ready too adds theirs first
        if (run, item) in self.waiting:
            self.archive.mark_sending(self.target, self.waiting)
            self.waiting.clear()


@dataclass(slots=True)
class PointSender:
    """Sends the chunks of one run at a time."""

    archive: Archive
    target: Target
    progress: Progress
    intents: Intents
    """Shared by all runs."""

    async def send(self, step: Step, *, ask: bool) -> int:
        """Everything the target lacks; the number of rows sent. Raises Rejected for rows that it refuses.

        `ask` where the run was there before this archive wrote it: another archive of the source may have sent rows.
        """
        if not step.series:
            return 0
        receipts = self.archive.receipts(self.target.ref, step.source)
        receipts = {item: one for item, one in receipts.items() if (step.source, item) not in self.intents.ahead}
        digests = self.archive.chunk_digests(step.source)
        rechunked = _rechunked(receipts, digests)
        sent = 0
        for seq, chunk in self.archive.chunks(step.source):
            item = points_item(seq)
            if _is_sent(receipts.get(item), digests[seq]):
                continue
            pieces: Sequence[Points] = [piece for piece in chunk if piece.series.key not in step.overflow_series]
            if ask or rechunked or item in receipts:
                pieces = await self._missing(step, pieces, seq)
            await self.intents.mark(step.source, item, digests[seq])
            sent += await self._append_all(step, pieces, seq)
            self.archive.mark(self.target.ref, step.source, {item: digests[seq]}, State.SENT, durable=False)
        return sent

    async def _append_all(self, step: Step, pieces: Sequence[Points], seq: int) -> int:
        """Requests one after the other; where an answer is lost, ask and go on with what lacks."""
        sent = 0
        for _ in range(ATTEMPTS):
            try:
                for batch in requests(pieces):
                    await self._append(step.run.id, batch)
                    rows = sum(map(len, batch))
                    sent += rows
                    self.progress.done("points sent", rows)
            except Uncertain:
                pieces = await self._missing(step, pieces, seq)
            else:
                return sent
        raise Uncertain(f"run {step.run.id}: the answer to appended points was lost {ATTEMPTS} times")

    async def _append(self, run: RunId, batch: Sequence[Points]) -> None:
        refused = await self.target.append_points(run, batch)
        for at, refusal in refused.items():
            raise Rejected(f"metric {batch[at].series.key.name} of run {run}: {refusal.reason}", status=refusal.status)

    async def _missing(self, step: Step, pieces: Sequence[Points], seq: int) -> list[Points]:
        """What of `pieces` the target does not hold. Holds one chunk's rows, however long the series is."""
        await self.target.settle(step.run.id)
        lacking: dict[SeriesKey, Counter[Identity]] = {piece.series.key: Counter() for piece in pieces}
        for piece in pieces:
            lacking[piece.series.key].update(_identities(piece))
        for piece in self._before(step.source, seq):
            _count(lacking, piece, +1)
        for series in {piece.series.key: piece.series for piece in pieces}.values():
            await self._take_off(step.run.id, series, lacking)
        return [kept for piece in pieces if (kept := _keep(piece, lacking[piece.series.key])) is not None]

    def _before(self, run: RunId, seq: int) -> Iterator[Points]:
        """Rows of other chunks that are in the target already: equal rows there are theirs, not this chunk's."""
        receipts, digests = self.archive.receipts(self.target.ref, run), self.archive.chunk_digests(run)
        for other, chunk in self.archive.chunks(run):
            if other != seq and _is_sent(receipts.get(points_item(other)), digests[other]):
                yield from chunk

    async def _take_off(self, run: RunId, series: Series, lacking: dict[SeriesKey, Counter[Identity]]) -> None:
        try:
            async for points in self.target.points(run, series):
                _count(lacking, points, -1)
        except NotFound:
            return  # nothing of this series has arrived


def _count(lacking: dict[SeriesKey, Counter[Identity]], piece: Points, sign: int) -> None:
    """Only rows that are asked about are counted: memory stays one chunk's."""
    wanted = lacking.get(piece.series.key)
    if wanted is None:
        return
    for found in _identities(piece):
        if found in wanted:
            wanted[found] += sign


def _identities(piece: Points) -> Iterator[Identity]:
    types = [kind for _, kind in piece.series.columns]
    return (identity(row, types) for row in piece.rows())


def _keep(piece: Points, lacking: Counter[Identity]) -> Points | None:
    rows = []
    for row, found in zip(piece.rows(), _identities(piece), strict=True):
        if lacking[found] > 0:
            lacking[found] -= 1
            rows.append(row)
    return Points.of(piece.series, rows) if rows else None


def _is_sent(receipt: Receipt | None, digest: bytes) -> bool:
    return receipt is not None and receipt.state is State.SENT and receipt.digest == digest


def _rechunked(receipts: Mapping[str, Receipt], digests: Mapping[int, bytes]) -> bool:
    """True where rows went out under other chunks: the run was extracted again since and has changed."""
    now = {points_item(seq): digest for seq, digest in digests.items()}
    return any(
        item.startswith(points_item("")) and receipt.digest != now.get(item) for item, receipt in receipts.items()
    )
