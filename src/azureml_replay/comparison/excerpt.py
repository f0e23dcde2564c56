"""What is kept of a series that differs: enough to draw both curves and their difference (pure).

Verify and the report share the rule `thin`. Minimum and maximum of every bucket of the x axis stay, so that no spike is
lost: LTTB, which is known for nicer lines, drops the second extreme of a bucket, and an auditor looks for exactly that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from azureml_replay.comparison.rows import Pair
from azureml_replay.model import Differing, Points, Row, Series, Value

BUCKETS = 300
"""Buckets of the x axis: a chart has about as many pixels. At most three rows a bucket stay, so 900 of a million."""


def thinned(series: Series, held: Sequence[Row], pairs: Sequence[Pair]) -> Differing:
    """What is kept of a target's series and of the pairs that differ, the first one always; extremes always stay."""
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
    """Places on the x axis: steps, or times where a row has no step, or row numbers."""
    for column in (0, 1):
        found = [row[column] for row in rows]
        if all(place is not None for place in found):
            return [float(place or 0) for place in found]  # type: ignore[arg-type]  # the two columns of whole numbers
    return [float(at) for at in range(len(rows))]


def _number(row: Row) -> float:
    """The first cell of a row that is a number, NaN where none is."""
    return next((as_number(value) for value in row[2] if _is_number(value)), math.nan)


def as_number(value: Value) -> float:
    """The value as a float; NaN for what is no number, or too large."""
    if not _is_number(value):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]  # checked above
    except OverflowError:
        return math.nan


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def thin(xs: Sequence[float], ys: Sequence[float | None], buckets: int) -> list[int]:
    """Positions to keep, ascending: all, where there are at most two a bucket.

    Else the first, the last, and of each bucket the lowest, the highest and the first that is no number: at most three
    a bucket and two more. `xs` and `ys` are equally long, `xs` finite and in any order; None, NaN and infinities in
    `ys` are no numbers.
    """
    if len(xs) <= 2 * buckets:
        return list(range(len(xs)))
    first, last = min(xs), max(xs)
    scale = buckets / (last - first) if last > first else 0.0
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    gap: dict[int, int] = {}
    for at, (x, y) in enumerate(zip(xs, ys, strict=True)):
        bucket = min(buckets - 1, int((x - first) * scale))
        if y is None or not math.isfinite(y):
            gap.setdefault(bucket, at)
            continue
        if bucket not in low or y < _known(ys[low[bucket]]):
            low[bucket] = at
        if bucket not in high or y > _known(ys[high[bucket]]):
            high[bucket] = at
    return sorted({0, len(xs) - 1, *low.values(), *high.values(), *gap.values()})


def _known(value: float | None) -> float:
    """The value, for callers that know it to be a number."""
    return math.nan if value is None else value
