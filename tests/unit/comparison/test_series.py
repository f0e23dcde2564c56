"""Whether two streams hold the same rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.comparison import series as series_comparison
from azureml_replay.comparison.rows import identity
from azureml_replay.comparison.series import SeriesComparison, SeriesDigest
from azureml_replay.model import Points, Row, Series, SeriesKey, Value

LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
ANY = Series(key=SeriesKey("any"), columns=(("any", "Object"),))
DOUBLES = (0.0, -0.0, 1.0, math.nan, math.inf, -math.inf, 0.1)
VALUES = (*DOUBLES, 0, 1, True, False, None, "", "1", "None", 2**60 + 1, float(2**60))
DOUBLE, VALUE = st.sampled_from(DOUBLES), st.sampled_from(VALUES)
STEP, TIME = st.none() | st.integers(0, 2), st.none() | st.integers(0, 1)
ROWS = st.lists(st.tuples(STEP, TIME, st.tuples(DOUBLE)), max_size=12)
MIXED = st.lists(st.tuples(STEP, TIME, st.tuples(VALUE)), max_size=6)
CUTS = st.lists(st.integers(0, 12), max_size=4).map(sorted)


def kinds(series: Series, rows: Sequence[Row]) -> list[str]:
    """What makes rows one, as often as they are there."""
    return sorted(repr(identity(row, [kind for _, kind in series.columns])) for row in rows)


def pieces(series: Series, rows: Sequence[Row], cuts: Sequence[int]) -> Iterator[Points]:
    """The rows in parts, some of them empty."""
    for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        yield Points.of(series, rows[start:stop])


def compared(series: Series, expected: Iterator[Points], actual: Iterator[Points]) -> bool:
    comparison = SeriesComparison(expected)
    for points in actual:
        comparison.add(points)
    return comparison.equal()


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), st.integers(0, 10))
def test_digests_are_equal_for_the_same_rows_in_any_order_and_division(pair: Any, cut: int) -> None:
    rows, shuffled = pair
    whole, parts = SeriesDigest(), SeriesDigest()

    whole.add(Points.of(LOSS, rows))
    parts.add(Points.of(LOSS, shuffled[:cut]))
    parts.add(Points.of(LOSS, shuffled[cut:]))

    assert whole == parts
    assert parts.count == len(rows)


@given(ROWS, ROWS)
def test_digests_differ_where_rows_do(a: list[Row], b: list[Row]) -> None:
    one, other = SeriesDigest(), SeriesDigest()
    one.add(Points.of(LOSS, a))
    other.add(Points.of(LOSS, b))

    assert (one == other) is (kinds(LOSS, a) == kinds(LOSS, b))


@given(st.sampled_from([(LOSS, ROWS), (ANY, MIXED)]), st.data(), CUTS, CUTS)
def test_streams_are_equal_where_they_hold_the_same_rows(
    kind: tuple[Series, Any], data: st.DataObject, cuts: list[int], others: list[int]
) -> None:
    """In whatever order and division; what one lacks, has twice or has otherwise makes them differ."""
    series, drawn = kind
    expected = data.draw(drawn)
    actual = data.draw(st.one_of(st.just(expected), st.permutations(expected), drawn))

    assert compared(series, pieces(series, expected, cuts), pieces(series, actual, others)) is (
        kinds(series, expected) == kinds(series, actual)
    )


@pytest.mark.parametrize(("one", "other"), product(VALUES, VALUES))
@pytest.mark.parametrize("series", [LOSS, ANY], ids=["Double", "Object"])
def test_values_that_look_alike_are_told_apart(series: Series, one: Value, other: Value) -> None:
    """Every pair, as the only row: 0 and -0, 1 and true, nothing and "None"."""
    expected: list[Row] = [(None, None, (one,))]
    actual: list[Row] = [(None, None, (other,))]

    assert compared(series, pieces(series, expected, []), pieces(series, actual, [])) is (
        kinds(series, expected) == kinds(series, actual)
    )


def test_rows_in_the_same_order_are_not_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the part that differs is looked at row by row."""
    seen: list[int] = []
    monkeypatch.setattr(series_comparison.SeriesDigest, "add", lambda _, points: seen.append(len(points)))
    rows: list[Row] = [(step, step, (step / 7,)) for step in range(100)]
    actual = [*rows[:50], (50, 50, (math.nan,)), *rows[51:]]

    compared(LOSS, pieces(LOSS, rows, [30]), pieces(LOSS, actual, [10, 45, 60]))

    assert seen == [15, 15]
