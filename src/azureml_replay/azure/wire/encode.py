"""Model -> wire: with `decode`, the only place where keys of the wire are spelt (pure).

What acts on the source is never written (FIDELITY, "never sent"): `cancelUri completeUri diagnosticsUri actionUris
services` have no line here, and the AutoML property `CancelUri` is left out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import UUID

from azureml_replay.azure.wire.known import ACTING_PROPERTIES
from azureml_replay.azure.wire.places import RUN_FILES, container_of
from azureml_replay.instants import Instant, stamp
from azureml_replay.model import (
    TERMINAL,
    AssetReference,
    Experiment,
    Json,
    Location,
    Points,
    Row,
    Run,
    RunForm,
    RunId,
    SeriesKey,
    StoredFile,
    Value,
)
from azureml_replay.workspace.put_files import CopyFile, HeldFile
from azureml_replay.workspace.target import TagsOfRuns

Body: TypeAlias = dict[str, Any]

RUNS_PER_PAGE = 200
"""Runs in a page of `runs:query`, an assumption; without `top` the swagger promises all at once. 500 took 12 MB."""
RUNS_PER_SEARCH = 999
"""Runs in a page of MLflow's `runs/search`: the service has said "must be less than 1000" (mlflow issue 10694)."""
EVENT = "Microsoft.MachineLearning.Run."
ROW_IDS = UUID("5f0e6a7e-6a0b-4f43-9a3d-2d7c8e1b9c55")
"""The namespace of our metric ids: a constant, made once at random."""

_SAVED = {"savedId": "00000000-0000-4000-8000-000000000000"}
FOREIGN_DATASETS: tuple[Json, Json] = (
    [{"identifier": _SAVED, "consumptionType": "RunInput", "inputDetails": {"inputName": "i", "mechanism": "Mount"}}],
    [{"identifier": _SAVED, "outputType": "RunOutput", "outputDetails": {"outputName": "o"}}],
)
"""Input and output datasets as the interface has them (`DatasetLineage`), of which no workspace knows."""


def experiment_query(token: str | None) -> Body:
    """Query for experiments, archived ones too."""
    return _given({"viewType": "All", "continuationToken": token})


def run_query(token: str | None, top: int) -> Body:
    """Query for the runs of an experiment, `top` to a page; the swagger has no view type here."""
    return _given({"top": top, "continuationToken": token})


def rundata(run: RunId) -> Body:
    """Request for `rundata` with all three parts."""
    return {"runId": run, "selectRunMetadata": True, "selectRunDefinition": True, "selectJobSpecification": True}


def batch_rundata(runs: Sequence[RunId]) -> Body:
    """Request for `batchrundata`, keyed by run id."""
    return {"requests": {run: rundata(run) for run in runs}}


def metric_list(token: str | None) -> Body:
    """Request for the list of a run's metrics, in all namespaces."""
    return _given({"continuationToken": token})


def metric_rows(key: SeriesKey, token: str | None) -> Body:
    """Request for the rows of one series."""
    return _given({"metricName": key.name, "metricNamespace": key.namespace, "continuationToken": token})


def run_search(experiments: Sequence[str], token: str | None) -> Body:
    """Request of MLflow's `runs/search`, archived runs too."""
    found = {"experiment_ids": list(experiments), "run_view_type": "ALL", "max_results": RUNS_PER_SEARCH}
    return {**found, **_given({"page_token": token})}


def modify_experiment(wanted: Experiment) -> Body:
    """The changeable parts of an experiment that is there."""
    body = _given({"description": wanted.description, "tags": dict(wanted.tags) or None})
    return {**body, "archive": wanted.archived is not None}


def create_runs(runs: Sequence[Run]) -> Body:
    """Runs in progress with everything that they carry, not hidden before `finish_runs`: events move only such runs."""
    moving = {"status": "Running", "hidden": False, "options": {"generateDataContainerIdIfNotSpecified": True}}
    return {
        "runs": [
            {
                **_carried(run),
                **_given({"startTimeUtc": _time(run.start), "dataContainerId": _container(run), **_type(run)}),
                **moving,
            }
            for run in runs
        ]
    }


def _container(run: Run) -> str | None:
    """The container of a run that shows another's; None for others, as the service makes and names a run's own."""
    return container_of(run.lender) if run.lender else None


def _type(run: Run) -> Body:
    """The run's type, mostly none: Studio's pages of other types ask services that never saw the run.

    `External` is what azureml-core writes of runs that it makes (`Run._start_logging`).
    """
    if run.form is RunForm.EXTERNAL:
        return {"runTypeV2": {"orchestrator": "External", "traits": ["unspecified"]}}
    if run.form is RunForm.NEUTRAL:
        return {}
    return {"runType": run.kind, "runTypeV2": {"traits": list(run.traits)} if run.traits else None}


def update_runs(runs: Sequence[Run]) -> Body:
    """Runs that have ended, with everything that they carry but their state."""
    return {"runs": [_carried(run) for run in runs]}


def hide_runs(runs: Sequence[RunId], *, hidden: bool, tags: TagsOfRuns) -> Body:
    """Runs to be archived in Studio's word, or shown again; `tags` are added to those that each has."""
    return {
        "runs": [
            {"runId": run, "hidden": hidden, **({"tags": dict(tags[run])} if tags.get(run) else {})} for run in runs
        ]
    }


def remove_tags(tags: Sequence[str]) -> Body:
    """Request for a run's `tags`: run-history.json, `DeleteOrModifyTags`."""
    return {"tagsToDelete": list(tags)}


def add_parameters(run: RunId, parameters: Mapping[str, Json], *, hidden: bool) -> Body:
    """To a run that is there: those that it has stay, and are refused with another value."""
    return {"runs": [{"runId": run, "parameters": dict(parameters), "hidden": hidden}]}


def _carried(run: Run) -> Body:
    return _given(
        {
            "runId": run.id,
            "parentRunId": run.parent,
            "displayName": run.display_name,
            "description": run.description,
            "tags": dict(run.tags),
            "properties": {key: value for key, value in run.properties.items() if key not in ACTING_PROPERTIES},
            "parameters": dict(run.parameters) or None,
            "inputs": _assets(run.inputs),
            "outputs": _assets(run.outputs),
            "inputDatasets": run.input_datasets,
            "outputDatasets": run.output_datasets,
        }
    )


def finish_events(runs: Sequence[Run], now: Instant) -> Body:
    """Events for start, error and end of each run, in this order, at the run's own times; `now` where it has none."""
    return {"events": [event for run in runs for event in _events(run, now)]}


def error_events(runs: Sequence[Run], now: Instant) -> Body:
    """Of the events of `finish_events` only those of errors: another route says how the runs ended."""
    return {"events": [_error_event(run, run.end or now) for run in runs if run.error]}


def finish_states(runs: Sequence[Run]) -> Body:
    """Runs with what no event can say: hidden, and states that are neither running nor final."""
    return {"runs": [{"runId": run.id, **state} for run in runs if (state := beyond_events(run))]}


def artifact_paths(paths: Sequence[str]) -> Body:
    """Request for `batch/metadata`."""
    return {"paths": [{"path": path} for path in paths]}


def registration(run: RunId, path: str, place: Location) -> Body:
    """Request for `artifacts/register`, as promptflow sends it (responses.md 7)."""
    return entry(RUN_FILES, container_of(run), path, place)


def entry(origin: str, container: str, path: str, place: Location) -> Body:
    """The same for a container of any origin: what clients upload without a run has one of its own."""
    data_path = {"dataStoreName": place.datastore, "relativePath": place.path}
    return {"origin": origin, "container": container, "path": path, "dataPath": data_path}


def metric_batch(run: RunId, batch: Sequence[Points]) -> tuple[Body, Mapping[str, int]]:
    """A `batch` request, and metric id -> position in `batch`."""
    ordinals: dict[SeriesKey, dict[str, int]] = {}
    values = [_metric(run, points, ordinals) for points in batch]
    positions = {row["metricId"]: at for at, metric in enumerate(values) for row in metric["value"]}
    return {"reportErrors": True, "values": values}, positions


def _row_ids(run: RunId, key: SeriesKey) -> Callable[[str, int], str]:
    """Makes the id of a row: the same for the same row of the same run, however often; the ordinal counts equal rows.

    It is `uuid5` of run, name, row and ordinal, spelt out: 1.2 µs a row, not 6 (two seconds of 90,000 rows' eight).
    """
    begun = hashlib.sha1(ROW_IDS.bytes, usedforsecurity=False)
    begun.update("\x1f".join((run, repr(key.namespace), key.name, "")).encode())

    def row_id(identity: str, ordinal: int) -> str:
        whole = begun.copy()
        whole.update(f"{identity}\x1f{ordinal}".encode())
        told = whole.hexdigest()
        return f"{told[:8]}-{told[8:12]}-5{told[13:16]}-{_VARIANT[told[16]]}{told[17:20]}-{told[20:32]}"

    return row_id


_VARIANT = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}
"""The digit of a UUID that has its variant, by what stood there."""


def _metric(run: RunId, points: Points, ordinals: dict[SeriesKey, dict[str, int]]) -> Body:
    """One series of a batch; `ordinals` counts equal rows of each name. Half of a replay's CPU: 5 µs a row, not 9."""
    series = points.series
    row_id, seen = _row_ids(run, series.key), ordinals.setdefault(series.key, {})
    names = [name for name, _ in series.columns]
    rows = []
    for row in points.rows():
        identity = _identity(row)
        ordinal = seen.get(identity, 0)
        rows.append(_row(row_id(identity, ordinal), row, names))
        seen[identity] = ordinal + 1
    return _given(
        {
            "name": series.key.name,
            "namespace": series.key.namespace,
            "columns": dict(series.columns),
            "properties": {"uxMetricType": series.ux_type} if series.ux_type else None,
            "standardSchemaId": series.schema_id,
            "value": rows,
        }
    )


def _row(row_id: str, row: Row, columns: Sequence[str]) -> Body:
    step, ticks, values = row
    body: dict[str, Any] = {"metricId": row_id}
    if ticks is not None:
        body["createdUtc"] = stamp(ticks)
    if step is not None:
        body["step"] = step
    body["data"] = {name: _cell(value) for name, value in zip(columns, values, strict=True) if value is not None}
    return body


def _identity(row: Row) -> str:
    """A text that is equal for equal rows, by bits: -0.0 is not 0.0, 1.0 is not 1, and no step is not step 0."""
    step, ticks, values = row
    if len(values) == 1 and isinstance(value := values[0], float):  # as nearly all: 0.2 µs of a row's 3.5
        return f"{step}\x1e{ticks}\x1e{value.hex()}"
    cells = (value.hex() if isinstance(value, float) else repr(value) for value in values)
    return "\x1e".join((repr(step), repr(ticks), *cells))


def _cell(value: Value) -> Value:
    """A cell; NaN and the infinities as text, as every client of the service sends them (clients.md 4.1)."""
    if not isinstance(value, float) or value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 that is what NaN means


def _events(run: Run, now: Instant) -> list[Body]:
    start, end = run.start or now, run.end or now
    found = [_event("Start", run, start, {"StartTime": _time(run.start)})] if run.start else []
    if run.error:
        found.append(_error_event(run, end))
    if _end_can_be_told(run):
        found.append(_event(run.status, run, end, {"EndTime": _time(run.end)}))
    return found


def _error_event(run: Run, at: Instant) -> Body:
    return _event("Error", run, at, {"ErrorResponse": _error_response(run)})


def _error_response(run: Run) -> Body:
    """The error with its whole envelope (swagger, ErrorResponse): when and where it was noticed."""
    return {**(run.error_origin if isinstance(run.error_origin, Mapping) else {}), "error": run.error}


def _end_can_be_told(run: Run) -> bool:
    """True for a final status with a time: an event without one would be given the present time."""
    return run.status in TERMINAL and run.end is not None


def _event(name: str, run: Run, at: Instant, data: Body) -> Body:
    return {"timestamp": _time(at), "name": EVENT + name, "data": {"RunId": run.id, **_given(data)}}


def beyond_events(run: Run) -> Body:
    """Fields of a run that events cannot set; empty for most runs."""
    told, moved = _end_can_be_told(run), run.status not in ("", "Running")
    state = {} if told else {"status": run.status if moved else None, "endTimeUtc": _time(run.end)}
    return _given({**state, "hidden": run.hidden or None})


def _assets(assets: Mapping[str, AssetReference]) -> Body | None:
    return {name: _given({"assetId": it.asset_id, "type": it.type}) for name, it in assets.items()} or None


def _time(moment: Instant | None) -> str | None:
    return None if moment is None else str(moment)


def _given(body: Body) -> Body:
    """The body without None: an absent key leaves a value as it is, null may clear it."""
    return {key: value for key, value in body.items() if value is not None}


def snapshot_files(snapshot: str) -> Body:
    """Request for a snapshot's tree of files, to the content service (responses.md 7)."""
    return {"snapshotOrAssetId": snapshot}


def is_pipeline(job: Mapping[str, Any]) -> bool:
    """True where the body of a job submits a pipeline."""
    return bool(job["properties"]["jobType"] == "Pipeline")


def storage_headers(version: str, now: datetime) -> dict[str, str]:
    """Headers of every request to storage."""
    return {"x-ms-version": version, "x-ms-date": format_datetime(now, usegmt=True)}


def delegation_key_request(start: datetime, end: datetime) -> bytes:
    """The XML body of Get User Delegation Key."""
    span = f"<Start>{start:%Y-%m-%dT%H:%M:%SZ}</Start><Expiry>{end:%Y-%m-%dT%H:%M:%SZ}</Expiry>"
    return f'<?xml version="1.0" encoding="utf-8"?><KeyInfo>{span}</KeyInfo>'.encode()


def quoted(text: str) -> str:
    """A text as one value of a query."""
    return quote(text, safe="")


def condition(file: CopyFile | HeldFile) -> dict[str, str]:
    """The header by which storage writes a `new` file only where nothing lies."""
    return {"If-None-Match": "*"} if file.new else {}


def whole_headers(stored: StoredFile, md5: bytes) -> dict[str, str]:
    """Headers of Put Blob for a file that another storage held: with its content type and metadata."""
    metadata = {f"x-ms-meta-{name}": value for name, value in stored.metadata.items()}
    return {**put_headers(stored.content_type or "application/octet-stream", md5), **metadata}


def put_headers(content_type: str, md5: bytes) -> dict[str, str]:
    """Headers of Put Blob: storage refuses bytes that are not those of the MD5."""
    encoded = base64.b64encode(md5).decode()
    return {
        "x-ms-blob-type": "BlockBlob",
        "x-ms-blob-content-type": content_type,
        "Content-Type": "application/octet-stream",
        "Content-MD5": encoded,
        "x-ms-blob-content-md5": encoded,
    }


def lease_headers(
    action: str, held: str | None = None, *, proposed: str | None = None, seconds: int = 0
) -> dict[str, str]:
    """Lease Blob: `acquire` proposes an id and a time, `release` names the id that it holds."""
    given = {"x-ms-lease-id": held, "x-ms-proposed-lease-id": proposed}
    headers = {"x-ms-lease-action": action, **{name: value for name, value in given.items() if value is not None}}
    return {**headers, "x-ms-lease-duration": str(seconds)} if seconds else headers


def empty_blob_headers() -> dict[str, str]:
    """Put Blob of no bytes, where there is none yet."""
    return {"x-ms-blob-type": "BlockBlob", "x-ms-blob-content-type": "text/plain", "Content-Length": "0"}


def copy_headers(file: CopyFile) -> dict[str, str]:
    """Headers of Copy Blob From URL, which takes content type, metadata and MD5 of the source along."""
    return {**_source(file), "x-ms-requires-sync": "true"}


def block_headers(file: CopyFile, start: int, stop: int) -> dict[str, str]:
    """Headers of Put Block From URL: the bytes from `start` up to, not including, `stop`."""
    return {**_source(file), "x-ms-source-range": f"bytes={start}-{stop - 1}"}


def block_query(name: str) -> str:
    """Query of Put Block and Put Block From URL."""
    return f"comp=block&blockid={quoted(name)}"


def md5_headers(md5: bytes) -> dict[str, str]:
    """Headers of Put Block: storage refuses bytes that are not those of the MD5."""
    return {"Content-MD5": base64.b64encode(md5).decode(), "Content-Type": "application/octet-stream"}


XML_HEADERS = {"Content-Type": "application/xml"}
"""As azure-storage-blob sends them with every body of XML."""
REMOVAL_HEADERS = {"x-ms-delete-snapshots": "include"}
"""Of Delete Blob: one that has snapshots is not removed without (409 `SnapshotsPresent`)."""


def block_list(blocks: Sequence[str]) -> bytes:
    """The XML body of Put Block List."""
    listed = "".join(f"<Latest>{block}</Latest>" for block in blocks)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()


def block_list_headers(stored: StoredFile) -> dict[str, str]:
    """Headers of Put Block List: what a whole copy takes along by itself."""
    metadata = {f"x-ms-meta-{name}": value for name, value in stored.metadata.items()}
    headers = {**XML_HEADERS, "x-ms-blob-content-type": stored.content_type or "application/octet-stream", **metadata}
    if stored.md5:
        headers["x-ms-blob-content-md5"] = base64.b64encode(stored.md5).decode()
    return headers


def _source(file: CopyFile) -> dict[str, str]:
    pinned = {"x-ms-source-if-match": f'"{file.stored.etag}"'} if file.stored.etag else {}
    return {"x-ms-copy-source": str(file.source), **pinned}
