"""`--attach`: a file of a datastore that the target has too is registered where it lies; every other one is copied."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from azureml_replay.cli import run
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import BLOB_STORE
from e2e.tampering import Change, Held, change, fill, index_of

FILES = {"outputs/lake.bin": ("shared", b"seen by both"), "outputs/mine.bin": (BLOB_STORE, b"of the source alone")}


def datastore(sandbox: Sandbox, owner: WorkspaceFile) -> Change:
    """A datastore `shared` over the blob store of `owner`, whoever has it."""
    of: dict[str, str] = {}
    change(sandbox, owner, lambda held: of.update(account=held.there.account, name=held.there.containers[BLOB_STORE]))
    properties = {
        "isDefault": False,
        "credentials": {"credentialsType": "AccountKey"},
        "datastoreType": "AzureBlob",
        "accountName": of["account"],
        "containerName": of["name"],
        "endpoint": "core.windows.net",
        "protocol": "https",
    }
    document = {"name": "shared", "properties": properties}
    return lambda held: held.world.assets.put(held.guid, "datastores", "shared", document)


def with_files(held: Held) -> None:
    """A history, two of whose files lie in other datastores."""
    fill(held)
    for path, (store, data) in FILES.items():
        held.blobs.put(BLOB_STORE, f"data/{path}", data)
        index_of(held, path, datastore=store, relative_path=f"data/{path}")


def places(sandbox: Sandbox, workspace: WorkspaceFile) -> Mapping[str, str]:
    """Of the root's files of those names: in which datastore the index says that they lie."""
    found: dict[str, str] = {}

    def look(held: Held) -> None:
        for path in FILES:
            entry = held.world.artifacts.get(held.guid, ("ExperimentRun", "dcid.root"), path)
            if entry is not None:
                found[path] = entry["dataPath"]["dataStoreName"]

    change(sandbox, workspace, look)
    return found


@pytest.fixture
def two(calm: Sandbox, azure_env: dict[str, str]) -> tuple[WorkspaceFile, WorkspaceFile]:
    """A source, and a target that has one of its datastores too."""
    source, target = calm.add_workspace(), calm.add_workspace()
    shared = datastore(calm, source)
    change(calm, source, shared)
    change(calm, source, with_files)
    change(calm, target, shared)
    return source, target


def test_what_both_reach_is_registered_and_all_else_is_copied(
    two: tuple[WorkspaceFile, WorkspaceFile], calm: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verify reads the place that the entry names; a later call sends nothing; another file at that place is
    found; undo leaves the entry and the source's file, and so does what brings back what another one took back."""
    source, target = two
    monkeypatch.chdir(tmp_path)
    ends = ["--source", str(source.path), "--target", str(target.path), "--quiet"]
    migrate = ["migrate", *ends, "--archive", "kept", "--deep", "--attach"]

    assert run(migrate) == 0
    assert places(calm, target) == {"outputs/lake.bin": "shared", "outputs/mine.bin": "workspaceartifactstore"}
    calm.reset_requests()
    assert run(migrate) == 0
    routes = calm.requests()["routes"]
    assert [one for one in routes if one["route"].endswith(("/register", "/batch/metadata"))] == []
    assert run(["verify", "kept", *ends]) == 0

    shutil.copytree("kept", "other")
    assert run(["undo", "other", "--target", str(target.path), "--yes", "--quiet"]) == 0
    assert run(["verify", "kept", *ends]) == 5
    assert run(["replay", "kept", *ends]) == 0
    assert places(calm, target) == {"outputs/lake.bin": "shared", "outputs/mine.bin": "workspaceartifactstore"}
    assert run(["verify", "kept", *ends]) == 0

    change(calm, source, lambda held: held.blobs.put(BLOB_STORE, "data/outputs/lake.bin", b"seen by BOTH"))
    assert run(["verify", "kept", *ends]) == 5

    assert run(["undo", "kept", "--target", str(target.path), "--yes", "--quiet"]) == 0
    assert places(calm, target) == {"outputs/lake.bin": "shared"}, "removed for good, its bytes would be gone"
    left: list[bytes | None] = []
    change(calm, source, lambda held: left.append(held.blobs.read(BLOB_STORE, "data/outputs/lake.bin")))
    assert left == [b"seen by BOTH"]


def test_without_the_flag_everything_is_copied(
    two: tuple[WorkspaceFile, WorkspaceFile], calm: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what the target could reach; the flag moves nothing that was copied before."""
    source, target = two
    monkeypatch.chdir(tmp_path)
    ends = ["--source", str(source.path), "--target", str(target.path), "--quiet"]

    for flags in ([], ["--attach"]):
        assert run(["migrate", *ends, "--archive", "kept", *flags]) == 0
        assert set(places(calm, target).values()) == {"workspaceartifactstore"}
