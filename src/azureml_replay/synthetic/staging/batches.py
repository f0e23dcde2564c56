"""Divides the points of one run into MLflow's requests: at most 1,000 rows, and 250 of a name (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

from azureml_replay import json_text
from azureml_replay.model import NUMBERS, Points, Row, Series
from azureml_replay.workspace.limits import ROWS_PER_REQUEST, ROWS_PER_SERIES_AND_REQUEST

TICKS_PER_MS = 10_000
REQUESTS_PER_PART = 64
"""Requests in one staged file: 64,000 points, about 5 MB."""

Metric: TypeAlias = dict[str, Any]
"""A point as MLflow's log-batch takes it: `{"key", "value", "timestamp", "step"}`."""


def is_scalar(series: Series) -> bool:
    """True for a series that MLflow can hold: one number a row. Others become a file."""
    (_, kind), *more = series.columns or (("", ""),)
    plain = series.ux_type in (None, "azureml.v1.scalar")
    return plain and not more and not series.key.namespace and kind in NUMBERS


def is_holdable(row: Row) -> bool:
    """True for a row of a scalar series that MLflow can hold: with a time, and a value that is a double."""
    _, ticks, (value, *_) = row
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return ticks is not None and number and (isinstance(value, float) or abs(value) <= 2**53)  # type: ignore[arg-type]


def metric(name: str, row: Row) -> Metric:
    """One row as sent: time in whole milliseconds, NaN and infinities as text (clients.md 4.1)."""
    step, ticks, (value, *_) = row
    assert ticks is not None  # noqa: S101 - is_holdable
    assert isinstance(value, int | float)  # noqa: S101
    point: Metric = {"key": name, "value": _number(float(value)), "timestamp": ticks // TICKS_PER_MS}
    return point if step is None else {**point, "step": step}


def requests(series: Iterable[Iterator[Metric]]) -> Iterator[Sequence[Metric]]:
    """Requests with all points, several names in each. Equal input gives equal requests, in equal order."""
    waiting = deque(series)
    while waiting:
        batch: list[Metric] = []
        begun: list[Iterator[Metric]] = []
        while waiting and len(batch) < ROWS_PER_REQUEST:
            rows = waiting.popleft()
            taken = list(islice(rows, min(ROWS_PER_SERIES_AND_REQUEST, ROWS_PER_REQUEST - len(batch))))
            batch += taken
            begun += [rows] if taken else []
        waiting.extendleft(reversed(begun))
        if batch:
            yield batch


def parts(batches: Iterable[Sequence[Metric]]) -> Iterator[tuple[bytes, int]]:
    """Staged files, whose lines are requests, each with its number of points."""
    waiting = iter(batches)
    while some := list(islice(waiting, REQUESTS_PER_PART)):
        yield b"\n".join(map(json_text.dumps, some)) + b"\n", sum(map(len, some))


def holdable(name: str, pieces: Iterable[Points]) -> Iterator[Metric]:
    """The rows of one scalar series that MLflow can hold."""
    return (metric(name, row) for points in pieces for row in points.rows() if is_holdable(row))


def _number(value: float) -> float | str:
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 that is what NaN means
