"""Rows as a target holds them, and what that loses: one function for plan, send and verify (pure)."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite, isinf
from operator import ne

from azureml_replay.counting import counted
from azureml_replay.model import NUMBERS, Points, Row, Series, SeriesKey, Value
from azureml_replay.planning.names import fit_name
from azureml_replay.workspace.profile import EVERY_ROW, RowRule, TargetProfile

LARGEST = sys.float_info.max
"""What a server keeps of an infinity."""
SCALAR = "azureml.v1.scalar"
_INT64 = 2**63
_EXACT = 2**53
"""Whole numbers up to this are doubles."""


@dataclass(frozen=True, slots=True)
class RowsThere:
    """How the rows of one run stand in a target."""

    rule: RowRule = EVERY_ROW
    series: Mapping[SeriesKey, Series] = field(default_factory=dict)
    """The source's key -> the series in the target; one that is not in it stays what it is."""
    unequal: frozenset[SeriesKey] = frozenset()
    """The target's keys of series of which a plan saw that no two rows become equal: nobody looks for such again."""

    @property
    def same(self) -> bool:
        """True where rows are sent as they are."""
        return not self.series

    def of(self, points: Points) -> Points:
        """Rows of one series as the target holds them, without those that it cannot hold; of equal ones the first."""
        series = self.series.get(points.series.key)
        if series is None:
            return points
        distinct = self.rule.repeats or series.key in self.unequal
        if distinct and _is_usual(points):
            return Points(series, points.steps, _floored(points.times, self.rule), points.values)
        held = _held(points, self.rule)
        return Points.of(series, list(held if distinct else _distinct(held, self.rule)))

    def key(self, key: SeriesKey) -> SeriesKey:
        """The key that a series of the source has in the target."""
        return self.series[key].key if key in self.series else key

    def distinct(self, pieces: Iterable[Points]) -> Iterator[Points]:
        """The pieces of one series that `of` gave, of equal rows in any of them the first.

        70 bytes of memory a row where some are equal.
        """
        seen = set[int]()
        for piece in pieces:
            if self.rule.repeats or piece.series.key in self.unequal:
                yield piece
                continue
            rows = [row for row in piece.rows() if not _is_in(seen, row)]
            yield piece if len(rows) == len(piece) else Points.of(piece.series, rows)


EXACT = RowsThere()
"""Rows as they are."""


MARKS_AT_ONCE = 100_000


@dataclass(slots=True)
class Losses:
    """What becomes of the rows of one series in a target that does not keep all of a row."""

    rule: RowRule
    rows: int = 0
    finer: int = 0
    """Times with a part below the target's tick."""
    timeless: int = 0
    """Rows without a time, or with one before 1970."""
    stepless: int = 0
    zeros: int = 0
    infinities: int = 0
    inexact: int = 0
    """Whole numbers that no double is equal to."""
    unheld: int = 0
    """Rows that the target cannot hold at all."""
    _marks: array[int] = field(default_factory=partial(array, "q"))
    _equal: int | None = None
    """How many rows of those so far are equal to others; None until somebody asks."""

    def add(self, points: Points) -> None:
        """Count rows of the series. NOT repeatable."""
        self.rows += len(points)
        self._equal = None
        if _is_usual(points):
            self._add_usual(points)
            return
        for row in points.rows():
            held = row_there(row, self.rule)
            if held is None:
                self.unheld += 1
                continue
            self._count(row)
            if not self.rule.repeats:
                self._marks.append(_mark(held))

    def _add_usual(self, points: Points) -> None:
        """By columns: a plan is made four times of each run that is sent, and this took a quarter of a replay."""
        floored = _floored(points.times, self.rule)
        self.finer += sum(map(ne, points.times, floored))
        if not self.rule.repeats:
            self._marks.extend(map(hash, zip(points.steps, floored, points.values[0], strict=True)))

    def _count(self, row: Row) -> None:
        step, time, (value,) = row
        if time is None or time < 0:
            self.timeless += 1
        elif time % self.rule.tick:
            self.finer += 1
        self.stepless += step is None and not self.rule.stepless
        if isinstance(value, int):
            self.inexact += abs(value) > _EXACT and int(float(value)) != value
        elif isinstance(value, float) and not self.rule.every_double:
            self.zeros += value == 0 and value.hex().startswith("-")
            self.infinities += isinf(value)

    @property
    def held(self) -> int:
        """Rows that the target will have."""
        return self.rows - self.unheld - self.equal

    @property
    def equal(self) -> int:
        """Rows that become equal to others: one of them is left."""
        if self._equal is None:
            self._equal = 0 if self.rule.repeats else len(self._marks) - _different(self._marks)
        return self._equal

    @property
    def exact_elsewhere(self) -> bool:
        """True where the rows are to be kept whole beside: more than parts of a tick is lost, with no row gone."""
        lost = self.timeless, self.stepless, self.zeros, self.infinities, self.inexact, self.unheld, self.equal
        return any(lost)

    def words(self) -> Iterator[tuple[str, str]]:
        """What is lost, and why, each with its count."""
        told = (
            (self.finer, "time", "milliseconds are kept of it"),
            (self.timeless, "row", "without a time since 1970: it gets 1970-01-01"),
            (self.stepless, "row", "without a step: it gets step 0"),
            (self.zeros, "value", "-0.0: 0.0 is kept of it"),
            (self.infinities, "value", "infinite: the largest double is kept of it"),
            (self.inexact, "value", "a whole number beyond 2^53: the nearest double is kept of it"),
            (self.unheld, "row", "no number, or a step beyond 64 bits: it is not there"),
            (self.equal, "row", "equal to another one there: one of them is left"),
        )
        return ((counted(count, what), why) for count, what, why in told if count)


def _different(marks: array[int]) -> int:
    """How many numbers differ, part by part: a set of a million takes 70 MB."""
    parts = len(marks) // MARKS_AT_ONCE + 1
    if parts == 1:
        return len(set(marks))
    return sum(len({mark for mark in marks if mark % parts == part}) for part in range(parts))


def is_scalar(series: Series) -> bool:
    """True for a series that a plain MLflow server holds: one number a row, under no namespace."""
    (*columns,) = series.columns
    one = len(columns) == 1 and columns[0][1] in NUMBERS and columns[0][0] == series.key.name
    return one and series.key.namespace is None and series.ux_type in (None, SCALAR)


def series_there(series: Series, profile: TargetProfile) -> Series:
    """The series as the target shows it; only where it holds no tables."""
    name = fit_name(series.key.name, profile.names)
    return Series(key=SeriesKey(name), columns=((name, "Double"),))


def row_there(row: Row, rule: RowRule) -> Row | None:
    """One row of one number as the target holds it; None where it cannot."""
    step, time, (value,) = row
    number = _number(value, rule)
    if number is None or not -_INT64 <= (step or 0) < _INT64:
        return None
    held = 0 if time is None or time < 0 else time // rule.tick * rule.tick
    return (step if step is not None or rule.stepless else 0), held, (number,)


def _number(value: Value, rule: RowRule) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not rule.every_double:
        if isinf(number):
            return LARGEST if number > 0 else -LARGEST
        return number + 0.0  # -0.0 becomes 0.0, NaN stays
    return number


def _is_usual(points: Points) -> bool:
    """True for rows of which a target keeps all but parts of a tick, and whose tuples have hashes of their own."""
    (values,) = points.values
    return (
        len(values) > 0
        and set(map(type, values)) == {float}
        and set(map(type, points.steps)) == set(map(type, points.times)) == {int}
        and min(points.times) >= 0  # type: ignore[type-var, operator]  # as was just seen
        and min(points.steps) >= 0  # type: ignore[type-var, operator]
        and max(points.steps) < _INT64  # type: ignore[type-var, operator]
        and 0.0 not in values
        and -1.0 not in values
        and all(map(isfinite, values))  # type: ignore[arg-type]
    )


def _floored(times: Sequence[int | None], rule: RowRule) -> list[int]:
    tick = rule.tick
    return [time // tick * tick for time in times if time is not None]


def _mark(row: Row) -> int:
    """Equal for equal rows. A hash of -1 is that of -2, and NaN has many."""
    step, time, (value,) = row
    number = f"{value}" if value == -1 or value != value else value  # noqa: PLR0124 NaN
    return hash((f"{step}" if step == -1 else step, time, number))


def _held(points: Points, rule: RowRule) -> Iterator[Row]:
    return (held for row in points.rows() if (held := row_there(row, rule)) is not None)


def _distinct(rows: Iterable[Row], rule: RowRule) -> Iterator[Row]:
    """Of equal rows the first. Compared whole: what is sent must not hang on digests."""
    if rule.repeats:
        yield from rows
        return
    seen = set[str]()
    for row in rows:
        text = _text(row)
        if text not in seen:
            seen.add(text)
            yield row


def _is_in(seen: set[int], row: Row) -> bool:
    mark = hash(_text(row))
    if mark in seen:
        return True
    seen.add(mark)
    return False


def _text(row: Row) -> str:
    """Equal for equal rows. As a tuple it would not do for a hash: those of -1 and -2 are one."""
    step, time, (value,) = row
    return f"{step} {time} {value.hex()}" if isinstance(value, float) else f"{step} {time} {value}"
