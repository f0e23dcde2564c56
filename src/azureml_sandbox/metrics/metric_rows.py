"""Metrics as clients send them, checked and brought into the stored form. Pure.

`IMetricV2` of run-history.json; azureml-core sends column types in lower case (`double`), answers were recorded in
Pascal case (`Double`). NaN and infinities travel as strings. The limits are in `protocol/limits.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from azureml_sandbox import instants
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.world import SCALAR, Document, Series

_TYPES = {"int": "Int", "double": "Double", "string": "String", "bool": "Bool", "artifact": "Artifact"}
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_STEP = 1 << 63


def series(metric: Mapping[str, Any], container: str) -> Series:
    """The series of a metric: what its rows have in common. Raises Refused (400) where the service would refuse it."""
    name, columns = metric.get("name"), metric.get("columns")
    if not isinstance(name, str) or not name:
        raise errors.invalid("MetricV2Dto.Name is required.")
    if metric.get("dataContainerId") not in (None, container):
        raise errors.invalid(f"MetricV2Dto.DataContainerId must be {container}.")
    if not isinstance(columns, dict) or not columns:
        raise errors.invalid("MetricV2Dto.Columns is required.")
    _within("MetricV2Dto.Name/Length", len(name), limits.METRIC_NAME)
    _within("MetricV2Dto.Columns/Count", len(columns), limits.METRIC_COLUMNS)
    properties = metric.get("properties") or {"uxMetricType": SCALAR}
    if not isinstance(properties, dict) or not isinstance(metric.get("namespace") or "", str):
        raise errors.invalid("MetricV2Dto.Properties must be an object, MetricV2Dto.Namespace a string.")
    return Series(
        container,
        name,
        metric.get("namespace") or "",
        {column: _type(column, kind) for column, kind in columns.items()},
        # What a client says of dataLocation is not kept: MetricProperties of run-history.json has uxMetricType only.
        {"uxMetricType": properties.get("uxMetricType"), "dataLocation": None},
        metric.get("standardSchemaId"),
    )


def rows(metric: Mapping[str, Any], columns: Mapping[str, str], at: int) -> list[Document]:
    """The rows of a metric as they will be read. Raises Refused (400) where the service would refuse one.

    A row without a time gets tick `at`, a row without an id a new one. A client's time is kept to the tick (assumption:
    recorded times have 3 decimals, and every recorded writer sends no more).
    """
    given = metric.get("value")
    if not isinstance(given, list):
        raise errors.invalid("MetricV2Dto.Value is required.")
    _within("MetricV2Dto.Value/Count", len(given), limits.METRIC_ROWS_IN_REQUEST)
    return [_row(row, columns, at) for row in given]


def _row(row: object, columns: Mapping[str, str], at: int) -> Document:
    if not isinstance(row, dict) or not isinstance(row.get("data"), dict):
        raise errors.invalid("MetricV2Value.Data is required.")
    if row["data"].keys() != columns.keys():
        raise errors.invalid("MetricV2Value.Data must have exactly the columns of the metric.")
    return {
        "metricId": str(row.get("metricId") or uuid4()),
        "createdUtc": _time(row.get("createdUtc"), at),
        "step": _step(row.get("step")),
        "data": {column: _cell(column, columns[column], value) for column, value in row["data"].items()},
    }


def _type(column: str, kind: object) -> str:
    _within("MetricV2Dto.Columns/Name", len(column), limits.METRIC_NAME)
    known = _TYPES.get(str(kind).lower())
    if known is None:
        raise errors.invalid(f"{kind} is not a type of columns: {', '.join(_TYPES.values())}.")
    return known


def _time(given: object, at: int) -> str:
    try:
        return instants.text(at if given is None else instants.parse(str(given)))
    except ValueError as wrong:
        raise errors.invalid(f"MetricV2Value.CreatedUtc: {wrong}") from wrong


def _step(given: object) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not -_STEP <= given < _STEP:
        raise errors.invalid(f"MetricV2Value.Step {given} must be a whole number of 64 bits.")
    return given


def _cell(column: str, kind: str, value: object) -> object:
    if kind == "Double":
        value = _double(value)
    fits = {
        "Double": value is not None,
        "Int": isinstance(value, int) and not isinstance(value, bool),
        "Bool": isinstance(value, bool),
        "String": isinstance(value, str),
        "Artifact": isinstance(value, str),
    }
    if not fits[kind]:
        raise errors.invalid(f"The value of column {column} is no {kind}.")
    if isinstance(value, str) and kind != "Double":
        _within("MetricV2Value.Data/Length", len(value), limits.METRIC_TEXT)
    return value


def _double(value: object) -> float | str | None:
    """A double as the service answers it: `1` becomes 1.0; None for a value that is no double."""
    if isinstance(value, str):
        return value if value in _NOT_FINITE else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _within(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise errors.over_limit(what, limit)
