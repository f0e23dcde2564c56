"""Ids that are taken, and ids of one's own choice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_replay.direct.options import OnConflict, ReplayOptions
from azureml_replay.errors import Exit
from azureml_replay.verbs import Migrated, MigrateOptions
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import migrated
from e2e.witness import look, tracking_uri


def migrate(source: WorkspaceFile, target: WorkspaceFile, folder: Path, **how: object) -> Migrated:
    """With these replay options."""
    options = MigrateOptions(replay=ReplayOptions(**how), deep=True)  # type: ignore[arg-type]
    return asyncio.run(migrated(source, target, folder, options=options))


@pytest.fixture
def taken(small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str]) -> tuple[WorkspaceFile, str]:
    """A target where somebody else's run has the id of one of the source's children, and that id."""
    target = calm.add_workspace()
    runs = look(small_history, files=False).runs
    child = next(run for run, told in runs.items() if told["name"] == "child 0")
    mlflow.set_tracking_uri(tracking_uri(target))
    client = MlflowClient()
    theirs = client.create_run(client.create_experiment("theirs"), run_name="theirs").info.run_id
    with opened(calm.folder, target.workspace_name) as (world, there):
        document = dict(world.runs.get(there.guid, theirs))
        world.runs.put(there.guid, document | {"runId": child, "dataContainerId": f"dcid.{child}"})
    return target, child


@pytest.mark.parametrize("how", [OnConflict.FAIL, OnConflict.SKIP])
def test_a_taken_id_leaves_its_whole_unit_alone(
    small_history: WorkspaceFile, taken: tuple[WorkspaceFile, str], tmp_path: Path, how: OnConflict
) -> None:
    """Neither the run that has it nor anything of ours is written; verify says what is absent, or was left out."""
    target, child = taken

    done = migrate(small_history, target, tmp_path / "archive", on_conflict=how)

    assert (done.replayed.conflicts, done.replayed.runs) == ((child,), 0)
    if how is OnConflict.SKIP:
        assert (done.verdict.exit, done.verdict.left_out, done.verdict.findings) == (Exit.OK, 3, 0)
    else:
        assert (done.verdict.exit, done.verdict.left_out) == (Exit.FINDINGS, 0)
    assert look(target, files=False).runs[child]["name"] == "theirs"


def test_a_taken_id_may_be_renamed(
    small_history: WorkspaceFile, taken: tuple[WorkspaceFile, str], tmp_path: Path
) -> None:
    """The unit arrives under new ids; a second migration, from another archive too, knows them."""
    target, child = taken

    for folder in ("archive", "archive", "another"):
        done = migrate(small_history, target, tmp_path / folder, on_conflict=OnConflict.RENAME)

        assert (done.verdict.findings, done.replayed.conflicts, done.replayed.failed) == (0, (), ())
    runs = look(target, files=False).runs
    assert runs[child]["name"] == "theirs"
    assert sorted(told["name"] for told in runs.values() if told["experiment"] == "small") == [
        "child 0",
        "child 1",
        "parent",
    ]


def test_a_unit_that_is_renamed_half_way_through_arrives_whole(
    small_history: WorkspaceFile,
    taken: tuple[WorkspaceFile, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its last runs were planned together with its first ones, under ids that it has no more."""
    monkeypatch.setattr("azureml_replay.direct.replay.WINDOW", 1)
    target, child = taken

    done = migrate(small_history, target, tmp_path / "archive", on_conflict=OnConflict.RENAME)

    assert (done.verdict.findings, done.replayed.conflicts, done.replayed.failed) == (0, (), ())
    runs = look(target, files=False).runs
    names = {"parent", "child 0", "child 1"}
    ours = {run: told for run, told in runs.items() if told["experiment"] == "small" and told["name"] in names}
    assert len(ours) == 3
    assert not ours.keys() & look(small_history, files=False).runs.keys()
    assert runs[child]["name"] == "theirs"


def test_new_ids_are_the_same_each_time(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Every run has another id, its children hang below it, and its lineage tag says which it had."""
    target = calm.add_workspace()
    there = look(small_history, files=False).runs

    for folder in ("archive", "another"):
        done = migrate(small_history, target, tmp_path / folder, new_ids=True)
        assert (done.verdict.findings, done.replayed.failed) == (0, ())

    here = {run: told for run, told in look(target, files=False).runs.items() if told["experiment"] == "small"}
    assert not here.keys() & there.keys()
    assert {told["tags"]["original_job_id"] for told in here.values()} == there.keys()
    parent = next(run for run, told in here.items() if told["name"] == "parent")
    assert {told["tags"].get("mlflow.parentRunId") for told in here.values()} == {None, parent}
