"""The sandbox's state: what is put in comes out, whole, also after a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_sandbox import instants
from azureml_sandbox.world import Comparison, Document, Either, Every, RunQuery, Workspace, World, scalar

GUID = "6d6f1c3e-0000-4000-8000-000000000001"
HOME = Workspace("Home", "sub", "Group", "westeurope", "tenant", GUID, "account")
CREATED = "2023-04-14T01:37:46.1717002+00:00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "world.db"


@pytest.fixture
def world(path: Path) -> Iterator[World]:
    opened = World.open(path)
    opened.add_workspace(HOME)
    yield opened
    opened.close()


def run(run_id: str, experiment: Document, **more: object) -> Document:
    return {"runId": run_id, "experimentId": experiment["experimentId"], "createdUtc": CREATED, **more}


def rows(*values: object) -> list[Document]:
    return [
        {"metricId": "m", "createdUtc": CREATED, "step": step, "data": {"loss": value}}
        for step, value in enumerate(values)
    ]


def test_a_workspace_is_found_in_whatever_case(world: World) -> None:
    """ARM ids are compared without case."""
    assert world.workspace("SUB", "group", "hOME") == HOME


def test_a_workspace_that_is_not_there_is_none(world: World) -> None:
    """Nothing is made up."""
    assert world.workspace("sub", "Group", "other") is None


def test_everything_survives_a_restart(world: World, path: Path) -> None:
    """State lies in the file, not in the process."""
    world.runs.put(GUID, run("r1", world.experiments.obtain(GUID, "train"), strange={"kept": [1, None]}))
    world.metrics.append(GUID, scalar("dcid.r1", "loss"), rows(0.25))
    world.close()

    again = World.open(path)

    assert again.workspaces() == [HOME]
    assert (again.runs.get(GUID, "r1") or {})["strange"] == {"kept": [1, None]}
    assert [series.name for series in again.metrics.of_container(GUID, "dcid.r1")] == ["loss"]


def test_a_transaction_that_fails_leaves_nothing(world: World) -> None:
    """One request, one transaction."""
    experiment = world.experiments.obtain(GUID, "train")

    def fail_half_way() -> None:
        with world.transaction():
            world.runs.put(GUID, run("r1", experiment))
            raise LookupError

    with pytest.raises(LookupError):
        fail_half_way()

    assert world.runs.get(GUID, "r1") is None
    assert world.jobs.get(GUID, "r1") is None


def test_workspaces_do_not_see_each_other(world: World) -> None:
    """Everything is addressed by the workspace's guid."""
    world.runs.put(GUID, run("r1", world.experiments.obtain(GUID, "train")))

    assert world.runs.get("another", "r1") is None


def test_a_workspace_begins_with_the_experiment_default(world: World) -> None:
    """Runs that name no experiment go there."""
    assert [document["name"] for _, document in world.experiments.page(GUID, "All")] == ["Default"]


def test_an_experiment_name_is_taken_once(world: World) -> None:
    """Two experiments of one name would be one in URLs."""
    world.experiments.create(GUID, "train")

    with pytest.raises(sqlite3.IntegrityError):
        world.experiments.create(GUID, "train")


def test_children_come_in_pages_that_go_on_where_the_last_ended(world: World) -> None:
    """No child twice, none left out, also when more are added meanwhile."""
    experiment = world.experiments.obtain(GUID, "train")
    for index in range(5):
        world.runs.put(GUID, run(f"c{index}", experiment, parentRunId="p"))

    first = world.runs.children(GUID, "p", limit=3)
    world.runs.put(GUID, run("late", experiment, parentRunId="p"))
    second = world.runs.children(GUID, "p", after=first[-1][0], limit=3)

    assert [document["runId"] for _, document in (*first, *second)] == ["c0", "c1", "c2", "c3", "c4", "late"]


def test_putting_a_run_again_replaces_it_and_keeps_its_place(world: World) -> None:
    """A modified run does not move behind its siblings."""
    experiment = world.experiments.obtain(GUID, "train")
    for name in ("a", "b"):
        world.runs.put(GUID, run(name, experiment))

    world.runs.put(GUID, run("a", experiment, status="Failed"))

    found = world.runs.query(GUID, RunQuery(experiment["experimentId"]))
    assert [(document["runId"], document.get("status")) for document in found] == [("a", "Failed"), ("b", None)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Comparison("status", "=", "Failed"), ["b"]),
        (Comparison("status", "!=", "Failed"), ["a", "c"]),
        (Comparison("started", ">=", instants.parse("2024-01-01T00:00:00Z")), ["b"]),
        (Comparison("parent_run_id", "=", None), ["a", "b"]),
        (Comparison('$.tags."team"', "=", "vision"), ["a"]),
        (Comparison('$.tags."none"', "=", None), ["c"]),
        (Every((Comparison("status", "=", "Completed"), Comparison("parent_run_id", "!=", None))), ["c"]),
        (Either((Comparison("run_id", "=", "a"), Comparison("run_id", "=", "b"))), ["a", "b"]),
        (Every(), ["a", "b", "c"]),
    ],
)
def test_a_query_answers_the_runs_that_meet_its_condition(
    world: World, where: Comparison | Every | Either, expected: list[str]
) -> None:
    """Columns, paths into the document, null, and, or."""
    experiment = world.experiments.obtain(GUID, "train")
    world.runs.put(GUID, run("a", experiment, status="Completed", tags={"team": "vision"}))
    world.runs.put(GUID, run("b", experiment, status="Failed", startTimeUtc="2024-05-13T08:37:06Z", tags={}))
    world.runs.put(GUID, run("c", experiment, status="Completed", parentRunId="a", tags={"none": None}))

    found = world.runs.query(GUID, RunQuery(experiment["experimentId"], where))

    assert [document["runId"] for document in found] == expected


def test_root_runs_are_jobs_and_children_are_not(world: World) -> None:
    """ARM lists root runs only, newest first."""
    experiment = world.experiments.obtain(GUID, "train")
    world.runs.put(GUID, run("old", experiment))
    world.runs.put(GUID, run("child", experiment, parentRunId="old"))
    world.runs.put(GUID, run("new", experiment) | {"createdUtc": "2024-01-01T00:00:00Z"})

    assert [job.name for job in world.jobs.page(GUID, "All")] == ["new", "old"]


def test_hiding_a_run_archives_its_job(world: World) -> None:
    """Archived jobs are left out of a list of active ones."""
    experiment = world.experiments.obtain(GUID, "train")
    world.runs.put(GUID, run("r1", experiment))
    world.runs.put(GUID, run("r1", experiment, hidden=True))

    assert world.jobs.page(GUID, "ActiveOnly") == []
    assert [job.name for job in world.jobs.page(GUID, "ArchivedOnly")] == ["r1"]


def test_rows_keep_order_repeats_and_ids(world: World) -> None:
    """Rows are appended, never replaced: the same id twice is two rows."""
    series = scalar("dcid.r1", "loss")
    world.metrics.append(GUID, series, rows(1.0, "NaN"))
    world.metrics.append(GUID, series, rows(1.0))

    found = world.metrics.rows(GUID, series)

    assert [document["data"]["loss"] for _, document in found] == [1.0, "NaN", 1.0]
    assert (world.metrics.get(GUID, "dcid.r1", "loss") or series).rows == 3


def test_rows_that_are_not_visible_yet_are_not_read(world: World) -> None:
    """A lagging ingestion: the row is there, nobody can read it, and the series is not settled."""
    series = scalar("dcid.r1", "loss")
    world.metrics.append(GUID, series, rows(1.0), visible=100)

    assert world.metrics.of_container(GUID, "dcid.r1", visible=99) == []
    assert world.metrics.rows(GUID, series, visible=99) == []
    assert world.metrics.last(GUID, "dcid.r1", visible=99) == []
    assert not world.metrics.settled(GUID, "dcid.r1", 99)
    assert len(world.metrics.rows(GUID, series, visible=100)) == 1
    assert world.metrics.settled(GUID, "dcid.r1", 100)


def test_many_rows_of_one_name_are_paged_by_their_place(world: World) -> None:
    """Every row once, over all pages."""
    series = scalar("dcid.r1", "loss")
    world.metrics.append(GUID, series, rows(*range(25)))

    seen, after = [], 0
    while page := world.metrics.rows(GUID, series, after=after, limit=10):
        seen += [document["step"] for _, document in page]
        after = page[-1][0]

    assert seen == list(range(25))


def test_artifacts_are_listed_by_path_below_a_prefix(world: World) -> None:
    """Paths are names, whatever characters they have."""
    place = ("ExperimentRun", "dcid.r1")
    for path in ("outputs/b", "outputs/ä %41#?.txt", "outputs", "logs/x"):
        world.artifacts.register(GUID, place, path)

    found = world.artifacts.page(GUID, place, prefix="outputs/")

    assert [document["path"] for document in found] == ["outputs/b", "outputs/ä %41#?.txt"]


@pytest.mark.parametrize(
    "text",
    [
        "2023-04-14T01:37:46.1717002+00:00",
        "2023-02-22T20:33:46.114639+00:00",
        "2024-08-15T20:24:20.587+00:00",
        "2024-07-24T08:48:48+00:00",
        "0001-01-01T00:00:00+00:00",
        "1969-12-31T23:59:59.9999999+00:00",
    ],
)
def test_a_time_comes_back_as_it_was_written(text: str) -> None:
    """.NET's round-trip form: 7 decimals, trailing zeros cut."""
    assert instants.text(instants.parse(text)) == text


def test_zone_and_surplus_decimals_are_read() -> None:
    """Ticks are of 100 ns in UTC: what is finer is cut."""
    assert instants.text(instants.parse("2024-05-13T10:37:06.12345678+02:00")) == "2024-05-13T08:37:06.1234567+00:00"


@pytest.mark.parametrize(
    ("ticks", "text"),
    [(1_247_583_386, "00:02:04.7583386"), (0, "00:00:00"), (86_400 * instants.SECOND, "1.00:00:00")],
)
def test_durations_are_written_as_dot_net_does(ticks: int, text: str) -> None:
    """Seven decimals or none."""
    assert instants.span(ticks) == text
