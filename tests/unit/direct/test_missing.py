"""What a target is asked where it is not known what arrived of a run's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem, Payload
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.direct.missing import MissingPoints
from azureml_replay.model import Points, Row, Run, RunDetails, RunId, Series, SeriesKey
from azureml_replay.planning.plan import plan_unit

SOURCE, TARGET = (azure_place("sub", "group", name) for name in ("source", "target"))
RUN = RunId("run")
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
FIRST: list[Row] = [(0, 100, (0.5,)), (1, 100, (0.25,))]
SECOND: list[Row] = [(2, 200, (0.5,))]
TIMELESS: list[Row] = [(3, None, (0.125,))]


class Holding:
    """A target with some rows of one series."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows

    async def settle(self, _: str, __: RunId) -> None: ...

    async def points(self, _: RunId, series: Series) -> Any:
        yield Points.of(series, self.rows)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Three chunks: each of one moment, the last one of none."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        archive.put_listed([Run(id=RUN, experiment="e", status="Completed")])
        archive.arrange()
        archive.select([RUN])
        archive.begin(RUN)
        archive.put_details(RunDetails(run=Run(id=RUN, experiment="e", status="Completed")))
        for rows in (FIRST, SECOND, TIMELESS):
            archive.put_chunk(RUN, [Points.of(LOSS, rows)])
        archive.complete(RUN)
        yield archive


def asking(archive: Archive, rows: Sequence[Row]) -> MissingPoints:
    (step,) = plan_unit(archive, RUN)
    return MissingPoints(archive, archive.ledger(TARGET), Holding(rows), step)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("there", "untouched"),
    [
        ([], {0, 1, 2}),
        (FIRST[:1], {1, 2}),
        (SECOND, {0, 2}),
        (TIMELESS, {0, 1}),
        ([(9, 150, (0.5,))], {0, 1, 2}),
        ([(9, 99, (0.5,)), (9, 101, (0.5,)), (9, 201, (0.5,))], {0, 1, 2}),
        ([*FIRST, *SECOND, *TIMELESS], set()),
    ],
    ids=["nothing", "the first", "the second", "without a time", "between", "a tick beside", "all"],
)
async def test_a_chunk_of_one_moment_is_touched_by_rows_of_that_moment(
    archive: Archive, there: list[Row], untouched: set[int]
) -> None:
    """Neither missed, which would send its rows twice, nor taken for every other one."""
    assert await asking(archive, there).untouched([0, 1, 2]) == untouched


async def test_equal_rows_of_another_chunk_count_only_where_that_was_sent_as_it_is_now(archive: Archive) -> None:
    """A receipt with the digest of what the chunk held once says nothing of what it holds now."""
    ledger = archive.ledger(TARGET)
    both = [*SECOND, *SECOND]
    again: list[Row] = [(2, 200, (0.5,))]
    archive.begin(RUN)
    archive.put_details(RunDetails(run=Run(id=RUN, experiment="e", status="Completed")))
    for rows in (SECOND, again):
        archive.put_chunk(RUN, [Points.of(LOSS, rows)])
    archive.complete(RUN)
    now = archive.chunk_payloads(RUN)

    ledger.mark(RUN, {ChunkItem(0): Payload(b"older")}, State.SENT)
    assert await asking(archive, SECOND).of(1) == []
    ledger.mark(RUN, {ChunkItem(0): now[0]}, State.SENT)
    assert [list(points.rows()) for points in await asking(archive, SECOND).of(1)] == [again]
    assert await asking(archive, both).of(1) == []
