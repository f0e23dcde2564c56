"""What MLflow shows of an archived run, in plain values (pure): it has five states, milliseconds, and no properties."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isnan

from azureml_replay import json_text
from azureml_replay.instants import Instant
from azureml_replay.model import NUMBERS, Json, Points, Run, Series, SeriesKey, Value

TICKS_PER_MS = 10_000
_STATES = {
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "Canceled": "KILLED",
    **dict.fromkeys(("NotStarted", "Queued", "Preparing", "Provisioning", "Starting"), "SCHEDULED"),
}
"""The source's status -> MLflow's; others are RUNNING."""
_EXACT = frozenset({"Completed", "Failed", "Canceled"})
_OWN = ("azureml.", "_azureml.", "mlflow.")
"""Beginnings of the names of properties that are shown as they are: `azureml.` stands before all others."""
_MOST_OF_ERROR = 1_000

Point = tuple[int, int, float]
"""Milliseconds, step, value: MLflow's own order of rows."""


@dataclass(frozen=True, slots=True)
class ShownInput:
    """A named input of a run, as one of MLflow's datasets."""

    name: str
    digest: str
    """Of the asset's id: one digest is one asset."""
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run as it is shown, with the last point of each curve."""

    id: str
    experiment: str
    name: str
    user: str
    status: str
    start_ms: int
    end_ms: int | None
    hidden: bool
    tags: Mapping[str, str]
    params: Mapping[str, str]
    inputs: tuple[ShownInput, ...]
    last: Mapping[str, Point]


def shown_run(run: Run, pieces: Iterable[Points]) -> ShownRun:
    """The run; `pieces` are all its rows. A run that never started began when it was created: MLflow takes no none."""
    return ShownRun(
        id=run.id,
        experiment=run.experiment,
        name=sound(run.display_name or run.id),
        user=sound(run.creator or ""),
        status=_STATES.get(run.status, "RUNNING"),
        start_ms=milliseconds(run.start or run.created or Instant(0)),
        end_ms=milliseconds(run.end) if run.end else None,
        hidden=run.hidden,
        tags={sound(key): sound(value) for key, value in _tags(run)},
        params={sound(key): sound(_text(value)) for key, value in run.parameters.items() if key},
        inputs=tuple(_inputs(run)),
        last=_last_points(pieces),
    )


def sound(text: str) -> str:
    """The text as UTF-8 can hold it: half of a surrogate pair, as services leave when they cut texts, is escaped."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def shown_path(path: str) -> str:
    """The path of a file in folders that can be walked: `a//b` and `a/./b` would lie in a folder within itself."""
    return "/".join("_.." if part == ".." else part for part in sound(path).split("/") if part not in ("", "."))


def milliseconds(moment: Instant) -> int:
    """Since the epoch; what is less than one is cut."""
    return moment.ticks // TICKS_PER_MS


def _tags(run: Run) -> Iterator[tuple[str, str]]:
    """What MLflow has no field for becomes tags; the run's own come last, and win."""
    for key, value in run.properties.items():
        yield key if key.startswith(_OWN) else f"azureml.{key}", value or ""
    yield "mlflow.runName", run.display_name or run.id
    for key, told in (
        ("mlflow.user", run.creator),
        ("mlflow.note.content", run.description),
        ("azureml.runType", run.kind),
        ("azureml_replay.status", "" if run.status in _EXACT else run.status),
        ("azureml_replay.error", _text(run.error)[:_MOST_OF_ERROR] if run.error else None),
    ):
        if told:
            yield key, told
    yield from ((key, value or "") for key, value in run.tags.items() if key)
    if run.parent:
        yield "mlflow.parentRunId", run.parent


def _inputs(run: Run) -> Iterator[ShownInput]:
    for name, asset in run.inputs.items():
        digest = hashlib.blake2b(asset.asset_id.encode(errors="surrogatepass"), digest_size=4).hexdigest()
        yield ShownInput(sound(name), digest, sound(asset.type or ""), sound(asset.asset_id))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json_text.dumps(value).decode()


def curves_of(series: Series) -> Sequence[tuple[str, int]]:
    """The names under which a series is drawn, and the column of each: one for each column of numbers."""
    return _curves(series.key, series.columns)


@lru_cache(maxsize=1_000)  # runs of one kind log the same names
def _curves(key: SeriesKey, columns: tuple[tuple[str, str], ...]) -> Sequence[tuple[str, int]]:
    base = sound(f"{key.namespace}/{key.name}" if key.namespace else key.name)
    if len(columns) == 1:
        return [(base, 0)] if base and columns[0][1] in NUMBERS else []
    return [(f"{base}/{sound(name)}", at) for at, (name, kind) in enumerate(columns) if kind in NUMBERS]


def history(pieces: Iterable[Points], curve: str) -> list[Point]:
    """Every point of a curve, by time, step and value. A missing step is 0, as with MLflow's own clients."""
    found = [
        point
        for piece in pieces
        for name, column in curves_of(piece.series)
        if name == curve
        for point in _points(piece, column)
    ]
    return sorted(found, key=lambda point: (point[0], point[1], isnan(point[2]), point[2]))


def _points(piece: Points, column: int) -> Iterator[Point]:
    points = (_point(piece, column, at) for at in range(len(piece)))
    return (point for point in points if point is not None)


def _point(piece: Points, column: int, at: int) -> Point | None:
    number = _number(piece.values[column][at])
    return None if number is None else ((piece.times[at] or 0) // TICKS_PER_MS, piece.steps[at] or 0, number)


def _number(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _last_points(pieces: Iterable[Points]) -> dict[str, Point]:
    """The point of each curve that MLflow calls its latest: of the highest step, then time, then value."""
    last: dict[str, Point] = {}
    for piece in pieces:
        at = _last_row(piece)
        for name, column in curves_of(piece.series):
            best = None if at is None else _point(piece, column, at)
            best = best or max(_points(piece, column), key=_rank, default=None)
            if best is not None:
                last[name] = max(best, last[name], key=_rank) if name in last else best
    return last


def _rank(point: Point) -> tuple[int, int, bool, float]:
    ms, step, value = point
    return step, ms, not isnan(value), value


def _last_row(piece: Points) -> int | None:
    """The row of the highest step, where that is quickly told: of curves that were logged in order, the last one."""
    steps: Sequence[int | None] = piece.steps
    if not steps or not isinstance(steps, array):
        return None
    at, top = len(steps) - 1, max(steps)
    return at if steps[at] == top and steps.index(top) == at else None
