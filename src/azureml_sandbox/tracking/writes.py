"""MLflow's routes that log: metrics go into the metric store, parameters and tags into the run's document.

Limits: of a request, MLflow's REST documentation (1,000 metrics, 100 parameters, 100 tags, 1,000 together); of one
metric in a request 250 rows, and of a run 200 parameters, in the service's own words (mlflow/mlflow issue 11462,
Azure/azure-sdk-for-python issue 35685); the rest learn.microsoft.com. Assumption, the less kind one: MLflow's routes
enforce the documented 50 metric names and the 1,000 characters of a tag.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable
from uuid import uuid4

from mlflow.protos import service_pb2 as mlflow

from azureml_sandbox import instants
from azureml_sandbox.history import run_document
from azureml_sandbox.history.access import caller, replaced, stored_run
from azureml_sandbox.protocol import bodies, errors, limits
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import documents, runs
from azureml_sandbox.tracking.messages import GetRunDataStatus, LogBatchAsync
from azureml_sandbox.tracking.protocol import within
from azureml_sandbox.world import Document, scalar

METRICS, PARAMETERS, TAGS, ENTITIES = 1_000, 100, 100, 1_000
KEY, PARAMETER = 250, 6_000
_MODELS = "mlflow.log-model.history"


def log_metric(call: Call, request: mlflow.LogMetric) -> mlflow.LogMetric.Response:
    """POST runs/log-metric."""
    one = mlflow.Metric(key=request.key, value=request.value, timestamp=request.timestamp, step=request.step)
    _log(call, runs.meant(call, request), metrics=[one])
    return mlflow.LogMetric.Response()


def log_parameter(call: Call, request: mlflow.LogParam) -> mlflow.LogParam.Response:
    """POST runs/log-parameter."""
    _log(call, runs.meant(call, request), parameters=[mlflow.Param(key=request.key, value=request.value)])
    return mlflow.LogParam.Response()


def set_tag(call: Call, request: mlflow.SetTag) -> mlflow.SetTag.Response:
    """POST runs/set-tag."""
    _log(call, runs.meant(call, request), tags=[mlflow.RunTag(key=request.key, value=request.value)])
    return mlflow.SetTag.Response()


def delete_tag(call: Call, request: mlflow.DeleteTag) -> mlflow.DeleteTag.Response:
    """POST runs/delete-tag. Raises Refused (404) for a tag that is not there."""
    document = stored_run(call, request.run_id)
    if request.key not in document["tags"]:
        raise errors.not_found("Tag", request.key)
    left = {key: value for key, value in document["tags"].items() if key != request.key}
    replaced(call, run_document.touched(document | {"tags": left}, caller(call), instants.now()))
    return mlflow.DeleteTag.Response()


def log_model(call: Call, request: mlflow.LogModel) -> mlflow.LogModel.Response:
    """POST runs/log-model: MLflow's own tag gets an entry, as its server writes it (assumption: of any length)."""
    try:
        told = json.loads(request.model_json)
    except json.JSONDecodeError as wrong:
        raise errors.invalid(f"model_json is not JSON: {wrong}") from wrong
    document = stored_run(call, request.run_id)
    tags = document.get("tags") or {}
    history = [*json.loads(tags.get(_MODELS) or "[]"), told]
    changed = document | {"tags": tags | {_MODELS: json.dumps(history)}}
    replaced(call, run_document.touched(changed, caller(call), instants.now()))
    return mlflow.LogModel.Response()


def log_batch(call: Call, request: mlflow.LogBatch) -> mlflow.LogBatch.Response:
    """POST runs/log-batch: all or nothing."""
    _log_batch(call, request)
    return mlflow.LogBatch.Response()


def log_batch_async(call: Call, request: LogBatchAsync) -> LogBatchAsync.Response:
    """POST preview runs/log-batch-async: parameters and tags at once; metrics get a tracking id, to be asked for."""
    visible = _log_batch(call, request)
    return LogBatchAsync.Response(batch_tracking_id=bodies.token(visible) if request.metrics else "")


def data_status(call: Call, request: GetRunDataStatus) -> GetRunDataStatus.Response:
    """GET preview runs/get-run-data-status: whether the metrics of a tracking id can be read."""
    stored_run(call, request.run_id)
    return GetRunDataStatus.Response(is_complete=bodies.number(request.batch_tracking_id) <= instants.now())


def _log_batch(call: Call, request: mlflow.LogBatch) -> int:
    within("Metrics/Count", len(request.metrics), METRICS)
    within("Params/Count", len(request.params), PARAMETERS)
    within("Tags/Count", len(request.tags), TAGS)
    within("Entities/Count", len(request.metrics) + len(request.params) + len(request.tags), ENTITIES)
    document = stored_run(call, request.run_id)
    return _log(call, document, metrics=request.metrics, parameters=request.params, tags=request.tags)


def _log(
    call: Call,
    document: Document,
    *,
    metrics: Iterable[mlflow.Metric] = (),
    parameters: Iterable[mlflow.Param] = (),
    tags: Iterable[mlflow.RunTag] = (),
) -> int:
    """Store what was logged; returns the tick from which its metrics can be read."""
    lag = int(call.request.app.state.faults.ingestion_lag_ms) * instants.MILLISECOND
    visible = instants.now() + lag if lag else 0
    with call.world.transaction():
        for name, rows in _by_name(metrics).items():
            _append(call, document["dataContainerId"], name, rows, visible)
        change = _change(parameters, tags)
        if change:
            replaced(call, run_document.modified(document, change, caller(call), instants.now()))
    return visible


def _change(parameters: Iterable[mlflow.Param], tags: Iterable[mlflow.RunTag]) -> Document:
    """A `CreateRun` body; the tag mlflow.runName is the run's name."""
    change: Document = {}
    given = _once(parameters)
    for key, value in given.items():
        within("Parameters/Key", len(key), KEY)
        within("Parameters/Value", len(value), PARAMETER)
    if given:
        change["parameters"] = given
    tagged = {tag.key: tag.value for tag in tags}
    if tagged:
        change["tags"] = tagged
    if documents.RUN_NAME in tagged:
        change["displayName"] = tagged[documents.RUN_NAME]
    return change


def _once(parameters: Iterable[mlflow.Param]) -> dict[str, str]:
    """The parameters by name.

    Raises Refused (400) where one has two values: parameters are immutable within a request too.
    """
    given: dict[str, str] = {}
    for parameter in parameters:
        if given.setdefault(parameter.key, parameter.value) != parameter.value:
            raise errors.invalid(f"Run parameters are immutable: {parameter.key}.")
    return given


def _by_name(metrics: Iterable[mlflow.Metric]) -> dict[str, list[Document]]:
    rows: defaultdict[str, list[Document]] = defaultdict(list)
    for metric in metrics:
        rows[metric.key].append(_row(metric))
    return rows


def _append(call: Call, container: str, name: str, rows: list[Document], visible: int) -> None:
    guid, store = call.workspace.guid, call.world.metrics
    within("MetricV2Dto.Value/Count", len(rows), limits.METRIC_ROWS_IN_REQUEST)
    within("MetricV2Dto.Name/Length", len(name), limits.METRIC_NAME)
    known = store.get(guid, container, name)
    if known is None:
        within("Metrics/Count", len(store.of_container(guid, container)) + 1, limits.METRIC_NAMES)
    elif not documents.is_scalar(known):
        raise errors.invalid(f"Metric {name} is of another type.")
    within("Metric/Rows", (known.rows if known is not None else 0) + len(rows), limits.METRIC_ROWS)
    within("Metrics/Values", store.count(guid, container) + len(rows), limits.METRIC_VALUES)
    store.append(guid, scalar(container, name), rows, visible=visible)


def _row(metric: mlflow.Metric) -> Document:
    return {
        "metricId": str(uuid4()),
        "createdUtc": documents.service_time(metric.timestamp),
        "step": metric.step,
        "data": {metric.key: _number(metric.value)},
    }


def _number(value: float) -> float | str:
    """JSON has no NaN: .NET writes it and the infinities as strings."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
