"""Which rows of a curve to keep so that it looks the same. Pure: verify and the report thin by one rule.

Minimum and maximum of every bucket of the x axis stay, so that no spike is lost: LTTB, which is known for nicer lines,
drops the second extreme of a bucket, and an auditor looks for exactly that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


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
        if bucket not in low or y < _number(ys[low[bucket]]):
            low[bucket] = at
        if bucket not in high or y > _number(ys[high[bucket]]):
            high[bucket] = at
    return sorted({0, len(xs) - 1, *low.values(), *high.values(), *gap.values()})


def _number(value: float | None) -> float:
    """What is known to be one."""
    return math.nan if value is None else value
