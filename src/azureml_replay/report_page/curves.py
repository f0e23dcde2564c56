"""Shows one run's metrics as curves, single values and tables."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.comparison.excerpt import as_number
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import NUMBERS, Differing, Points, RunId, Series, Value
from azureml_replay.report_page.blocks import Numbers
from azureml_replay.report_page.facts import Curve, Line, Single, Table
from azureml_replay.report_page.images import images
from azureml_replay.report_page.matrices import matrix

TABLE_ROWS = 200
BUCKETS_EQUAL, BUCKETS_DIFFERING = 100, 300
"""Buckets of the x axis of a curve that differs, which may be looked at closely."""
NO_STEP = -(2**63)
TICKS_PER_MS = TICKS_PER_SECOND // 1_000


@dataclass(slots=True)
class Gathered:
    """The rows of one series, in 24 bytes each; of a table only the first ones."""

    series: Series
    steps: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    cells: list[tuple[Value, ...]] = field(default_factory=list)
    rows: int = 0

    def add(self, points: Points) -> None:
        """Add the next rows. NOT repeatable: appends."""
        self.rows += len(points)
        wanted = 1 if is_curve(self.series) else TABLE_ROWS
        if len(self.cells) < wanted:
            self.cells += [row[2] for row in points.slice(0, wanted - len(self.cells)).rows()]
        if is_curve(self.series):
            self.steps.extend(_whole(points.steps))
            self.times.extend(_whole(points.times))
            self.values.extend(_real(points.values[0]))


def _whole(column: Sequence[int | None]) -> array[int]:
    """The column as whole numbers; copied at once where none is None, six times as fast as looking at each."""
    try:
        return array("q", column)  # type: ignore[arg-type]  # None is what the handler is for
    except TypeError:
        return array("q", (NO_STEP if number is None else number for number in column))


def _real(column: Sequence[Value]) -> array[float]:
    try:
        return array("d", column)  # type: ignore[arg-type]  # as above
    except (TypeError, OverflowError):
        return array("d", map(as_number, column))


@dataclass(slots=True)
class ShownMetrics:
    """The metrics of a run as the page shows them."""

    curves: list[Curve] = field(default_factory=list)
    singles: list[Single] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def is_curve(series: Series) -> bool:
    """True for a series with one column, of numbers."""
    return len(series.columns) == 1 and series.columns[0][1] in NUMBERS


def metrics_of(archive: Archive, run: RunId, state: MetricFindings, numbers: Numbers) -> ShownMetrics:
    """The metrics of a run, whose points are read once. Raises IntegrityError."""
    gathered = {number: Gathered(series) for number, (series, _) in enumerate(archive.series(run))}
    by_series = {id(one.series): one for one in gathered.values()}
    by_shape = {(one.series.key, one.series.columns): one for one in gathered.values()}
    for _, pieces in archive.chunks(run):
        for piece in pieces:
            (by_series.get(id(piece.series)) or by_shape[piece.series.key, piece.series.columns]).add(piece)
    found = ShownMetrics()
    for one in gathered.values():
        if not one.rows:
            continue
        if not is_curve(one.series):
            found.tables.append(_table(archive, run, one, state))
        elif one.rows == 1:
            found.singles.append(_single(one, state))
        else:
            found.curves.append(_curve(one, state, numbers))
    found.curves.sort(key=lambda curve: curve.state not in ("differs", "lost"))
    return found


@dataclass(frozen=True, slots=True)
class MetricFindings:
    """The findings of verify about one run's metrics."""

    verified: bool
    kept: Sequence[Differing] = ()
    named: tuple[str, ...] = ()
    """The `what` of findings of metrics, and of one of the whole run."""

    def of(self, series: Series) -> str:
        """The state of a series: `equal`, `differs`, `lost` or `unverified`."""
        if not self.verified:
            return "unverified"
        if self.rows(series) is not None:
            return "differs"
        return "lost" if self._is_named(series) else "equal"

    def rows(self, series: Series) -> Differing | None:
        """The target's rows of a series that differs, where they were kept."""
        return next((one for one in self.kept if one.series.key == series.key), None)

    def _is_named(self, series: Series) -> bool:
        name = name_of(series)
        return any(what in (f"metric {name}", "run") or what.startswith(_beginnings(name)) for what in self.named)


def _beginnings(name: str) -> tuple[str, ...]:
    return f"metric {name} step ", f"metric {name} at tick ", f"metric {name}: "


def name_of(series: Series) -> str:
    """The name of a series as findings write it."""
    name, namespace = series.key.name, series.key.namespace
    return f"{namespace}/{name}" if namespace else name


def _curve(one: Gathered, state: MetricFindings, numbers: Numbers) -> Curve:
    differing = state.rows(one.series)
    axis = Axis.of(one.steps, one.times)
    buckets = BUCKETS_DIFFERING if differing else BUCKETS_EQUAL
    places = axis.places(one.steps, one.times)
    common = {
        "name": name_of(one.series),
        "axis": axis.kind,
        "zero": axis.zero / TICKS_PER_SECOND if axis.kind == "time" else None,
        "state": state.of(one.series),
        "source": numbers.line(places, one.values, buckets),
        "last": shown(one.values[-1]),
        "low": shown(min(one.values, key=_above)),
        "high": shown(max(one.values, key=_below)),
    }
    if differing is None:
        return Curve(**common)  # type: ignore[arg-type]  # the fields above
    held, pairs = differing.held, differing.expected
    return Curve(
        **common,  # type: ignore[arg-type]
        target=numbers.line(axis.places(*_columns(held)), _numbers(held), BUCKETS_DIFFERING) if len(held) else None,
        difference=_difference(axis, differing, places, numbers) if len(pairs) and axis.kind != "row" else None,
        differing=differing.differing,
        target_rows=differing.rows,
        first=_first(differing),
    )


def _difference(axis: Axis, differing: Differing, places: Sequence[int], numbers: Numbers) -> Line:
    """The line of target minus source where they differ, 0 elsewhere, without the pairs that were thinned out."""
    wanted, there = _numbers(differing.expected), _numbers(differing.actual)
    at = axis.places(*_columns(differing.expected))
    known = dict(zip(at, (b - a for a, b in zip(wanted, there, strict=True)), strict=True))
    whole = len(differing.expected) + len(differing.absent) + len(differing.extra) == differing.differing
    first, last = min(at), max(at)
    same = [x for x in places if x not in known and (whole or not first <= x <= last)]
    return numbers.line([*known, *same], [*known.values(), *(0.0 for _ in same)], BUCKETS_DIFFERING)


@dataclass(frozen=True, slots=True)
class Axis:
    """The x axis of a curve: steps where every row has one, else time, else row numbers."""

    kind: str
    zero: int

    @classmethod
    def of(cls, steps: Sequence[int], times: Sequence[int]) -> Axis:
        """The axis for the source's rows."""
        if NO_STEP not in steps:
            return cls("step", 0)
        return cls("row", 0) if NO_STEP in times else cls("time", min(times))

    def places(self, steps: Sequence[int], times: Sequence[int]) -> list[int]:
        """The places of rows on the axis: steps, milliseconds since `zero`, or row numbers."""
        if self.kind == "step":
            return [0 if step == NO_STEP else step for step in steps]
        if self.kind == "time":
            return [0 if time == NO_STEP else (time - self.zero) // TICKS_PER_MS for time in times]
        return list(range(len(times)))


def _columns(points: Points) -> tuple[list[int], list[int]]:
    steps = [NO_STEP if step is None else step for step in points.steps]
    return steps, [NO_STEP if time is None else time for time in points.times]


def _numbers(points: Points) -> list[float]:
    return [as_number(value) for value in points.values[0]]


def _first(differing: Differing) -> tuple[str, str, str]:
    """The first differing row: where, expected, actual."""
    found: list[tuple[bool, int, int, str, str]] = []
    for wanted, there in (
        (differing.expected, differing.actual),
        (differing.absent, None),
        (None, differing.extra),
    ):
        points = wanted if wanted is not None else there
        if points is None or not len(points):
            continue
        step, time = points.steps[0], points.times[0]
        texts = [_row_text(side) if side is not None else "" for side in (wanted, there)]
        found.append((step is None, step or 0, time or 0, *texts))  # type: ignore[arg-type]  # two texts
    without, step, time, expected, actual = min(found)
    return (str(Instant(time)) if without else f"step {step}"), expected, actual


def _row_text(points: Points) -> str:
    return ", ".join(shown(column[0]) for column in points.values)


def _single(one: Gathered, state: MetricFindings) -> Single:
    step = one.steps[0]
    differing = state.rows(one.series)
    held = differing.held if differing else None
    there = _row_text(held) if held is not None and len(held) else ""
    where = f"step {step}" if step != NO_STEP else ""
    return Single(
        name=name_of(one.series), where=where, value=shown(one.cells[0][0]), state=state.of(one.series), target=there
    )


def _table(archive: Archive, run: RunId, one: Gathered, state: MetricFindings) -> Table:
    files = [at for at, (_, kind) in enumerate(one.series.columns) if kind == "Artifact"]
    names = tuple(name for name, _ in one.series.columns)
    columns, rows = (one.rows == 1 and matrix(archive, run, one.series, one.cells[0][0])) or (
        names,
        tuple(tuple(map(shown, row)) for row in one.cells),
    )
    return Table(
        name=name_of(one.series),
        kind=one.series.ux_type or "",
        columns=columns,
        rows=rows,
        of=one.rows,
        state=state.of(one.series),
        images=tuple(images(archive, run, (row[at] for row in one.cells for at in files))),
    )


def shown(value: Value) -> str:
    """A cell as text, to the last bit."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return repr(value).replace("nan", "NaN").replace("inf", "Infinity")
    return str(value)


def _above(value: float) -> float:
    return value if value == value else float("inf")  # noqa: PLR0124  # NaN is not itself


def _below(value: float) -> float:
    return value if value == value else float("-inf")  # noqa: PLR0124
