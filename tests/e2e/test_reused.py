"""A reused step shows the files and points of the step that ran, in the target as in the source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.options import OnConflict, ReplayOptions
from azureml_replay.verbs import Migrated, MigrateOptions
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, PowerCut, migrated
from e2e.tampering import BEGIN, FILE, Held, change, fill, in_run
from e2e.test_undo import undone
from e2e.test_undo_delete import deleted
from e2e.test_verdict import findings
from e2e.witness import look
from environment import point_at

TIMES = ("createdUtc", "startTimeUtc", "endTimeUtc")


def reusing(held: Held) -> None:
    """Jobs that are newer than the one that ran, and so go first; below one a child; one whose owner is gone."""
    fill(held)
    for name, parent, owner in (("again", None, "root"), ("below", "again", "root"), ("alone", None, "nobody")):
        more = {"runId": name, "parentRunId": parent, "rootRunId": parent or name, "dataContainerId": f"dcid.{owner}"}
        held.world.runs.put(held.guid, held.run("root") | more | dict.fromkeys(TIMES, "2024-01-01T00:00:00+00:00"))


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """Changed by no test."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        made = sandbox.add_workspace()
        change(sandbox, made, reusing)
        yield made


@pytest.fixture
def target(source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str]) -> WorkspaceFile:
    return calm.add_workspace()


def go(source: WorkspaceFile, target: WorkspaceFile, folder: Path) -> Migrated:
    done = asyncio.run(migrated(source, target, folder / "archive"))
    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    return done


def test_files_and_points_show_as_in_the_source(source: WorkspaceFile, target: WorkspaceFile, tmp_path: Path) -> None:
    """Asked through MLflow; what lies there is carried once, and only an owner that is gone is an omission."""
    done = go(source, target, tmp_path)

    there, here = look(source), look(target)
    files = {key: one for key, one in here.files.items() if key[0] in there.runs and not key[1].startswith("replay/")}
    assert files == {key: digest for key, digest in there.files.items() if key[0] != "alone"}
    assert here.points.items() >= there.points.items()
    assert {run for run, path in files if path == FILE} == {"root", "again", "below"}
    assert (done.replayed.points, done.verdict.runs) == (11, 5)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        (ref,) = archive.targets()
        assert [omission.run for omission in archive.ledger(ref).planned_omissions()] == ["alone"]


def test_another_container_is_found(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """A target where a reused step has a container of its own shows none of the files."""
    go(source, target, tmp_path)
    change(calm, target, in_run(lambda run: {"dataContainerId": "dcid.again"}, "again"))

    _, named = asyncio.run(findings(source, target, tmp_path / "archive", deep=False))

    assert named == {("again", "files and metrics of", "absent")}


def test_a_finished_migration_sends_nothing(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Not of reused steps either; another archive finds what the first one wrote."""
    go(source, target, tmp_path)
    calm.reset_requests()

    go(source, target, tmp_path)

    assert calm.requests()["writes"] == 0
    again = go(source, target, tmp_path / "other")
    assert (again.verdict.omissions, again.replayed.points) == (2, 0), "the experiment is ours, whoever made it"


def test_a_cut_at_any_moment_loses_no_container(
    source: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Before and after each request that creates the reused steps: the next call makes them as planned."""
    counted = DiesAt(0, delivered=True)
    asyncio.run(migrated(source, calm.add_workspace(), tmp_path / "whole", cut=counted))
    for left in range(counted.count // 2, counted.count, 11):
        target, folder = calm.add_workspace(), tmp_path / str(left)
        with suppress(PowerCut, BaseExceptionGroup):
            asyncio.run(migrated(source, target, folder, cut=DiesAt(left, delivered=left % 2 == 0)))

        done = asyncio.run(migrated(source, target, folder))

        assert (done.replayed.failed, done.verdict.findings, done.verdict.omissions) == ((), 0, 2), left


def test_undo_removes_what_was_made_for_a_reused_step(
    source: WorkspaceFile, target: WorkspaceFile, tmp_path: Path
) -> None:
    """It lies in the container of the step that ran."""
    go(source, target, tmp_path)
    assert [path for run, path in look(target).files if run == "root" and path.startswith("replay/reused/again/")]

    done = asyncio.run(undone(target, tmp_path / "archive"))

    assert (done.left, done.failed) == ((), ())
    assert not [path for run, path in look(target).files if run in ("root", "again", "below", "alone")]


def test_a_step_waits_for_the_one_that_ran(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """Where another run has the owner's id nothing is made without its files: once it may come, all come whole."""
    change(calm, target, theirs)

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.replayed.conflicts, {run for run, _ in done.replayed.failed}) == (("root",), {"again", "below"})
    rename = MigrateOptions(replay=ReplayOptions(on_conflict=OnConflict.RENAME), deep=True)
    later = asyncio.run(migrated(source, target, tmp_path / "archive", options=rename))
    assert (later.replayed.conflicts, later.replayed.failed, later.verdict.findings) == ((), (), 0)
    assert {"again", "below"} < {run for run, path in look(target).files if path == FILE}


def theirs(held: Held) -> None:
    """A finished run of somebody else's, whose id is the owner's."""
    home = experiment("theirs")
    held.world.experiments.put(held.guid, home)
    run = finished(empty_run("root", home["experimentId"], BEGIN), "Completed", BEGIN + 1, BEGIN + 2)
    held.world.runs.put(held.guid, run)


@pytest.mark.slow
def test_deleted_and_created_anew(source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path) -> None:
    """Nothing that a step shows of another one's keeps it; afterwards all show the same, and no point is doubled."""
    go(source, target, tmp_path)
    before = look(target)
    calm.set_faults(strict=["delete-history-runs", "delete-child-runs", "reuse-deleted-names"])

    done = asyncio.run(deleted(target, tmp_path / "archive"))

    assert (done.kept, done.failed, done.deleted) == ((), (), done.runs)
    back = go(source, target, tmp_path)
    assert (back.replayed.points, look(target).points, look(target).files) == (0, before.points, before.files)
