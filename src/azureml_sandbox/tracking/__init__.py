"""The MLflow service: the same runs, metrics and artifacts that the other services show.

The messages are mlflow-skinny's own protobufs; `experiments`, `runs`, `search`, `writes` and `history` answer them, and
`registered_models` and `model_versions` those of the registry. Routes whose real answers are not known are left out:
log-inputs. Logged models and traces it refuses as it was reported to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlflow.protos import model_registry_pb2 as models
from mlflow.protos import service_pb2 as mlflow
from starlette.responses import Response

from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.route import Call, Effect, Spoken
from azureml_sandbox.tracking import (
    experiments,
    history,
    model_versions,
    registered_models,
    runs,
    search,
    writes,
)
from azureml_sandbox.tracking.messages import GetRunDataStatus, LogBatchAsync
from azureml_sandbox.tracking.protocol import refusal, speaking

_Spoken = tuple[str, str, type[Any], Callable[[Call, Any], Any], Effect]


def _no_models(_call: Call, _request: mlflow.SearchLoggedModels) -> mlflow.SearchLoggedModels.Response:
    """POST logged-models/search: no models. MLflow 3 asks when it lists artifacts, and fails without an answer."""
    return mlflow.SearchLoggedModels.Response()


async def _no_model(_call: Call) -> Response:
    """POST logged-models: 404 without a body (Azure/azure-sdk-for-python#44896)."""
    return Response(status_code=404)


async def _no_trace(call: Call) -> Response:
    """POST traces: 403 (Azure/azure-sdk-for-python#40261)."""
    return refusal(errors.forbidden("Traces are not supported in AML yet"), call.workspace.region)


_TABLE: tuple[_Spoken, ...] = (
    ("POST", "experiments/create", mlflow.CreateExperiment, experiments.create, "write"),
    ("GET", "experiments/get", mlflow.GetExperiment, experiments.get, "read"),
    ("GET", "experiments/get-by-name", mlflow.GetExperimentByName, experiments.get_by_name, "read"),
    ("POST", "experiments/search", mlflow.SearchExperiments, experiments.search, "read"),
    ("POST", "experiments/update", mlflow.UpdateExperiment, experiments.update, "write"),
    ("POST", "experiments/delete", mlflow.DeleteExperiment, experiments.delete, "write"),
    ("POST", "experiments/restore", mlflow.RestoreExperiment, experiments.restore, "write"),
    ("POST", "experiments/set-experiment-tag", mlflow.SetExperimentTag, experiments.set_tag, "write"),
    ("POST", "runs/create", mlflow.CreateRun, runs.create, "write"),
    ("GET", "runs/get", mlflow.GetRun, runs.get, "read"),
    ("POST", "runs/update", mlflow.UpdateRun, runs.update, "write"),
    ("POST", "runs/delete", mlflow.DeleteRun, runs.delete, "write"),
    ("POST", "runs/restore", mlflow.RestoreRun, runs.restore, "write"),
    ("POST", "runs/search", mlflow.SearchRuns, search.search, "read"),
    ("POST", "runs/log-metric", mlflow.LogMetric, writes.log_metric, "write"),
    ("POST", "runs/log-parameter", mlflow.LogParam, writes.log_parameter, "write"),
    ("POST", "runs/set-tag", mlflow.SetTag, writes.set_tag, "write"),
    ("POST", "runs/delete-tag", mlflow.DeleteTag, writes.delete_tag, "write"),
    ("POST", "runs/log-batch", mlflow.LogBatch, writes.log_batch, "write"),
    ("POST", "runs/log-model", mlflow.LogModel, writes.log_model, "write"),
    ("GET", "metrics/get-history", mlflow.GetMetricHistory, history.get, "read"),
    ("GET", "artifacts/list", mlflow.ListArtifacts, runs.artifacts, "read"),
    ("POST", "logged-models/search", mlflow.SearchLoggedModels, _no_models, "read"),
)
_MODELS: tuple[_Spoken, ...] = (
    ("POST", "registered-models/create", models.CreateRegisteredModel, registered_models.create, "write"),
    ("POST", "registered-models/rename", models.RenameRegisteredModel, registered_models.rename, "write"),
    ("PATCH", "registered-models/update", models.UpdateRegisteredModel, registered_models.update, "write"),
    ("DELETE", "registered-models/delete", models.DeleteRegisteredModel, registered_models.delete, "write"),
    ("GET", "registered-models/get", models.GetRegisteredModel, registered_models.get, "read"),
    ("GET", "registered-models/search", models.SearchRegisteredModels, registered_models.search, "read"),
    ("POST", "registered-models/get-latest-versions", models.GetLatestVersions, registered_models.latest, "read"),
    ("GET", "registered-models/get-latest-versions", models.GetLatestVersions, registered_models.latest, "read"),
    ("POST", "registered-models/set-tag", models.SetRegisteredModelTag, registered_models.set_tag, "write"),
    ("DELETE", "registered-models/delete-tag", models.DeleteRegisteredModelTag, registered_models.delete_tag, "write"),
    ("POST", "registered-models/alias", models.SetRegisteredModelAlias, registered_models.set_alias, "write"),
    ("DELETE", "registered-models/alias", models.DeleteRegisteredModelAlias, registered_models.delete_alias, "write"),
    ("GET", "registered-models/alias", models.GetModelVersionByAlias, registered_models.by_alias, "read"),
    ("POST", "model-versions/create", models.CreateModelVersion, model_versions.create, "write"),
    ("PATCH", "model-versions/update", models.UpdateModelVersion, model_versions.update, "write"),
    ("POST", "model-versions/transition-stage", models.TransitionModelVersionStage, model_versions.transition, "write"),
    ("DELETE", "model-versions/delete", models.DeleteModelVersion, model_versions.delete, "write"),
    ("GET", "model-versions/get", models.GetModelVersion, model_versions.get, "read"),
    ("GET", "model-versions/search", models.SearchModelVersions, model_versions.search, "read"),
    ("GET", "model-versions/get-download-uri", models.GetModelVersionDownloadUri, model_versions.download_uri, "read"),
    ("POST", "model-versions/set-tag", models.SetModelVersionTag, model_versions.set_tag, "write"),
    ("DELETE", "model-versions/delete-tag", models.DeleteModelVersionTag, model_versions.delete_tag, "write"),
)
_PREVIEW: tuple[_Spoken, ...] = (
    ("POST", "runs/log-batch-async", LogBatchAsync, writes.log_batch_async, "write"),
    ("GET", "runs/get-run-data-status", GetRunDataStatus, writes.data_status, "read"),
)

ROUTES = tuple(
    Spoken(method, "mlflow", base + path, speaking(kind, answer), effect)
    for base, table in (("/api/2.0/mlflow/", _TABLE + _MODELS), ("/api/2.0/preview/mlflow/", _PREVIEW))
    for method, path, kind, answer, effect in table
) + tuple(
    Spoken("POST", "mlflow", f"/api/{version}/mlflow/{path}", handler, "write")
    for version in ("2.0", "3.0")
    for path, handler in (("logged-models", _no_model), ("traces", _no_trace))
)
