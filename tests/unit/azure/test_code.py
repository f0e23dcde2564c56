"""Code snapshots: which a run has, how each is found, and that equal files make equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import orjson
import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import Held
from azureml_replay.azure.code import Code
from azureml_replay.azure.config import AZURE
from azureml_replay.azure.place import azure_place, resource_id
from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.wire import decode
from azureml_replay.azure.wire.decode_ties import tied
from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.extraction.code import CodeBringer
from azureml_replay.model import CodeReference, Run, RunDetails, RunId
from azureml_replay.planning.code import code_of
from azureml_replay.progress import SILENT
from azureml_replay.sending.sender import Sender
from unit.scripted import Patient, Said, Scripted, Tokens

REF = azure_place("s", "g", "w")
ASSET = f"{resource_id(REF)}/codes/c/versions/1"
TREE = {
    "name": "",
    "type": "Directory",
    "children": {
        "train.py": {"name": "train.py", "type": "File", "sasUrl": "https://a.blob.core.windows.net/c/1?sig=x"},
        "lib": {
            "name": "lib",
            "type": "Directory",
            "children": {"a b.py": {"type": "File", "sasUrl": "https://a.blob.core.windows.net/c/2?sig=y"}},
        },
    },
}


@pytest.mark.parametrize(
    ("properties", "document", "expected"),
    [
        ({}, None, None),
        ({"ContentSnapshotId": "7"}, None, CodeReference(snapshot="7")),
        ({}, {"codeId": ASSET}, CodeReference(asset=ASSET)),
        ({"ContentSnapshotId": "7"}, {"trial": {"codeId": ASSET}}, CodeReference(asset=ASSET, snapshot="7")),
        ({}, {"codeId": None}, None),
        ({}, {"codeId": "azureml:elsewhere:1"}, None),
    ],
)
def test_what_a_run_was_submitted_with(
    properties: dict[str, Any], document: Any, expected: CodeReference | None
) -> None:
    job = decode.job({"name": "r", "properties": document}) if document else None

    assert code_of(tied(Run(id=RunId("r"), properties=properties)), job) == expected


class Snapshots:
    """A source whose runs have code, answered from a script."""

    def __init__(self, *script: Said) -> None:
        self.transport = Scripted(*script)
        sender = Sender(self.transport, Tokens(), AZURE_WORDS, parallel=1, clock=Patient())
        arm = Arm(sender, AZURE, REF)
        self._code = Code(arm, Storage(sender, arm, "scope"), "https://api.example", resource_id(REF), "scope")

    def code(self, reference: CodeReference) -> Any:
        return self._code.pieces(reference)


def whole(data: bytes) -> Said:
    return Said(206, data, {"ETag": '"1"', "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"})


async def brought(folder: Path, *script: Said) -> tuple[Held | str | None, Snapshots]:
    """`--code` of one run that has a snapshot."""
    run = tied(Run(id=RunId("r"), status="Completed", properties={"ContentSnapshotId": "7"}))
    source = Snapshots(*script)
    with Archive.create(folder, REF) as archive:
        archive.put_listed([run])
        archive.arrange()
        archive.select([run.id])
        archive.begin(run.id)
        archive.put_details(RunDetails(run=run))
        archive.complete(run.id)
        await CodeBringer(source, archive, SILENT).bring()  # type: ignore[arg-type]  # all that it asks for
        archive.sweep()
        archive.check()
        return archive.code(CodeReference(snapshot="7")), source


async def test_a_snapshot_becomes_a_zip_whose_bytes_depend_on_its_files_alone(tmp_path: Path) -> None:
    """As recorded: a tree with signed URLs; in the order of paths."""
    script = Said(200, orjson.dumps(TREE)), whole(b"import a"), whole(b"print()")

    first, source = await brought(tmp_path / "1", *script)
    second, _ = await brought(tmp_path / "2", *script)

    assert isinstance(first, Held)
    assert isinstance(second, Held)
    assert first.sha256 == second.sha256
    with ZipFile(first.file) as zipped:
        assert {name: zipped.read(name) for name in zipped.namelist()} == {
            "lib/a b.py": b"import a",
            "train.py": b"print()",
        }
        assert zipped.namelist() == ["lib/a b.py", "train.py"]
    assert orjson.loads(source.transport.requests[0].content) == {"snapshotOrAssetId": "7"}


async def test_a_snapshot_that_nobody_has_is_an_omission(tmp_path: Path) -> None:
    """With what the content service said."""
    gone = Said(404, orjson.dumps({"error": {"code": "NotFound", "message": "no such snapshot"}}))

    assert (await brought(tmp_path / "1", gone, gone))[0] == "no such snapshot (404)"


@pytest.mark.parametrize("unknown", [Said(501, b"{}"), Said(404, b""), Said(405, b"<html>POST</html>")])
async def test_a_service_without_a_store_of_code_is_said_in_words(tmp_path: Path, unknown: Said) -> None:
    """No address: which route was asked stands in the log."""
    assert (await brought(tmp_path / "1", unknown, unknown))[0] == "the service has no code store"


async def test_a_snapshot_that_could_not_be_read_is_asked_for_again(tmp_path: Path) -> None:
    """By the next call that wants code; one that is here is not."""
    gone = Said(404, orjson.dumps({"error": {"code": "NotFound", "message": "no such snapshot"}}))
    script = Said(200, orjson.dumps(TREE)), whole(b"import a"), whole(b"print()")

    first, _ = await brought(tmp_path / "1", gone, gone)
    second, _ = await brought(tmp_path / "1", *script)
    third, source = await brought(tmp_path / "1")

    assert first == "no such snapshot (404)"
    assert isinstance(second, Held)
    assert third == second
    assert source.transport.requests == []
