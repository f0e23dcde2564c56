"""What every Source and Target promises of series and their rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest

from azureml_replay.errors import NotFound, Uncertain
from azureml_replay.instants import TICKS_PER_SECOND
from azureml_replay.model import ROWS_PER_CHUNK, Points, Row, Run, RunId, Series, SeriesKey
from azureml_replay.workspace.limits import ROWS_PER_SERIES_AND_REQUEST
from azureml_replay.workspace.target import Target
from contract.histories import END, EXPERIMENT, LOSS, RUN, START, begin, begin_one, finish, kept_rows, rows_of
from contract.subjects import ShowsLastValues, Subject, Troubled, needs

PER_MILLISECOND = TICKS_PER_SECOND // 1_000


def _needs_tables(target: Target) -> None:
    if not target.profile.tables:
        pytest.skip(f"{target.profile.ref} takes one number a row")


async def test_every_bit_of_a_row_comes_back(subject: Subject, target: Target) -> None:
    """NaN, infinities, -0.0, no step, repeated steps and rows, ticks."""
    run = await begin_one(subject, target)
    values = [math.nan, math.inf, -math.inf, -0.0, 0.0, 1e300, 5e-324, 0.1]
    rows: list[Row] = [(at, START.ticks + at, (value,)) for at, value in enumerate(values)]
    rows += [(None, START.ticks, (1.0,)), (-5, START.ticks, (2.0,)), rows[-1], rows[-1]]
    assert await target.append_points(run, [Points.of(LOSS, rows)]) == {}
    await target.settle(EXPERIMENT, run)

    (listed,) = await target.series(run)
    back = await rows_of(target, run, listed)
    assert sorted(map(repr, back)) == sorted(map(repr, kept_rows(target.profile.rows, rows)))


async def test_columns_keep_their_types_and_their_order(subject: Subject, target: Target) -> None:
    """As the service lists them; a row of more columns than the profile allows is refused whole."""
    _needs_tables(target)
    run = await begin_one(subject, target)
    columns = (("z", "Double"), ("a", "String"), ("m", "Int"), ("b", "Bool"))
    table = Series(key=SeriesKey("table", "space"), columns=columns, ux_type="azureml.v1.table")
    row: Row = (3, START.ticks, (1.0, "NaN", 2**53 + 1, True))
    refused = await target.append_points(run, [Points.of(table, [row])])
    await target.settle(EXPERIMENT, run)
    if len(columns) > target.profile.limits.metric_columns:
        assert (set(refused), await target.series(run)) == ({0}, [])
        return

    assert refused == {}
    (listed,) = await target.series(run)
    assert (listed.key, listed.ux_type) == (table.key, table.ux_type)
    (points,) = [points async for points in target.points(run, listed)]
    assert points.series.columns == columns
    assert list(points.rows()) == kept_rows(target.profile.rows, [row])


async def test_last_values_come_for_a_whole_experiment(subject: Subject, target: Target) -> None:
    """One row of each name, NaN and a negative step too; a run without metrics has none; archived runs as well."""
    shows = needs(target, ShowsLastValues)
    begun, bare = await begin(subject, target, Run(id=RUN, experiment=EXPERIMENT), Run(id=RunId("bare"), hidden=True))
    acc = dataclasses.replace(LOSS, key=SeriesKey("acc"), columns=(("acc", "Double"),))
    late = START.ticks + TICKS_PER_SECOND
    rows = [(-2, START.ticks, (0.5,)), (1, late, (math.nan,))]
    batch = [Points.of(LOSS, rows), Points.of(acc, [(3, START.ticks, (-0.0,))])]
    assert await target.append_points(begun.id, batch) == {}
    await target.settle(EXPERIMENT, begun.id)
    await finish(target, [dataclasses.replace(bare, status="Completed", start=START, end=END)])

    homes = [one async for page in target.experiments() for one in page if one.name == EXPERIMENT]
    found = {run: some async for page in shows.last_values(homes) for run, some in page.items()}

    last = {points.series.key.name: next(points.rows()) for points in found[begun.id]}
    assert found[bare.id] == []
    assert last["loss"][:2] == (1, late // PER_MILLISECOND * PER_MILLISECOND)
    assert math.isnan(last["loss"][2][0])  # type: ignore[arg-type]
    zero = -0.0 if target.profile.rows.every_double else 0.0
    assert repr(last["acc"]) == f"(3, {START.ticks // PER_MILLISECOND * PER_MILLISECOND}, ({zero},))"


async def test_long_series_come_in_chunks(subject: Subject, target: Target) -> None:
    """However the service pages them."""
    run = await begin_one(subject, target)
    size = ROWS_PER_SERIES_AND_REQUEST
    count = ROWS_PER_CHUNK + size
    for start in range(0, count, size):
        rows: Sequence[Row] = [(step, START.ticks + step, (float(step),)) for step in range(start, start + size)]
        assert await target.append_points(run, [Points.of(LOSS, rows)]) == {}
    await target.settle(EXPERIMENT, run)

    chunks = [points async for points in target.points(run, LOSS)]
    assert [len(points) for points in chunks] == [ROWS_PER_CHUNK, size]
    assert [step for points in chunks for step in points.steps] == list(range(count))


async def test_a_refused_series_is_named_and_the_others_are_logged(subject: Subject, target: Target) -> None:
    """A row wider than the service allows."""
    _needs_tables(target)
    run = await begin_one(subject, target)
    width = target.profile.limits.metric_columns + 1
    wide = Series(key=SeriesKey("wide"), columns=tuple((f"c{at}", "Double") for at in range(width)))
    good = Points.of(LOSS, [(0, START.ticks, (1.0,))])
    refused = await target.append_points(run, [good, Points.of(wide, [(0, START.ticks, (0.0,) * width)])])
    await target.settle(EXPERIMENT, run)

    assert set(refused) == {1}
    assert [series.key.name for series in await target.series(run)] == ["loss"]


async def test_an_unknown_series_is_not_found(subject: Subject, target: Target) -> None:
    """It is not an empty one, where the service knows the difference."""
    run = await begin_one(subject, target)
    if not subject.features.knows_series:
        assert await rows_of(target, run, LOSS) == []
        return
    with pytest.raises(NotFound):
        await rows_of(target, run, LOSS)


@pytest.mark.parametrize(("trouble", "there"), [("reset-after", 1), ("truncate", 1), ("html502", 0), ("reset", 0)])
async def test_points_whose_answer_was_lost_are_not_sent_again(
    subject: Subject, target: Target, trouble: str, there: int
) -> None:
    """They are there once or not at all, and the caller is told that nobody knows."""
    troubled = needs(subject, Troubled)
    run = await begin_one(subject, target)
    troubled.lose_answer_to_points(trouble)
    with pytest.raises(Uncertain):
        await target.append_points(run, [Points.of(LOSS, [(0, START.ticks, (1.0,))])])
    troubled.end_trouble()
    await target.settle(EXPERIMENT, run)

    listed = await target.series(run)
    assert len(listed) == there
    assert [len(await rows_of(target, run, series)) for series in listed] == [1] * there
