"""Reads confusion matrices, which a run logs as the name of a JSON file, where the archive holds its bytes."""

from __future__ import annotations

from typing import Any

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.places import path_in_link
from azureml_replay.model import RunId, Series, Value

UX_TYPE = "azureml.v1.confusion_matrix"
MOST_CLASSES = 60
"""Classes of the largest matrix shown: a larger one is wider than any screen."""
MOST_BYTES = 500_000

Grid = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
"""The headings, and the rows: the true class, then how often each class was predicted."""


def matrix(archive: Archive, run: RunId, series: Series, value: Value) -> Grid | None:
    """The matrix in the file that the value names; None where it is none, is too large or not in the archive."""
    if series.ux_type != UX_TYPE or len(series.columns) != 1 or not isinstance(value, str):
        return None
    path = path_in_link(value)
    stored = next((one.stored for one in archive.artifacts(run) if one.path == path), None)
    held = archive.held(stored) if stored else None
    if held is None or held.size_bytes > MOST_BYTES:
        return None
    try:
        return _grid(json_text.loads(b"".join(held.pieces())))
    except (ValueError, KeyError, TypeError):
        return None


def _grid(document: Any) -> Grid | None:  # noqa: ANN401  # what a user's program wrote
    data = document["data"]
    rows = [[str(cell) for cell in row] for row in data["matrix"]]
    labels = [str(one) for one in data.get("class_labels") or range(len(rows))]
    if not 0 < len(rows) <= MOST_CLASSES or {len(labels), *map(len, rows)} != {len(rows)}:
        return None
    return ("true \\ predicted", *labels), tuple((label, *row) for label, row in zip(labels, rows, strict=True))
