"""Compares rows of metrics: which are equal, which differ (pure).

Two rows are equal when step, time and bits are equal (FIDELITY, Metrics); ids that the service makes are not looked at.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

from azureml_replay.comparison.shown import finding_of, shown
from azureml_replay.counting import counted
from azureml_replay.model import Finding, Row, RunId, Series, Value

Identity: TypeAlias = "tuple[int | None, int | None, tuple[str, ...]]"


Pair: TypeAlias = "tuple[Row | None, Row | None]"
"""Expected and actual row; None on the side that lacks it."""


NAMED_ROWS = 5
"""Differing rows of a series that get a finding of their own; the others are counted."""


TICKS_PER_MS = 10_000
NONE_EXTRA = "0 of them extra"
"""What the finding about further rows says of the target's, where all of them are absent."""


def identity(row: Row, types: Sequence[str] = ()) -> Identity:
    """Equal for equal rows: NaN equals NaN, -0.0 is not 0.0, no step is not step 0, true is not 1, "1" is not 1.

    `types` are the columns' wire types: in a `Double` column a whole number is the double that it stands for.
    """
    step, time, values = row
    kinds = types or ("",) * len(values)
    return step, time, tuple(_value_identity(value, kind) for value, kind in zip(values, kinds, strict=True))


def _value_identity(value: Value, kind: str) -> str:
    if isinstance(value, str):
        return f"'{value}"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        near = _as_float(value)
        if near is None or (kind != "Double" and int(near) != value):
            return str(value)
        value = near
    return value.hex()


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def has_last(rows: Iterable[Row], last: Row) -> bool:
    """True where a row is the one of which MLflow shows the value: in milliseconds, at step 0 where it has none."""
    step, time, values = last
    wanted = step or 0, tuple(_value_identity(value, "Double") for value in values)
    return any(
        (row[0] or 0, tuple(_value_identity(value, "Double") for value in row[2])) == wanted
        and (time is None or row[1] is None or abs(row[1] - time) < TICKS_PER_MS)
        for row in rows
    )


def compare_series(run: RunId, expected: Series, actual: Series) -> Iterator[Finding]:
    """The findings about columns, their types, how Studio draws them, and which standard schema they follow."""
    if expected.columns != actual.columns:
        columns = (", ".join(f"{name} {kind}" for name, kind in one.columns) for one in (expected, actual))
        yield finding_of(run, f"columns of metric {series_name(expected)}", *columns)
    if expected.ux_type and expected.ux_type != actual.ux_type:  # where the source has none, a service chooses one
        yield finding_of(run, f"type of metric {series_name(expected)}", expected.ux_type, actual.ux_type)
    if expected.schema_id != actual.schema_id:
        yield finding_of(run, f"schema of metric {series_name(expected)}", expected.schema_id, actual.schema_id)


def compare_points(
    expected: Iterable[Row], actual: Iterable[Row], series: Series, *, run: RunId, named: int = NAMED_ROWS
) -> Iterator[Finding]:
    """The findings about the first differing rows by step, and about how many more there are."""
    return row_findings(differing_rows(expected, actual, series), series, run=run, named=named)


def differing_rows(expected: Iterable[Row], actual: Iterable[Row], series: Series) -> list[Pair]:
    """The pairs that differ, by step: expected and actual row of one moment, or one of them None.

    Memory grows with what differs and with how far equal rows lie apart, not with the length of the series.
    """
    absent, extra = _difference(expected, actual, [kind for _, kind in series.columns])
    return sorted(_paired(absent, extra), key=lambda pair: _place(pair[0] or pair[1]))


def row_findings(found: Sequence[Pair], series: Series, *, run: RunId, named: int = NAMED_ROWS) -> Iterator[Finding]:
    """The findings about the first of `differing_rows`, and about how many more there are."""
    for wanted, there in found[:named]:
        step, time, _ = wanted or there  # type: ignore[misc]  # one of the two is a row
        where = f"step {step}" if step is not None else f"at tick {time}"
        yield finding_of(run, f"metric {series_name(series)} {where}", _row_text(wanted), _row_text(there))
    if len(found) > named:
        rest = found[named:]
        lacking, more = sum(b is None for _, b in rest), sum(a is None for a, _ in rest)
        what = f"metric {series_name(series)}: {counted(len(rest), 'more row')}"
        yield Finding(run, what, "differs", f"{lacking} of them absent", f"{more} of them extra")


def _difference(expected: Iterable[Row], actual: Iterable[Row], types: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """The rows that one side only has, each in its order. Walks both at once, so that equal rows cancel early."""
    waiting: tuple[dict[Identity, list[Row]], dict[Identity, list[Row]]] = ({}, {})
    for pair in zip_longest(expected, actual):
        for side, row in enumerate(pair):
            if row is None:
                continue
            key = identity(row, types)
            here, there = waiting[side], waiting[1 - side]
            if not there.get(key):
                here.setdefault(key, []).append(row)
            else:
                there[key].pop()
                if not there[key]:
                    del there[key]
    absent, extra = ([row for rows in side.values() for row in rows] for side in waiting)
    return absent, extra


def _paired(absent: Sequence[Row], extra: Sequence[Row]) -> list[Pair]:
    """Pairs of rows of equal step and time, then of equal step; the others are alone in their pair."""
    same_moment, absent, extra = _matched(absent, extra, 2)
    same_step, absent, extra = _matched(absent, extra, 1)
    return [*same_moment, *same_step, *((row, None) for row in absent), *((None, row) for row in extra)]


def _matched(absent: Iterable[Row], extra: Iterable[Row], width: int) -> tuple[list[Pair], list[Row], list[Row]]:
    waiting: dict[tuple[object, ...], deque[Row]] = defaultdict(deque)
    for row in extra:
        waiting[row[:width]].append(row)
    pairs: list[Pair] = []
    alone = []
    for row in absent:
        partners = waiting[row[:width]]
        if partners:
            pairs.append((row, partners.popleft()))
        else:
            alone.append(row)
    return pairs, alone, [row for rows in waiting.values() for row in rows]


def _place(row: Row | None) -> tuple[bool, int, int]:
    """A key that sorts by step, rows without one last; then by time."""
    step, time, _ = row or (None, None, ())
    return step is None, step or 0, time or 0


def _row_text(row: Row | None) -> str | None:
    if row is None:
        return None
    step, time, values = row
    shown = ", ".join(str(value) for value in values)
    return f"{shown} at tick {time}" if step is not None else shown


def series_name(series: Series) -> str:
    """The series as findings name it."""
    name, namespace = series.key.name, series.key.namespace
    return shown(f"{namespace}/{name}" if namespace else name)
