"""Metric rows of one run on their way into a target, with receipts.

The service appends and never replaces (clients.md 4.2), so a request that may have arrived is never sent again
blindly: after an interruption the target is asked, and only what it lacks is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.chunk_reader import OpenChunks
from azureml_replay.archive.digests import of_generation
from azureml_replay.archive.items import ChunkItem, Item, Payload, SeriesItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.counting import counted
from azureml_replay.direct.due import Due, DueRows
from azureml_replay.direct.intents import Intents
from azureml_replay.direct.missing import MissingPoints
from azureml_replay.direct.requests import after_others, requests
from azureml_replay.errors import Rejected, Uncertain
from azureml_replay.model import Points, Run, RunId, SeriesKey, Share
from azureml_replay.planning.plan import Step
from azureml_replay.progress import Progress
from azureml_replay.target.probe import note_unsettled
from azureml_replay.workers import Room, overlapping
from azureml_replay.workspace.limits import ROWS_PER_SERIES_AND_REQUEST
from azureml_replay.workspace.target import Refused, TakesValuesWithRows, Target

logger = logging.getLogger("azureml_replay")


class SeriesRefused(Exception):
    """Raised where the target will not have a series, once that is noted: the run is planned anew without it."""


class ValuesRefused(Exception):
    """Raised where rows and the values of their run were refused together: by themselves they tell which."""


ATTEMPTS = 5
"""How often one chunk is asked for and completed before the run is left to the next call."""


@dataclass(slots=True)
class Appending:
    """How rows are appended: by requests that are answered once the rows are there, where the target has them."""

    target: Target
    ledger: TargetLedger
    room: Room
    """Bounds the requests with rows that are in memory at once, of all runs together."""
    settled: bool = False

    async def append(self, run: RunId, batch: Sequence[Points], values: Values) -> Mapping[int, Refused]:
        """One request, NOT repeatable; another one where the target has lost that way, which is noted first."""
        if values.run is not None:
            return await self._with_values(values, values.run, batch)
        if self.settled:
            refused = await self.target.append_settled(run, batch)
            if refused is not None:
                return refused
            note_unsettled(self.ledger)
            self.settled = False
        return await self.target.append_points(run, batch)

    async def _with_values(self, values: Values, run: Run, batch: Sequence[Points]) -> Mapping[int, Refused]:
        """Requests that go meanwhile take none; where this one fails, the next one does."""
        values.run = None
        try:
            return await cast("TakesValuesWithRows", self.target).append_with_values(run, batch)
        except BaseException as error:
            values.run = run
            if isinstance(error, Rejected) and Refused.of(error).of_item:
                raise ValuesRefused from error
            raise


@dataclass(slots=True)
class Values:
    """The values of a run that go with the first of its rows; None once they have gone, or where they went before."""

    run: Run | None = None


@dataclass(frozen=True, slots=True)
class PointSender:
    """Sends the rows of runs."""

    archive: Archive
    target: Target
    progress: Progress
    intents: Intents
    appending: Appending
    """Both shared by all runs."""
    rows_of_series: int = ROWS_PER_SERIES_AND_REQUEST
    """That one request takes."""

    @property
    def ledger(self) -> TargetLedger:
        """What has reached the target."""
        return self.appending.ledger

    def has_due(self, step: Step) -> bool:
        """True where anything may be sent."""
        return bool(step.series) and bool(self._due(step).sent.due)

    def _due(self, step: Step) -> DueRows:
        return Due(self.archive, self.ledger).rows(step, self.ledger.receipts(step.source), self.intents.ahead)

    async def send(self, step: Step, *, ask: bool, values: Values | None = None) -> int:
        """Everything the target lacks; the number of rows sent. Raises SeriesRefused for rows that it refuses.

        `values` go with the first rows; ValuesRefused is raised where both together are refused. `ask` where the run
        was there before this call: another archive of the source, or a copy of this one, may have sent rows that no
        receipt here tells of.
        """
        if not step.series:
            return 0
        rows = self._due(step)
        standing, sending = rows.sent, _Sending(self, step, rows.payloads, values or Values())
        sending.settle(standing.moved)
        if standing.left:
            self.ledger.forget(step.source, map(ChunkItem, standing.left))
        begun = await sending.begun(standing.due if ask or standing.strange else standing.begun)
        for seq in begun:
            await sending.complete(seq, foreseen=not standing.strange)
        await sending.send_new([seq for seq in standing.due if seq not in begun])
        if sending.rows:
            logger.debug("run %s: %s sent", step.source, counted(sending.rows, "point"))
        return sending.rows


@dataclass(slots=True)
class _Sending:
    """The rows of one run."""

    by: PointSender
    step: Step
    payloads: Mapping[int, Payload]
    """Of its chunks."""
    values: Values
    rows: int = 0
    """Sent so far."""

    async def begun(self, doubtful: Sequence[int]) -> Sequence[int]:
        """Chunks of which rows may have arrived; where it is one, asking what it lacks tells."""
        if len(doubtful) <= 1:
            return doubtful
        untouched = await self._missing.untouched(doubtful)
        return [seq for seq in doubtful if seq not in untouched]

    async def send_new(self, seqs: Sequence[int]) -> None:
        """Chunks of which nothing was ever sent, together; where an answer is lost, those begun are asked about."""
        while seqs:
            chunks = OpenChunks(self.by.archive, self.step.contents, seqs, self.step.unsent, self.step.rows.there)
            begun: set[int] = set()
            try:
                await self._send_together(chunks, begun)
            except (Uncertain, _SomeRefused) as problem:
                for seq in sorted(begun):
                    if chunks.left[seq]:
                        await self.complete(seq, singly=isinstance(problem, _SomeRefused))
            seqs = [seq for seq in seqs if seq not in begun]

    async def _send_together(self, chunks: OpenChunks, begun: set[int]) -> None:
        """`begun` takes up the chunks of which something may have been sent. Raises Uncertain, _SomeRefused."""
        empty = [seq for seq, rows in chunks.left.items() if not rows]
        begun.update(empty)
        self.settle(empty)

        async def begin(shares: list[Share]) -> Callable[[], Awaitable[None]]:
            parts = chunks.take(shares)
            seqs = {seq for seq, _ in parts}
            await self._intend(seqs - begun)
            begun.update(seqs)
            return partial(self._append_parts, chunks, parts)

        lengths = chunks.lengths()
        batches = after_others(requests(lengths, self.by.rows_of_series), lengths)
        failed = await overlapping(batches, begin, self.by.appending.room)
        for error in sorted(failed, key=_is_told_by_asking):
            raise error

    async def _append_parts(self, chunks: OpenChunks, parts: Sequence[tuple[int, Points]]) -> None:
        await self._append([points for _, points in parts])
        for seq, points in parts:
            chunks.left[seq] -= len(points)
        self.settle([seq for seq in {seq for seq, _ in parts} if not chunks.left[seq]])

    async def complete(self, seq: int, *, singly: bool = False, foreseen: bool = False) -> None:
        """One chunk of which some rows may have arrived: the target is asked, and gets what it lacks.

        `singly`: one series a request, which tells the one that is refused. `foreseen`: all its rows were expected.
        """
        for attempt in range(ATTEMPTS):
            pieces = await self._missing.of(seq)
            if foreseen and not attempt and not self.step.overflow_series:
                there = (self.payloads[seq].rows or 0) - sum(map(len, pieces))
                self.by.progress.expect("points sent", -there)
            await self._intend([seq])
            try:
                for some in [[piece] for piece in pieces] if singly else [pieces]:
                    for shares in requests([len(piece) for piece in some], self.by.rows_of_series):
                        await self._append([some[at].slice(start, stop) for at, start, stop in shares])
            except Uncertain:
                continue
            except _SomeRefused:
                singly = True
                continue
            self.settle([seq])
            return
        raise Uncertain(f"run {self.step.run.id}: the answer to appended points was lost {ATTEMPTS} times")

    @property
    def _missing(self) -> MissingPoints:
        by = self.by
        return MissingPoints(by.archive, by.ledger, by.target, self.step, settled=by.appending.settled)

    async def _append(self, rows: Sequence[Points]) -> None:
        """One request. Raises Rejected, Uncertain, _SomeRefused, SeriesRefused."""
        run, batch = self.step.run.id, list(_joined(rows))
        try:
            refused = await self.by.appending.append(run, batch, self.values)
        except Rejected as error:
            refused = {0: Refused.of(error)}
            if not refused[0].of_item:
                raise
            if len(batch) > 1:
                raise _SomeRefused from error
        for at, refusal in refused.items():
            if not refusal.of_item:
                raise refusal.error(f"metric {batch[at].series.key.name} of run {run}: ")
        if refused:
            self._refuse({batch[at].series.key: refusal.reason for at, refusal in refused.items()})
            raise SeriesRefused
        count = sum(map(len, batch))
        self.rows += count
        self.by.progress.done("points sent", count)

    def _refuse(self, refused: Mapping[SeriesKey, str]) -> None:
        items: dict[Item, str] = {SeriesItem(key.name, key.namespace): words for key, words in refused.items()}
        of = of_generation(self.by.archive.generation(self.step.source))
        self.by.ledger.refuse(self.step.source, items, of)
        for key, words in refused.items():
            self.by.progress.say(f"metric {key.name} of run {self.step.source} was refused: {words}")

    async def _intend(self, seqs: Collection[int]) -> None:
        await self.by.intents.mark(self.step.source, {ChunkItem(seq): self.payloads[seq] for seq in seqs})

    def settle(self, seqs: Collection[int]) -> None:
        """All rows of these chunks are there."""
        if seqs:
            items = {ChunkItem(seq): self.payloads[seq] for seq in seqs}
            self.by.ledger.mark(self.step.source, items, State.SENT, durable=False)


class _SomeRefused(Exception):
    """Raised where a request was refused whole: sent one by one, the series to blame tells itself."""


def _is_told_by_asking(error: Exception) -> bool:
    """True where the run goes on: the target is asked which rows it lacks."""
    return isinstance(error, Uncertain | _SomeRefused)


def _joined(rows: Sequence[Points]) -> Iterator[Points]:
    """Rows of one series that come from two chunks are one item of a request."""
    waiting: Points | None = None
    for points in rows:
        if waiting and waiting.series == points.series:
            waiting = waiting.and_then(points)
            continue
        if waiting:
            yield waiting
        waiting = points
    if waiting:
        yield waiting
