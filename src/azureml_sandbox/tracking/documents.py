"""The service's documents, turned into MLflow's messages.

The order and the doubling of tags are recorded: what was sent, then what the service knows itself, `mlflow.user` again
with the user's real name. Assumption: the run names and parents of other clients appear in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from mlflow.entities import LifecycleStage
from mlflow.protos.service_pb2 import Experiment, ExperimentTag, Metric, Param, Run, RunInfo, RunStatus, RunTag

from azureml_sandbox import instants
from azureml_sandbox.protocol import errors
from azureml_sandbox.world import SCALAR, Document, Series, Workspace

RUN_NAME = "mlflow.runName"
PARENT = "mlflow.parentRunId"

_TO_MLFLOW = {
    "NotStarted": "SCHEDULED",
    "Starting": "SCHEDULED",
    "Provisioning": "SCHEDULED",
    "Preparing": "SCHEDULED",
    "Queued": "SCHEDULED",
    "Paused": "SCHEDULED",
    "Completed": "FINISHED",
    "Failed": "FAILED",
    "NotResponding": "FAILED",
    "Canceled": "KILLED",
}
_TO_SERVICE = {
    "RUNNING": "Running",
    "SCHEDULED": "NotStarted",
    "FINISHED": "Completed",
    "FAILED": "Failed",
    "KILLED": "Canceled",
}


def service_status(status: int) -> str:
    """Run history's word for MLflow's number (recorded: a run created by MLflow is `Running`)."""
    return _TO_SERVICE[RunStatus.Name(status)]


def service_time(milliseconds: int) -> str:
    """A client's time in the service's form. Raises Refused (400) for a time that no calendar has."""
    try:
        return instants.text(milliseconds * instants.MILLISECOND)
    except (ValueError, OverflowError, OSError) as wrong:
        raise errors.invalid(f"{milliseconds} is no time in milliseconds: {wrong}") from wrong


def experiment(document: Document) -> Experiment:
    """An experiment; an archived one is what MLflow calls deleted."""
    created = instants.parse(document["createdUtc"]) // instants.MILLISECOND
    return Experiment(
        experiment_id=document["experimentId"],
        name=document["name"],
        artifact_location=document.get("artifactLocation") or "",
        lifecycle_stage=_stage(hidden=document.get("archivedTime") is not None),
        creation_time=created,
        last_update_time=created,
        tags=[ExperimentTag(key=key, value=value or "") for key, value in (document.get("tags") or {}).items()],
    )


def artifact_uri(workspace: Workspace, experiment_name: str, run_id: str) -> str:
    """The URI of a run's files; azureml-mlflow takes host, workspace, experiment name and run from it."""
    host = workspace.api.removeprefix("https://")
    return f"azureml://{host}/mlflow/v2.0{workspace.arm_id}/experiments/{experiment_name}/runs/{run_id}/artifacts"


def run_info(document: Document) -> RunInfo:
    """The answer to runs/update; it has no artifact_uri (recorded)."""
    info = RunInfo(
        run_uuid=document["runId"],
        run_id=document["runId"],
        experiment_id=document["experimentId"],
        run_name=document.get("displayName") or "",
        user_id=document.get("userId") or "",
        status=RunStatus.Value(_TO_MLFLOW.get(document.get("status") or "", "RUNNING")),
        lifecycle_stage=_stage(hidden=bool(document.get("hidden"))),
    )
    for field, key in (("start_time", "startTimeUtc"), ("end_time", "endTimeUtc")):
        if document.get(key):
            setattr(info, field, instants.parse(document[key]) // instants.MILLISECOND)
    return info


def run(workspace: Workspace, experiment_name: str, document: Document, metrics: Iterable[Metric]) -> Run:
    """A run with its metrics, parameters and tags."""
    info = run_info(document)
    properties = document.get("properties") or {}
    info.artifact_uri = properties.get("mlflow.artifactUri") or artifact_uri(workspace, experiment_name, info.run_id)
    shown = Run(info=info)
    shown.data.metrics.extend(metrics)
    shown.data.params.extend(
        Param(key=key, value=value if isinstance(value, str) else json.dumps(value))
        for key, value in (document.get("parameters") or {}).items()
    )
    shown.data.tags.extend(_tags(document))
    shown.inputs.SetInParent()
    return shown


def is_scalar(series: Series) -> bool:
    """Whether MLflow can show it: one number a row; tables, lists and namespaces are unknown to MLflow."""
    numeric = series.columns.get(series.name) in {"Double", "Int"}
    return numeric and not series.namespace and series.properties.get("uxMetricType") == SCALAR


def metric(series: Series, row: Document) -> Metric:
    """One row; a row without a step is shown at step 0, since MLflow has no rows without a step."""
    return Metric(
        key=series.name,
        value=float(row["data"][series.name]),
        timestamp=instants.parse(row["createdUtc"]) // instants.MILLISECOND,
        step=row.get("step") or 0,
    )


def _tags(document: Document) -> list[RunTag]:
    own = {
        "mlflow.rootRunId": document.get("rootRunId"),
        PARENT: document.get("parentRunId"),
        RUN_NAME: document.get("displayName"),
        "mlflow.user": (document.get("createdBy") or {}).get("userName"),
    }
    sent = [RunTag(key=key, value=value or "") for key, value in (document.get("tags") or {}).items()]
    return sent + [RunTag(key=key, value=value) for key, value in own.items() if value is not None]


def _stage(*, hidden: bool) -> str:
    return str(LifecycleStage.DELETED if hidden else LifecycleStage.ACTIVE)
