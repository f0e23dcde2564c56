"""The exported tables: one dataclass each, whose fields are the columns in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import TypeAlias

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.records import dumps
from azureml_replay.instants import Instant
from azureml_replay.model import Json, Run, RunId, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """`runs`: one row a run. Times are the service's own stamps, to the 100-nanosecond tick."""

    run: str
    parent: str | None
    root: str
    experiment: str
    status: str
    type: str | None
    display_name: str | None
    description: str | None
    created: str | None
    start: str | None
    end: str | None
    creator: str | None
    archived: bool
    error: str | None
    """The error as JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRow:
    """`points`: one row a value; a table's row with three columns is three rows with the same `row`."""

    run: str
    metric: str
    namespace: str | None
    row: int
    """The row's number in its metric, from 0, in the service's order."""
    step: int | None
    time: str | None
    column: str
    type: str
    """The column's wire type: `Double`, `Int`, `String`, `Bool`, `Artifact`."""
    value: float | None
    """The value of a number. In JSON lines null where it is not finite: `text` has it."""
    text: str | None
    """The value where `value` cannot hold it exactly: texts, booleans, whole numbers, NaN and the infinities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """`parameters`, `tags` and `properties`: one row a key."""

    run: str
    key: str
    value: str | None
    """The value; a parameter that is no text as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """`files`: one row a file of a run, as the source's index and storage list it."""

    run: str
    path: str
    datastore: str
    location: str
    size_bytes: int | None
    """The size; None where the index lists the file and no bytes were found."""
    md5: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OmissionRow:
    """`omissions`: what the archive itself lacks, with its reason."""

    run: str
    what: str
    reason: str


Row: TypeAlias = RunRow | PointRow | PairRow | FileRow | OmissionRow

TABLES: Mapping[str, type[Row]] = {
    "runs": RunRow,
    "points": PointRow,
    "parameters": PairRow,
    "tags": PairRow,
    "properties": PairRow,
    "files": FileRow,
    "omissions": OmissionRow,
}


def columns(table: type[Row]) -> tuple[str, ...]:
    """A table's columns, in their order."""
    return tuple(field.name for field in fields(table))


def rows_of(archive: Archive, root: RunId, run: Run) -> Iterator[tuple[str, Row]]:
    """Every row of one run, with its table's name. Holds one chunk of points at most. Raises IntegrityError."""
    yield "runs", _run(root, run)
    for table, pairs in (("parameters", run.parameters), ("tags", run.tags), ("properties", run.properties)):
        for key, value in pairs.items():
            yield table, PairRow(run=run.id, key=key, value=_text(value))
    yield from (("points", row) for row in _points(archive, run.id))
    for artifact in archive.artifacts(run.id):
        stored = artifact.stored
        yield (
            "files",
            FileRow(
                run=run.id,
                path=artifact.path,
                datastore=artifact.location.datastore,
                location=artifact.location.path,
                size_bytes=stored.size_bytes if stored else None,
                md5=stored.md5.hex() if stored and stored.md5 else None,
                content_type=stored.content_type if stored else None,
            ),
        )


def _run(root: RunId, run: Run) -> RunRow:
    return RunRow(
        run=run.id,
        parent=run.parent,
        root=root,
        experiment=run.experiment,
        status=run.status,
        type=run.kind,
        display_name=run.display_name,
        description=run.description,
        created=_stamp(run.created),
        start=_stamp(run.start),
        end=_stamp(run.end),
        creator=run.creator,
        archived=run.hidden,
        error=_text(run.error),
    )


def _points(archive: Archive, run: RunId) -> Iterator[PointRow]:
    counted: dict[object, int] = {}
    for _, pieces in archive.chunks(run):
        for piece in pieces:
            key = piece.series.key
            for step, ticks, values in piece.rows():
                number = counted[key] = counted.get(key, -1) + 1
                for (column, kind), value in zip(piece.series.columns, values, strict=True):
                    yield PointRow(
                        run=run,
                        metric=key.name,
                        namespace=key.namespace,
                        row=number,
                        step=step,
                        time=None if ticks is None else str(Instant(ticks)),
                        column=column,
                        type=kind,
                        value=_number(value),
                        text=_exact(value),
                    )


def _number(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _exact(value: Value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) or not isfinite(value) else None


def _text(value: Json) -> str | None:
    return value if value is None or isinstance(value, str) else dumps(value).decode().strip()


def _stamp(moment: Instant | None) -> str | None:
    return None if moment is None else str(moment)
