"""What two ledgers say of one run in one target, as one: of each item the better receipt, and none is lost (pure)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from azureml_replay import json_text
from azureml_replay.archive.items import CHUNK_PREFIX, ChunkItem, Item, RunItem, is_of_job, read, written

_BETTER = ("sending", "refused", "sent")
"""Of two receipts of an item the later in this list stands, then the newer one."""
_NOTES = frozenset({RunItem.FAILED, RunItem.UNREAD, RunItem.KEPT, RunItem.NAMES_GONE})
"""Items that say nothing of what was sent."""
_TAKEN_BACK = {RunItem.UNDONE: False, RunItem.DELETED: False, RunItem.JOB_UNDONE: True, RunItem.JOB_DELETED: True}
"""Items that whatever is sent later takes back -> True where they are of jobs."""
Key = tuple[str, bytes]


class ReceiptRow(NamedTuple):
    """A row of the table, without target and run."""

    item: str
    state: str
    digest: bytes | None
    detail: str | None
    at: int
    rows: int | None
    size_bytes: int | None

    @property
    def read(self) -> Item:
        """What it is of."""
        return read(self.item)

    @property
    def key(self) -> Key:
        """By what it is known on both sides: rows by what they are, since their number is of one extraction alone."""
        if self.item.startswith(CHUNK_PREFIX):
            return CHUNK_PREFIX, self.digest or f"of {self.at}".encode()  # an older version's: nothing tells of what
        return self.item, b""

    @property
    def rank(self) -> tuple[int, int]:
        """The higher one stays."""
        return _BETTER.index(self.state), self.at


@dataclass(frozen=True, slots=True)
class SentBy:
    """Which of two ledgers knows all that was sent of a run, in one way, and when the last of it was."""

    ours: bool
    theirs: bool
    no_ours: bool
    """Ours never sent anything."""
    no_theirs: bool
    newest: int = -1
    """Ticks."""
    taken_back: bool = False
    """It was undone, or deleted."""

    def our_look_counts(self, at: int) -> bool:
        """True for a look of ours that is about what is there now, as far as anybody knows."""
        return self.no_theirs or ((self.ours or self.no_ours) and at >= self.newest)

    def their_look_counts(self, at: int) -> bool:
        """The same of theirs."""
        return self.no_ours or ((self.theirs or self.no_theirs) and at >= self.newest)


EVERYONE = SentBy(ours=True, theirs=True, no_ours=True, no_theirs=True)
"""Of what only one side knows, or nobody sends."""


@dataclass(frozen=True, slots=True)
class MergedReceipts:
    """What is to be kept."""

    rows: Sequence[ReceiptRow]
    theirs: frozenset[str]
    """Items whose receipts came from the other side."""
    ways: Mapping[bool, SentBy] = field(default_factory=dict)
    """By whether it is about jobs."""


def merged(
    ours: Sequence[ReceiptRow], theirs: Sequence[ReceiptRow], chunks: Mapping[int, bytes], *, whole: bool
) -> MergedReceipts:
    """`chunks`: number -> digest, of the run as it is kept. `whole`: what theirs says of all of it counts here."""
    left, right = _standing(ours, theirs), _standing(theirs, ours)
    better = list(_better(left, right))
    rows = [row for row, _ in better]
    told = _told(rows)
    ends = _ends(left, right, is_ours=_told(left) == told, is_theirs=_told(right) == told and whole)
    rows = [row for row in rows if row.read not in (RunItem.WHOLE, RunItem.FAILED)] + list(ends)
    mine = frozenset(ours)
    ways = {
        job: sent_by(*([row for row in some if is_of_job(row.read) is job] for some in (left, right, rows)))
        for job in (False, True)
    }
    came = frozenset(row.item for row, theirs_is_better in better if theirs_is_better)
    return MergedReceipts(list(_numbered(rows, chunks, mine)), came, ways)


# What the other side took back, or sent since


def _standing(rows: Sequence[ReceiptRow], others: Sequence[ReceiptRow]) -> list[ReceiptRow]:
    """Those that count, by what the other side did later."""
    known = {row.read for row in others}
    return [row for row in rows if not _is_over(row, known, rows, others)]


def _is_over(
    row: ReceiptRow, known: Collection[Item], rows: Sequence[ReceiptRow], others: Sequence[ReceiptRow]
) -> bool:
    item = row.read
    if isinstance(item, RunItem) and item in _TAKEN_BACK:
        return item not in known and row.at < _newest(others, job=_TAKEN_BACK[item])
    deleted = RunItem.JOB_DELETED if is_of_job(item) else RunItem.DELETED
    return any(row.at < one.at for one in (*rows, *others) if one.read is deleted and one.state == "sent")


def _newest(rows: Iterable[ReceiptRow], *, job: bool) -> int:
    """When the last thing was sent, in one way; -1 where nothing was."""
    return max((row.at for row in rows if is_of_job(row.read) is job and row.read not in _NOTES), default=-1)


# Item by item


def _better(ours: Iterable[ReceiptRow], theirs: Iterable[ReceiptRow]) -> Iterator[tuple[ReceiptRow, bool]]:
    """Of each item one, and whether it is theirs; of equal chunks as many as the side has that has more.

    Of the latest moment of all that are of it: by moments of their own equal chunks would find other partners when the
    same is merged once more.
    """
    left, right = _by_key(ours), _by_key(theirs)
    for key in {**left, **right}:
        mine, others = left.get(key, []), right.get(key, [])
        newest = max(row.at for row in (*mine, *others))
        for one, other in zip_longest(mine, others):
            is_theirs = one is None or (other is not None and other.rank > one.rank)
            stays, goes = (other, one) if is_theirs else (one, other)
            yield (_joined(stays, goes) if goes else stays)._replace(at=newest), is_theirs


def _by_key(rows: Iterable[ReceiptRow]) -> dict[Key, list[ReceiptRow]]:
    found: defaultdict[Key, list[ReceiptRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.rank, reverse=True):
        found[row.key].append(row)
    return found


def _joined(stays: ReceiptRow, goes: ReceiptRow) -> ReceiptRow:
    """With the names that either side's list has, where it is one."""
    item = stays.read
    if item is RunItem.NAMES_GONE:
        names = dict.fromkeys(f"{goes.detail or ''} {stays.detail or ''}".split())
        return stays._replace(detail=" ".join(names))
    if item is RunItem.UNREAD:
        told = [json_text.loads((row.detail or "[]").encode()) for row in (goes, stays)]
        return stays._replace(detail=json_text.dumps(sorted({*told[0], *told[1]})).decode())
    return stays


# Who knows everything


def _told(rows: Iterable[ReceiptRow]) -> Counter[tuple[Key, str, bytes | None]]:
    """What a ledger says of what was sent."""
    return Counter((row.key, row.state, row.digest) for row in rows if row.read not in {*_NOTES, RunItem.WHOLE})


def _ends(
    ours: Sequence[ReceiptRow], theirs: Sequence[ReceiptRow], *, is_ours: bool, is_theirs: bool
) -> Iterator[ReceiptRow]:
    """That all is sent, or why not: the first only of a side that knows of everything."""
    for knows, side in ((is_ours, ours), (is_theirs, theirs)):
        whole = [row for row in side if knows and row.read is RunItem.WHOLE]
        if whole:
            yield from whole
            return
    both = (*ours, *theirs)
    failed = [row for row in both if row.read is RunItem.FAILED]
    if failed and not any(row.read is RunItem.WHOLE for row in both):
        yield max(failed, key=lambda row: row.rank)


def sent_by(ours: Iterable[ReceiptRow], theirs: Iterable[ReceiptRow], rows: Sequence[ReceiptRow]) -> SentBy:
    """Which side knows all that `rows` say of one thing."""
    told, left, right = _told(rows), _told(ours), _told(theirs)
    over = any(row.read in _TAKEN_BACK and row.state == "sent" for row in rows)
    newest = max((row.at for row in rows if row.read not in _NOTES), default=-1)
    return SentBy(left == told, right == told, not left, not right, newest, over)


# Numbers of chunks


def _numbered(
    rows: Iterable[ReceiptRow], chunks: Mapping[int, bytes], mine: Collection[ReceiptRow]
) -> Iterator[ReceiptRow]:
    """The rows; those of chunks under the number that these have here, and of rows in no chunk under one of none."""
    points = list[ReceiptRow]()
    for row in rows:
        if isinstance(row.read, ChunkItem):
            points.append(row)
        else:
            yield row
    places = _ChunkPlaces(dict(chunks))
    for row in sorted(points, key=lambda row: (chunks.get(_seq(row)) != row.digest, row not in mine, row.item)):
        yield row._replace(item=written(ChunkItem(places.of(row))))


@dataclass(slots=True)
class _ChunkPlaces:
    free: dict[int, bytes]
    """Chunks without a receipt."""
    used: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.used.update(self.free)

    def of(self, row: ReceiptRow) -> int:
        """Of a chunk of the same rows; else its own number, or one that nothing has."""
        seq = _seq(row)
        if self.free.get(seq) != row.digest or row.digest is None:
            seq = next((one for one, digest in self.free.items() if digest == row.digest), seq)
        if self.free.get(seq) == row.digest and row.digest is not None:
            del self.free[seq]
            return seq
        if seq in self.used:
            seq = max(self.used) + 1
        self.used.add(seq)
        return seq


def _seq(row: ReceiptRow) -> int:
    item = row.read
    return item.seq if isinstance(item, ChunkItem) else -1
