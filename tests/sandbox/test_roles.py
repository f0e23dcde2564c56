"""Roles that are missing: each door says in its service's own words which action it needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from azure.ai.ml import MLClient
from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from azureml_sandbox.front.routes import PREFIX, spoken
from azureml_sandbox.problem import Problem
from azureml_sandbox.protocol.roles import BLOBS, WORKSPACES, action
from azureml_sandbox.protocol.traffic import Asked
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import ARTIFACTS, Account
from sandbox.plane import Plane, error

DOORS = [
    ("arm", "GET", "", "read"),
    ("arm", "GET", "/jobs", "jobs/read"),
    ("arm", "GET", "/jobs/r1", "jobs/read"),
    ("arm", "PUT", "/jobs/new", "jobs/write"),
    ("arm", "POST", "/jobs/r1/cancel", "jobs/cancel/action"),
    ("arm", "GET", "/datastores/workspaceblobstore", "datastores/read"),
    ("arm", "POST", "/datastores/workspaceblobstore/listSecrets", "datastores/listsecrets/action"),
    ("arm", "PUT", "/codes/c/versions/1", "codes/versions/write"),
    ("history", "POST", "/experiments:query", "experiments/read"),
    ("history", "POST", "/experiments/new", "experiments/write"),
    ("history", "POST", "/experiments/train/runs:query", "experiments/runs/read"),
    ("history", "POST", "/batchrundata", "experiments/runs/read"),
    ("history", "PATCH", "/experiments/train/batch/runs", "experiments/runs/write"),
    ("history", "POST", "/batch/events", "experiments/runs/write"),
    ("history", "GET", "/experiments/train/runs/r1/artifacts", "experiments/runs/read"),
    ("history", "POST", "/experiments/train/runs/r1/artifacts/batch/metadata", "metadata/artifacts/write"),
    ("metric", "POST", "/runs/r1/full", "experiments/runs/read"),
    ("metric", "POST", "/runs/r1/batch", "experiments/runs/write"),
    ("artifact", "GET", "/artifacts/ExperimentRun/dcid.r1", "metadata/artifacts/read"),
    ("artifact", "POST", "/artifacts/register", "metadata/artifacts/write"),
    ("artifact", "DELETE", "/artifacts/ExperimentRun/dcid.r1/metadata", "metadata/artifacts/delete"),
]
API = {"api-version": "2024-04-01"}


def deny(sandbox: Sandbox, plane: Plane, action: str) -> None:
    sandbox.set_faults(denied=[{"workspace": plane.workspace.workspace_name, "action": action}])


@pytest.mark.parametrize(("service", "method", "path", "needed"), DOORS)
def test_a_door_needs_its_action(
    plane: Plane, calm: Sandbox, service: str, method: str, path: str, needed: str
) -> None:
    """403 with the action's name; with every other action denied the door answers."""
    missing = f"{WORKSPACES}/{needed}"
    calm.set_faults(denied=[{"action": missing}])
    params = API if service == "arm" else None

    answer = plane(service, method, path, params, {})

    assert answer.status_code == 403
    assert missing in (answer.json()["error"] if service == "arm" else error(answer))["message"].replace(
        "listS", "lists"
    )
    calm.set_faults(denied=[{"workspace": "another", "action": missing}, {"action": missing + "/more"}])
    assert plane(service, method, path, params, {}).status_code != 403


def test_every_route_that_is_spoken_has_an_action() -> None:
    """But the result of an operation, which is no resource of the workspace's."""
    asked = [
        Asked(route.service, "w", "r", route.method, PREFIX[route.service] + route.path, route.effect, "")
        for route in spoken()
    ]
    without = [each.route for each in asked if action(each) is None]

    assert without == ["/mfeOperationResults/{operation}"]


def test_arm_names_client_action_and_scope(plane: Plane, calm: Sandbox, azure_env: dict[str, str]) -> None:
    """As Microsoft's client shows it."""
    named = plane.workspace
    client = MLClient(EnvironmentCredential(), named.subscription_id, named.resource_group, named.workspace_name)
    deny(calm, plane, f"{WORKSPACES}/datastores/*")

    with pytest.raises(HttpResponseError) as raised:
        client.datastores.get("workspaceblobstore")

    assert raised.value.status_code == 403
    assert raised.value.error is not None
    assert raised.value.error.code == "AuthorizationFailed"
    scope = f"{plane.path}/datastores/workspaceblobstore"
    words = f"does not have authorization to perform action '{WORKSPACES}/datastores/read' over scope '{scope}'"
    assert words in str(raised.value)
    assert f"The client '{azure_env['AZURE_CLIENT_ID']}' with object id" in str(raised.value)
    listed = plane("arm", "GET", "/datastores", API).json()["error"]["message"]
    assert f"over scope '{plane.path}'" in listed


def test_storage_refuses_who_lacks_the_role(calm: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    """Tokens, and what was signed with a key that a token got; the account's own key knows no roles."""
    account = Account(calm.folder, workspace, EnvironmentCredential())
    blob = account.client("token").get_blob_client(ARTIFACTS, "b")
    blob.upload_blob(b"x")
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = account.client("token").get_user_delegation_key(datetime.now(UTC) - timedelta(minutes=5), soon)
    sas = generate_blob_sas(
        account.name, ARTIFACTS, "b", user_delegation_key=key, permission=BlobSasPermissions(read=True), expiry=soon
    )
    calm.set_faults(denied=[{"action": f"{BLOBS}/containers/blobs/write"}, {"action": f"{BLOBS}/generate*"}])

    refused = []
    for attempt in (
        lambda: blob.upload_blob(b"y", overwrite=True),
        lambda: account.client("token").get_user_delegation_key(soon - timedelta(hours=1), soon),
    ):
        with pytest.raises(HttpResponseError) as raised:
            attempt()
        refused.append((raised.value.status_code, raised.value.error_code))
    kept = blob.download_blob().readall()
    account.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"z", overwrite=True)
    calm.set_faults(denied=[{"action": f"{BLOBS}/containers/blobs/read"}])

    assert refused == [(403, "AuthorizationPermissionMismatch")] * 2
    assert kept == b"x"
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        account.client("token").get_container_client(ARTIFACTS).list_blobs().next()
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        type(blob).from_blob_url(f"{blob.url}?{sas}").download_blob()


def test_an_action_that_is_none_is_refused(calm: Sandbox) -> None:
    """One line that says what was expected."""
    with pytest.raises(Problem, match=r"denied\[0\]\.action is 'write', expected an action of Azure RBAC"):
        calm.set_faults(denied=[{"action": "write"}])
