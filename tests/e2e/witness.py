"""What a workspace holds, asked through Microsoft's and MLflow's own clients: nothing of ours is imported here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"  # a bar a run would bury what a failing test says

import mlflow
from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from azureml_sandbox.server.sandbox import WorkspaceFile

LEASE = "azureml-replay-lease-"
"""How the run begins that says who replays into a workspace: `test_lease` looks at it, the others past it."""


@dataclass(frozen=True)
class Seen:
    """One workspace in the clients' words, but for the run that holds a lease."""

    experiments: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, Any]]
    points: dict[tuple[str, str], list[tuple[int, int, str]]]
    """(run, metric) -> step, milliseconds, bits; sorted, as ingestion promises no order."""
    files: dict[tuple[str, str], str]
    """(run, path) -> sha256 of the bytes."""
    jobs: dict[str, tuple[str, str, str, str]]
    """azure-ai-ml: name -> display name, experiment, status, type."""
    places: dict[str, str] = field(default_factory=dict)
    """MLflow: run -> the workspace that its `artifact_uri` names."""


def ml_client(workspace: WorkspaceFile) -> MLClient:
    """As a user would make it."""
    return MLClient(
        DefaultAzureCredential(), workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    )


def tracking_uri(workspace: WorkspaceFile) -> str:
    """Where MLflow finds this workspace."""
    return str(ml_client(workspace).workspaces.get(workspace.workspace_name).mlflow_tracking_uri)


def look(workspace: WorkspaceFile, *, files: bool = True) -> Seen:
    """Everything that the two clients can tell. Takes about 20 requests a run."""
    uri = tracking_uri(workspace)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(tracking_uri=uri)
    experiments = {one.experiment_id: one for one in client.search_experiments(view_type=ViewType.ALL)}
    runs = [run for found in experiments for run in _runs(client, found) if not run.info.run_id.startswith(LEASE)]
    jobs = [one for one in ml_client(workspace).jobs.list(list_view_type=ListViewType.ALL) if LEASE not in one.name]
    return Seen(
        experiments={one.name: {"stage": one.lifecycle_stage, "tags": dict(one.tags)} for one in experiments.values()},
        runs={run.info.run_id: _told(run, experiments[run.info.experiment_id].name) for run in runs},
        points={
            (run.info.run_id, name): _history(client, run.info.run_id, name)
            for run in runs
            for name in run.data.metrics
        },
        files={
            (run.info.run_id, path): digest
            for run in runs
            if files
            for path, digest in _files(client, run.info.run_id).items()
        },
        jobs={job.name: _job(job) for job in jobs},
        places={run.info.run_id: run.info.artifact_uri.split("/workspaces/")[1].split("/")[0] for run in runs},
    )


def _runs(client: MlflowClient, experiment: str) -> list[Run]:
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ALL, max_results=500, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _told(run: Run, experiment: str) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "status": run.info.status,
        "start": run.info.start_time,
        "end": run.info.end_time,
        "name": run.info.run_name,
        "stage": run.info.lifecycle_stage,
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
    }


def _history(client: MlflowClient, run: str, name: str) -> list[tuple[int, int, str]]:
    return sorted((one.step, one.timestamp, float(one.value).hex()) for one in client.get_metric_history(run, name))


def _files(client: MlflowClient, run: str) -> dict[str, str]:
    if not client.list_artifacts(run):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        client.download_artifacts(run, "", folder)
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(folder).rglob("*")
            if path.is_file()
        }


def _job(job: Any) -> tuple[str, str, str, str]:
    return str(job.display_name), str(job.experiment_name), str(job.status), str(job.type)
