"""Whatever keeps an asset from the target has its line: conflicts, other workspaces, registries, rights."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetState
from azureml_replay.cli import run as run_command
from azureml_replay.direct.assets import REFERS_TO_LEFT
from azureml_replay.direct.options import AssetConflict
from azureml_replay.errors import UserError
from azureml_sandbox.server.sandbox import Sandbox
from e2e import old_sdk
from e2e.assets import CONDA, SHORT, small
from e2e.library import configured, migrated
from e2e.own_environment import NotInstallable
from e2e.test_asset_evidence import blobs
from e2e.test_assets import EVERYTHING, token, with_conflict
from sandbox.conftest import plane
from sandbox.jobs import API
from sandbox.plane import Plane
from sandbox.test_models import of_run

__all__ = ["plane"]

ML = "Microsoft.MachineLearningServices/workspaces"
THIRD = f"/subscriptions/0/resourceGroups/g/providers/{ML}/third/environments/theirs/versions/1"
REGISTRY = "azureml://registries/azureml/environments/sklearn-1.5/versions/26"
CONFLICTS = ("component leaf:1", "data numbers:1", "environment own:1", "model own:1")


def put(plane: Plane, path: str, **properties: Any) -> Any:
    return plane.document("arm", "PUT", path, API, {"properties": properties})


def component(plane: Plane, name: str, environment: str, command: str = "true") -> None:
    spec = {"type": "command", "command": command, "name": name, "version": "1", "environment": environment}
    put(plane, f"/components/{name}/versions/1", componentSpec=spec)


def others(there: Plane) -> None:
    """Something else under a name of each kind."""
    put(there, "/environments/own/versions/1", image="debian", condaFile=yaml.safe_dump(CONDA))
    component(there, "leaf", f"azureml:{there.path}/environments/own/versions/1", command="false")
    put(there, "/data/numbers/versions/1", dataType="uri_file", dataUri=f"{SHORT}other.csv")
    put(there, "/models/own/versions/1", modelType="custom_model", modelUri=of_run(there, "theirs"))


def test_conflicts_of_each_kind_are_all_told_at_once(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written; left, each has its line, and verify says so; else what uses it leads to the new."""
    small(plane)
    target = sandbox.add_workspace()
    there = Plane(target, token())
    others(there)
    run = partial(migrated, plane.workspace, target)
    before = [there.arm(f"/{kind}/{name}/versions")["value"] for kind, name in KINDS]

    with pytest.raises(UserError) as stopped:
        asyncio.run(run(tmp_path / "a", options=EVERYTHING))
    untouched = [there.arm(f"/{kind}/{name}/versions")["value"] for kind, name in KINDS]
    left = asyncio.run(run(tmp_path / "a", options=with_conflict(AssetConflict.SKIP)))
    moved = asyncio.run(run(tmp_path / "b", options=with_conflict(AssetConflict.NEXT)))
    capsys.readouterr()
    run_command(["assets", str(tmp_path / "b"), "--target", str(target.path), "--json"])
    rows = json.loads(capsys.readouterr().out)

    listing = ["assets", str(tmp_path / "b"), "--target", str(target.path)]
    run_command(listing)
    with Archive.open(tmp_path / "b") as archive:  # as a replay leaves it that was stopped, or could not make it
        ledger = archive.ledger(configured(target).ref)
        ledger.put_asset_receipt(replace(next(iter(ledger.asset_receipts().values())), state=AssetState.SENDING))
    run_command(listing)
    ahead = [one for one in capsys.readouterr().err.splitlines() if one.startswith("Next:")]

    assert ["replay replay" in one for one in ahead] == [False, True], ahead
    assert [name for name in CONFLICTS if name not in str(stopped.value)] == [], str(stopped.value)
    assert untouched == before
    assert sorted(left.replayed.assets.left) == list(CONFLICTS)
    assert sum("left alone" in why for why in left.verdict.reasons) == 2, "theirs, and what would lead to theirs"
    assert (moved.replayed.assets.left, moved.replayed.assets.failed, moved.verdict.findings) == ((), (), 0)
    renamed = {row["name"]: row["there"] for row in rows if row["there"]}
    assert renamed.keys() == {"own", "leaf", "numbers"}
    spec = there.arm(f"/components/leaf/versions/{renamed['leaf']}")["properties"]["componentSpec"]
    assert spec["environment"].partition("/environments/own/versions/")[2] not in ("", "1")


def test_the_next_number_is_none_of_the_sources_own(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """A version in the way of the second: the third keeps its number, and the second goes behind it."""
    for version in "123":
        model(plane, version, f"of the source {version}")
    target = sandbox.add_workspace()
    there = Plane(target, token())
    model(there, "2", "somebody's")

    done = asyncio.run(migrated(plane.workspace, target, tmp_path / "a", options=with_conflict(AssetConflict.NEXT)))

    versions = there.arm("/models/counted/versions", listViewType="All")["value"]
    assert (done.replayed.assets.failed, done.replayed.assets.refused, done.verdict.findings) == ((), (), 0)
    assert {one["name"]: one["properties"]["description"] for one in versions} == {
        "1": "of the source 1",
        "2": "somebody's",
        "3": "of the source 3",
        "4": "of the source 2",
    }


def model(plane: Plane, version: str, description: str) -> None:
    """One version of a name, with a file of its own."""
    at = f"LocalUpload/{description.replace(' ', '')}/"
    blobs(plane.workspace).upload_blob(f"{at}w.bin", description.encode(), overwrite=True)
    told = {"modelType": "custom_model", "modelUri": SHORT + at, "description": description}
    plane.document("arm", "PUT", f"/models/counted/versions/{version}", API, {"properties": told})


def test_an_equal_asset_with_other_bytes_is_another_one(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Its document says the same, and at its place lies somebody's file: a conflict, whatever is asked for."""
    model(plane, "1", "mine")
    target = sandbox.add_workspace()
    there = Plane(target, token())
    model(there, "1", "mine")
    blobs(target).upload_blob("LocalUpload/mine/w.bin", b"theirs", overwrite=True)

    with pytest.raises(UserError, match="counted:1"):
        asyncio.run(migrated(plane.workspace, target, tmp_path / "fail", options=EVERYTHING))
    for conflict in (AssetConflict.SKIP, AssetConflict.NEXT):
        folder = tmp_path / conflict.value
        done = asyncio.run(migrated(plane.workspace, target, folder, options=with_conflict(conflict)))
        assert (done.replayed.assets.left, done.replayed.assets.failed) == (("model counted:1",), ())
        assert any("left alone" in why for why in done.verdict.reasons)
    assert blobs(target).download_blob("LocalUpload/mine/w.bin").readall() == b"theirs"


def test_what_refers_to_an_asset_that_was_left_alone_is_not_made(
    plane: Plane, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It would lead to somebody's: an omission, and nothing that is tried again for ever."""
    small(plane)
    target = sandbox.add_workspace()
    others(Plane(target, token()))
    skip = with_conflict(AssetConflict.SKIP)

    first = asyncio.run(migrated(plane.workspace, target, tmp_path / "a", options=skip))
    again = asyncio.run(migrated(plane.workspace, target, tmp_path / "a", options=skip))

    refused = REFERS_TO_LEFT.format("component leaf:1")
    assert ("component tree:1", refused) in first.replayed.assets.refused
    assert (first.replayed.assets.failed, again.replayed.assets.failed) == ((), ())
    assert any(refused in why for why in again.verdict.reasons)


KINDS = (("environments", "own"), ("components", "leaf"), ("data", "numbers"), ("models", "own"))


def test_what_lies_elsewhere_or_may_not_be_had_has_its_line(
    plane: Plane, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A third workspace's, a registry's, a curated one; a role that lacks in the source, and one in the target."""
    small(plane)
    component(plane, "far", f"azureml:{THIRD}")
    component(plane, "registered", REGISTRY)
    component(plane, "curated", f"azureml:{plane.path}/environments/AzureML-withdrawn/versions/3")
    target, folder = calm.add_workspace(), tmp_path / "archive"
    calm.set_faults(denied=[{"action": f"{ML}/models/versions/write", "workspace": target.workspace_name}])

    denied = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    calm.set_faults()
    run_command(["plan", str(folder), "--assets", "all", "--json"])
    planned = json.loads(capsys.readouterr().out)["assets"]
    run_command(["assets", str(folder)])
    listed = capsys.readouterr().out

    failed = dict(denied.replayed.assets.failed)
    assert failed.keys() == {"model own:1", "model own:2"}
    assert set(failed.values()) == {"this login may not do that (403)"}
    assert any("models/versions/write" in said for said in denied.replayed.remedies)
    assert not denied.verdict.proves
    assert planned["outside"] == {"another workspace": 1, "curated": 1, "registry": 1}
    for text, where in ((THIRD, "another workspace"), (REGISTRY, "registry"), ("AzureML-withdrawn", "curated")):
        assert any(text in line and f"({where})" in line for line in listed.splitlines()), text
    spec = Plane(target, token()).arm("/components/far/versions/1")["properties"]["componentSpec"]
    assert spec["environment"].endswith(THIRD), "what is a third workspace's stays"


def test_the_old_sdk_finds_the_run_of_a_model_on_both_sides(
    sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """azureml-core registers models of a run; `Model.run_id`, versions and tags are the same in the target."""
    try:
        old_sdk.installed()
    except NotInstallable as why:
        pytest.skip(str(why))
    source, target = sandbox.add_workspace(), sandbox.add_workspace()
    old_sdk.run("models.py", source, tmp_path / "written")

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))

    before, after = (
        json.loads(old_sdk.run("found_models.py", side, tmp_path / side.workspace_name)) for side in (source, target)
    )
    assert (done.verdict.findings, done.verdict.assets_equal) == (0, 3)
    assert before == after
    assert {run for _, _, run, _ in before} == {"r1"}
