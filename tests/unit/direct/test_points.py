"""What of a run's rows is sent."""

from __future__ import annotations

import pytest

from azureml_replay.archive.items import ChunkItem, RunItem
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.direct.due import RowsSent
from azureml_replay.instants import Instant

S, B = State.SENT, State.SENDING


def standing(told: dict[int, tuple[State, bytes]], chunks: list[bytes]) -> RowsSent:
    """Of receipts by number, and of the chunks that the archive has now."""
    receipts = {ChunkItem(seq): Receipt(ChunkItem(seq), *one, None, Instant(0)) for seq, one in told.items()}
    return RowsSent.of(
        {RunItem.CREATE: Receipt(RunItem.CREATE, S, b"a", None, Instant(0)), **receipts}, dict(enumerate(chunks))
    )


@pytest.mark.parametrize(
    ("told", "chunks", "expected"),
    [
        ({}, [b"a", b"b"], RowsSent([], [0, 1], [], False)),
        ({0: (S, b"a"), 1: (B, b"b")}, [b"a", b"b", b"c"], RowsSent([], [1, 2], [1], False)),
        ({0: (S, b"a"), 1: (S, b"b")}, [b"a", b"new", b"b"], RowsSent([2], [1], [], False)),
        ({0: (S, b"a"), 1: (S, b"old")}, [b"a", b"new"], RowsSent([], [1], [], True)),
        ({0: (B, b"old")}, [b"new"], RowsSent([], [0], [], True)),
        ({0: (S, b"a"), 1: (S, b"b")}, [b"a"], RowsSent([], [], [], True)),
        ({0: (S, b"a")}, [b"a", b"a"], RowsSent([], [1], [], False)),
        ({0: (S, b"a"), 1: (S, b"b")}, [b"b"], RowsSent([0], [], [], True, (1,))),
        ({4: (S, b"a"), 5: (S, b"a")}, [b"a"], RowsSent([0], [], [], True, (4,))),
        ({4: (S, b"a"), 5: (B, b"a")}, [b"a"], RowsSent([0], [], [], True, (4,))),
        ({0: (S, b"a"), 1: (B, b"a")}, [b"a", b"a"], RowsSent([], [1], [1], False)),
    ],
    ids=[
        "nothing",
        "begun",
        "shifted",
        "changed",
        "changed while sent",
        "fewer",
        "twice",
        "moved up",
        "two made one",
        "moved, one begun",
        "twice, one begun",
    ],
)
def test_chunks_are_known_by_what_they_hold(
    told: dict[int, tuple[State, bytes]], chunks: list[bytes], expected: RowsSent
) -> None:
    """Equal ones are counted; what went out and is nowhere now makes the run strange."""
    assert standing(told, chunks) == expected
