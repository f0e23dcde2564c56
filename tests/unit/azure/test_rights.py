"""Which role lets a refused request through."""

from __future__ import annotations

import pytest

from azureml_replay.azure import rights
from azureml_replay.azure.rights import Right, lacking, needed

ML = "Microsoft.MachineLearningServices/workspaces"


@pytest.mark.parametrize(
    ("message", "action"),
    [
        (
            f"The client 'x' does not have authorization to perform action '{ML}/jobs/read' over scope '/s'",
            f"{ML}/jobs/read",
        ),
        (f"does not have permissions for {ML}/experiments/runs/write actions.", f"{ML}/experiments/runs/write"),
        (f"no access to /subscriptions/s/resourceGroups/g/providers/{ML}/w/read", rights.RUNS.action),
        ("This request is not authorized", rights.RUNS.action),
    ],
)
def test_the_services_own_word_goes_before_ours(message: str, action: str) -> None:
    """A resource id in the message is no action."""
    assert lacking(message, rights.RUNS) == Right(action)


@pytest.mark.parametrize(
    ("right", "role", "storage"),
    [
        (rights.RUNS, "Reader", False),
        (rights.SECRETS, "AzureML Data Scientist", False),
        (rights.PUT_RUNS, "AzureML Data Scientist", False),
        (rights.BLOBS, "Storage Blob Data Reader", True),
        (rights.PUT_BLOBS, "Storage Blob Data Contributor", True),
        (rights.DELETE_BLOBS, "Storage Blob Data Contributor", True),
        (rights.SIGN, "Storage Blob Delegator", True),
    ],
)
def test_the_least_role_is_named(right: Right, role: str, storage: bool) -> None:
    assert (right.role, right.on_storage) == (role, storage)
    assert right.command("me", "/there") == f'az role assignment create --assignee me --role "{role}" --scope /there'


ARM = f"https://management.azure.com/subscriptions/s/resourceGroups/g/providers/{ML}/w"
API = f"https://api.azureml.ms/{{}}/subscriptions/s/resourceGroups/g/providers/{ML}/w"


@pytest.mark.parametrize(
    ("service", "method", "url", "right"),
    [
        ("arm", "GET", f"{ARM}?api-version=2024", rights.WORKSPACE),
        ("arm", "GET", f"{ARM}/jobs?api-version=2024", rights.JOBS),
        ("arm", "GET", f"{ARM}/datastores/jobs", rights.DATASTORES),
        ("arm", "POST", f"{ARM}/datastores/d/listSecrets", rights.SECRETS),
        ("arm", "PUT", f"{ARM}/jobs/j", None),
        ("arm", "DELETE", f"{ARM}/jobs/j?api-version=2024", rights.DELETE_JOBS),
        ("history", "POST", API.format("history/v1.0") + "/experiments:query?urlSafe=false", rights.EXPERIMENTS),
        ("history", "GET", API.format("history/v1.0") + "/experiments/e", rights.EXPERIMENTS),
        ("history", "PATCH", API.format("history/v1.0") + "/experimentids/e", rights.PUT_EXPERIMENTS),
        ("history", "POST", API.format("history/v1.0") + "/experimentids/e/runs:query", rights.RUNS),
        ("history", "PATCH", API.format("history/v1.0") + "/experiments/e/batch/runs", rights.PUT_RUNS),
        ("history", "POST", API.format("history/v1.0") + "/experiments/e/batch/events", rights.PUT_RUNS),
        ("history", "POST", API.format("history/v1.0") + "/batchrundata", rights.RUNS),
        ("metric", "POST", API.format("metric/v2.0") + "/runs/r/full", rights.RUNS),
        ("metric", "POST", API.format("metric/v2.0") + "/runs/r/batch", rights.PUT_RUNS),
        ("metric", "POST", API.format("metric/v2.0") + "/runs/r/batchsync", rights.PUT_RUNS),
        ("mlflow", "POST", API.format("mlflow/v2.0") + "/api/2.0/mlflow/runs/search", rights.RUNS),
        ("artifact", "GET", API.format("history/v1.0") + "/experiments/e/runs/r/artifacts", rights.RUNS),
        ("artifact", "POST", API.format("artifact/v2.0") + "/artifacts/register", rights.PUT_ARTIFACTS),
        ("blob a", "GET", "https://a.blob.core.windows.net/c/b", rights.BLOBS),
        ("blob a", "PUT", "https://a.blob.core.windows.net/c/b?sig=x", rights.PUT_BLOBS),
        ("blob a", "DELETE", "https://a.blob.core.windows.net/c/b", rights.DELETE_BLOBS),
        ("blob a", "POST", "https://a.blob.core.windows.net/?comp=userdelegationkey", rights.SIGN),
        ("discovery", "GET", "https://x/discovery", None),
    ],
)
def test_every_door_knows_what_it_needs(service: str, method: str, url: str, right: Right | None) -> None:
    """Storage never names the action that lacks; ARM always does."""
    assert needed(service, method, url) == right
