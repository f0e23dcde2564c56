"""What is kept of a series that differs: enough to draw both curves and their difference (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from azureml_replay.comparison.runs import Pair
from azureml_replay.comparison.thinning import thin
from azureml_replay.model import Differing, Points, Row, Series, Value

BUCKETS = 300
"""Of the x axis: a chart is about that many pixels wide. Three rows a bucket stay at most, so 900 of a million."""


def thinned(series: Series, held: Sequence[Row], pairs: Sequence[Pair]) -> Differing:
    """Of what the target holds, and of what differs (the first always): lowest and highest stay everywhere."""
    both = [(wanted, there) for wanted, there in pairs if wanted is not None and there is not None]
    gaps = [_number(there) - _number(wanted) for wanted, there in both]
    shown = [both[at] for at in thin(_places([wanted for wanted, _ in both]), gaps, BUCKETS)]
    return Differing(
        series=series,
        rows=len(held),
        differing=len(pairs),
        held=_kept(series, held),
        expected=Points.of(series, [wanted for wanted, _ in shown]),
        actual=Points.of(series, [there for _, there in shown]),
        absent=_kept(series, [wanted for wanted, there in pairs if wanted is not None and there is None]),
        extra=_kept(series, [there for wanted, there in pairs if wanted is None and there is not None]),
    )


def _kept(series: Series, rows: Sequence[Row]) -> Points:
    values = [_number(row) for row in rows]
    return Points.of(series, [rows[at] for at in thin(_places(rows), values, BUCKETS)])


def _places(rows: Sequence[Row]) -> list[float]:
    """Steps, or times where one has no step, or the order in which they came."""
    for column in (0, 1):
        found = [row[column] for row in rows]
        if all(place is not None for place in found):
            return [float(place or 0) for place in found]  # type: ignore[arg-type]  # the two columns of whole numbers
    return [float(at) for at in range(len(rows))]


def _number(row: Row) -> float:
    """The first cell that is one."""
    return next((as_number(value) for value in row[2] if _is_number(value)), math.nan)


def as_number(value: Value) -> float:
    """NaN for what is none, or is too large for one."""
    if not _is_number(value):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]  # checked above
    except OverflowError:
        return math.nan


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
