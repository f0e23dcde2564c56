"""`--rewrite-mltable`: paths of carried MLTables that name the source's workspace name the target's."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from azureml_replay.azure.workspace import connect
from azureml_replay.direct.options import AssetsSent, ReplayOptions
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.model import Location
from azureml_replay.planning.assets import TABLE_LEFT, AssetChoice, AssetData, AssetName, AssetScope
from azureml_replay.verbs import MigrateOptions, verify
from azureml_replay.workspace.put_files import NewFile
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import SHORT
from e2e.library import FastClock, configured, migrated
from e2e.test_asset_flags import lost
from e2e.test_assets import called, token
from e2e.test_named_outputs import bytes_of
from sandbox.conftest import plane
from sandbox.jobs import API
from sandbox.plane import Plane

__all__ = ["plane"]

FOLDER = "tables/t/"


def options(*, rewrite: bool) -> MigrateOptions:
    """The bytes of one table."""
    choice = AssetChoice(
        scope=AssetScope.NAMED, names=(AssetName("t"),), data=AssetData.WORKSPACE, rewrite_tables=rewrite
    )
    return MigrateOptions(deep=True, extract=ExtractOptions(assets=choice), replay=ReplayOptions(assets=choice))


def long(workspace: WorkspaceFile, path: str) -> str:
    return (
        f"azureml://subscriptions/{workspace.subscription_id}/resourcegroups/{workspace.resource_group}"
        f"/workspaces/{workspace.workspace_name}/datastores/workspaceblobstore/paths/{path}"
    )


def as_listed(plane: Plane, path: str) -> str:
    """As lists of data name a place: by the workspace's guid."""
    return f"azureml://workspaces/{plane.properties['workspaceId']}/datastores/workspaceblobstore/paths/{path}"


def table(workspace: WorkspaceFile, left: WorkspaceFile, other_in_list: str, in_list: str = "") -> str:
    """With a comment, which stays; the paths that lead out of the folder are `left`'s."""
    own, other = long(workspace, f"{FOLDER}a.csv"), long(left, "tables/tab/b.csv")
    lines = ["./a.csv", f"'{own}'", other, in_list or own, other_in_list]
    return "\n".join(["paths:  # five", *(f"  - file: {one}" for one in lines), "transformations: []\n"])


def filled(plane: Plane) -> str:
    """A table in a folder; its text."""
    outside = as_listed(plane, "tables/c.csv")
    text = table(plane.workspace, plane.workspace, outside, as_listed(plane, f"{FOLDER}a.csv"))
    uris = ["./a.csv", long(plane.workspace, f"{FOLDER}a.csv"), long(plane.workspace, "tables/tab/b.csv")]

    async def write() -> None:
        async with connect(configured(plane.workspace), clock=FastClock()) as opened:
            for name, data in (("MLTable", text.encode()), ("a.csv", b"1,2")):
                at = Location("workspaceblobstore", FOLDER + name)
                await opened.put_asset_file(at, NewFile(path=at.path, data=data, content_type="text/plain"))

    asyncio.run(write())
    said = {"dataType": "mltable", "dataUri": SHORT + FOLDER, "referencedUris": uris}
    plane.document("arm", "PUT", "/data/t/versions/1", API, {"properties": said})
    return text


def test_a_carried_table_reads_the_target(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """What came along, and nothing else; the original lies beside it, what is left is told, and it stays so."""
    text, target, folder = filled(plane), sandbox.add_workspace(), tmp_path / "archive"
    run = partial(migrated, plane.workspace, target, folder)

    bare = asyncio.run(run(options=options(rewrite=False)))
    untouched = asyncio.run(bytes_of(target, f"{FOLDER}MLTable"))
    done = asyncio.run(run(options=options(rewrite=True)))
    again = asyncio.run(run(options=options(rewrite=True)))
    plane.document("arm", "PUT", "/data/t/versions/1", API, retagged(plane))
    later = asyncio.run(run(options=options(rewrite=False)))

    assert (bare.replayed.assets.files, bare.verdict.findings, untouched) == (2, 0, text.encode())
    assert (done.replayed.assets.failed, done.replayed.assets.files, done.verdict.findings) == ((), 2, 0)
    assert asyncio.run(bytes_of(target, f"{FOLDER}MLTable")).decode() == table(
        target, plane.workspace, as_listed(plane, "tables/c.csv")
    )
    assert asyncio.run(bytes_of(target, f"{FOLDER}MLTable.source")) == text.encode()
    assert done.verdict.reasons[TABLE_LEFT.format("2 paths")] == 1
    assert (again.replayed.assets, again.verdict.findings) == (AssetsSent(), 0)
    assert (later.replayed.assets.updated, later.replayed.assets.files, later.verdict.findings) == (1, 0, 0)
    assert later.verdict.reasons[TABLE_LEFT.format("2 paths")] == 1
    lost(Plane(target, token()), f"{FOLDER}MLTable.source")
    absent = asyncio.run(called(target, folder, verify))
    assert [one.what for one in absent.first] == ["data t:1: file MLTable.source"]
    fresh(plane, sandbox.add_workspace(), tmp_path / "fresh")


def retagged(plane: Plane) -> dict[str, object]:
    return {"properties": {**plane.arm("/data/t/versions/1")["properties"], "tags": {"a": "1"}}}


def fresh(plane: Plane, target: WorkspaceFile, folder: Path) -> None:
    """From the beginning: what the asset says that it reads is what its MLTable says."""
    done = asyncio.run(migrated(plane.workspace, target, folder, options=options(rewrite=True)))
    said = Plane(target, token()).arm("/data/t/versions/1")["properties"]
    assert (done.replayed.assets.files, done.verdict.findings) == (3, 0)
    own, other = long(target, f"{FOLDER}a.csv"), long(plane.workspace, "tables/tab/b.csv")
    assert said["referencedUris"] == ["./a.csv", own, other]
