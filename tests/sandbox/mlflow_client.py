"""Microsoft's own clients, unmodified, on a fresh workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlflow
import pytest
import requests
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient

from azureml_sandbox.server.sandbox import WorkspaceFile


@pytest.fixture
def tracking(workspace: WorkspaceFile, azure_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """MLflow on the workspace, through azureml-mlflow and an ordinary login; the fluent API leads there too."""
    names = workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    uri = MLClient(DefaultAzureCredential(), *names).workspaces.get(names[2]).mlflow_tracking_uri
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    # An experiment that another test of this process set is one of another workspace.
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    mlflow.set_tracking_uri(uri)
    return MlflowClient(uri)


@pytest.fixture
def ask(tracking: MlflowClient) -> Callable[..., requests.Response]:
    """Send fields to an MLflow path below /api/2.0 and get the plain answer: what clients make of it hides its form."""
    base = tracking.tracking_uri.replace("azureml://", "https://").partition("?")[0]
    token = DefaultAzureCredential().get_token("https://management.azure.com/.default").token

    def asking(method: str, path: str, fields: Any) -> requests.Response:
        given = {"params" if method == "GET" else "json": fields}
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, f"{base}/api/2.0/{path}", headers=headers, timeout=30, **given)

    return asking
