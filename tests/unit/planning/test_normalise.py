"""Rows as a plain MLflow server holds them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.comparison.rows import identity
from azureml_replay.model import Points, Row, Series, SeriesKey
from azureml_replay.planning.normalise import EXACT, LARGEST, Losses, RowsThere, is_scalar, row_there
from azureml_replay.workspace.profile import EVERY_ROW, MLFLOW

LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),), ux_type="azureml.v1.scalar")
THERE = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
RULE = MLFLOW.rows
ROWS = RowsThere(RULE, {LOSS.key: THERE})
NUMBERS = st.floats() | st.integers(-(2**70), 2**70) | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan])
ANY_ROW = st.tuples(
    st.none() | st.integers(-(2**65), 2**65) | st.integers(-3, 3),
    st.none() | st.integers(-5, 50_000) | st.integers(0, 2**60),
    st.tuples(NUMBERS | st.none() | st.text(max_size=2)),
)
TIME = 17_000_000_000_000_0000


def told(rows: list[Row]) -> list[str]:
    """What is lost of them, as omissions say it."""
    losses = Losses(RULE)
    losses.add(Points.of(LOSS, rows))
    return [count for count, _ in losses.words()]


@pytest.mark.parametrize(
    ("row", "there"),
    [
        ((3, TIME + 12_345, (0.1,)), (3, TIME + 10_000, (0.1,))),
        ((None, TIME, (5e-324,)), (0, TIME, (5e-324,))),
        ((-5, TIME, (-0.0,)), (-5, TIME, (0.0,))),
        ((0, TIME, (math.inf,)), (0, TIME, (LARGEST,))),
        ((0, TIME, (-math.inf,)), (0, TIME, (-LARGEST,))),
        ((0, TIME, (math.nan,)), (0, TIME, (math.nan,))),
        ((2**63 - 1, None, (7,)), (2**63 - 1, 0, (7.0,))),
        ((0, -1, (1.0,)), (0, 0, (1.0,))),
    ],
)
def test_each_value_becomes_what_servers_were_seen_to_keep(row: Row, there: Row) -> None:
    """As measured of five versions."""
    found = row_there(row, RULE)

    assert found is not None
    assert identity(found) == identity(there)


@pytest.mark.parametrize("row", [(2**63, TIME, (1.0,)), (0, TIME, ("x",)), (0, TIME, (None,)), (0, TIME, (10**400,))])
def test_what_no_server_holds_is_not_sent(row: Row) -> None:
    """A step beyond 64 bits would cut the request; it is counted."""
    assert row_there(row, RULE) is None
    assert told([row]) == ["1 row"]


@given(st.lists(ANY_ROW, max_size=30))
def test_what_is_counted_is_what_is_sent(rows: list[Row]) -> None:
    """However the rows are cut into pieces; a second time nothing changes; equal rows are one."""
    losses = Losses(RULE)
    pieces = [Points.of(LOSS, rows[:7]), Points.of(LOSS, rows[7:])]
    for piece in pieces:
        losses.add(piece)

    held = [row for piece in ROWS.distinct([ROWS.of(one) for one in pieces]) for row in piece.rows()]

    assert losses.held == len(held) == len({identity(row) for row in held})
    assert all(row_there(row, RULE) == row or math.isnan(row[2][0]) for row in held)  # type: ignore[arg-type]
    same = [row for row in rows if row[0] is not None and row_there(row, RULE) is not None]
    assert losses.exact_elsewhere or [row[0] for row in same] == [row[0] for row in held]


def test_rows_that_differ_in_a_step_below_zero_stay_two() -> None:
    """Python's hashes of -1 and -2 are one."""
    rows: list[Row] = [(-1, TIME, (1.0,)), (-2, TIME, (1.0,))]

    assert len(ROWS.of(Points.of(LOSS, rows))) == 2
    assert told(rows) == []


def test_only_parts_of_a_tick_need_no_copy() -> None:
    """What else is lost does, and is said with its number."""
    finer, more = Losses(RULE), Losses(RULE)
    finer.add(Points.of(LOSS, [(1, TIME + 1, (1.0,)), (2, TIME + 2, (2.0,))]))
    more.add(Points.of(LOSS, [(1, TIME + 1, (1.0,)), (1, TIME + 2, (1.0,)), (None, TIME, (-0.0,))]))

    assert (finer.exact_elsewhere, [count for count, _ in finer.words()]) == (False, ["2 times"])
    assert more.exact_elsewhere
    assert [count for count, _ in more.words()] == ["2 times", "1 row", "1 value", "1 row"]


def test_an_azure_workspace_gets_rows_as_they_are() -> None:
    """The very object: nothing is looked at."""
    rows = Points.of(LOSS, [(None, TIME + 1, (-0.0,))] * 2)

    assert EXACT.of(rows) is rows
    assert list(EXACT.distinct([rows])) == [rows]
    assert EXACT.rule == EVERY_ROW


@pytest.mark.parametrize(
    ("series", "scalar"),
    [
        (LOSS, True),
        (Series(key=SeriesKey("n"), columns=(("n", "Int"),)), True),
        (Series(key=SeriesKey("n", "space"), columns=(("n", "Int"),)), False),
        (Series(key=SeriesKey("n"), columns=(("n", "String"),)), False),
        (Series(key=SeriesKey("n"), columns=(("x", "Double"), ("y", "Double"))), False),
        (Series(key=SeriesKey("n"), columns=(("n", "Double"),), ux_type="azureml.v1.residuals"), False),
    ],
)
def test_what_is_a_metric_there(series: Series, *, scalar: bool) -> None:
    """One number a row, under no namespace."""
    assert is_scalar(series) is scalar


@given(st.lists(ANY_ROW | st.tuples(st.integers(0, 3), st.integers(0, 50_000), st.tuples(st.sampled_from([1.0, 2.5])))))
def test_usual_rows_are_counted_by_columns_as_others_are_one_by_one(rows: list[Row]) -> None:
    """In pieces of one row each kind is counted by itself; together with one that is not usual all are."""
    by_columns, one_by_one = Losses(RULE), Losses(RULE)
    for row in rows:
        by_columns.add(Points.of(LOSS, [row]))
    one_by_one.add(Points.of(LOSS, [(None, None, (None,)), *rows]))

    assert (by_columns.held, by_columns.equal, by_columns.finer) == (
        one_by_one.held,
        one_by_one.equal,
        one_by_one.finer,
    )
    distinct = {repr(identity(held)) for row in rows if (held := row_there(row, RULE)) is not None}
    assert by_columns.held == len(distinct)
