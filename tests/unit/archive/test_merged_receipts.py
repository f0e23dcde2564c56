"""Receipts of two ledgers as those of one: the better of each item, and none of rows is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from azureml_replay.archive.items import ChunkItem, written
from azureml_replay.archive.merging.receipts import ReceiptRow, merged

DIGESTS = [b"1", b"2", b"3", None]
CHUNKS = st.dictionaries(st.integers(0, 3), st.sampled_from([b"1", b"2"]), max_size=4)
ITEMS = ["create", "finish", "failed", "undone", "job", "job undone", "file/a", "unread", "job names gone"]
ITEMS += [written(ChunkItem(seq)) for seq in range(3)]
DETAILS = {"unread": '["a"]', "job names gone": "j1 j2"}


def row(
    item: str, state: str = "sent", digest: bytes | None = b"1", at: int = 1, detail: str | None = None
) -> ReceiptRow:
    return ReceiptRow(item, state, digest, detail, at, None, None)


LEDGERS = st.dictionaries(
    st.sampled_from(ITEMS),
    st.tuples(st.sampled_from(["sending", "sent", "refused"]), st.sampled_from(DIGESTS), st.integers(1, 5)),
).map(lambda told: [row(item, *cells, DETAILS.get(item)) for item, cells in sorted(told.items())])


def rows_of(some: Iterable[ReceiptRow]) -> Counter[bytes | None]:
    return Counter(one.digest for one in some if isinstance(one.read, ChunkItem))


@settings(max_examples=200, deadline=None)
@given(ours=LEDGERS, theirs=LEDGERS, chunks=CHUNKS)
@example(ours=[row("points/0"), row("points/1")], theirs=[row("points/0", "sending", at=2), row("points/1")], chunks={})
def test_any_two_ledgers(ours: list[ReceiptRow], theirs: list[ReceiptRow], chunks: dict[int, bytes]) -> None:
    """Once more changes nothing; every item once; rows of both."""
    found = merged(ours, theirs, chunks, whole=True).rows
    again = merged(found, theirs, chunks, whole=True)

    assert sorted(map(repr, again.rows)) == sorted(map(repr, found))
    assert again.theirs == frozenset()
    items = [one.item for one in found]
    assert len(items) == len({*items})
    assert (rows_of(ours) | rows_of(theirs)) - rows_of(found) == Counter()
    for one in found:
        if isinstance(one.read, ChunkItem) and one.read.seq in chunks and one.digest in chunks.values():
            assert chunks[one.read.seq] == one.digest or rows_of(found)[one.digest] > 1


@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        (row("create", "sent", at=1), row("create", "refused", at=9), "one"),
        (row("create", "refused", at=1), row("create", "sending", at=9), "one"),
        (row("create", "sent", b"1", at=1), row("create", "sent", b"2", at=9), "other"),
        (row("undone", at=1), row("finish", at=9), "other"),
        (row("deleted", at=9), row("points/0", at=1), "one"),
        (row("job deleted", at=9), row("job", at=1), "one"),
        (row("deleted", at=9), row("job", at=1), "both"),
        (row("undone", at=9), row("finish", at=1), "both"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_the_better_stays(one: ReceiptRow, other: ReceiptRow, stays: str, turned: bool) -> None:
    """Whichever side is ours."""
    sides = ([other], [one]) if turned else ([one], [other])

    found = merged(*sides, {}, whole=False)

    told = {"one": {one}, "other": {other}, "both": {one, other}}[stays]
    assert {row._replace(at=0) for row in found.rows} == {row._replace(at=0) for row in told}
    assert max(row.at for row in found.rows) == 9


def test_lists_are_joined_and_an_end_is_of_the_side_that_knows_everything() -> None:
    """Names of either; `whole` only where nothing came that it does not cover."""
    ours = [row("unread", detail='["a"]'), row("job names gone", detail="j1"), row("whole"), row("create")]
    theirs = [row("unread", detail='["b"]'), row("job names gone", detail="j2", at=9), row("file/a"), row("failed")]

    found = {one.item: one for one in merged(ours, theirs, {}, whole=True).rows}

    assert (found["unread"].detail, found["job names gone"].detail) == ('["a","b"]', "j1 j2")
    assert {"whole", "failed"}.isdisjoint(found)
    assert "whole" in {one.item for one in merged(ours, [row("create")], {}, whole=True).rows}
    assert "whole" in {one.item for one in merged([], ours, {}, whole=True).rows}
    assert "whole" not in {one.item for one in merged([], ours, {}, whole=False).rows}
