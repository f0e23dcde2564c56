"""Two ways into one target: what went by one stays so, with its family; what comes new goes the way that is wanted."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.planning.route import OWN_ID
from azureml_replay.selection import Selection
from azureml_replay.verbs import Migrated, MigrateOptions
from azureml_replay.workspace.profile import WriteRoute
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, PowerCut, configured, migrated
from e2e.tampering import below, change, fill, in_run
from e2e.test_synthetic import extracted, opened
from e2e.test_taken_back import told
from e2e.test_undo import PROBE, undone
from e2e.test_undo_delete import GOES, deleted
from e2e.test_write_route import IGNORES, map_of, of_source, omissions, run_of, said, set_variants
from e2e.witness import look

HISTORY, MLFLOW = WriteRoute
WRITES = r"/mlflow/.*/runs/(create|update)$|/batch/(runs|events)$"
LATER = {"lastModifiedUtc": "2099-01-01T00:00:00+00:00"}


def went(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, route: WriteRoute | None, **more: object
) -> Migrated:
    options = MigrateOptions(replay=ReplayOptions(write_route=route), deep=True)
    return asyncio.run(migrated(source, target, folder, options=options, **more))  # type: ignore[arg-type]


def is_equal(done: Migrated, runs: int) -> bool:
    return (done.replayed.failed, done.verdict.findings, done.verdict.runs) == ((), 0, runs)


def probed(target: WorkspaceFile) -> int:
    """How many throw-away runs there are."""
    return sum(told["experiment"] == PROBE for told in look(target, files=False).runs.values())


@pytest.fixture
def both(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> tuple[WorkspaceFile, WorkspaceFile, Path]:
    """A source; a target with its first family, by the history; the archive, which has a second one and a new child."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, told("second", "source", "alone"))
    folder, named = tmp_path / "archive", Selection(include=("root",))
    assert is_equal(went(source, target, folder, HISTORY, selection=named), 2)
    change(calm, source, below("root", "late"))
    asyncio.run(extracted(source, folder))
    return source, target, folder


def test_what_went_by_the_history_stays_so_with_its_family(
    both: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan and one line say how many; each is changed, hidden, shown again and made anew by its own way."""
    source, target, folder = both
    monkeypatch.chdir(folder.parent)
    place = ["--target", str(target.path)]
    plan = json.loads(said("plan", "archive", *place, "--write-route", "mlflow", "--json").stdout)
    assert (plan["write_route"], plan["routes"]) == ("mlflow", {"history": 3, "mlflow": 1})

    replayed = said("replay", "archive", *place, "--source", str(source.path), "--write-route", "mlflow")
    again = went(source, target, folder, None)

    assert replayed.exit_code == 0, replayed.output
    assert "by the history, as their families went: 3 runs" in " ".join(replayed.output.split())
    assert is_equal(again, 4)
    assert (again.replayed.runs, again.replayed.write_route) == (0, MLFLOW)
    ids = map_of(folder, target)
    assert ids.keys() == {"alone"}
    assert ids["alone"] != "alone"
    assert omissions(folder, target)["run id", OWN_ID] == 1
    change(calm, target, in_run(lambda run: {"tags": run["tags"] | {"mine": "1"}}, ids["alone"]))
    for run in ("root", "alone"):
        change(calm, source, in_run(lambda _: {"description": "newer", **LATER}, run))
    changed = went(source, target, folder, None)
    assert (changed.replayed.runs, changed.verdict.findings) == (2, 1)
    assert {run_of(calm, target, there)["description"] for there in ("root", ids["alone"])} == {"newer"}
    change(
        calm, target, in_run(lambda run: {"tags": {k: v for k, v in run["tags"].items() if k != "mine"}}, ids["alone"])
    )

    assert asyncio.run(undone(target, folder)).runs == 4
    assert is_equal(went(source, target, folder, None), 4)
    change(calm, source, told("third", "source", "last"))
    before = probed(target)
    assert is_equal(went(source, target, folder, HISTORY), 5)
    assert (probed(target), map_of(folder, target)) == (before, ids)
    set_variants(calm, target, *GOES)
    assert asyncio.run(deleted(target, folder)).deleted == 5
    set_variants(calm, target, *GOES, "reuse-deleted-names")
    assert is_equal(went(source, target, folder, None), 5)
    assert map_of(folder, target) == {}
    own = {run: run for run in ("root", "child", "late", "alone", "last")}
    assert of_source(look(target), own).points == of_source(look(source), own).points


async def sent(source: WorkspaceFile, target: WorkspaceFile, folder: Path, route: WriteRoute, cut: DiesAt) -> None:
    """One `replay`, of what is in the archive."""
    async with opened(source, cut) as reading, opened(target, cut) as writing:
        with Archive.open(folder) as archive:
            await replay(archive, reading, writing, options=ReplayOptions(write_route=route), width=4)


def test_killed_at_each_write_nothing_is_there_twice(
    both: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox
) -> None:
    """In turn by both ways, delivered and not: new families, and new children of one that went by each."""
    source, target, folder = both
    assert is_equal(went(source, target, folder, MLFLOW), 4)
    for name in ("third", "fourth"):
        change(calm, source, told(name, "source", f"of-{name}"))
    for parent in ("late", "alone"):
        change(calm, source, below(parent, f"below-{parent}"))
    asyncio.run(extracted(source, folder))

    for at in count():
        try:
            cut = DiesAt(2 + at // 3, delivered=at % 2 == 0, where=WRITES)  # the first ones are of the lease
            asyncio.run(sent(source, target, folder, (MLFLOW, HISTORY)[at // 2 % 2], cut))
            break
        except PowerCut:
            continue

    assert at >= 6
    assert is_equal(went(source, target, folder, MLFLOW), 8)
    seen = look(target, files=False).runs.values()
    assert sum(told["experiment"] != PROBE for told in seen) == 8
    assert {"alone", "below-alone"} <= map_of(folder, target).keys()
    assert not {"root", "below-late"} & map_of(folder, target).keys()


def test_what_a_way_loses_is_lost_by_its_own_runs_alone(
    both: tuple[WorkspaceFile, WorkspaceFile, Path], calm: Sandbox
) -> None:
    """By the history this target keeps no times by now: what MLflow's routes made keeps them, and so it is planned."""
    source, target, folder = both
    set_variants(calm, target, IGNORES)
    folder = folder.with_name("another")
    other = calm.add_workspace()
    set_variants(calm, other, IGNORES)
    went(source, other, folder, HISTORY, selection=Selection(include=("root",)))

    done = went(source, other, folder, MLFLOW)

    assert is_equal(done, 4)
    with Archive.open(folder, write=False) as archive:
        lost = list(archive.ledger(configured(other).ref).planned_omissions())
    assert {one.run for one in lost if one.what in ("start", "end")} == {"root", "child", "late"}
    assert {one.run for one in lost if one.what == "run id"} == {"alone"}
