"""Blobs through the front, with Microsoft's own client: names, bytes, metadata, copies; three ways to be let in."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, EnvironmentCredential
from azure.storage.blob import BlobClient, BlobSasPermissions, generate_blob_sas

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import ARTIFACTS, Account

NAMES = [
    "ExperimentRun/dcid.r1/outputs/model.pkl",
    "a b",
    "x//y",
    "p%20q",
    "sl%2Fash",
    "a#b",
    "ü/é",
    "q?x",
    "ends.",
    "a+b&c=d",
    "😀",
    "q'uote",
]
WAYS = pytest.mark.parametrize("way", ["key", "token"])


@pytest.fixture
def account(sandbox: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]) -> Account:
    return Account(sandbox.folder, workspace, EnvironmentCredential())


@pytest.fixture
def other(sandbox: Sandbox, azure_env: dict[str, str]) -> Account:
    """Of another workspace."""
    return Account(sandbox.folder, sandbox.add_workspace(), EnvironmentCredential())


@WAYS
def test_every_name_comes_back_as_it_was_given(account: Account, way: str) -> None:
    container = account.client(way).get_container_client(ARTIFACTS)
    for name in NAMES:
        container.get_blob_client(name).upload_blob(name.encode())

    assert sorted(NAMES) == sorted(blob.name for blob in container.list_blobs())
    assert [name.encode() for name in NAMES] == [container.download_blob(name).readall() for name in NAMES]


@WAYS
@pytest.mark.parametrize("character", ["x", "🚀"])
def test_a_name_has_1024_characters_at_most(account: Account, way: str, character: str) -> None:
    """The service counts UTF-16 units; it asks for no upload to refuse: nothing is found under a longer name."""
    longest = character * (1_024 // len(character.encode("utf-16-le")) * 2)
    container = account.client(way).get_container_client(ARTIFACTS)
    container.get_blob_client(longest).upload_blob(b"fits")

    for ask in (lambda blob: blob.upload_blob(b""), lambda blob: blob.exists(), lambda blob: blob.delete_blob()):
        with pytest.raises(HttpResponseError) as refused:
            ask(container.get_blob_client(longest + character))
        assert (refused.value.status_code, refused.value.error_code) == (400, "OutOfRangeInput")
    assert container.download_blob(longest).readall() == b"fits"


@WAYS
def test_metadata_keeps_its_case(account: Account, way: str) -> None:
    blob = account.client(way).get_blob_client(ARTIFACTS, "b")

    blob.upload_blob(b"", metadata={"CamelKey": "v", "lower": "w"})

    assert blob.get_blob_properties().metadata == {"CamelKey": "v", "lower": "w"}


@WAYS
def test_a_large_blob_in_blocks_side_by_side(account: Account, way: str) -> None:
    content = os.urandom(9 * 1024 * 1024)
    blob = account.client(way).get_blob_client(ARTIFACTS, "large")
    blob._config.max_single_put_size, blob._config.max_block_size = 1024 * 1024, 1024 * 1024

    blob.upload_blob(content, max_concurrency=4)

    assert blob.download_blob(max_concurrency=4).readall() == content


def test_a_sas_opens_one_blob_for_reading_only(account: Account) -> None:
    for name in NAMES:
        account.client("key").get_blob_client(ARTIFACTS, name).upload_blob(name.encode())

    assert [BlobClient.from_blob_url(account.sas_url(name)).download_blob().readall() for name in NAMES] == [
        name.encode() for name in NAMES
    ]
    with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
        BlobClient.from_blob_url(account.sas_url("a b")).upload_blob(b"x", overwrite=True)


def test_an_expired_sas_opens_nothing(account: Account) -> None:
    account.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"x")

    assert requests.get(account.sas_url("b", hours=-1), timeout=30).status_code == 403


def test_a_user_delegation_sas_opens_a_blob(account: Account) -> None:
    account.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"x")
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = account.client("token").get_user_delegation_key(datetime.now(UTC) - timedelta(minutes=5), soon)

    sas = generate_blob_sas(
        account.name, ARTIFACTS, "b", user_delegation_key=key, permission=BlobSasPermissions(read=True), expiry=soon
    )

    assert requests.get(f"{account.url}/{ARTIFACTS}/b?{sas}", timeout=30).content == b"x"


@WAYS
@pytest.mark.parametrize("requires_sync", [True, None])
def test_a_blob_is_copied_between_accounts(
    account: Account, other: Account, way: str, requires_sync: bool | None
) -> None:
    """With its metadata; every name, since the source's address is rewritten on the way."""
    for name in NAMES:
        account.client("key").get_blob_client(ARTIFACTS, name).upload_blob(name.encode(), metadata={"Camel": "v"})
        copy = other.client(way).get_blob_client(ARTIFACTS, name)

        copy.start_copy_from_url(account.sas_url(name), requires_sync=requires_sync)

        assert copy.download_blob().readall() == name.encode()
        assert copy.get_blob_properties().metadata == {"Camel": "v"}


@WAYS
def test_blocks_are_put_from_another_account(account: Account, other: Account, way: str) -> None:
    account.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"0123456789")
    copy = other.client(way).get_blob_client(ARTIFACTS, "b")

    copy.stage_block_from_url("MDE=", account.sas_url("b"), source_offset=0, source_length=4)
    copy.stage_block_from_url("MDI=", account.sas_url("b"), source_offset=4, source_length=6)
    copy.commit_block_list(["MDE=", "MDI="])

    assert copy.download_blob().readall() == b"0123456789"


def test_a_copy_source_may_be_opened_by_a_token(account: Account, other: Account) -> None:
    blob = account.client("key").get_blob_client(ARTIFACTS, "a b")
    blob.upload_blob(b"x")
    token = account.credential.get_token("https://storage.azure.com/.default").token
    copy = other.client("token").get_blob_client(ARTIFACTS, "b")

    copy.start_copy_from_url(blob.url, requires_sync=True, source_authorization=f"Bearer {token}")

    assert copy.download_blob().readall() == b"x"


def test_a_private_copy_source_stays_closed(account: Account, other: Account) -> None:
    blob = account.client("key").get_blob_client(ARTIFACTS, "b")
    blob.upload_blob(b"x")

    with pytest.raises(HttpResponseError, match="CannotVerifyCopySource"):
        other.client("key").get_blob_client(ARTIFACTS, "b").start_copy_from_url(blob.url, requires_sync=True)


def test_a_blob_tells_the_public_address_it_was_copied_from(account: Account, other: Account) -> None:
    account.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"x")
    copy = other.client("key").get_blob_client(ARTIFACTS, "b")

    source = account.sas_url("b")  # signed once: a second later its times and signature are others

    copy.start_copy_from_url(source)

    assert copy.get_blob_properties().copy.source == source


@pytest.mark.parametrize("copies", [False, True])
def test_another_accounts_key_is_refused(account: Account, other: Account, copies: bool) -> None:
    account.key, source = other.key, other.sas_url("b")
    other.client("key").get_blob_client(ARTIFACTS, "b").upload_blob(b"x")
    blob = account.client("key").get_blob_client(ARTIFACTS, "b")

    with pytest.raises(ClientAuthenticationError, match="AuthenticationFailed"):
        blob.start_copy_from_url(source, requires_sync=True) if copies else blob.upload_blob(b"x")


def test_a_token_for_arm_or_of_another_tenant_opens_no_blob(
    sandbox: Sandbox, account: Account, azure_env: dict[str, str]
) -> None:
    elsewhere = sandbox.add_workspace(tenant_id="11111111-2222-3333-4444-555555555555")
    theirs = ClientSecretCredential(
        elsewhere.tenant_id, azure_env["AZURE_CLIENT_ID"], azure_env["AZURE_CLIENT_SECRET"]
    ).get_token("https://storage.azure.com/.default")
    wrong = account.credential.get_token("https://management.azure.com/.default")
    url = f"{account.url}/{ARTIFACTS}?restype=container"
    version = {"x-ms-version": "2025-11-05"}

    for token in (theirs, wrong):
        answer = requests.get(url, headers={"Authorization": f"Bearer {token.token}", **version}, timeout=30)

        assert answer.status_code == 401
        assert account.credential is not None
        assert "authorization_uri=https://login.microsoftonline.com/" in answer.headers["www-authenticate"]


def test_a_missing_blob_is_404_without_a_body(account: Account) -> None:
    with pytest.raises(ResourceNotFoundError) as raised:
        account.client("token").get_blob_client(ARTIFACTS, "nothing").get_blob_properties()

    assert raised.value.error_code == "BlobNotFound"
