"""A run as one entry of jobs.json: the original tool's fields by their names, then what it lacked (pure).

The original took its values from azure-ai-ml's job and MLflow's run. A step has no ARM document of its own
(responses.md 1.2), so its values come from run history and the definition that `rundata` gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from azureml_replay.azure.place import resource_id
from azureml_replay.instants import TICKS_PER_SECOND
from azureml_replay.model import AssetReference, Job, Json, Run, RunDetails, RunId
from azureml_replay.workspace.place import Place

Record: TypeAlias = "dict[str, Any]"

FIELDS = (
    *("name", "id", "display_name", "job_type", "status", "experiment_name", "parent_job_name", "created_at"),
    *("start_time", "end_time", "duration_seconds", "created_by", "created_by_type", "last_modified_at"),
    *("last_modified_by", "last_modified_by_type", "command", "script_name", "environment_name", "environment_id"),
    *("environment_variables", "code_id", "arguments", "job_parameters", "compute_target", "compute_id"),
    *("compute_type", "instance_count", "instance_type", "distribution", "job_limits", "job_inputs", "job_outputs"),
    *("identity_type", "services", "job_properties", "task_details", "objective", "search_space"),
    *("sampling_algorithm", "early_termination", "trial_component", "pipeline_settings", "pipeline_sub_jobs"),
    *("description", "tags", "mlflow_run_id", "mlflow_run_name", "mlflow_experiment_id", "mlflow_user_id"),
    *("mlflow_artifact_uri", "mlflow_metrics", "mlflow_params", "mlflow_tags", "mlflow_dataset_inputs"),
    *("child_run_ids", "mlflow_artifact_paths"),
)
"""The original tool's fields, in its order."""
ADDED = (
    *("run_type", "hidden", "error", "error_origin", "lender", "run_parameters", "run_inputs", "run_outputs"),
    *("output_datasets", "artifacts", "metric_history"),
)
"""Fields that we add. The last two are streamed: they may be longer than memory."""

ARM_KEYS: Mapping[str, str] = {
    "command": "command",
    "environment_id": "environmentId",
    "environment_variables": "environmentVariables",
    "code_id": "codeId",
    "job_parameters": "parameters",
    "compute_id": "computeId",
    "distribution": "distribution",
    "job_limits": "limits",
    "job_inputs": "inputs",
    "job_outputs": "outputs",
    "services": "services",
    "task_details": "taskDetails",
    "objective": "objective",
    "search_space": "searchSpace",
    "sampling_algorithm": "samplingAlgorithm",
    "early_termination": "earlyTermination",
    "trial_component": "trial",
    "pipeline_settings": "settings",
    "pipeline_sub_jobs": "jobs",
}
"""Field -> key of an ARM job's `properties` (responses.md 1.2)."""
_DEFINITION_KEYS: Mapping[str, str] = {
    "command": "command",
    "environment_variables": "environmentVariables",
    "arguments": "arguments",
    "instance_count": "nodeCount",
    "pipeline_settings": "Settings",
    "pipeline_sub_jobs": "Jobs",
    "job_inputs": "Inputs",
    "job_outputs": "Outputs",
}
"""Field -> key of a run definition: camelCase for a step, PascalCase for a pipeline (responses.md 4.3)."""
JOB_TYPES: Mapping[str, str] = {
    "azureml.pipelinerun": "pipeline",
    "azureml.steprun": "command",
    "azureml.scriptrun": "command",
    "hyperdrive": "sweep",
    "azureml.hyperdriverun": "sweep",
    "automl": "automl",
    "azureml.automl": "automl",
    "azureml.automlrun": "automl",
}
"""`runType` in lower case -> azure-ai-ml's word for the job."""


@dataclass(frozen=True, slots=True)
class _Documents:
    """The documents that one entry is made from; a missing one is empty."""

    details: RunDetails
    job: Mapping[str, Any] = field(default_factory=dict)
    arm: Mapping[str, Any] = field(default_factory=dict)
    """The `properties` of the job."""
    history: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        return self.details.run


def head(details: RunDetails, job: Job | None, *, source: Place, root: RunId, children: Sequence[RunId]) -> Record:
    """An entry without metrics and files, which are streamed after it; those fields are None or absent here."""
    document = _mapping(job.document if job else None)
    documents = _Documents(
        details,
        document,
        _mapping(document.get("properties")),
        _mapping(details.run.document),
        _mapping(details.definition),
    )
    parts = (
        dict.fromkeys(FIELDS),
        {name: documents.definition.get(key) for name, key in _DEFINITION_KEYS.items()},
        {name: documents.arm[key] for name, key in ARM_KEYS.items() if documents.arm.get(key) is not None},
        _identity(documents, source),
        _times(documents),
        _environment(documents),
        _compute(documents),
        _values(documents, root),
        {"child_run_ids": list(children)},
    )
    return {name: value for part in parts for name, value in part.items()}


def _identity(documents: _Documents, source: Place) -> Record:
    run, arm = documents.run, documents.arm
    return {
        "name": run.id,
        "id": documents.job.get("id") or f"{resource_id(source)}/jobs/{run.id}",
        "display_name": run.display_name,
        "job_type": str(arm.get("jobType") or "").lower() or JOB_TYPES.get((run.kind or "").lower()),
        "status": run.status,
        "experiment_name": run.experiment,
        "parent_job_name": run.parent,
        "description": run.description,
        "run_type": run.kind,
        "hidden": run.hidden,
        "error": run.error,
        "error_origin": run.error_origin,
        "lender": run.lender,
    }


def _times(documents: _Documents) -> Record:
    run, made = documents.run, _mapping(documents.job.get("systemData"))
    seconds = (run.end.ticks - run.start.ticks) / TICKS_PER_SECOND if run.start and run.end else None
    return {
        "created_at": _stamp(run.created),
        "start_time": _stamp(run.start),
        "end_time": _stamp(run.end),
        "duration_seconds": seconds,
        "created_by": run.creator,
        "created_by_type": made.get("createdByType"),
        "last_modified_at": _stamp(run.modified),
        "last_modified_by": _mapping(documents.history.get("lastModifiedBy")).get("userName"),
        "last_modified_by_type": made.get("lastModifiedByType"),
    }


def _environment(documents: _Documents) -> Record:
    defined = _mapping(documents.definition.get("environment"))
    known = documents.arm.get("environmentId") or defined.get("assetId")
    return {
        "script_name": documents.history.get("scriptName") or documents.run.tags.get("mlflow.source.name"),
        "environment_id": known,
        "environment_name": defined.get("name") or (str(known).rpartition("/")[2] if known else None),
    }


def _compute(documents: _Documents) -> Record:
    resources, identity = _mapping(documents.arm.get("resources")), _mapping(documents.arm.get("identity"))
    target = documents.history.get("target") or str(documents.arm.get("computeId") or "").rpartition("/")[2]
    nodes = _mapping(documents.history.get("computeRequest")).get("nodeCount") or documents.definition.get("nodeCount")
    return {
        "compute_target": target or None,
        "compute_type": documents.run.properties.get("_azureml.ComputeTargetType"),
        "instance_count": resources.get("instanceCount") or nodes,
        "instance_type": resources.get("instanceType"),
        "identity_type": identity.get("identityType"),
    }


def _values(documents: _Documents, root: RunId) -> Record:
    run = documents.run
    own: dict[str, str | None] = {"mlflow.rootRunId": root, "mlflow.parentRunId": run.parent}
    own |= {"mlflow.runName": run.display_name, "mlflow.user": run.creator}
    return {
        "job_properties": dict(run.properties),
        "tags": dict(run.tags),
        "mlflow_run_id": run.id,
        "mlflow_run_name": run.display_name,
        "mlflow_experiment_id": documents.history.get("experimentId"),
        "mlflow_user_id": documents.history.get("userId"),
        "mlflow_artifact_uri": f"azureml://jobs/{run.id}/outputs/artifacts/paths/",
        "mlflow_params": {name: _text(value) for name, value in run.parameters.items()},
        "mlflow_tags": {key: value or "" for key, value in run.tags.items()}  # the service's own come last, and win
        | {key: value for key, value in own.items() if value is not None},
        "mlflow_dataset_inputs": run.input_datasets,
        "run_parameters": dict(run.parameters),
        "run_inputs": _assets(run.inputs),
        "run_outputs": _assets(run.outputs),
        "output_datasets": run.output_datasets,
    }


def _assets(assets: Mapping[str, AssetReference]) -> Record:
    return {name: {"asset_id": asset.asset_id, "type": asset.type} for name, asset in assets.items()}


def _mapping(value: Json) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: null is common in the service's documents."""
    return value if isinstance(value, Mapping) else {}


def _stamp(instant: object) -> str | None:
    return None if instant is None else str(instant)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)
