"""A storage account whose keys are disabled (`--strict no-shared-keys`): what Microsoft's clients may still do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from azure.ai.ml import MLClient
from azure.core.exceptions import HttpResponseError
from azure.identity import EnvironmentCredential
from azure.storage.blob import (
    AccountSasPermissions,
    BlobClient,
    BlobSasPermissions,
    ResourceTypes,
    UserDelegationKey,
    generate_account_sas,
    generate_blob_sas,
)

from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import ARTIFACTS, Account
from sandbox.plane import Plane

API = {"api-version": "2024-04-01"}
NO_KEYS = "KeyBasedAuthenticationNotPermitted"


@pytest.fixture
def account(calm: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]) -> Account:
    """Holds one blob; its keys are disabled since."""
    made = Account(calm.folder, workspace, EnvironmentCredential())
    made.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"x")
    calm.set_faults(strict=[f"no-shared-keys@{workspace.workspace_name}"])
    return made


def delegation_key(account: Account) -> UserDelegationKey:
    now = datetime.now(UTC)
    return account.client("token").get_user_delegation_key(now - timedelta(minutes=5), now + timedelta(hours=1))


def delegated(account: Account, key: UserDelegationKey, blob: str = "b") -> str:
    expiry = datetime.now(UTC) + timedelta(hours=1)
    granted = BlobSasPermissions(read=True)
    sas = generate_blob_sas(account.name, ARTIFACTS, blob, user_delegation_key=key, permission=granted, expiry=expiry)
    return f"{account.url}/{ARTIFACTS}/{blob}?{sas}"


def test_keys_and_what_is_signed_with_them_open_nothing(account: Account) -> None:
    """Shared key, service SAS, account SAS: 403 in the service's own words."""
    everything = generate_account_sas(
        account.name,
        account.key,
        ResourceTypes(object=True),
        AccountSasPermissions(read=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    with pytest.raises(HttpResponseError) as raised:
        account.client("key").get_blob_client(ARTIFACTS, "b").download_blob()
    answers = [requests.get(url, timeout=30) for url in (account.sas_url("b"), f"{account.url}/azureml/b?{everything}")]

    assert (raised.value.status_code, raised.value.error_code) == (403, NO_KEYS)
    assert [(answer.status_code, answer.headers["x-ms-error-code"]) for answer in answers] == [(403, NO_KEYS)] * 2
    assert "Key based authentication is not permitted on this storage account." in answers[0].text


def test_tokens_and_delegation_keys_open_what_they_did(account: Account) -> None:
    """Reading, writing, and a user delegation SAS."""
    blob = account.client("token").get_blob_client(ARTIFACTS, "b")
    blob.upload_blob(b"y", overwrite=True)

    assert blob.download_blob().readall() == b"y"
    assert requests.get(delegated(account, delegation_key(account)), timeout=30).content == b"y"


def test_a_copy_source_needs_a_delegation_key_too(account: Account, calm: Sandbox) -> None:
    """A SAS signed with the account's key is refused for the source, whatever the destination takes."""
    other = Account(calm.folder, calm.add_workspace(), EnvironmentCredential())
    copy = other.client("key").get_blob_client(ARTIFACTS, "b")

    with pytest.raises(HttpResponseError) as raised:
        copy.start_copy_from_url(account.sas_url("b"), requires_sync=True)
    copy.start_copy_from_url(delegated(account, delegation_key(account)), requires_sync=True)

    assert (raised.value.status_code, raised.value.error_code) == (403, "CannotVerifyCopySource")
    assert copy.download_blob().readall() == b"x"


def test_a_delegation_key_is_no_secret_of_everybody_s(account: Account) -> None:
    """A key that Azurite's public seed would give, or that another tenant got, opens nothing."""
    key = delegation_key(account)
    forged, foreign = UserDelegationKey(), UserDelegationKey()
    for each in (forged, foreign):
        vars(each).update(vars(key))
    forged.value = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    foreign.signed_tid = "11111111-2222-3333-4444-555555555555"

    assert [requests.get(delegated(account, each), timeout=30).status_code for each in (forged, foreign)] == [403] * 2


def test_datastores_have_no_secrets(account: Account, plane: Plane) -> None:
    """As those of a workspace with identity-based access: credentials None, and nothing to list."""
    (artifacts,) = (each for each in plane.arm("/datastores")["value"] if each["name"] == "workspaceartifactstore")
    answer = plane("arm", "POST", "/datastores/workspaceartifactstore/listSecrets", API, {})

    assert artifacts["properties"]["credentials"] == {"credentialsType": "None"}
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "No secrets for credentials of type None.",
    )


def test_the_service_s_own_addresses_open_what_they_did(account: Account, plane: Plane, calm: Sandbox) -> None:
    """Those of artifacts and logs carry a user delegation SAS (recorded), keys or not; the sandbox loads too."""
    plane.put("r1", status="Completed")
    made = plane.document(
        "artifact", "POST", "/artifacts/ExperimentRun/dcid.r1/batch/metadata", body={"paths": [{"path": "logs/a.txt"}]}
    )
    BlobClient.from_blob_url(made["artifactContentInformation"]["logs/a.txt"]["contentUri"]).upload_blob(b"log")
    (log,) = plane.read("/runs/r1/details")["logFiles"].values()
    with opened(calm.folder, plane.workspace.workspace_name) as (_, home):
        Blobs.of(calm.folder, home).put("workspaceartifactstore", "loaded", b"z")

    assert "&skoid=" in log
    assert requests.get(log, timeout=30).content == b"log"
    assert account.client("token").get_blob_client(ARTIFACTS, "loaded").download_blob().readall() == b"z"


def test_azure_ai_ml_downloads_with_its_login(account: Account, plane: Plane, tmp_path: Path) -> None:
    """Where the datastore has no credentials it uses the token."""
    plane.put("r1", status="Completed")
    account.client("token").get_blob_client(ARTIFACTS, "ExperimentRun/dcid.r1/outputs/a").upload_blob(b"a")
    named = plane.workspace
    client = MLClient(EnvironmentCredential(), named.subscription_id, named.resource_group, named.workspace_name)

    client.jobs.download("r1", download_path=tmp_path)

    assert [path.read_bytes() for path in tmp_path.rglob("outputs/a")] == [b"a"]
