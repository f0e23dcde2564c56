"""Receipts: what reached a target, item by item; they survive a power cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from azureml_replay import redact
from azureml_replay.archive.database import now
from azureml_replay.archive.items import Item, Payload, RunItem, read, written
from azureml_replay.archive.of_target import OfTarget
from azureml_replay.instants import Instant
from azureml_replay.model import RunId


class State(Enum):
    """How far one item has come."""

    SENDING = "sending"
    """The item may have arrived: the target has to be asked."""
    SENT = "sent"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof that one item of a run reached the target, or the intent to send it."""

    item: Item
    state: State
    digest: bytes | None
    """Digest of what was sent; None where there is nothing to compare it with: see `Receipts.incomparable`."""
    detail: str | None
    at: Instant
    rows: int | None = None
    """Rows of a chunk; None for other items, and where an older version did not note them."""
    size_bytes: int | None = None
    """Size of a file; None as for `rows`."""

    def is_of(self, digest: bytes) -> bool:
        """True where content of this digest was sent, and has arrived."""
        return self.state is State.SENT and self.digest == digest


_COLUMNS = "item, state, digest, detail, at, rows, size_bytes"


class Receipts(OfTarget):
    """The part of a target's ledger that says of each item whether it was sent."""

    def receipts(self, run: RunId) -> dict[Item, Receipt]:
        """Item -> receipt of a run, in the order of the items' texts."""
        rows = self._all(
            f"select {_COLUMNS} from receipt where target = ? and run = ? order by item",  # noqa: S608  # our own words
            (self._number, run),
        )
        return {one.item: one for one in (_receipt(*row) for row in rows)}

    def receipt(self, run: RunId, item: Item) -> Receipt | None:
        """The receipt of an item; None where nothing of it was sent."""
        row = self._one(
            f"select {_COLUMNS} from receipt where target = ? and run = ? and item = ?",  # noqa: S608  # our own words
            (self._number, run, written(item)),
        )
        return row and _receipt(*row)

    def has_sent(self, run: RunId, item: Item, digest: bytes) -> bool:
        """True where the item has arrived with the content of this digest."""
        receipt = self.receipt(run, item)
        return receipt is not None and receipt.is_of(digest)

    def mark(
        self,
        run: RunId,
        items: Mapping[Item, Payload | None] | Iterable[Item],
        state: State,
        detail: str | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """Write the intent to send items, or their receipts. Items without payload keep the one they have. Repeatable.

        `durable`: on the disk when this returns. Only the intent of what may not be sent twice must be: where a power
        cut takes a receipt along, the target is asked or what is repeatable is sent again (a killed process loses
        nothing either way). With every mark on the disk, waiting for it took 27 s of a replay's 75 (460 runs).
        """
        payloads = items if isinstance(items, Mapping) else dict.fromkeys(items)
        text, at = detail and redact.text(detail), now().ticks
        with self._transaction(durable=durable):
            owner = self._owner()
            self._executemany(
                """
                insert into receipt (target, run, item, state, digest, rows, size_bytes, detail, at)
                values (?, ?, ?, ?, ?, ?, ?, ?, ?)
                on conflict do update set state = excluded.state, digest = coalesce(excluded.digest, digest),
                                          rows = coalesce(excluded.rows, rows),
                                          size_bytes = coalesce(excluded.size_bytes, size_bytes),
                                          detail = excluded.detail, at = excluded.at
                """,
                (
                    (owner, run, written(item), state.value, *_cells(payload), _detail(payload, text), at)
                    for item, payload in payloads.items()
                ),
            )

    def refuse(self, run: RunId, refusals: Mapping[Item, str], of: bytes) -> None:
        """Note items that the target will not have, each with its words; on the disk when this returns. Repeatable.

        `of` is the digest of the content in which they were refused: with other content they are tried again.
        """
        at = now().ticks
        with self._transaction(durable=True):
            owner = self._owner()
            self._executemany(
                f"insert or replace into receipt (target, run, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, null, null)",  # noqa: S608  # our own words
                (
                    (owner, run, written(item), State.REFUSED.value, of, redact.text(words), at)
                    for item, words in refusals.items()
                ),
            )

    def refused(self, runs: Sequence[RunId]) -> dict[RunId, list[Receipt]]:
        """Run -> receipts of its refused items; runs without are left out."""
        sql = f"select run, {_COLUMNS} from receipt where run in"  # noqa: S608  # our own words
        more = "and target = ? and state = 'refused' order by run, item"
        found: dict[RunId, list[Receipt]] = {}
        for run, *row in self._among(sql, runs, more, (self._number,)):
            found.setdefault(RunId(run), []).append(_receipt(*row))
        return found

    def mark_sending(self, items: Mapping[tuple[RunId, Item], Payload]) -> None:
        """Write intents of many runs, by run and item; on the disk when this returns, one wait for all. Repeatable."""
        self._put((run, item, State.SENDING, payload) for (run, item), payload in items.items())

    def mark_runs(self, item: RunItem, digests: Mapping[RunId, bytes], state: State, detail: str | None = None) -> None:
        """Mark one item of many runs, as a bulk request sends it, in one transaction. Repeatable."""
        self._put((run, item, state, Payload(digest, detail=detail)) for run, digest in digests.items())

    def mark_whole(self, wholes: Mapping[RunId, Payload]) -> None:
        """Mark runs of which everything is sent: what failed of them before is over. Repeatable."""
        self._put(((run, RunItem.WHOLE, State.SENT, payload) for run, payload in wholes.items()), complete=wholes)

    def fail(self, run: RunId, why: str) -> None:
        """Note why a run is not complete. Repeatable."""
        self.mark(run, [RunItem.FAILED], State.SENT, why)

    def failed(self) -> Iterator[tuple[RunId, str]]:
        """Runs that are not complete, each with the reason that `fail` noted last; by id."""
        sql = "select run, detail from receipt where target = ? and item = ? and run > ? order by run limit ?"
        rows = self._pages(sql, (self._number, RunItem.FAILED.value), ("",))
        return ((RunId(run), why or "") for run, why in rows)

    def _put(self, rows: Iterable[tuple[RunId, Item, State, Payload]], complete: Iterable[RunId] = ()) -> None:
        at = now().ticks
        with self._transaction(durable=True):
            owner = self._owner()
            self._executemany(
                f"insert or replace into receipt (target, run, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # our own words
                (
                    (owner, run, written(item), state.value, one.digest, one.detail, at, one.rows, one.size_bytes)
                    for run, item, state, one in rows
                ),
            )
            self._drop((run, RunItem.FAILED) for run in complete)

    def forget(self, run: RunId, items: Iterable[Item]) -> None:
        """Drop receipts, as if these items had never been sent. On the disk when this returns. Repeatable."""
        with self._transaction(durable=True):
            self._drop((run, item) for item in items)

    def _note(self, run: RunId, item: RunItem, detail: str | None = None) -> None:
        """A receipt without content, in the caller's transaction."""
        sql = "insert or replace into receipt (target, run, item, state, detail, at) values (?, ?, ?, ?, ?, ?)"
        self._execute(sql, (self._owner(), run, item.value, State.SENT.value, detail, now().ticks))

    def _drop(self, receipts: Iterable[tuple[RunId, Item]]) -> None:
        owner = self._owner()
        rows = ((owner, run, written(item)) for run, item in receipts)
        self._executemany("delete from receipt where target = ? and run = ? and item = ?", rows)

    def runs_with(self, item: RunItem, *, sent: bool = False) -> list[RunId]:
        """Runs with a receipt of `item`, by id; without `sent` also those with the intent to send it, or a refusal."""
        only = " and state = 'sent'" if sent else ""
        sql = f"select run from receipt where target = ? and item = ?{only} and run > ? order by run limit ?"  # noqa: S608
        return [RunId(run) for (run,) in self._pages(sql, (self._number, item.value), ("",))]

    def incomparable(self) -> int:
        """The number of runs created by a version whose digests this one cannot compare (archives up to format 11)."""
        sql = "select count(*) from receipt where target = ? and item = ? and state = 'sent' and digest is null"
        return int(self._one(sql, (self._number, RunItem.CREATE.value))[0])


def _cells(payload: Payload | None) -> tuple[bytes | None, int | None, int | None]:
    return (payload.digest, payload.rows, payload.size_bytes) if payload else (None, None, None)


def _detail(payload: Payload | None, detail: str | None) -> str | None:
    return payload.detail if payload is not None and payload.detail is not None else detail


def _receipt(item: str, state: str, *rest: Any) -> Receipt:  # noqa: ANN401  # the cells of a row
    digest, detail, at, rows, size_bytes = rest
    return Receipt(read(item), State(state), digest, detail, Instant(at), rows, size_bytes)
