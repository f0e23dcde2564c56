"""Files that are there already: overwritten through another door, whatever the service calls their being there."""

from __future__ import annotations

import orjson
import pytest

from azureml_replay.azure.config import AZURE
from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.services.artifacts import ArtifactIndex
from azureml_replay.azure.storage.files import Files
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.model import RunId
from azureml_replay.sending.sender import Sender
from azureml_replay.workspace.put_files import NewFile
from azureml_replay.workspace.target import Outcome, Refused
from unit.scripted import Patient, Said, Scripted, Tokens

REF = azure_place("s", "g", "w")
FIRST = "https://account.blob.core.windows.net/c/ExperimentRun/dcid.r/f?first"
SECOND = "https://account.blob.core.windows.net/c/ExperimentRun/dcid.r/f?second"
ENTRY = Said(200, orjson.dumps({"artifactContentInformation": {"f": {"contentUri": FIRST}}}))
ANOTHER = Said(200, orjson.dumps({"contentUri": SECOND}))


async def put(*script: Said, path: str = "f") -> tuple[Outcome, list[str]]:
    """What became of one file, and what was asked."""
    transport = Scripted(*script)
    sender = Sender(transport, Tokens(), AZURE_WORDS, parallel=1, clock=Patient())
    storage = Storage(sender, Arm(sender, AZURE, REF), "scope")
    files = Files(ArtifactIndex(sender, "https://api.example", resource_id(REF), "scope"), storage)
    outcomes = await files.put("e", RunId("r"), [NewFile(path=path, data=b"x")])
    return outcomes[path], [request.url for request in transport.requests]


@pytest.mark.parametrize(("status", "code"), [(409, "BlobAlreadyExists"), (403, "AuthorizationPermissionMismatch")])
async def test_a_door_that_only_creates_is_left_for_one_that_overwrites(status: int, code: str) -> None:
    """Its refusal is no outcome."""
    outcome, asked = await put(ENTRY, Said(status, b"", {"x-ms-error-code": code}), ANOTHER, Said(201, b""))

    assert outcome is None
    assert asked[1] == FIRST
    assert asked[2].endswith("/artifacts/ExperimentRun/dcid.r/write?path=f")
    assert asked[3] == SECOND


async def test_an_entry_that_was_there_is_written_through_the_other_door_at_once() -> None:
    """The service hands out no URL for it."""
    error = {"error": {"code": "UserError", "message": "Artifact f already exists."}}
    outcome, asked = await put(Said(200, orjson.dumps({"errors": {"f": error}})), ANOTHER, Said(201, b""))

    assert outcome is None
    assert asked[-1] == SECOND


async def test_a_refused_entry_is_an_outcome() -> None:
    """With the service's reason."""
    error = {"error": {"code": "ValidationError", "message": "path too long"}}
    outcome, asked = await put(Said(200, orjson.dumps({"errors": {"f": error}})))

    assert outcome == Refused("path too long")
    assert len(asked) == 1


async def test_a_copy_source_that_cannot_be_read_is_not_tried_through_another_door() -> None:
    """The door is not to blame."""
    outcome, asked = await put(ENTRY, Said(403, b"", {"x-ms-error-code": "CannotVerifyCopySource"}))

    assert isinstance(outcome, Refused)
    assert outcome.status == 403
    assert len(asked) == 2


async def test_a_name_with_a_backslash_is_refused_before_anything_is_asked() -> None:
    """Storage would take it for another name, and answer that the signature is wrong."""
    outcome, asked = await put(path="a\\b")

    assert isinstance(outcome, Refused)
    assert (outcome.of_item, asked) == (True, [])
