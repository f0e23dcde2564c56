"""Copies as Azure Storage makes them where Azurite alone is kinder, sources that change: azure-storage-blob asks."""

from __future__ import annotations

import base64
import hashlib
import time
from functools import partial
from typing import Any

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError
from azure.identity import EnvironmentCredential
from azure.storage.blob import BlobBlock, BlobClient, StorageErrorCode

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.accounts import ARTIFACTS, Account

MIB = 1024 * 1024
COPIES = {"service": "blob", "route": "blob PUT copy"}


@pytest.fixture
def account(calm: Sandbox, workspace: WorkspaceFile, azure_env: dict[str, str]) -> Account:
    return Account(calm.folder, workspace, EnvironmentCredential())


@pytest.fixture
def other(calm: Sandbox, azure_env: dict[str, str]) -> Account:
    return Account(calm.folder, calm.add_workspace(), EnvironmentCredential())


def blob(account: Account, name: str = "b", content: bytes | None = None, **more: Any) -> BlobClient:
    client = account.client("key").get_blob_client(ARTIFACTS, name)
    if content is not None:
        client.upload_blob(content, overwrite=True, **more)
    return client


def refused(attempt: Any, *given: Any, **named: Any) -> tuple[int | None, str | None]:
    with pytest.raises(HttpResponseError) as raised:
        attempt(*given, **named)
    return raised.value.status_code, str(raised.value.error_code)


def test_one_call_copies_256_mib_and_no_more(account: Account, other: Account) -> None:
    """409 in the service's words; in blocks the same source is copied. It is made of one block, named 257 times."""
    source, copy = blob(account), blob(other)
    source.stage_block("MDE=", b"x" * MIB)
    source.commit_block_list([BlobBlock("MDE=")] * 256)
    copy.start_copy_from_url(account.sas_url("b"), requires_sync=True)
    source.stage_block("MDE=", b"x" * MIB)
    source.commit_block_list([BlobBlock("MDE=")] * 257)

    with pytest.raises(HttpResponseError) as raised:
        copy.start_copy_from_url(account.sas_url("b"), requires_sync=True)
    copy.stage_block_from_url("MDE=", account.sas_url("b"), source_offset=256 * MIB, source_length=MIB)

    assert (raised.value.status_code, raised.value.error_code) == (409, "CannotVerifyCopySource")
    assert "exceeds the maximum permissible limit (256MB)" in str(raised.value)
    assert copy.get_blob_properties().size == 256 * MIB


@pytest.mark.parametrize("content", [b"0123456789", b""])
def test_a_source_s_md5_is_checked(account: Account, other: Account, content: bytes) -> None:
    """Of its bytes, of a block list that has none stored too; the destination stays as it was."""
    source, copy = blob(account), blob(other, content=b"before")
    source.stage_block("MDE=", content or b"x")
    source.commit_block_list([BlobBlock("MDE=")] if content else [])
    headers = {
        "x-ms-version": "2025-11-05",
        "x-ms-copy-source": account.sas_url("b"),
        "x-ms-requires-sync": "true",
        "Authorization": f"Bearer {EnvironmentCredential().get_token('https://storage.azure.com/.default').token}",
    }

    wrong, right = (
        requests.put(copy.url, headers=headers | {"x-ms-source-content-md5": digest(each)}, data=b"", timeout=30)
        for each in (content + b"!", content)
    )

    assert (wrong.status_code, wrong.headers["x-ms-error-code"]) == (400, "Md5Mismatch")
    assert right.status_code == 202
    assert copy.download_blob().readall() == content


def digest(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def test_a_synchronous_copy_asks_for_its_source_s_signature(account: Account) -> None:
    """In the same account too, where Azurite asks for none; an asynchronous one is let in by the account's key."""
    source, copy = blob(account, content=b"x"), blob(account, "copy")

    status = refused(copy.start_copy_from_url, source.url, requires_sync=True)
    copy.start_copy_from_url(source.url)

    assert status == (409, "CannotVerifyCopySource")
    assert copy.download_blob().readall() == b"x"


def test_a_copy_may_be_pending(account: Account, other: Account, calm: Sandbox) -> None:
    """Its blob is there without a byte and says so, and cannot be written; then it is all there."""
    blob(account, content=b"0123456789")
    copy = blob(other)
    calm.set_faults(pending_copy_ms=1_500)

    started = copy.start_copy_from_url(account.sas_url("b"))
    early = copy.get_blob_properties()
    read, overwritten = copy.download_blob().readall(), refused(copy.upload_blob, b"y", overwrite=True)
    while copy.get_blob_properties().copy.status == "pending":
        time.sleep(0.05)
    late = copy.get_blob_properties()

    assert (started["copy_status"], early.copy.status, early.copy.id) == ("pending", "pending", started["copy_id"])
    assert (early.size, early.copy.progress, read) == (0, "0/10", b"")
    assert overwritten == (409, "PendingCopyOperation")
    assert (late.copy.status, late.copy.id, late.size) == ("success", started["copy_id"], 10)
    assert copy.download_blob().readall() == b"0123456789"


def test_a_pending_copy_is_aborted(account: Account, other: Account, calm: Sandbox) -> None:
    """What is left is an empty blob, which can be written; there is nothing to abort a second time."""
    blob(account, content=b"0123456789")
    copy = blob(other)
    calm.set_faults(pending_copy_ms=60_000)
    started = copy.start_copy_from_url(account.sas_url("b"))

    copy.abort_copy(started["copy_id"])

    assert (copy.get_blob_properties().copy.status, copy.download_blob().readall()) == ("aborted", b"")
    assert refused(copy.abort_copy, started["copy_id"]) == (409, "NoPendingCopyOperation")
    copy.upload_blob(b"y", overwrite=True)
    assert copy.download_blob().readall() == b"y"


def test_synchronous_copies_and_failed_ones_are_never_pending(account: Account, other: Account, calm: Sandbox) -> None:
    blob(account, content=b"x")
    calm.set_faults(pending_copy_ms=60_000)

    done = blob(other).start_copy_from_url(account.sas_url("b"), requires_sync=True)

    assert (done["copy_status"], blob(other).download_blob().readall()) == ("success", b"x")
    assert refused(blob(other, "c").start_copy_from_url, account.sas_url("gone"))[1] == "CannotVerifyCopySource"
    assert not blob(other, "c").exists()


def test_a_source_may_change_just_before_it_is_copied(account: Account, other: Account, calm: Sandbox) -> None:
    """Who pinned the ETag is refused; the next copy brings what is there now, metadata kept."""
    source = blob(account, "ä b", b"x", metadata={"Camel": "v"})
    etag = source.get_blob_properties().etag
    calm.set_faults([{"match": COPIES, "times": 1, "do": "change-source"}])
    pinned = {"source_etag": etag, "source_match_condition": MatchConditions.IfNotModified}

    with pytest.raises(ResourceModifiedError):
        blob(other).start_copy_from_url(account.sas_url("ä b"), requires_sync=True, **pinned)
    blob(other).start_copy_from_url(account.sas_url("ä b"), requires_sync=True)

    assert source.get_blob_properties().etag != etag
    assert blob(other).download_blob().readall() == b"x\n"
    assert blob(other).get_blob_properties().metadata == {"Camel": "v"}


def test_a_log_may_grow_just_before_it_is_copied(account: Account, other: Account, calm: Sandbox) -> None:
    """It stays an append blob."""
    source = blob(account, content=b"x", blob_type="AppendBlob")
    calm.set_faults([{"match": {"service": "blob", "route": "blob PUT block copy"}, "do": "change-source"}])

    blob(other).stage_block_from_url("MDE=", account.sas_url("b"))
    blob(other).commit_block_list(["MDE="])

    assert blob(other).download_blob().readall() == b"x\n"
    assert source.get_blob_properties().blob_type == "AppendBlob"


@pytest.mark.parametrize(("kind", "content"), [("AppendBlob", b"log"), ("AppendBlob", b""), ("PageBlob", b"p" * 512)])
def test_only_block_blobs_are_copied_in_one_call(account: Account, other: Account, kind: str, content: bytes) -> None:
    """409 in the service's words; an asynchronous copy takes all, and blocks of them may be fetched."""
    if content:
        blob(account, content=content, blob_type=kind)
    else:
        blob(account).create_append_blob()  # `upload_blob` of no bytes sends nothing

    with pytest.raises(HttpResponseError) as raised:
        blob(other).start_copy_from_url(account.sas_url("b"), requires_sync=True)
    blob(other, "alike").start_copy_from_url(account.sas_url("b"))
    if content:
        blob(other, "in blocks").stage_block_from_url("MDE=", account.sas_url("b"))
    blob(other, "in blocks").commit_block_list(["MDE="] if content else [])

    assert (raised.value.status_code, raised.value.error_code) == (409, "CannotVerifyCopySource")
    assert "The copy source must be a block blob." in str(raised.value)
    assert not blob(other).exists()
    for name, type_then in (("alike", kind), ("in blocks", "BlockBlob")):
        assert blob(other, name).get_blob_properties().blob_type == type_then
        assert blob(other, name).download_blob().readall() == content


def test_a_blob_keeps_its_type(account: Account, other: Account) -> None:
    """Neither bytes nor a copy nor blocks change it, until it is removed."""
    wrong = (409, "InvalidBlobType")
    log, model = blob(account, "log", b"x", blob_type="AppendBlob"), blob(account, "model", b"y")
    beside = blob(other, "log", b"z", blob_type="AppendBlob")

    assert refused(log.upload_blob, b"y", overwrite=True) == wrong
    assert refused(model.create_append_blob) == wrong
    assert refused(log.stage_block, "MDE=", b"y") == wrong
    assert refused(log.commit_block_list, []) == wrong
    assert refused(beside.start_copy_from_url, account.sas_url("model"), requires_sync=True) == wrong
    assert refused(beside.start_copy_from_url, account.sas_url("model")) == wrong
    log.upload_blob(b"again", overwrite=True, blob_type="AppendBlob")
    beside.delete_blob()
    beside.start_copy_from_url(account.sas_url("model"), requires_sync=True)
    assert (log.download_blob().readall(), beside.download_blob().readall()) == (b"again", b"y")


def test_a_source_may_vanish_just_before_it_is_read(account: Account, other: Account, calm: Sandbox) -> None:
    """A copy's source, or the blob that a GET asks for."""
    for name in ("b", "c"):
        blob(account, name, b"x")
    calm.set_faults([{"match": {"service": "blob"}, "times": 2, "do": "remove-source"}])

    copied = refused(blob(other).start_copy_from_url, account.sas_url("b"), requires_sync=True)
    read = refused(blob(account, "c").download_blob)

    assert (copied[1], read) == ("CannotVerifyCopySource", (404, "BlobNotFound"))
    assert not blob(account).exists()


def test_copies_may_be_refused_as_by_a_firewall(account: Account, other: Account, calm: Sandbox) -> None:
    """Whole ones and blocks, whatever the rule matches; what is no copy is not hit."""
    blob(account, "firewalled", b"x")
    source = account.sas_url("firewalled")
    calm.set_faults([{"do": "refuse-copy"}])

    target, refusal = blob(other), (403, StorageErrorCode.CANNOT_VERIFY_COPY_SOURCE)
    for attempt in (partial(target.start_copy_from_url, requires_sync=True), partial(target.stage_block_from_url, "a")):
        with pytest.raises(HttpResponseError) as raised:
            attempt(source)
        assert (raised.value.status_code, raised.value.error_code) == refusal
    blob(other).upload_blob(b"y", overwrite=True)
    assert blob(other).download_blob().readall() == b"y"
