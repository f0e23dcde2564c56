"""Rows of a run, taken from its archive at several places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.chunk_reader import MOST_OPEN, OpenChunks
from azureml_replay.azure.place import azure_place
from azureml_replay.direct.requests import requests
from azureml_replay.model import Points, Row, Run, RunDetails, RunId, Series, SeriesKey

RUN = RunId("r")
NAMES = ("accuracy", "loss", "rate")
ROWS, CHUNK = 2_000, 200


def row(name: str, number: int) -> Row:
    """Tells itself apart from all others."""
    return number, 10_000 * number, (float(number + 10_000 * NAMES.index(name)),)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Three curves of 2,000 rows, each in ten chunks."""
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        run = Run(id=RUN, experiment="e", status="Completed")
        archive.put_listed([run])
        archive.begin(RUN)
        archive.put_details(RunDetails(run=run))
        for name in NAMES:
            series = Series(key=SeriesKey(name), columns=((name, "Double"),))
            for start in range(0, ROWS, CHUNK):
                archive.put_chunk(RUN, [Points.of(series, [row(name, start + at) for at in range(CHUNK)])])
        archive.complete(RUN)
        yield archive


def test_all_rows_are_taken_in_order_while_few_chunks_are_open(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk is read twice, once for its lengths and once for its rows, though four at a time are in use."""
    read: list[int] = []
    chunk = archive.chunk
    monkeypatch.setattr(archive, "chunk", lambda run, seq: read.append(seq) or chunk(run, seq))
    chunks = OpenChunks(archive, RUN, range(30), ())
    taken: dict[str, list[Row]] = {name: [] for name in NAMES}

    for shares in requests(chunks.lengths()):
        for _, points in chunks.take(shares):
            taken[points.series.key.name] += points.rows()
            assert len(chunks._open) <= MOST_OPEN

    assert taken == {name: [row(name, number) for number in range(ROWS)] for name in NAMES}
    assert len(read) <= 2 * 30


def test_series_that_stay_behind_are_not_taken(archive: Archive) -> None:
    """A chunk that holds nothing else has nothing left to take."""
    chunks = OpenChunks(archive, RUN, range(30), {SeriesKey("loss")})

    assert chunks.lengths() == [ROWS, ROWS]
    assert [rows for seq, rows in chunks.left.items() if 10 <= seq < 20] == [0] * 10
    assert {points.series.key.name for _, points in chunks.take([(0, 0, 250), (1, 0, 250)])} == {"accuracy", "rate"}


def test_rows_across_the_end_of_a_chunk_say_where_they_lie(archive: Archive) -> None:
    """250 rows of two chunks of 200."""
    assert [(seq, len(points)) for seq, points in OpenChunks(archive, RUN, [0, 1], ()).take([(0, 100, 350)])] == [
        (0, 100),
        (1, 150),
    ]
