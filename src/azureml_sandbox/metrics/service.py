"""The routes of the metric service, `/metric/v2.0`: rows are appended, never replaced, and may become readable later.

Recorded: `lastvalues`. From run-history.json: `list`, `full`, `batch`. Seen in promptflow's public source: `batchsync`.
Assumptions: rows come back in the order of logging; a `metricId` sent twice is two rows; all pages' sizes; a batch
without `reportErrors` is refused whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.history.access import stored_run, strict
from azureml_sandbox.metrics import metric_rows
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.bodies import Table, answer, body, number, page, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Document, Series

COMPONENT = "metric"


async def names(call: Call) -> Response:
    """POST runs/{id}/list {metricNamespace, continuationToken}: what was logged, by first logging."""
    asked, container = await body(call), stored_run(call)["dataContainerId"]
    space, skip = part(asked, "metricNamespace", "string"), number(part(asked, "continuationToken", "string"))
    found = [
        item
        for item in call.world.metrics.of_container(call.workspace.guid, container, visible=instants.now())
        if space in (None, item.namespace)
    ]
    behind = skip + limits.METRICS_IN_PAGE
    following = behind if len(found) > behind else None
    return answer(page(call, [_definition(item) for item in found[skip:behind]], following))


async def full(call: Call) -> Response:
    """POST runs/{id}/full {metricName, metricNamespace, startTime, endTime, continuationToken}: every row, in pages."""
    asked, guid, now = await body(call), call.workspace.guid, instants.now()
    name, space = part(asked, "metricName", "string"), part(asked, "metricNamespace", "string") or ""
    container = stored_run(call)["dataContainerId"]
    readable = call.world.metrics.of_container(guid, container, visible=now)
    series = next((item for item in readable if (item.name, item.namespace) == (name, space)), None)
    if series is None:
        raise errors.not_found("Metric", str(name))
    found = call.world.metrics.rows(
        guid,
        series,
        after=number(part(asked, "continuationToken", "string")),
        limit=limits.ROWS_IN_PAGE + 1,
        start=_time(asked, "startTime"),
        end=_time(asked, "endTime"),
        visible=now,
    )
    rows = found[: limits.ROWS_IN_PAGE]
    following = rows[-1][0] if len(found) > len(rows) else None
    return answer(_metric(series) | page(call, [row for _, row in rows], following))


async def last_values(call: Call) -> Response:
    """POST runs/{id}/lastvalues: each metric with the row logged last."""
    container = stored_run(call)["dataContainerId"]
    found = call.world.metrics.last(call.workspace.guid, container, visible=instants.now())
    return answer({"value": [_metric(series) | {"value": [row]} for series, row in found]})


async def append(call: Call) -> Response:
    """POST runs/{id}/batch {values, reportErrors}: 207 with an error for each metric that was refused."""
    lag = int(call.request.app.state.faults.ingestion_lag_ms) * instants.MILLISECOND
    return await _append(call, lag)


async def append_at_once(call: Call) -> Response:
    """POST runs/{id}/batchsync: as `batch`, but the rows are readable when it answers."""
    return await _append(call, 0)


async def _append(call: Call, lag: int) -> Response:
    asked = await body(call)
    given = part(asked, "values", "array")
    if given is None:
        raise errors.invalid("values is required.")
    container, refused = stored_run(call)["dataContainerId"], list[Document]()
    counts = Counter[object]()
    with call.world.transaction():
        for metric in given:
            try:
                _append_one(call, metric, container, counts, lag)
            except Refused as no:
                if not asked.get("reportErrors"):
                    raise
                response = errors.data_plane(no, call.workspace.region, COMPONENT)
                refused.append({"metric": metric, "errorResponse": response})
    return answer({"errors": refused}, 207 if refused else 200)


def _append_one(call: Call, metric: Any, container: str, counts: Counter[object], lag: int) -> None:  # noqa: ANN401 JSON
    if not isinstance(metric, dict):
        raise errors.invalid("A metric must be an object.")
    at = instants.now()
    series = metric_rows.series(metric, container)
    rows = metric_rows.rows(metric, series.columns, at)
    if "lose-metric-ids" in strict(call):
        rows = [row | {"metricId": str(uuid4())} for row in rows]
    counts[series.namespace, series.name] += len(rows)
    if counts[series.namespace, series.name] > limits.METRIC_ROWS_IN_REQUEST:
        raise errors.over_limit("MetricV2Dto.Value/Count", limits.METRIC_ROWS_IN_REQUEST)
    _fits(call, series, len(rows))
    call.world.metrics.append(call.workspace.guid, series, rows, visible=at + lag if lag else 0)


def _fits(call: Call, series: Series, more: int) -> None:
    """Raises Refused (400) where the run has too many metrics or rows, or the name other columns."""
    metrics, guid = call.world.metrics, call.workspace.guid
    if metrics.count(guid, series.container) + more > limits.METRIC_VALUES:
        raise errors.over_limit("Metrics/Values", limits.METRIC_VALUES)
    known = metrics.get(guid, series.container, series.name, series.namespace)
    if known is None:
        if len(metrics.of_container(guid, series.container)) >= limits.METRIC_NAMES:
            raise errors.over_limit("Metrics/Count", limits.METRIC_NAMES)
        return
    if known.columns != series.columns:
        raise errors.invalid(f"Metric {series.name} has other columns: {', '.join(known.columns)}.")
    if known.rows + more > limits.METRIC_ROWS:
        raise errors.over_limit("Metric/Rows", limits.METRIC_ROWS)


def _definition(series: Series) -> Document:
    key = {
        "namespace": series.namespace or None,
        "name": series.name,
        "labels": [],
        "columnNames": list(series.columns),
    }
    return {"metricKey": key, "columns": series.columns, "properties": series.properties}


def _metric(series: Series) -> Document:
    return {
        "dataContainerId": series.container,
        "name": series.name,
        "columns": series.columns,
        "properties": series.properties,
        "namespace": series.namespace or None,
        "standardSchemaId": series.standard_schema_id,
    }


def _time(asked: Mapping[str, Any], key: str) -> int | None:
    given = asked.get(key)
    try:
        return None if given is None else instants.parse(str(given))
    except ValueError as wrong:
        raise errors.invalid(f"{key}: {wrong}") from wrong


def _routes() -> tuple[Spoken, ...]:
    table = Table("metric", COMPONENT)
    table.on("POST", "/runs/{run_id}/list", names)
    table.on("POST", "/runs/{run_id}/full", full)
    table.on("POST", "/runs/{run_id}/lastvalues", last_values)
    table.on("POST", "/runs/{run_id}/batch", append, "write")
    table.on("POST", "/runs/{run_id}/batchsync", append_at_once, "write")
    return tuple(table.routes)


ROUTES = _routes()
