"""Login with Microsoft's own clients, and what a token opens."""

from __future__ import annotations

import subprocess
import sys
import uuid

import jwt
import pytest
import requests
from azure.ai.ml import MLClient
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, EnvironmentCredential

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import arm_address

ARM = "https://management.azure.com/.default"


def ask(workspace: WorkspaceFile, token: str | None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return requests.get(arm_address(workspace), {"api-version": "2024-04-01"}, headers=headers, timeout=30)


def principal(env: dict[str, str], **changed: str) -> ClientSecretCredential:
    given = {
        "tenant_id": env["AZURE_TENANT_ID"],
        "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": env["AZURE_CLIENT_SECRET"],
    }
    return ClientSecretCredential(**{**given, **changed})


def test_default_credential_gets_a_token(azure_env: dict[str, str]) -> None:
    claims = jwt.decode(DefaultAzureCredential().get_token(ARM).token, options={"verify_signature": False})

    assert (claims["aud"], claims["tid"]) == ("https://management.azure.com", azure_env["AZURE_TENANT_ID"])


ASYNC = """
import asyncio
from azure.identity.aio import DefaultAzureCredential

async def main():
    async with DefaultAzureCredential() as credential:
        print((await credential.get_token("https://ml.azure.com/.default")).token)

asyncio.run(main())
"""


def test_async_default_credential_gets_a_token(azure_env: dict[str, str]) -> None:
    """In a process of its own: aiohttp reads SSL_CERT_FILE when it is imported."""
    token = subprocess.run([sys.executable, "-c", ASYNC], check=True, capture_output=True, text=True).stdout.strip()

    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://ml.azure.com"


def test_the_official_client_reads_its_workspace(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    client = MLClient(
        DefaultAzureCredential(), workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    )

    assert client.workspaces.get(workspace.workspace_name).name == workspace.workspace_name


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_secret": "not the secret"}, "AADSTS7000215"),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, "AADSTS700016"),
        ({"tenant_id": "00000000-0000-0000-0000-000000000002"}, "Unable to get authority configuration|AADSTS90002"),
    ],
)
def test_a_wrong_login_is_refused_in_the_services_words(
    azure_env: dict[str, str], changed: dict[str, str], code: str
) -> None:
    with pytest.raises((ClientAuthenticationError, ValueError), match=code):
        principal(azure_env, **changed).get_token(ARM)


def test_no_token_opens_nothing(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    answer = ask(workspace, None)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_a_token_for_storage_does_not_open_arm(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    token = EnvironmentCredential().get_token("https://storage.azure.com/.default").token

    assert ask(workspace, token).status_code == 401


def test_a_token_that_somebody_else_signed_is_refused(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    claims = jwt.decode(EnvironmentCredential().get_token(ARM).token, options={"verify_signature": False})

    assert ask(workspace, jwt.encode(claims, "k" * 32, "HS256")).status_code == 401


def test_a_token_of_another_tenant_is_refused(sandbox: Sandbox, azure_env: dict[str, str]) -> None:
    """Two workspaces may lie in two tenants: each wants a token of its own."""
    elsewhere = sandbox.add_workspace(tenant_id=str(uuid.uuid4()))

    wrong = ask(elsewhere, EnvironmentCredential().get_token(ARM).token)
    right = ask(elsewhere, principal(azure_env, tenant_id=elsewhere.tenant_id).get_token(ARM).token)

    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenTenant")
    assert right.status_code == 200


def test_an_expired_token_is_refused(calm: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    calm.set_faults(token_lifetime_s=-1)

    answer = ask(workspace, principal(azure_env).get_token(ARM).token)

    assert answer.status_code == 401
    assert "expiry" in answer.json()["error"]["message"]


def test_a_workspace_that_is_not_there(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    """The gateway's short form."""
    token = EnvironmentCredential().get_token(ARM).token

    answer = requests.get(f"{arm_address(workspace)}x", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")
    assert answer.headers["x-ms-failure-cause"] == "gateway"


def test_another_regions_host_does_not_know_the_workspace(workspace: WorkspaceFile, azure_env: dict[str, str]) -> None:
    token = EnvironmentCredential().get_token(ARM).token
    path = arm_address(workspace).removeprefix("https://management.azure.com")

    answer = requests.get(
        f"https://japaneast.api.azureml.ms/history/v1.0{path}/runs/r1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )

    assert answer.status_code == 404
    assert answer.json()["error"]["innerError"]["code"] == "WorkspaceNotFound"


def test_another_tenants_subscriptions_are_not_listed(sandbox: Sandbox, azure_env: dict[str, str]) -> None:
    """azureml-core asks for them before anything else; ARM answers by the token's tenant."""
    own, foreign = sandbox.add_workspace(), sandbox.add_workspace(tenant_id=str(uuid.uuid4()))
    token = {"Authorization": f"Bearer {EnvironmentCredential().get_token(ARM).token}"}
    address = "https://management.azure.com/subscriptions"

    answer = requests.get(address, {"api-version": "2022-12-01"}, headers=token, timeout=30)

    listed = {each["subscriptionId"]: each["tenantId"] for each in answer.json()["value"]}
    assert listed[own.subscription_id] == azure_env["AZURE_TENANT_ID"]
    assert foreign.subscription_id not in listed
    assert requests.get(address, headers=token, timeout=30).json()["error"]["code"] == "MissingApiVersionParameter"
    assert requests.get(address, {"api-version": "2022-12-01"}, timeout=30).status_code == 401


def test_the_old_name_of_a_regions_host_leads_to_the_same_services(
    workspace: WorkspaceFile, azure_env: dict[str, str]
) -> None:
    """What discovery calls `history`: the same run, and the same refusal of another region."""
    token = {"Authorization": f"Bearer {EnvironmentCredential().get_token(ARM).token}"}
    path = arm_address(workspace).removeprefix("https://management.azure.com")
    found = requests.get(arm_address(workspace), {"api-version": "2024-04-01"}, headers=token, timeout=30).json()
    document = requests.get(found["properties"]["discoveryUrl"], timeout=30).json()
    bodies = {
        host: requests.get(f"{host}/history/v1.0{path}/experiments/Default", headers=token, timeout=30)
        for host in (document["history"], document["api"], "https://japaneast.experiments.azureml.net")
    }

    old, new, elsewhere = bodies.values()
    assert old.json() == new.json()
    assert (old.status_code, elsewhere.status_code) == (200, 404)
