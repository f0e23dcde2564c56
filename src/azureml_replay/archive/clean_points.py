"""Series and rows without secrets, in names and in texts (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from azureml_replay.model import NUMBERS, Points, Series, SeriesKey, Value
from azureml_replay.redact import Rules

_WITHOUT_TEXT = NUMBERS | {"Bool"}


def clean_series(series: Series, rules: Rules) -> Series:
    """With names, of its columns too, that hold no secret; the same object where none did."""
    namespace = series.key.namespace
    key = SeriesKey(rules.name(series.key.name), namespace and rules.name(namespace))
    columns = tuple((rules.name(name), kind) for name, kind in series.columns)
    return series if (key, columns) == (series.key, series.columns) else replace(series, key=key, columns=columns)


def clean_points(points: Points, rules: Rules) -> Points:
    """Rows of which neither a name nor a text holds a secret; the same object where none did."""
    if rules.version == 1:
        return points  # it looked at no texts of rows
    series = clean_series(points.series, rules)
    kinds = (kind for _, kind in series.columns)
    values = tuple(_cells(column, kind, rules) for column, kind in zip(points.values, kinds, strict=True))
    if series is points.series and all(map(_same, values, points.values)):
        return points
    return Points(series, points.steps, points.times, values)


def _cells(column: Sequence[Value], kind: str, rules: Rules) -> Sequence[Value]:
    """The link to a file, an `Artifact`, goes on to lead to it."""
    if kind in _WITHOUT_TEXT:
        return column
    clean = rules.path if kind == "Artifact" else rules.text
    cells = [clean(cell) if isinstance(cell, str) else cell for cell in column]
    return column if all(map(_same, cells, column)) else cells


def _same(one: object, other: object) -> bool:
    return one is other
