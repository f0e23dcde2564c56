"""A thinned curve shows what the whole one shows."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.comparison.excerpt import thin

numbers = st.floats(-1e300, 1e300)


@given(st.lists(numbers, min_size=1, max_size=400), st.integers(1, 40))
def test_extremes_and_ends_stay(values: list[float], buckets: int) -> None:
    """First, last, lowest and highest are kept, in order, and at most three a bucket and two more."""
    kept = thin(range(len(values)), values, buckets)

    assert kept == sorted(set(kept))
    assert {0, len(values) - 1} <= set(kept)
    assert {min(values), max(values)} <= {values[at] for at in kept}
    assert len(kept) <= max(3 * buckets + 2, 2 * buckets)


def test_one_spike_in_a_million_is_seen() -> None:
    """And the one row that is no number too."""
    values = [0.0] * 1_000_000
    values[654_321], values[100], values[777_777] = 1e-9, -1e-9, math.nan

    kept = thin(range(len(values)), values, 300)

    assert {654_321, 100, 777_777} <= set(kept)
    assert len(kept) <= 902


def test_a_short_curve_stays_whole() -> None:
    """Two rows a bucket need no thinning."""
    assert thin([5, 1, 3], [1.0, math.nan, 2.0], 2) == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(-5, 5), numbers), min_size=1, max_size=200), st.integers(1, 20))
def test_places_may_repeat_and_come_in_any_order(rows: list[tuple[int, float]], buckets: int) -> None:
    """As steps do."""
    values = [value for _, value in rows]

    kept = thin([x for x, _ in rows], values, buckets)

    assert {min(values), max(values)} <= {values[at] for at in kept}
