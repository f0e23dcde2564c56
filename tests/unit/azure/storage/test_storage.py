"""A storage account whose keys are disabled although the workspace still hands one out."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta

import orjson
import pytest

from azureml_replay.azure.config import AZURE
from azureml_replay.azure.place import azure_place
from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.wire.decode_storage import NO_KEYS
from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.model import Location
from azureml_replay.sending.sender import Sender
from unit.scripted import Patient, Said, Scripted, Tokens

STORE = {
    "name": "store",
    "properties": {"accountName": "account", "containerName": "c", "endpoint": "core.windows.net"},
}
EMPTY = b"<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
FIELDS = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion")


def key() -> str:
    return base64.b64encode(b"made here").decode()


def storage(*script: Said) -> tuple[Storage, Scripted]:
    """Its datastore and its key are asked for first."""
    secret = {"secretsType": "AccountKey", "key": key()}
    transport = Scripted(Said(200, orjson.dumps(STORE)), Said(200, orjson.dumps(secret)), *script)
    sender = Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=Patient())
    return Storage(sender, Arm(sender, AZURE, azure_place("s", "g", "w")), "scope"), transport


async def test_the_login_opens_what_the_key_does_not() -> None:
    """Tried once; afterwards nothing is signed with the key, copies are signed with one that storage delegates."""
    delegated = "".join(f"<{name}>x</{name}>" for name in FIELDS) + f"<Value>{key()}</Value>"
    answer = f"<UserDelegationKey>{delegated}</UserDelegationKey>".encode()
    opened, transport = storage(Said(403, b"", {"x-ms-error-code": NO_KEYS}), Said(200, EMPTY), Said(200, answer))

    assert [page async for page in opened.listed("store", "p")] == [[]]
    url = str.__str__(await opened.readable_url(Location("store", "a")))

    tried, listed, asked = transport.requests[2:]
    assert ("sig=" in tried.url, "sig=" in listed.url) == (True, False)
    assert "Authorization" in listed.headers
    assert asked.url.endswith("comp=userdelegationkey")
    assert asked.headers["Content-Type"] == "application/xml"
    start, end = re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", asked.content.decode())
    assert datetime.fromisoformat(end) - datetime.fromisoformat(start) == timedelta(hours=6, minutes=15)
    assert "skoid=" in url


@pytest.mark.parametrize("trial", [Said(200, EMPTY), Said(403, b"", {"x-ms-error-code": "AuthorizationFailure"})])
async def test_a_key_that_is_taken_stays_in_use(trial: Said) -> None:
    """Another refusal than that of all keys is told where it matters."""
    opened, transport = storage(trial, Said(200, EMPTY))

    assert [page async for page in opened.listed("store", "p")] == [[]]
    assert "sig=" in transport.requests[3].url
