"""Files of ours with the rows of metrics that a target does not hold, or not whole; written as they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.chunk_reader import OpenChunks
from azureml_replay.model import Json, Location, Points, Row, Series, SeriesKey, StoredFile
from azureml_replay.planning.files import PlannedFile
from azureml_replay.planning.made_files import ROWS_FILE
from azureml_replay.planning.plan import Step
from azureml_replay.workspace.put_files import HeldFile


def rows_file(archive: Archive, step: Step, planned: PlannedFile) -> HeldFile:
    """The file, written twice: for its size and MD5, and to be sent. A few chunks are in memory."""
    keys = step.rows.exact
    if planned.made != ROWS_FILE:
        keys = tuple(key for key, path in step.rows.tables.items() if path == planned.made)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    for text in _written(archive, step, keys):
        digest.update(text)
        size += len(text)
    stored = StoredFile(
        location=Location("", planned.path), size_bytes=size, md5=digest.digest(), content_type="application/json"
    )
    return HeldFile(path=planned.path, stored=stored, pieces=partial(_pieces, archive, step, keys))


def series_as_json(series: Series) -> dict[str, Json]:
    """What a series is called, its columns, and how Studio draws it."""
    drawn = {"ux_type": series.ux_type, "schema_id": series.schema_id}
    return {
        "name": series.key.name,
        "namespace": series.key.namespace,
        "columns": [list(column) for column in series.columns],
        **{key: value for key, value in drawn.items() if value is not None},
    }


def row_as_json(row: Row) -> Json:
    """Step, ticks and cells, floats as text, so that NaN, infinities and every bit survive."""
    step, ticks, values = row
    return [step, ticks, [repr(value) if isinstance(value, float) else value for value in values]]


def _pieces(archive: Archive, step: Step, keys: Sequence[SeriesKey], size: int) -> Iterator[bytes]:
    waiting = b""
    for text in _written(archive, step, keys):
        waiting += text
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


def _written(archive: Archive, step: Step, keys: Sequence[SeriesKey]) -> Iterator[bytes]:
    """A list of series, each row on a line of its own."""
    chunks = OpenChunks(archive, step.contents, archive.chunk_numbers(step.contents))
    before = b"["
    for key in keys:
        yield before
        yield from _series(chunks.points(key))
        before = b",\n"
    yield b"]\n"


def _series(pieces: Iterable[Points]) -> Iterator[bytes]:
    before = b""
    for points in pieces:
        if not before:
            yield json_text.dumps(series_as_json(points.series))[:-1] + b',"rows":[\n'
        for row in points.rows():
            yield before + json_text.dumps(row_as_json(row))
            before = b",\n"
        before = before or b"\n"
    yield b"\n]}" if before else b"{}"
