"""MLflow's route metrics/get-history: one metric of one run, page by page."""

from __future__ import annotations

from mlflow.protos import service_pb2 as mlflow

from azureml_sandbox import instants
from azureml_sandbox.protocol import bodies
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import documents, runs

PAGE = 999
"""The service said "MaxResults must be less than 1000" to a client that asked for 25,000 (mlflow/mlflow issue 10694);
since then it answers such clients (they still ask for 25,000), so it must cap what is asked."""


def get(call: Call, request: mlflow.GetMetricHistory) -> mlflow.GetMetricHistory.Response:
    """GET metrics/get-history: the rows of a metric, none for a metric that was never logged."""
    guid, container = call.workspace.guid, runs.meant(call, request)["dataContainerId"]
    series = call.world.metrics.get(guid, container, request.metric_key)
    if series is None or not documents.is_scalar(series):
        return mlflow.GetMetricHistory.Response()
    size = min(request.max_results or PAGE, PAGE)
    after = bodies.number(request.page_token or None)
    rows = call.world.metrics.rows(guid, series, after=after, limit=size + 1, visible=instants.now())
    answered = mlflow.GetMetricHistory.Response(metrics=[documents.metric(series, row) for _, row in rows[:size]])
    if len(rows) > size:
        answered.next_page_token = bodies.token(rows[size - 1][0])
    return answered
