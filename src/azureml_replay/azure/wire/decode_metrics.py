"""Wire -> model for metrics: swagger `run-history.json` and rh-metrics-lastvalues.json (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from azureml_replay import json_text
from azureml_replay.azure.wire.decode import Problem, problem_of
from azureml_replay.azure.wire.known import (
    KNOWN_DEFINITION,
    KNOWN_METRIC,
    KNOWN_METRIC_KEY,
    KNOWN_METRIC_PROPERTIES,
    KNOWN_METRIC_ROW,
)
from azureml_replay.instants import ticks_of
from azureml_replay.model import Json, Points, Row, Series, SeriesKey, Value
from azureml_replay.workspace.reader import NOT_SET, UNREADABLE, Document, beyond, readable, unicode_text, unknown

NUMBERS_AS_TEXT = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""Texts for numbers that JSON lacks (clients.md 4.1)."""


@readable
def definition(document: Document) -> Series:
    """One entry of `list`: a series without its rows; it has no `standardSchemaId`."""
    key = document["metricKey"]
    return Series(
        key=_key(key),
        columns=tuple((document.get("columns") or {}).items()),
        ux_type=(document.get("properties") or {}).get("uxMetricType"),
        more={**beyond(key, READ_OF_KEY), **_beyond_series(document, KNOWN_DEFINITION)},
        unknown=(*unknown(key, KNOWN_METRIC_KEY, "metricKey "), *_unknown_of_series(document, KNOWN_DEFINITION)),
    )


def _key(document: Document) -> SeriesKey:
    space = document.get("namespace")
    return SeriesKey(unicode_text(document["name"]), None if space is None else unicode_text(space))


READ_OF_KEY = KNOWN_METRIC_KEY - {"labels"}
READ_OF_PROPERTIES = KNOWN_METRIC_PROPERTIES - {"dataLocation"}


def _beyond_series(document: Document, read: frozenset[str]) -> dict[str, Json]:
    return {**beyond(document, read), **beyond(document.get("properties") or {}, READ_OF_PROPERTIES)}


def _unknown_of_series(document: Document, known: frozenset[str]) -> tuple[str, ...]:
    properties = document.get("properties") or {}
    return (*unknown(document, known), *unknown(properties, KNOWN_METRIC_PROPERTIES, "properties "))


def joined(before: Series, after: Series) -> Series:
    """The series of the later answer, with the other keys and unknown keys of the earlier one added."""
    if not before.more and not before.unknown:
        return after
    new = tuple(sorted({*before.unknown, *after.unknown}))
    return replace(after, more={**before.more, **after.more}, unknown=new)


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Rows of one answer of `full`, with the series as that answer describes it."""

    series: Series
    rows: Sequence[Row]
    token: str | None


@readable
def rows(document: Document) -> RowsPage:
    """The rows of a MetricV2, columns in the wire's order. A row of an unforeseen form is kept whole beside them."""
    columns = tuple((document.get("columns") or {}).items())
    readers = [(name, _reader(kind)) for name, kind in columns]
    found: list[Row] = []
    unreadable: dict[str, Json] = {}
    for item in document.get("value") or ():
        try:
            found.append(_row(item, readers))
        except UNREADABLE:
            unreadable[_named(item)] = item
    series = Series(
        key=_key(document),
        columns=columns,
        ux_type=(document.get("properties") or {}).get("uxMetricType"),
        schema_id=document.get("standardSchemaId"),
        more={**_beyond_series(document, KNOWN_METRIC), **unreadable},
        unknown=(*_unknown_of_series(document, KNOWN_METRIC), *_unknown_of_rows(document, unreadable.values())),
    )
    return RowsPage(series, found, document.get("continuationToken"))


def _named(item: object) -> str:
    """A key for a row that cannot be read: its id, so that no two have one key; without an id the whole row."""
    told = item.get("metricId") if isinstance(item, Mapping) else None
    return f"unreadable row {told or json_text.spaced(item)}"


def _unknown_of_rows(document: Document, unreadable: Collection[Json]) -> list[str]:
    """Unknown keys of rows, and cells under names that are no columns."""
    columns = (document.get("columns") or {}).keys()
    new: set[str] = set()
    for item in document.get("value") or ():
        if unreadable and item in unreadable:
            continue
        if item.keys() - KNOWN_METRIC_ROW:
            new.update(unknown(item, KNOWN_METRIC_ROW, "row "))
        data = item.get("data") or {}
        if data.keys() - columns:
            new.update(f"cell {name}" for name in data.keys() - columns)
    return sorted(new)


def merged(series: Series, parts: Sequence[Sequence[Row]]) -> Points:
    """The rows of several answers as one chunk."""
    return Points.of(series, [row for part in parts for row in part])


@readable
def batch_errors(document: Document | None) -> Sequence[tuple[SeriesKey, str | None, Problem]]:
    """The refusals of a `batch`: the series, the id of its first row where it is given, and why."""
    return [_refused(item) for item in (document or {}).get("errors") or ()]


def _refused(item: Document) -> tuple[SeriesKey, str | None, Problem]:
    metric = item.get("metric") or {}
    sent = metric.get("value") or [{}]
    key = SeriesKey(metric.get("name") or "", metric.get("namespace"))
    return key, sent[0].get("metricId"), problem_of(item.get("errorResponse") or {})


def _row(item: Document, readers: Sequence[tuple[str, Callable[[object], Value]]]) -> Row:
    data: Mapping[str, object] = item.get("data") or {}
    time, step = item.get("createdUtc"), item.get("step")
    if step is not None and type(step) is not int:
        raise TypeError(f"not a step: {step!r}")
    cells = [read(data.get(name)) for name, read in readers]
    ticks = None if time is None or time.startswith(NOT_SET) else ticks_of(time)
    return step, ticks, tuple(cells)


def _reader(kind: str) -> Callable[[object], Value]:
    return _double if kind == "Double" else _plain


def _double(value: object) -> Value:
    """A float, also where the wire says 1 or "NaN"; `-0` arrives as an integer and keeps no sign."""
    if type(value) is float:  # nearly all are, of a million rows
        return value
    if isinstance(value, str) and value in NUMBERS_AS_TEXT:
        return NUMBERS_AS_TEXT[value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else _plain(value)


def _plain(value: object) -> Value:
    """A cell as it is; for a list or an object, which the swagger does not exclude, its JSON text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json_text.dumps(value).decode()
