"""What stands above a run, and what the runs that it names are called, may be known later than the run itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.comparison.three_way import NAMED_ONCE, PLACED_ONCE
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.replay import TO_EXTRACT
from azureml_replay.errors import Exit
from azureml_replay.planning.plan import NO_PARENT
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import waiting_units
from azureml_replay.synthetic.replay import TO_EXTRACT as TO_EXTRACT_OF_JOB
from azureml_replay.synthetic.strangers import UNKNOWN_JOB
from azureml_replay.verbs import Migrated, MigrateOptions, dry_run
from azureml_replay.verification.strangers import in_words
from azureml_replay.verification.verdict import verdict
from azureml_replay.workspace.profile import WriteRoute
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import configured, migrated
from e2e.tampering import BEGIN, HOME, Change, Held, below, change, fill, in_run
from e2e.test_plan_changed import Bench
from e2e.test_synthetic import extracted
from e2e.test_undo_delete import deleted
from e2e.test_write_route import findings, map_of, omissions
from e2e.witness import look

LATER = "2027-01-01T00:00:00.0000000+00:00"
BY_MLFLOW = ReplayOptions(write_route=WriteRoute.MLFLOW)


def unreadable(source: WorkspaceFile) -> list[dict[str, Any]]:
    """The root's metrics are refused."""
    match = {"service": "metric", "path": "/root/", "workspace": source.workspace_name}
    return [{"match": match, "do": "status", "status": 403}]


def moved(run: str, parent: str | None) -> Change:
    """Somebody gave the run another parent, or none, and a tag."""
    place = {"parentRunId": parent, "rootRunId": parent or run, "lastModifiedUtc": LATER}
    return in_run(lambda told: {**place, "tags": told["tags"] | {"moved": "yes"}}, run)


def in_experiment(*runs: dict[str, Any]) -> Change:
    """Runs without a parent, one tick after the other, with these values."""

    def add(held: Held) -> None:
        held.world.experiments.put(held.guid, home := experiment(HOME))
        for at, run in enumerate(runs):
            made = empty_run(run["runId"], home["experimentId"], BEGIN + at) | run
            held.world.runs.put(held.guid, finished(made, "Completed", BEGIN + at, BEGIN + 10**8))

    return add


def stands(target: WorkspaceFile, folder: Path) -> dict[str, str | None]:
    """Run of the source -> the one below which it stands, as MLflow's client sees the target."""
    ids, seen = map_of(folder, target), look(target, files=False).runs
    names = {there: run for run, there in ids.items()}
    parents = {names.get(run, run): told["tags"].get("mlflow.parentRunId") for run, told in seen.items()}
    return {run: parent and names.get(parent, parent) for run, parent in parents.items() if run in NAMES}


NAMES = frozenset({"root", "child", "grandchild"})


@pytest.mark.parametrize("how", [ReplayOptions(), BY_MLFLOW], ids=["history", "mlflow"])
def test_nothing_is_sent_before_what_stands_above_it_is_extracted(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, how: ReplayOptions
) -> None:
    """It would stand alone for ever. What is moved at the source later stays where it is, and is told."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    for one in (fill, below("child", "grandchild")):
        change(calm, source, one)

    def migrate() -> Migrated:
        return asyncio.run(migrated(source, target, folder, options=MigrateOptions(replay=how)))

    calm.set_faults(unreadable(source))
    first = migrate()
    with Archive.open(folder, write=False) as archive:
        planned = dry_run(archive, configured(target).ref, options=how)
    nothing = stands(target, folder)
    calm.set_faults()
    second, third = migrate(), migrate()

    assert dict(first.replayed.failed) == dict.fromkeys(("child", "grandchild"), TO_EXTRACT.format("root"))
    assert (first.verdict.exit, first.verdict.equal, first.verdict.findings) == (Exit.SERVICE, 0, 0)
    assert planned.left is not None
    assert (planned.runs, planned.waiting, planned.left.waiting, planned.left.runs) == (2, 2, 2, 0)
    assert not [reason for reason in planned.reasons if "written once" in reason or reason == NO_PARENT]
    assert nothing == {}
    for done, sent in ((second, 3), (third, 0)):
        assert (done.replayed.failed, done.replayed.runs, done.verdict.exit) == ((), sent, Exit.OK)
    tree = {"root": None, "child": "root", "grandchild": "child"}
    assert stands(target, folder) == tree
    assert not [one for one in omissions(folder, target) if one[0].startswith("parent")]

    change(calm, source, moved("grandchild", "root"))
    after, ids = migrate(), map_of(folder, target)
    assert (after.replayed.failed, after.replayed.runs, after.verdict.exit) == ((), 1, Exit.OK)
    assert stands(target, folder) == tree
    assert omissions(folder, target)["parent", PLACED_ONCE] == 1
    change(calm, target, in_run(lambda _: {"parentRunId": None}, ids.get("grandchild", "grandchild")))
    assert migrate().verdict.exit is Exit.FINDINGS
    assert ("grandchild", "parent", "absent") in findings(folder, target)


@pytest.mark.parametrize("how", [BY_MLFLOW, ReplayOptions(new_ids=True)], ids=["mlflow", "new ids"])
def test_a_run_that_is_named_gets_its_id_later(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, how: ReplayOptions
) -> None:
    """What names it counts as compared no more; tags are brought up to date, a property is written once and told."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    names = {"tags": {"automl_best_child_run_id": "b"}, "properties": {"SetupRunId": "b"}}
    change(calm, source, in_experiment({"runId": "b"}, {"runId": "a", **names}))

    def migrate(*include: str) -> Migrated:
        options = MigrateOptions(replay=how)
        return asyncio.run(migrated(source, target, folder, selection=Selection(include=include), options=options))

    def told() -> dict[str, Any]:
        return look(target, files=False).runs[map_of(folder, target)["a"]]["tags"]

    first = migrate("a")
    assert (first.verdict.exit, told()["automl_best_child_run_id"]) == (Exit.OK, "b")
    assert migrate("b").verdict.exit is Exit.OK
    with Archive.open(folder, write=False) as archive:
        between = verdict(archive, archive.ledger(configured(target).ref))
    assert (between.equal, between.not_compared, between.exit) == (1, 1, Exit.SERVICE)

    done, again = migrate(), migrate()
    assert (done.verdict.exit, done.verdict.equal, again.replayed.runs, again.verdict.exit) == (0, 2, 0, 0)
    assert told()["automl_best_child_run_id"] == map_of(folder, target)["b"]
    assert omissions(folder, target)["property SetupRunId", NAMED_ONCE] == 1
    asyncio.run(migrated(source, target, tmp_path / "other", options=MigrateOptions(replay=BY_MLFLOW)))
    if how is BY_MLFLOW:  # another archive finds these runs by their tags
        assert omissions(tmp_path / "other", target)["property SetupRunId", NAMED_ONCE] == 1

    there = map_of(folder, target)["a"]
    change(calm, target, in_run(lambda run: {"properties": run["properties"] | {"SetupRunId": "c"}}, there))
    assert migrate().verdict.exit is Exit.FINDINGS
    assert ("a", "property SetupRunId", "differs") in findings(folder, target)


def test_a_job_of_a_run_that_gets_a_parent_is_archived(
    workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Nothing is submitted before the parent is extracted; then one job stands for both, and no other is seen."""
    source = calm.add_workspace()
    bench = Bench(source, workspace, tmp_path / "archive", calm)
    change(calm, source, in_experiment({"runId": "child"}))
    bench.extract()
    assert bench.replay().submitted == 1

    for one in (in_experiment({"runId": "root"}), moved("child", "root")):
        change(calm, source, one)
    calm.set_faults(unreadable(source))
    asyncio.run(extracted(source, bench.folder))
    waits = bench.replay()
    with Archive.open(bench.folder, write=False) as archive:
        assert list(waiting_units(archive, archive.units())) == [("root", "root")]
    calm.set_faults()
    assert (waits.failed, waits.submitted) == ((("root", TO_EXTRACT_OF_JOB.format("root")),), 0)
    assert waits.verdict is not None
    assert (waits.verdict.exit, waits.verdict.proves) == (Exit.SERVICE, False)
    assert bench.jobs() == {"child": "active"}

    bench.extract()
    assert bench.left().beside == 1
    done = bench.replay()
    assert (done.failed, done.submitted, done.verdict and done.verdict.proves) == ((), 1, True)
    assert (bench.jobs(), bench.left().beside) == ({"child": "deleted", "root": "active"}, 0)
    with Archive.open(bench.folder, write=False) as archive:
        assert archive.ledger(configured(workspace).ref).progress().jobs_standing == 1

    change(calm, workspace, in_run(lambda _: {"hidden": False}, "child"))
    assert (bench.verify().exit, bench.findings()) == (Exit.FINDINGS, {("job child", "extra")})
    other = Bench(source, workspace, tmp_path / "other", calm)
    other.extract()
    other.replay()
    assert other.findings() == {("job child", "extra")}
    again = bench.replay()
    assert (again.submitted, again.verdict and again.verdict.proves) == (0, True)
    assert (bench.undo(), bench.jobs()) == (1, dict.fromkeys(("child", "root"), "deleted"))
    gone = asyncio.run(deleted(workspace, bench.folder))
    assert (gone.deleted_jobs, gone.failed) == (1, ())
    assert ("child", f"job child: {in_words([UNKNOWN_JOB])}") in gone.kept
