"""The second way in: runs that MLflow's routes make, under ids of the target's own."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.wire.decode_ties import TAGS
from azureml_replay.azure.workspace import connect
from azureml_replay.cli.app import app
from azureml_replay.comparison.three_way import Fate
from azureml_replay.direct.making import CLOSED
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.errors import LeaseTaken, UserError
from azureml_replay.planning.route import FINER, NO_NAME, NO_START, OWN_ID
from azureml_replay.selection import Selection
from azureml_replay.target import lease as leases
from azureml_replay.target.lease import hold, leased
from azureml_replay.verbs import MigrateOptions
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import WriteRoute
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, PowerCut, configured, cut_and_continue, examined, migrated
from e2e.tampering import HOME, Held, below, change, extra_run, fill, in_experiment, in_home, in_run
from e2e.test_synthetic import extracted
from e2e.test_taken_back import description, told
from e2e.test_undo import undone
from e2e.test_undo_delete import GOES, deleted
from e2e.witness import Seen, look, ml_client

REFUSES, IGNORES = "refuse-client-ids", "ignore-start-times"
WRITES = r"/mlflow/.*/runs/(create|update)$"
OURS = ("original_job_id", "azureml_replay_source", "azureml_replay_sent")


def set_variants(calm: Sandbox, target: WorkspaceFile, *variants: str, **more: Any) -> None:
    calm.set_faults(strict=[f"{one}@{target.workspace_name}" for one in variants], **more)


def map_of(folder: Path, target: WorkspaceFile) -> dict[str, str]:
    """Run of the source -> run of the target."""
    with Archive.open(folder, write=False) as archive:
        return dict(archive.ledger(configured(target).ref).bindings())


def omissions(folder: Path, target: WorkspaceFile) -> Counter[tuple[str, str]]:
    with Archive.open(folder, write=False) as archive:
        told = archive.ledger(configured(target).ref).planned_omissions()
        return Counter((one.what, one.reason) for one in told)


def findings(folder: Path, target: WorkspaceFile) -> set[tuple[str, str, str]]:
    with Archive.open(folder, write=False) as archive:
        return {(one.run, one.what, one.kind) for one in archive.ledger(configured(target).ref).findings()}


def of_source(seen: Seen, ids: dict[str, str]) -> Seen:
    """The mapped runs of a target under their source's ids, without what says where they are and come from."""
    names = {there: run for run, there in ids.items()}

    def told(run: dict[str, Any]) -> dict[str, Any]:
        tags = {key: names.get(value, value) for key, value in run["tags"].items() if key not in OURS}
        return run | {"tags": tags}

    return Seen(
        experiments={name: one for name, one in seen.experiments.items() if name == "small"},
        runs={names[run]: told(one) for run, one in seen.runs.items() if run in names},
        points={(names[run], metric): rows for (run, metric), rows in seen.points.items() if run in names},
        files={
            (names[run], path): digest
            for (run, path), digest in seen.files.items()
            if run in names and not path.startswith("replay/")
        },
        jobs={names[job]: one for job, one in seen.jobs.items() if job in names},
    )


@pytest.mark.parametrize("variants", [[REFUSES], [IGNORES], [REFUSES, IGNORES]], ids=" and ".join)
def test_both_clients_see_what_the_source_has_ids_aside(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, variants: list[str]
) -> None:
    """Nobody forces it. Each run says that it lost its own id and nothing more; a second call writes nothing."""
    target = calm.add_workspace()
    set_variants(calm, target, *variants)

    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    calm.reset_requests()
    again = asyncio.run(migrated(small_history, target, tmp_path / "archive"))
    writes = {one["route"] for one in calm.requests()["routes"] if one["effect"] == "write"}

    assert (done.replayed.write_route, done.replayed.failed, done.verdict.findings) == (WriteRoute.MLFLOW, (), 0)
    assert (again.replayed.runs, again.verdict.findings, writes) == (0, 0, set())
    assert omissions(tmp_path / "archive", target) == {("run id", OWN_ID): 3}
    ids = map_of(tmp_path / "archive", target)
    own = {run: run for run in ids}
    before, after = of_source(look(small_history), own), of_source(look(target), ids)
    assert ids.keys() == before.runs.keys()
    assert not set(ids) & set(ids.values())
    assert (after.runs, after.points, after.files, after.jobs) == (
        before.runs,
        before.points,
        before.files,
        before.jobs,
    )
    sides = ((small_history, own), (target, ids))
    begun, made = ({run: made_at(side, there) for run, there in of.items()} for side, of in sides)
    assert begun == made


def made_at(workspace: WorkspaceFile, run: str) -> object:
    return ml_client(workspace).jobs.get(run).creation_context.created_at


def test_killed_at_each_write_in_a_row_nothing_is_there_twice(
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six times, once with the write delivered and once without it; a second archive then finds the same runs.

    A family is made whole before anything else of it goes, though it is sent in three windows.
    """
    monkeypatch.setattr("azureml_replay.direct.replay.WINDOW", 1)
    monkeypatch.setattr("azureml_replay.direct.making.TOGETHER", 2)
    target = calm.add_workspace()
    set_variants(calm, target, REFUSES, IGNORES)
    asyncio.run(examined(small_history, target, tmp_path / "archive"))

    cuts = 0
    for at in count():
        try:
            cut = DiesAt(1 + at % 2, delivered=at % 2 == 0, where=WRITES)
            done = asyncio.run(migrated(small_history, target, tmp_path / "archive", cut=cut))
            break
        except PowerCut:
            cuts += 1
    set_variants(calm, target)  # of a target that would take our ids by now
    other = asyncio.run(migrated(small_history, target, tmp_path / "another"))

    assert cuts >= 6
    for one in (done, other):
        assert (one.replayed.failed, one.verdict.findings, one.verdict.runs, one.verdict.points) == ((), 0, 3, 330)
    assert map_of(tmp_path / "archive", target) == map_of(tmp_path / "another", target)
    runs = look(target, files=False).runs.values()
    assert sorted(run["name"] for run in runs if run["experiment"] == "small") == ["child 0", "child 1", "parent"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("delivered", [False, True], ids=["before-delivery", "after-delivery"])
def test_cut_at_every_request(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, delivered: bool
) -> None:
    """Each into a target of its own, while written points show up late."""
    for at in count(1):
        target = calm.add_workspace()
        set_variants(calm, target, REFUSES, IGNORES, ingestion_lag_ms=150)
        cut = DiesAt(at, delivered=delivered)
        if not cut_and_continue(small_history, target, tmp_path / str(at), cut, (3, 330)):
            break
        runs = look(target, files=False).runs.values()
        assert sum(run["experiment"] == "small" for run in runs) == 3, (at, delivered)
    assert at > 60


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        *("delay-events", "created-now", "drop-properties", "refuse-null-values", "recent-times-only"),
        *("no-batchrundata", "no-metric-list"),
    ],
)
def test_what_else_a_target_does_is_planned_on_this_route_too(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, more: str
) -> None:
    """From two archives, the first of them twice: nothing fails, nothing differs, nothing is there twice."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    set_variants(calm, target, REFUSES, more)

    for folder in ("archive", "archive", "another"):
        done = asyncio.run(migrated(source, target, tmp_path / folder))
        assert (done.replayed.failed, done.verdict.findings, done.verdict.runs) == ((), 0, 2)
    assert map_of(tmp_path / "archive", target) == map_of(tmp_path / "another", target)


def test_a_lost_answer_makes_no_second_run(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Each second answer to a write by MLflow's routes is lost: within one call all arrive, once."""
    target = calm.add_workspace()
    set_variants(calm, target, REFUSES)
    asyncio.run(examined(small_history, target, tmp_path / "archive"))
    lost = {"match": {"service": "mlflow", "path": WRITES, "workspace": target.workspace_name}, "do": "reset-after"}
    set_variants(calm, target, REFUSES, rules=[{**lost, "every": 2}])

    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    calm.set_faults()
    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    runs = look(target, files=False).runs.values()
    assert sum(run["experiment"] == "small" for run in runs) == 3


async def test_of_two_at_once_one_holds_the_lease(
    calm: Sandbox, azure_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both make the run that keeps it, whose id neither can choose; later calls find the same one."""
    monkeypatch.setattr(leases, "PAUSE_S", 0.05)
    target, place = calm.add_workspace(), Place(kind="azureml", key="of-a-source", name="of a source")
    set_variants(calm, target, REFUSES)
    config = configured(target)

    async def held(at_once: int) -> list[object]:
        async with AsyncExitStack() as stack:
            ends = [await stack.enter_async_context(connect(config)) for _ in range(at_once)]
            writing = [await stack.enter_async_context(leased(end, place)) for end in ends]
            return await asyncio.gather(*map(hold, writing), return_exceptions=True)

    first = await held(2)
    assert [type(one) for one in first if one is not None] == [LeaseTaken]
    assert await held(1) == [None]
    told = [run for run in look(target, files=False).runs.values() if "azureml_replay_lease" in run["tags"]]
    assert {run["stage"] for run in told} == {"deleted"}
    assert sum(bool(run["params"]) for run in told) == 1


@pytest.fixture
def full(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> tuple[WorkspaceFile, WorkspaceFile, Path]:
    """A source with a value in every field, one run of it without name and start, and a target that has it by now."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, in_run(lambda run: {"displayName": None, "startTimeUtc": None}, "child"))
    dropped = {"mlflow.source.name": "train.py", **{f"tag{at}": "" for at in range(43)}}
    change(calm, source, in_run(lambda run: {"tags": run["tags"] | dropped}))
    set_variants(calm, target, REFUSES, IGNORES, "drop-source-tags")
    done = asyncio.run(migrated(source, target, tmp_path / "archive"))
    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    return source, target, tmp_path / "archive"


def test_what_is_lost_is_named_and_edits_on_both_sides_are_told_apart(
    full: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox
) -> None:
    """What was changed there stays, what was changed at the source goes; `undo` hides all, and a replay shows it."""
    source, target, folder = full
    told = omissions(folder, target)
    assert told["run id", OWN_ID] == 2
    assert told["display name", NO_NAME] == told["start", NO_START] == 1
    finer = {what for what, reason in told if reason == FINER}
    assert finer == {"start below a millisecond", "end below a millisecond"}
    assert not any("tags" in reason for _, reason in told), "46 tags have room beside those of ours"
    ids = map_of(folder, target)
    assert run_of(calm, target, ids["root"])["tags"]["mlflow.source.name"] == "train.py"
    later = {"lastModifiedUtc": "2099-01-01T00:00:00+00:00"}
    change(calm, target, in_run(lambda run: {"tags": run["tags"] | {"team": "edited"}}, ids["root"]))
    change(calm, source, in_run(lambda run: {"description": "newer", **later}))

    done = asyncio.run(migrated(source, target, folder))

    assert (done.replayed.runs, done.replayed.kept, done.replayed.failed) == (1, (), ())
    assert findings(folder, target) == {("root", "tag team", Fate.EDITED.value)}
    assert run_of(calm, target, ids["root"])["description"] == "newer"
    change(calm, target, in_run(lambda run: {"tags": run["tags"] | {"team": "blue"}}, ids["root"]))

    back = asyncio.run(undone(target, folder))

    assert (back.runs, back.left, back.failed) == (2, (), ())
    assert {run_of(calm, target, there)["hidden"] for there in ids.values()} == {True}
    again = asyncio.run(migrated(source, target, folder))
    assert (again.replayed.failed, again.verdict.findings, map_of(folder, target)) == ((), 0, ids)


ARCHIVED = "2024-01-01T00:00:00+00:00"


def test_an_archived_experiment_is_opened_for_what_is_new(
    full: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox
) -> None:
    """And archived again, also where the call is cut in between, and where the selection lacks it.

    One that somebody archived in the target alone stays so, whichever archive comes, and so does one of the target's
    own: the new runs say why, until it is restored.
    """
    source, target, folder = full
    change(calm, source, extra_run)
    change(calm, source, told("theirs", "source", "guest"))
    change(calm, target, in_home(archivedTime=ARCHIVED))
    change(calm, target, told("theirs", "target"))
    change(calm, target, in_experiment("theirs", archivedTime=ARCHIVED))
    why = {("stranger", CLOSED.format(name=HOME)), ("guest", CLOSED.format(name="theirs"))}
    for archive in (folder, folder.with_name("another")):
        assert set(asyncio.run(migrated(source, target, archive)).replayed.failed) == why
        assert stages(target) == {HOME: "deleted", "theirs": "deleted"}

    change(calm, source, in_home(archivedTime=ARCHIVED))
    change(calm, target, in_experiment("theirs", archivedTime=None))
    assert [run for run, _ in asyncio.run(migrated(source, target, folder)).replayed.failed] == ["stranger"]
    with pytest.raises(PowerCut):
        asyncio.run(migrated(source, target, folder, cut=DiesAt(1, delivered=False, where=r"experimentids/[^/]+$")))
    done = asyncio.run(migrated(source, target, folder))

    assert (done.replayed.runs, done.replayed.failed, done.verdict.findings, done.verdict.runs) == (1, (), 0, 4)
    assert stages(target) == {HOME: "deleted", "theirs": "active"}
    assert description(calm, target, "theirs") == ("target", "target")
    change(calm, source, below("root", "late"))
    change(calm, source, told("third", "source", "caller"))
    change(calm, source, in_run(lambda _: {"tags": {TAGS[0]: "late"}}, "caller"))
    named = Selection(include=("caller",))
    asyncio.run(extracted(source, folder))
    asyncio.run(migrated(source, target, folder, selection=named))
    assert {"late", "caller"} <= map_of(folder, target).keys()
    assert stages(target) == {HOME: "deleted", "theirs": "active"}


def stages(target: WorkspaceFile) -> dict[str, str]:
    """Of the two experiments, whether they are archived."""
    seen = look(target, files=False).experiments
    return {name: seen[name]["stage"] for name in (HOME, "theirs")}


def test_a_run_that_was_refused_is_not_made_behind_its_verdict(
    full: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox
) -> None:
    """The target would take it by now, when another run of its family changed: it stays left out, and all below it."""
    source, target, folder = full
    strict = (REFUSES, IGNORES, "drop-source-tags")
    change(calm, source, extra_run)
    change(calm, source, below("stranger", "below"))
    refuse = {"match": {"path": "runs/create$", "workspace": target.workspace_name}, "do": "status", "status": 400}
    set_variants(calm, target, *strict, rules=[refuse])
    refused = asyncio.run(migrated(source, target, folder))
    set_variants(calm, target, *strict)
    change(calm, source, in_run(lambda run: {"description": "new", "lastModifiedUtc": "2099-01-01T00:00:00+00:00"}))
    before = len(look(target, files=False).runs)

    done = asyncio.run(migrated(source, target, folder))

    assert (refused.replayed.failed, refused.replayed.refused) == ((), (("stranger", "run"), ("below", "run")))
    assert (done.replayed.runs, done.replayed.failed, done.verdict.findings) == (1, (), 0)
    assert (len(look(target, files=False).runs), "stranger" in map_of(folder, target)) == (before, False)


def run_of(calm: Sandbox, workspace: WorkspaceFile, run: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def read(held: Held) -> None:
        found.update(held.run(run))

    change(calm, workspace, read)
    return found


def test_a_route_that_is_wanted_is_taken_and_stays(
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a target that would take our ids. The plan says it beforehand; what is there by then goes no other way."""
    monkeypatch.chdir(tmp_path)
    target = calm.add_workspace()
    place = ["--target", str(target.path)]
    assert said("extract", "--source", str(small_history.path), "--archive", "archive").exit_code == 0

    for _ in range(2):  # before anything was tried, and by what is known of a target by another route
        planned = json.loads(said("plan", "archive", *place, "--write-route", "mlflow", "--json").stdout)
        assert (planned["write_route"], planned["reasons"][OWN_ID]) == ("mlflow", 3)
        usual = json.loads(said("plan", "archive", *place, "--json").stdout)
        assert usual["write_route"] == "history"
        asyncio.run(examined(small_history, target, tmp_path / "archive"))
    done = said("replay", "archive", *place, "--write-route", "mlflow")
    again = said("replay", "archive", *place, "--json")
    other = said("replay", "archive", *place, "--write-route", "history")
    rows = json.loads(said("map", "archive", "--json").stdout)
    report = said("report", "archive", "--output", "report.html")

    assert done.exit_code == 0, done.output
    assert "by MLflow's routes, under ids of the target's own, as --write-route says" in " ".join(done.output.split())
    assert json.loads(again.stdout)["write_route"] == "mlflow"
    assert other.exit_code == 0, other.output
    assert "by MLflow's routes, as their families went: 3 runs" in " ".join(other.output.split())
    assert report.exit_code == 0
    assert {row["source_id"]: row["target_id"] for row in rows} == map_of(tmp_path / "archive", target)


def said(*line: str) -> Any:
    return CliRunner().invoke(app, list(line))


def test_history_is_taken_where_it_is_wanted(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Times are lost then, as planned, and ids stay; where ids are refused it stops before anything is written."""
    target, other = calm.add_workspace(), calm.add_workspace()
    options = MigrateOptions(replay=ReplayOptions(write_route=WriteRoute.HISTORY))
    calm.set_faults(strict=[f"{IGNORES}@{target.workspace_name}", f"{REFUSES}@{other.workspace_name}"])

    done = asyncio.run(migrated(small_history, target, tmp_path / "archive", options=options))
    with pytest.raises(UserError, match="refuses runs with ids of the client's choice"):
        asyncio.run(migrated(small_history, other, tmp_path / "archive", options=options))

    assert (done.replayed.write_route, done.verdict.findings, done.replayed.failed) == (WriteRoute.HISTORY, 0, ())
    assert {what for what, _ in omissions(tmp_path / "archive", target)} == {"start", "end", "creation time"}
    assert map_of(tmp_path / "archive", target) == {}


def test_runs_that_undo_deleted_are_made_anew(full: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox) -> None:
    """Under other ids. So are those that went while the call that deleted them was stopped."""
    source, target, folder = full
    set_variants(calm, target, REFUSES, IGNORES, "drop-source-tags", *GOES)
    ids = map_of(folder, target)

    gone = asyncio.run(deleted(target, folder))
    done = asyncio.run(migrated(source, target, folder))

    anew = map_of(folder, target)
    assert (gone.deleted, gone.kept, gone.failed) == (2, (), ())
    assert (done.replayed.failed, done.verdict.findings, done.verdict.runs) == ((), 0, 2)
    assert not set(ids.values()) & set(anew.values())
    set_variants(calm, target, REFUSES, IGNORES, "drop-source-tags", *GOES, deletion_lag_ms=0)
    for last in (1, 2):  # of two runs
        cut = DiesAt(last, delivered=True, where="/jobs/")
        with pytest.raises(PowerCut):
            asyncio.run(deleted(target, folder, cut=cut))
        again = asyncio.run(migrated(source, target, folder))
        assert (again.replayed.failed, again.verdict.findings, again.verdict.runs) == ((), 0, 2)
    seen = of_source(look(target), map_of(folder, target))
    assert seen.points == of_source(look(source), {run: run for run in ids}).points
