"""Wire -> model, as servers from MLflow 2.9 to 3.17 answer (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from azureml_replay import json_text
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import (
    UNREADABLE,
    Experiment,
    Json,
    Points,
    Reference,
    Row,
    Run,
    RunId,
    Series,
    SeriesKey,
)
from azureml_replay.workspace.reader import (
    Document,
    Reader,
    beyond,
    readable,
    text_of_page,
    unicode_text,
    unknown,
    words,
)

TICKS_PER_MS = TICKS_PER_SECOND // 1_000
SCALAR = "azureml.v1.scalar"
"""How a metric of one number is drawn, in the archive's word for it."""
STATUSES = {
    "RUNNING": "Running",
    "SCHEDULED": "NotStarted",
    "FINISHED": "Completed",
    "FAILED": "Failed",
    "KILLED": "Canceled",
}
"""All that MLflow knows -> the archive's words."""
NAME_TAG, PARENT_TAG, NOTE_TAG = "mlflow.runName", "mlflow.parentRunId", "mlflow.note.content"
_REFERENCES = (PARENT_TAG, "mlflow.rootRunId")
DELETED = "deleted"
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 to 9999; servers take any number of 64 bits."""
_KNOWN_EXPERIMENT = frozenset(
    {
        *("experiment_id", "name", "artifact_location", "lifecycle_stage", "last_update_time", "creation_time"),
        *("tags", "workspace"),
    }
)
_KNOWN_RUN = frozenset({"info", "data", "inputs", "outputs"})
_KNOWN_INFO = frozenset(
    {
        *("run_id", "run_uuid", "run_name", "experiment_id", "user_id", "status", "start_time", "end_time"),
        *("artifact_uri", "lifecycle_stage"),
    }
)
_KNOWN_DATA = frozenset({"metrics", "params", "tags"})
_READ_OF_METRIC = frozenset({"key", "value", "timestamp", "step", "run_id"})


@dataclass(frozen=True, slots=True)
class ServerProblem:
    """Why a server refused."""

    code: str
    """`RESOURCE_DOES_NOT_EXIST`, `INVALID_PARAMETER_VALUE`, …; empty where it is no answer of MLflow's."""
    message: str
    lasting: bool = False
    """No code of MLflow's says so: what is wrong for good is answered by 400."""


def problem(body: bytes) -> ServerProblem:
    """The problem in any error body: MLflow's own, or the page of what stands before it."""
    try:
        document = json_text.loads_cut(body)
    except ValueError:
        return ServerProblem("", text_of_page(body))
    if not isinstance(document, Mapping):
        return ServerProblem("", "")
    return ServerProblem(str(document.get("error_code") or ""), str(document.get("message") or ""))


@readable
def experiments(document: Document | None) -> tuple[Sequence[Experiment], str | None]:
    """A page of `experiments/search`, and the next page's token."""
    return [experiment_of(one) for one in _listed(document, "experiments")], _token(document)


@readable
def experiment(document: Document) -> Experiment:
    """An answer of `experiments/get-by-name`."""
    return experiment_of(document["experiment"])


def experiment_of(document: Document) -> Experiment:
    """An experiment. One that was deleted is an archived one, since it was written last."""
    read = Reader(document)
    tags: dict[str, str | None] = read("tags", _pairs, {})
    deleted = document.get("lifecycle_stage") == DELETED
    changed = read("last_update_time", _moment, None) or read("creation_time", _moment, None) or Instant(0)
    return Experiment(
        id=unicode_text(document["experiment_id"]),
        name=unicode_text(document["name"]),
        description=tags.get(NOTE_TAG),
        tags={key: value for key, value in tags.items() if key != NOTE_TAG},
        archived=changed if deleted else None,
        document={**document, "tags": tags},
        unknown=(*unknown(document, _KNOWN_EXPERIMENT), *(UNREADABLE + key for key in read.unreadable)),
    )


@dataclass(frozen=True, slots=True)
class LastValue:
    """The last row of one metric, as runs are listed with it."""

    name: str
    row: Row
    more: Mapping[str, Json]
    """What else a server says of it: the logged model and the dataset that it was measured with."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run, and the last values of its metrics."""

    run: Run
    last: Sequence[LastValue]
    models: Sequence[str] = ()
    """Ids of the logged models that it read or made (MLflow 3)."""


@readable
def runs(document: Document | None, names: Mapping[str, str]) -> tuple[Sequence[ListedRun], str | None]:
    """A page of `runs/search`, and the next page's token; `names` has the names of experiments by their ids."""
    return [_listed_run(one, names) for one in _listed(document, "runs")], _token(document)


@readable
def run(document: Document, names: Mapping[str, str]) -> ListedRun:
    """An answer of `runs/get`."""
    return _listed_run(document["run"], names)


@readable
def experiment_id(document: Document) -> str:
    """The id of the experiment of an answer of `runs/get`."""
    return unicode_text(document["run"]["info"]["experiment_id"])


def _listed_run(document: Document, names: Mapping[str, str]) -> ListedRun:
    info, data = document["info"], document.get("data") or {}
    name = RunId(unicode_text(info.get("run_id") or info["run_uuid"]))
    of_info, of_data = Reader(info), Reader(data)
    tags: dict[str, str | None] = of_data("tags", _pairs, {})
    start = of_info("start_time", _moment, None)
    found = Run(
        id=name,
        parent=_parent(tags.get(PARENT_TAG), name),
        experiment=names.get(info["experiment_id"], ""),
        status=of_info("status", lambda value: STATUSES.get(value, words(value)), ""),
        start=start,
        end=of_info("end_time", _moment, None),
        display_name=of_info("run_name", words, None) or tags.get(NAME_TAG) or None,
        description=tags.get(NOTE_TAG),
        tags={key: value for key, value in tags.items() if key not in (NAME_TAG, NOTE_TAG)},
        parameters=of_data("params", _pairs, {}),
        input_datasets=list((document.get("inputs") or {}).get("dataset_inputs") or ()) or None,
        hidden=info.get("lifecycle_stage") == DELETED,
        created=start,
        creator=of_info("user_id", words, None) or tags.get("mlflow.user") or None,
        references=tuple(Reference("tag", key) for key in _REFERENCES if tags.get(key)),
    )
    whole = _by_name(document, data, tags, found.parameters)
    last: list[LastValue] = of_data("metrics", lambda metrics: [_last(one) for one in metrics], [])
    new = (
        *unknown(document, _KNOWN_RUN),
        *unknown(info, _KNOWN_INFO, "info "),
        *unknown(data, _KNOWN_DATA, "data "),
        *(UNREADABLE + key for reader in (of_info, of_data) for key in reader.unreadable),
    )
    return ListedRun(replace(found, document=whole, unknown=new), last, tuple(_models(document)))


def _by_name(document: Document, data: Document, tags: Json, parameters: Json) -> Json:
    """A run's document with its lists of pairs as objects: by a name it is told that a value is a secret.

    Under the names of the fields that are decoded of it, so that both are noted once.
    """
    metrics = {metric["key"]: beyond(metric, frozenset({"key"})) for metric in data.get("metrics") or ()}
    rest = {key: value for key, value in data.items() if key not in _KNOWN_DATA}
    told: dict[str, Json] = {"tags": tags, "parameters": parameters, "metrics": metrics}
    return {key: value for key, value in document.items() if key != "data"} | rest | told


def _parent(value: str | None, run: RunId) -> RunId | None:
    """The run that a tag names as parent; any text is taken there, also the run's own id."""
    return RunId(value) if value and value != run else None


def _models(document: Document) -> Iterable[str]:
    for side, key in (("inputs", "model_inputs"), ("outputs", "model_outputs")):
        for one in (document.get(side) or {}).get(key) or ():
            if isinstance(one.get("model_id"), str):
                yield one["model_id"]


def series(last: LastValue) -> Series:
    """The series of a metric."""
    return replace(scalar(last.name), more=last.more)


def scalar(name: str) -> Series:
    """The series of a metric of one number, known by its name only."""
    return Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type=SCALAR)


def as_read(series: Series, rows: Sequence[Row]) -> Series:
    """The series as its rows show it: a time beyond the calendar was not read."""
    return replace(series, unknown=("row timestamp",)) if any(row[1] is None for row in rows) else series


def is_id(run: RunId) -> bool:
    """True for a text that can be a run's id: only such ones may stand in a filter."""
    return bool(run) and run.replace("-", "").replace("_", "").isalnum()


def last_points(last: LastValue) -> Points:
    """The last row as points."""
    return Points.of(series(last), [last.row])


@readable
def history(document: Document | None) -> tuple[Sequence[Row], str | None]:
    """A page of `metrics/get-history`, and the next page's token. No rows, no metric, no run: no rows."""
    return [_row(one) for one in _listed(document, "metrics")], _token(document)


@readable
def histories(document: Document | None) -> Mapping[RunId, Sequence[Row]]:
    """An answer of `metrics/get-history-bulk`: run -> rows."""
    found: dict[RunId, list[Row]] = {}
    for one in _listed(document, "metrics"):
        found.setdefault(RunId(one["run_id"]), []).append(_row(one))
    return found


def loaded(body: bytes) -> Any:  # noqa: ANN401 given a type above
    """The JSON of an answer with many rows; in bulk NaN stands bare, as Python writes it. Raises ValueError."""
    if b"NaN" not in body and b"Infinity" not in body:
        return json_text.loads(body) if body.strip() else None
    return json_text.loads_python(body.decode())


def in_order(row: Row) -> tuple[int, int, bool, float]:
    """The order in which `get-history` has rows: by time, step and value, NaN last."""
    step, ticks, (value,) = row
    number = float(value or 0.0)
    return ticks or 0, step or 0, number != number, 0.0 if number != number else number  # noqa: PLR0124 NaN


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file or a folder of one level of a run's files."""

    path: str
    size_bytes: int
    is_folder: bool


@readable
def files(document: Document | None) -> tuple[Sequence[ListedFile], str | None]:
    """An answer of `artifacts/list`, and the next page's token. Of an empty file the size is left out."""
    found = [
        ListedFile(unicode_text(one["path"]), int(one.get("file_size") or 0), bool(one.get("is_dir")))
        for one in _listed(document, "files")
    ]
    return found, _token(document)


def why_unreadable(path: str) -> str | None:
    """Why no server gives the bytes of a file of such a path; None where they do (tried: 2.9, 2.22, 3.1, 3.17)."""
    if "#" in path or any(ord(character) < 32 for character in path):
        return "MLflow gives no file whose name holds # or a control character"
    if unquote(path) != path:
        return "MLflow takes % and two digits in a file's name for another character, and gives none"
    return None


@readable
def logged_model(document: Document) -> Document:
    """An answer of `logged-models/{id}`, with its lists of pairs as objects, as a run's."""
    info, data = document["model"]["info"], document["model"].get("data") or {}
    told = {"tags": _pairs(info.get("tags") or ()), "parameters": _pairs(data.get("params") or ())}
    return {**info, **told, **beyond(data, frozenset({"params"}))}


TRACES = "traces"


@readable
def traces(document: Document | None) -> tuple[Sequence[Document], str | None]:
    """A page of `traces` without what was recorded in them, their lists of pairs as objects; the next page's token."""
    return [_trace(one) for one in _listed(document, "traces")], _token(document)


def _trace(document: Document) -> Document:
    told = {key: _pairs(document.get(key) or ()) for key in ("request_metadata", "tags")}
    return {**document, "experiment_id": unicode_text(document["experiment_id"]), **told}


def with_traces(found: Experiment, listed: Sequence[Document]) -> Experiment:
    """The experiment with its traces in its document, as a key that nothing is made of."""
    if not listed or not isinstance(found.document, Mapping):
        return found
    return replace(found, document={**found.document, TRACES: list(listed)}, unknown=(*found.unknown, TRACES))


def _listed(document: Document | None, key: str) -> Sequence[Any]:
    """The items under a key: a server leaves out what is empty."""
    return (document or {}).get(key) or ()


def _token(document: Document | None) -> str | None:
    return (document or {}).get("next_page_token") or None


def _pairs(items: Iterable[Document]) -> dict[str, str | None]:
    """Texts by key; of a key that is there twice the first."""
    found: dict[str, str | None] = {}
    for one in items:
        found.setdefault(unicode_text(one["key"]), words(one.get("value") or ""))
    return found


def _last(metric: Document) -> LastValue:
    return LastValue(unicode_text(metric["key"]), _row(metric), beyond(metric, _READ_OF_METRIC))


def _row(metric: Document) -> Row:
    """One row. `NaN` is a text; a time beyond the calendar is none."""
    ms = int(metric["timestamp"])
    ticks = ms * TICKS_PER_MS if _EARLIEST_MS <= ms <= _LATEST_MS else None
    return int(metric.get("step") or 0), ticks, (float(metric["value"]),)


def _moment(value: Any) -> Instant | None:  # noqa: ANN401 whatever stands there
    """A time in milliseconds; 0 stands where none was given. Raises ValueError beyond the calendar."""
    ms = int(value)
    if not _EARLIEST_MS <= ms <= _LATEST_MS:
        raise ValueError(f"no time of the calendar: {ms}")
    return Instant(ms * TICKS_PER_MS) if ms else None
