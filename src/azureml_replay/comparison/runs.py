"""What is missing, and what differs. Pure; `missing_points.py` counts in the same way while a target answers.

Two rows are one when step, time and bits are equal (FIDELITY, Metrics); ids that the service makes are not looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple, TypeAlias

from azureml_replay import redact
from azureml_replay.comparison.error_parts import beside_error, error_part
from azureml_replay.model import Experiment, Finding, Row, Run, RunId, Series, StoredFile, Value

Identity: TypeAlias = "tuple[int | None, int | None, tuple[str, ...]]"
Pair: TypeAlias = "tuple[Row | None, Row | None]"
"""Expected and actual."""
TEXT_LENGTH = 120
"""Characters of a value that a finding shows."""
NAMED_ROWS = 5
"""Differing rows of a series that are named; the others are counted."""


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


def missing(expected: Iterable[Row], actual: Iterable[Row], types: Sequence[str] = ()) -> list[Row]:
    """The rows of `expected` that `actual` lacks, as often as it lacks them, in their order.

    Memory grows with `expected` alone: `actual` may be the whole series that a chunk was sent into.
    """
    rows = [(row, identity(row, types)) for row in expected]
    left = Counter(key for _, key in rows)
    for row in actual:
        key = identity(row, types)
        if left.get(key):
            left[key] -= 1
    lacking = []
    for row, key in reversed(rows):  # of equal rows the first ones arrived
        if left[key]:
            left[key] -= 1
            lacking.append(row)
    return lacking[::-1]


class Field(NamedTuple):
    """One thing that a run carries from workspace to workspace."""

    name: str
    """As a finding shows it; of a mapping, what its entries are called."""
    of: Callable[[Run], object]
    """The value, or a mapping that is compared key by key."""
    by_key: bool = False
    more: bool = False
    """Of a mapping: what a service says beyond what it was told is no difference."""


CARRIED = (
    Field("parent", lambda run: run.parent),
    Field("experiment", lambda run: run.experiment),
    Field("status", lambda run: run.status),
    Field("start", lambda run: run.start),
    Field("end", lambda run: run.end),
    Field("display name", lambda run: run.display_name),
    Field("description", lambda run: run.description),
    Field("tag", lambda run: run.tags, by_key=True),
    Field("property", lambda run: run.properties, by_key=True),
    Field("parameter", lambda run: run.parameters, by_key=True),
    Field("input", lambda run: run.inputs, by_key=True),
    Field("output", lambda run: run.outputs, by_key=True),
    Field("input datasets", lambda run: run.input_datasets or None),
    Field("output datasets", lambda run: run.output_datasets or None),
    Field("hidden", lambda run: run.hidden),
    Field("container", lambda run: None if run.own_container else run.container),
    Field("error code", error_part("code")),
    Field("error message", error_part("message")),
    Field("error", beside_error, by_key=True, more=True),
)
"""Every field of `Run` up to `error_origin`; a test holds this table against the dataclass."""


def compare_runs(
    expected: Run, actual: Run, ignored: Collection[str] = (), fields: Sequence[Field] = CARRIED
) -> Iterator[Finding]:
    """What differs between a run as it should be in the target and as it is there.

    `ignored` are keys of tags, properties and parameters that only `actual` may have: lineage, and what services add.
    """
    for field in fields:
        wanted, found = field.of(expected), field.of(actual)
        if field.by_key:
            there = _mapping(found)
            allowed = there.keys() if field.more else ignored
            yield from _by_key(expected.id, field.name, _mapping(wanted), there, allowed)
        elif not _same(wanted, found):
            yield _finding(expected.id, field.name, wanted, found)


def _by_key(
    run: RunId, what: str, expected: Mapping[str, object], actual: Mapping[str, object], ignored: Collection[str]
) -> Iterator[Finding]:
    for key, wanted in expected.items():
        if key not in actual:
            yield Finding(run, shown(f"{what} {key}"), "absent", shown(wanted, key), "")
        elif not _same(wanted, actual[key]):
            yield Finding(run, shown(f"{what} {key}"), "differs", shown(wanted, key), shown(actual[key], key))
    for key, found in actual.items():
        if key not in expected and key not in ignored:
            yield Finding(run, shown(f"{what} {key}"), "extra", "", shown(found, key))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _same(a: object, b: object) -> bool:
    """Equal as JSON: 1 is 1.0, but true is not 1."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _finding(run: RunId, what: str, expected: object, actual: object) -> Finding:
    kind = "absent" if actual is None else "extra" if expected is None else "differs"
    return Finding(run, what, kind, shown(expected), shown(actual))


def shown(value: object, key: str = "") -> str:
    """As a finding shows it: short and without secrets; nothing is empty, so that an empty text can be told from it."""
    if value is None:
        return ""
    whole = redact.STARS if redact.names_secret(key) else redact.text(repr(value) if value == "" else str(value))
    return whole if len(whole) <= TEXT_LENGTH else f"{whole[: TEXT_LENGTH - 1]}…"


def compare_experiments(expected: Experiment, actual: Experiment) -> Iterator[Finding]:
    """What differs between an experiment of the source and the target's of the same name. Belongs to no run."""
    none, what = RunId(""), f"experiment {expected.name}"
    if (expected.description or None) != (actual.description or None):
        yield _finding(none, shown(f"{what}: description"), expected.description, actual.description)
    archived = ["archived" if one.archived else "active" for one in (expected, actual)]
    if archived[0] != archived[1]:
        yield Finding(none, shown(f"{what}: state"), "differs", *archived)
    yield from _by_key(none, f"{what}: tag", expected.tags, actual.tags, ())


def compare_series(run: RunId, expected: Series, actual: Series) -> Iterator[Finding]:
    """Columns, their types, how Studio draws them, and which standard schema they follow."""
    if expected.columns != actual.columns:
        columns = (", ".join(f"{name} {kind}" for name, kind in one.columns) for one in (expected, actual))
        yield _finding(run, f"columns of metric {_name(expected)}", *columns)
    if expected.ux_type and expected.ux_type != actual.ux_type:  # where the source has none, a service chooses one
        yield _finding(run, f"type of metric {_name(expected)}", expected.ux_type, actual.ux_type)
    if expected.schema_id != actual.schema_id:
        yield _finding(run, f"schema of metric {_name(expected)}", expected.schema_id, actual.schema_id)


def compare_points(
    expected: Iterable[Row], actual: Iterable[Row], series: Series, *, run: RunId, named: int = NAMED_ROWS
) -> Iterator[Finding]:
    """The first differing rows by step, and how many more there are."""
    return row_findings(differing_rows(expected, actual, series), series, run=run, named=named)


def differing_rows(expected: Iterable[Row], actual: Iterable[Row], series: Series) -> list[Pair]:
    """What differs, by step: expected and actual of one moment, or one of them None.

    Memory grows with what differs and with how far equal rows lie apart, not with the length of the series.
    """
    absent, extra = _difference(expected, actual, [kind for _, kind in series.columns])
    return sorted(_paired(absent, extra), key=lambda pair: _place(pair[0] or pair[1]))


def row_findings(found: Sequence[Pair], series: Series, *, run: RunId, named: int = NAMED_ROWS) -> Iterator[Finding]:
    """The first of `differing_rows`, and how many more there are."""
    for wanted, there in found[:named]:
        step, time, _ = wanted or there  # type: ignore[misc]  # one of the two is a row
        where = f"step {step}" if step is not None else f"at tick {time}"
        yield _finding(run, f"metric {_name(series)} {where}", _row_text(wanted), _row_text(there))
    if len(found) > named:
        rest = found[named:]
        lacking, more = sum(b is None for _, b in rest), sum(a is None for a, _ in rest)
        what = f"metric {_name(series)}: {len(rest)} more rows"
        yield Finding(run, what, "differs", f"{lacking} of them absent", f"{more} of them extra")


def _difference(expected: Iterable[Row], actual: Iterable[Row], types: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """What either side has more, each in its order. Walks both at once, so that equal rows cancel early."""
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
    """Rows of one step and time are one row that differs, else rows of one step; the others stand alone."""
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
    """By step, rows without one last; then by time."""
    step, time, _ = row or (None, None, ())
    return step is None, step or 0, time or 0


def _row_text(row: Row | None) -> str | None:
    if row is None:
        return None
    step, time, values = row
    shown = ", ".join(str(value) for value in values)
    return f"{shown} at tick {time}" if step is not None else shown


def _name(series: Series) -> str:
    name, namespace = series.key.name, series.key.namespace
    return shown(f"{namespace}/{name}" if namespace else name)


def compare_files(
    run: RunId, expected: Iterable[tuple[str, StoredFile]], actual: Mapping[str, StoredFile]
) -> tuple[list[Finding], int]:
    """What differs, by path, and how many files of equal size could not be compared: no MD5 on one side."""
    findings: list[Finding] = []
    unverifiable, seen = 0, set()
    for path, wanted in expected:
        seen.add(path)
        there = actual.get(path)
        if there is None:
            findings.append(Finding(run, shown(f"file {path}"), "absent", f"{wanted.size_bytes} bytes", ""))
        elif not alike(wanted, there):
            findings.append(Finding(run, shown(f"file {path}"), "differs", _file_text(wanted), _file_text(there)))
        elif wanted.md5 is None or there.md5 is None:
            unverifiable += 1
    more = sorted(actual.keys() - seen)
    findings += [Finding(run, shown(f"file {path}"), "extra", "", f"{actual[path].size_bytes} bytes") for path in more]
    return findings, unverifiable


def alike(wanted: StoredFile, there: StoredFile) -> bool:
    """Equal as far as both are known: a file without MD5 is compared by size."""
    md5s = {wanted.md5, there.md5} - {None}
    return wanted.size_bytes == there.size_bytes and len(md5s) < 2


def _file_text(file: StoredFile) -> str:
    return f"{file.size_bytes} bytes, MD5 {file.md5.hex() if file.md5 else 'unknown'}"
