"""Reads an entry of jobs.json as a run, a job, points and files (pure).

Our own entries are complete, the original tool's are not. A field that cannot be read raises Unreadable, which names
the job and the field; who reads the file adds its path.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from azureml_replay.archive.older_records import lender_in
from azureml_replay.azure.wire.decode_ties import job_code, tied
from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json.entry import ARM_KEYS, Record
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.json_text import spaced
from azureml_replay.model import (
    ROWS_PER_CHUNK,
    Artifact,
    AssetReference,
    Job,
    Json,
    Location,
    Omission,
    Points,
    Row,
    Run,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
    Value,
)
from azureml_replay.selection import STATUSES, moment

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_STATUS = {re.sub("_", "", status).lower(): status for status in STATUSES} | {
    "finished": "Completed",
    "killed": "Canceled",
    "scheduled": "Queued",
    "cancelled": "Canceled",
}
"""Spelling of a status in ARM, azure-ai-ml (`JobStatus.CANCEL_REQUESTED`) and MLflow -> the service's spelling."""
_KINDS = {"pipeline": "azureml.PipelineRun", "sweep": "hyperdrive", "automl": "automl", "command": "azureml.scriptrun"}
_JOB_TYPES = {"pipeline": "Pipeline", "sweep": "Sweep", "automl": "AutoML", "command": "Command", "spark": "Spark"}
NO_FIELD = "jobs.json has no field for it: extract from the workspace itself to carry it"
NO_BYTES = "jobs.json lists no bytes for it"
"""The reason why a file has no bytes, where the archive that the entry was written from knew none."""
_NUMBERS_AS_TEXT = {"NaN", "Infinity", "-Infinity"}
TIMES = ("created_at", "start_time", "end_time", "last_modified_at")
"""The fields of an entry that are moments."""
_EPOCH = re.compile(r"[+-]?(\d{9,}(\.\d*)?|\d+\.\d+)\Z")
"""A number of seconds, or of parts of them, since 1970. Eight digits are a day: 20240531."""
_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))
"""The numbers of a unit lie below the first; the second is its parts of a second. Larger ones are nanoseconds."""
_YEAR_2 = Instant.parse("0002-01-01T00:00:00Z")
"""Moments before it are unset: .NET writes them so, and the original made `-62135596800000` of them."""
UNSET = "jobs.json holds {}, which was written where no time was set"
NO_DATE = "jobs.json holds {}, which is no date: read as a time that was not set"
_PLAIN = ("command", "environment_id", "code_id", "compute_id")
"""Fields that azure-ai-ml spells as ARM does; the original wrote the others as the attributes of its classes."""
_LONGEST_DATE = 100
"""Characters of a number that may be a date."""
_SHOWN = 80
"""Characters of a value that a reason shows."""
_LISTS = ("child_run_ids", "mlflow_artifact_paths", "artifacts", "metric_history")
_STREAMED = ("artifacts", "metric_history")


class Unreadable(UserError):
    """A field of an entry that has no form that is known."""


def is_ours(record: Record) -> bool:
    """True for an entry that `write.py` wrote."""
    return "metric_history" in record


def check(record: Record) -> None:
    """Raises Unreadable for an entry whose lists are none, or whose files cannot be read."""
    for name in _LISTS:
        if not isinstance(record.get(name), list | None):
            raise _wrong(record, name, "expected a list")
    for _ in artifacts_of(record):
        pass


def run_of(record: Record, *, parent: str | None, experiment: str, step: bool) -> Run:
    """The run of an entry. `step`: its parent is a pipeline."""
    name = RunId(record["name"])
    ours = is_ours(record)
    found = Run(
        id=name,
        parent=RunId(parent) if parent else None,
        experiment=experiment,
        status=_status(record),
        start=_time(record, "start_time"),
        end=_time(record, "end_time"),
        display_name=_text(record, "display_name"),
        description=_text(record, "description"),
        tags=_texts(record, "tags"),
        properties=_texts(record, "job_properties"),
        parameters=_mapping(record, "run_parameters" if ours else "mlflow_params"),
        inputs=_assets(record, "run_inputs"),
        outputs=_assets(record, "run_outputs"),
        input_datasets=record.get("mlflow_dataset_inputs") if ours else None,
        output_datasets=record.get("output_datasets"),
        hidden=bool(record.get("hidden")),
        error=record.get("error"),
        error_origin=record.get("error_origin"),
        created=_time(record, "created_at"),
        modified=_time(record, "last_modified_at"),
        creator=_person(record.get("created_by")),
        kind=record.get("run_type") if ours else _kind(record, step=step),
        lender=_lender(record, name),
        document={key: value for key, value in record.items() if key not in _STREAMED},
    )
    return tied(found)


def _lender(record: Record, name: RunId) -> RunId | None:
    """The run whose files a run shows; files of earlier versions name the container instead."""
    lender = record.get("lender")
    return RunId(str(lender)) if lender else lender_in(str(record.get("container") or ""), name)


def job_of(record: Record) -> Job | None:
    """The job as ARM would list it, as far as the fields say; None where the job's type is not known."""
    job_type = _JOB_TYPES.get(str(record.get("job_type") or "").lower())
    if job_type is None:
        return None
    fields = ARM_KEYS if is_ours(record) else {name: ARM_KEYS[name] for name in _PLAIN}
    said = {key: record[name] for name, key in fields.items() if record.get(name) is not None}
    objective = _mapping(record, "objective")
    if not is_ours(record) and "primary_metric" in objective:
        said["objective"] = {"primaryMetric": objective["primary_metric"], "goal": str(objective.get("goal")).title()}
    if not is_ours(record) and (outputs := _outputs(record)):
        said["outputs"] = outputs
    properties = {
        "jobType": job_type,
        "displayName": record.get("display_name"),
        "experimentName": record.get("experiment_name"),
        "status": _status(record),
        **said,
    }
    document = {"id": record.get("id"), "name": record["name"], "properties": properties}
    return Job(RunId(record["name"]), document, code=job_code(document))


def _outputs(record: Record) -> dict[str, dict[str, Any]]:
    """The named outputs of an original's entry, whose values are azure-ai-ml's objects, as dicts or as text."""
    outputs = record.get("job_outputs")
    found = outputs.items() if isinstance(outputs, dict) else ()
    return {name: {"uri": output.get("path") if isinstance(output, dict) else None} for name, output in found}


def series_of(record: Record) -> Iterator[tuple[Series, tuple[Row, ...]]]:
    """Every series with its rows. The original's last values are rows without a step, at the run's end."""
    if is_ours(record):
        for described in record["metric_history"] or ():
            series = _series(record, described)
            yield series, tuple(_rows(record, series, described["rows"]))
        return
    at = _time(record, "end_time") or _time(record, "start_time") or _time(record, "created_at")
    for name, value in _mapping(record, "mlflow_metrics").items():
        number = _number(value)
        if number is not None:
            series = Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type="azureml.v1.scalar")
            yield series, ((None, at.ticks if at else None, (number,)),)


def points_of(series: Series, rows: tuple[Row, ...]) -> Iterator[Points]:
    """The rows in pieces of the length that an archive takes."""
    for start in range(0, len(rows), ROWS_PER_CHUNK):
        yield Points.of(series, rows[start : start + ROWS_PER_CHUNK])


def artifacts_of(record: Record) -> Iterator[Artifact]:
    """The files of one of our own entries; the original's entries do not say where files are."""
    for file in record.get("artifacts") or ():
        try:
            place = Location(file["datastore"], file["location"])
            stored = _stored(file, place)
            gone = None if stored else file.get("gone") or NO_BYTES
            yield Artifact(path=file["path"], location=place, indexed=bool(file["indexed"]), stored=stored, gone=gone)
        except (KeyError, TypeError, ValueError) as error:
            why = f"a file without {error}" if isinstance(error, KeyError) else f"a file: {error}"
            raise _wrong(record, "artifacts", why) from None


def _stored(file: Mapping[str, Any], place: Location) -> StoredFile | None:
    if "size_bytes" not in file:
        return None
    return StoredFile(
        location=place,
        size_bytes=_whole(file["size_bytes"], least=0),
        md5=bytes.fromhex(file["md5"]) if file.get("md5") is not None else None,
        etag=file.get("etag"),
        content_type=file.get("content_type"),
        metadata=file.get("metadata") or {},
        blob_type=file.get("blob_type"),
    )


def gaps(record: Record, *, files_from_source: bool) -> Iterator[Omission]:
    """Omissions: what the workspace knew of a run and its entry does not say."""
    run = RunId(record["name"])
    yield from _gaps_of_times(run, record)
    if is_ours(record):
        if record.get("artifacts") is None:
            yield Omission(run, "files", "jobs.json was written without lists of files (--no-artifacts)")
        return
    yield from _gaps_of_metrics(run, record)
    listed = record.get("mlflow_artifact_paths")
    if not files_from_source:
        reason = "jobs.json names no sizes and places of files: --source, where it can be reached, knows them"
        yield from (Omission(run, f"files {path}", reason) for path in listed or ("of any kind",))
    if _status(record) == "Failed":
        yield Omission(run, "error", NO_FIELD)
    if GUID.match(str(record.get("experiment_name") or "")):
        yield Omission(run, "experiment", "jobs.json holds its id instead of its name; the root job's is taken")
    yield Omission(run, "data references, archived mark", NO_FIELD)


def _gaps_of_metrics(run: RunId, record: Record) -> Iterator[Omission]:
    for name, value in _mapping(record, "mlflow_metrics").items():
        if _number(value) is None:
            yield Omission(run, f"metric {name}", f"jobs.json holds {_cut(value)}, which is no number")
        else:
            reason = "jobs.json holds the last value only; it stands without a step, at the run's end"
            yield Omission(run, f"history of metric {name}", reason)


def _gaps_of_times(run: RunId, record: Record) -> Iterator[Omission]:
    for name in TIMES:
        if record.get(name) not in (None, "") and _time(record, name) is None:
            reason = UNSET if _moment(record, name) is not None else NO_DATE
            yield Omission(run, name.replace("_", " "), reason.format(_cut(record[name])))


def _series(record: Record, described: Any) -> Series:  # noqa: ANN401 - JSON as it was read
    try:
        columns = tuple((str(name), str(kind)) for name, kind in described["columns"])
        key = SeriesKey(described["name"], described.get("namespace"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(record, "metric_history", f"a metric without {error}") from None
    return Series(key=key, columns=columns, ux_type=described.get("ux_type"), schema_id=described.get("schema_id"))


def _rows(record: Record, series: Series, rows: Any) -> Iterator[Row]:  # noqa: ANN401 - JSON as it was read
    doubles = [kind == "Double" for _, kind in series.columns]
    for row in rows:
        try:
            step, stamp, *values = row
            step = step if step is None else _whole(step)
            ticks = None if stamp is None else Instant.parse(stamp).ticks
            cells = tuple(_cell(value, double=double) for value, double in zip(values, doubles, strict=True))
        except (TypeError, ValueError, OverflowError) as error:
            raise _wrong(record, "metric_history", f"a row of {series.key.name}: {error}") from None
        yield step, ticks, cells


def _cell(value: Value, *, double: bool) -> Value:
    """A cell; `1` and `"NaN"` of a Double column become floats."""
    if not double or value is None:
        return value
    return float(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or (isinstance(value, str) and value not in _NUMBERS_AS_TEXT):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except OverflowError:
        return None


def _whole(value: object, least: int = -(2**63)) -> int:
    """A number of 64 bits. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise ValueError(f"expected a whole number, not {str(value)[:40]}")
    return value


def _status(record: Record) -> str:
    """The status of an entry, also from `JobStatus.COMPLETED`."""
    text = _text(record, "status") or ""
    return _STATUS.get(text.rpartition(".")[2].replace("_", "").lower(), text)


def _kind(record: Record, *, step: bool) -> str | None:
    kind = _KINDS.get(str(record.get("job_type") or "").lower())
    return "azureml.StepRun" if step and kind in (None, "azureml.scriptrun") else kind


def _time(record: Record, name: str) -> Instant | None:
    """A moment, by date or as a number since 1970; None where it was not set, or is no date, which is an omission."""
    found = _moment(record, name)
    return None if found is None or found < _YEAR_2 else found


def _moment(record: Record, name: str) -> Instant | None:
    """The moment in a field, which may be long before any workspace; None where a text or a number is none."""
    value = record.get(name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = str(value)[:_LONGEST_DATE] if number else _text(record, name) or ""
    try:
        return _since_1970(Decimal(text)) if number or _EPOCH.match(text) else moment(text)
    except (UserError, ArithmeticError, ValueError):
        return None


def _since_1970(number: Decimal) -> Instant:
    """Seconds, milliseconds, microseconds or nanoseconds, by their size: today they have 10, 13, 16 and 19 digits.

    Raises ArithmeticError or ValueError for no date of the calendar.
    """
    parts = next((parts for below, parts in _UNITS if abs(number) < below), 10**9)
    found = Instant(int(number * TICKS_PER_SECOND / parts))
    str(found)  # raises OverflowError beyond the year 9999
    return found


def _text(record: Record, name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(record, name, f"expected a text, not {spaced(value)[:40]}")
    return value


def _texts(record: Record, name: str) -> dict[str, str | None]:
    """Tags or properties of an entry: texts on the service, so that other values become JSON texts."""
    pairs = _mapping(record, name).items()
    return {key: value if isinstance(value, str | None) else spaced(value) for key, value in pairs}


def _mapping(record: Record, name: str) -> dict[str, Any]:
    value = record.get(name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(record, name, "expected an object")
    return value or {}


def _assets(record: Record, name: str) -> dict[str, AssetReference]:
    found = {key: item for key, item in _mapping(record, name).items() if isinstance(item, dict)}
    return {key: AssetReference(str(item.get("asset_id") or ""), item.get("type")) for key, item in found.items()}


def _person(value: Json) -> str | None:
    """The name of a person, also from the original's text of a dict that holds it."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = cast("Json", ast.literal_eval(value))
        except (ValueError, SyntaxError, MemoryError, RecursionError):  # the last two: nested too deeply for Python
            return cast("str", value)
    if isinstance(value, Mapping):
        names = (value.get(key) for key in ("userName", "user_name", "display_name", "name", "upn"))
        return next((name for name in names if isinstance(name, str)), spaced(value))
    return None if value is None else str(value)


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _wrong(record: Record, field: str, why: str) -> Unreadable:
    return Unreadable(f"job {record['name']}, {field}: {why}")
