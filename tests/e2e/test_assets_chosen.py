"""Which assets come along, what the service names itself, and what comes later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import small
from e2e.library import DiesAt, PowerCut, migrated
from e2e.test_assets import EVERYTHING, token
from sandbox.conftest import plane
from sandbox.jobs import API
from sandbox.plane import Plane

__all__ = ["plane"]

ANONYMOUS = "/components/azureml_anonymous/versions/5f1c7a52-0b0e-4a52-9d6f-0c1f8e1a2b3c"


def put(plane: Plane, path: str, **properties: Any) -> Any:
    return plane.document("arm", "PUT", path, API, {"properties": properties})


def test_what_nobody_names_stays(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """By default: models of chosen runs, and what runs name; the environment of nobody is asked for by `all` alone.

    Later: a new version comes, an edited description too, and the other one's is left as it was edited in the target.
    """
    small(plane)
    target = sandbox.add_workspace()
    options = MigrateOptions(deep=True)

    first = asyncio.run(migrated(plane.workspace, target, tmp_path / "archive", options=options))
    there = Plane(target, token())
    uri = "azureml://jobs/trained/outputs/artifacts/paths/model/"
    put(plane, "/models/own/versions/3", modelType="mlflow_model", modelUri=uri)
    old = {"modelType": "mlflow_model", "modelUri": uri}
    put(plane, "/models/own/versions/1", **old, tags={"a": "2"}, stage="Staging", description="new")
    put(there, "/models/own/versions/1", **old, tags={"a": "1", "mine": "x"}, stage="Production")
    second = asyncio.run(migrated(plane.workspace, target, tmp_path / "archive", options=options))

    assert (first.extracted.assets, first.replayed.assets.made, first.verdict.assets_equal) == (2, 2, 2)
    assert there("arm", "GET", "/environments/own/versions/1", API).status_code == 404
    assert (second.replayed.assets.made, second.replayed.assets.updated) == (1, 1)
    one = there.arm("/models/own/versions/1")["properties"]
    assert (one["tags"], one["stage"], one["description"]) == ({"a": "2", "mine": "x"}, "Production", "new")
    assert {(told.what, told.kind) for told in second.verdict.first} == {
        ("model own:1: stage", "edited in target"),
        ("model own:1: tag mine", "edited in target"),
    }


def test_what_the_service_names_is_made_once(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """An anonymous component gets another name in the target: what uses it leads there. Killed once it was made."""
    scope = plane.path
    leaf = put(plane, ANONYMOUS, isAnonymous=True, componentSpec={"type": "command", "command": "true", "name": "x"})
    jobs = {"a": {"component": leaf["id"], "type": "command"}}
    put(plane, "/components/tree/versions/1", componentSpec={"type": "pipeline", "name": "tree", "jobs": jobs})
    target, folder = sandbox.add_workspace(), tmp_path / "archive"

    cut = DiesAt(1, delivered=True, where=rf"{target.workspace_name}/components/azureml_anonymous/versions/")
    with pytest.raises(PowerCut):
        asyncio.run(migrated(plane.workspace, target, folder, cut=cut, options=EVERYTHING))
    done = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    again = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))

    there = Plane(target, token())
    made = there.arm("/components/azureml_anonymous/versions", listViewType="All")["value"]
    used = there.arm("/components/tree/versions/1")["properties"]["componentSpec"]["jobs"]["a"]
    assert scope != there.path
    assert len(made) == 1
    assert made[0]["name"] != leaf["name"]
    assert used["component"] == made[0]["id"]
    assert (done.verdict.findings, done.verdict.assets_equal, again.replayed.assets.made) == (0, 2, 0)
    with Archive.open(folder, write=False) as archive:
        (place,) = archive.targets()
        assert len(archive.ledger(place).asset_names()) == 1


def test_a_model_whose_run_stays_behind_brings_its_files(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """It is linked to none, which is told; the run comes later, and is no conflict."""
    small(plane)
    plane.put("other", status="Completed")
    target, folder = sandbox.add_workspace(), tmp_path / "archive"

    done = asyncio.run(
        migrated(plane.workspace, target, folder, selection=Selection(include=("other",)), options=EVERYTHING)
    )

    there = Plane(target, token())
    own = there.arm("/models/own/versions/1")["properties"]
    assert (done.replayed.assets.failed, done.replayed.assets.files, own["jobName"]) == ((), 2, None)
    whole = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    assert (whole.verdict.findings, whole.replayed.failed, whole.replayed.assets.failed) == (0, (), ())
