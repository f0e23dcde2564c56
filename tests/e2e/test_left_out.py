"""What an extraction was told to leave out is said, and comes with a later one that wants it."""

from __future__ import annotations

from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import connect
from azureml_replay.extraction.extract import Extracted, ExtractOptions, extract
from azureml_replay.extraction.metrics import Metrics
from azureml_replay.selection import Selection
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.tampering import change, fill


async def extracted(source: WorkspaceFile, folder: Path, options: ExtractOptions) -> tuple[Extracted, Archive]:
    config = workspace_config(str(source.path))
    async with connect(config) as workspace:
        with Archive.create(folder, config.ref) as archive:
            done = await extract(workspace, archive, Selection(limit=9), options=options)
    return done, Archive.open(folder, write=False)


async def test_files_and_points_left_out_come_later(small_history: WorkspaceFile, azure_env, tmp_path: Path) -> None:
    """First an omission for each run and kind, then everything, then nothing more to do."""
    bare = ExtractOptions(metrics=Metrics.NONE, artifacts=False)

    first, archive = await extracted(small_history, tmp_path / "archive", bare)
    reasons = [omission.reason for omission in archive.omissions()]
    assert (first.listed, first.units, first.runs, first.points, first.files) == (1, 1, 3, 0, 0)
    assert sorted(set(reasons)) == ["left out by --metrics none", "left out by --no-artifacts"]
    assert len(reasons) == 6

    second, archive = await extracted(small_history, tmp_path / "archive", ExtractOptions())
    assert (second.runs, second.points, second.files) == (3, 330, 3)
    assert list(archive.omissions()) == []

    third, _ = await extracted(small_history, tmp_path / "archive", ExtractOptions())
    assert third.runs == 0


async def test_last_values_cost_no_request_a_run_and_the_history_comes_later(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Twenty runs of two series: one page of MLflow's search. Each run says what it lacks, until `full` brings it."""
    source = calm.add_workspace()
    wanted = Wanted(runs=20, children=4, experiments=2, seed=5, series=2, points=30, artifacts=0)
    sample(calm.folder, source.workspace_name, wanted)
    calm.reset_requests()

    last, archive = await extracted(source, tmp_path / "last", ExtractOptions(metrics=Metrics.LAST, artifacts=False))
    asked = [route for route in calm.requests()["routes"] if "/runs/search" in route["route"]]
    every = calm.requests()["total"]
    full, whole = await extracted(source, tmp_path / "full", ExtractOptions(artifacts=False))

    assert (last.runs, last.points) == (20, 40)
    assert sum(route["count"] for route in asked) == 1
    assert every < 20
    reasons = [omission.reason for omission in archive.omissions()]
    assert reasons.count("history left out by --metrics last") == 20
    assert {run: rows[-1:] for run, rows in rows_of(whole).items()} == rows_of(archive)

    later, archive = await extracted(source, tmp_path / "last", ExtractOptions(artifacts=False))
    assert (later.runs, later.points) == (20, full.points)
    assert "history left out by --metrics last" not in [omission.reason for omission in archive.omissions()]
    assert rows_of(archive) == rows_of(whole)


async def test_an_owner_that_comes_after_its_reused_step_is_not_said_to_be_gone(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Newer jobs come first: an older owner is listed by then, and not extracted. One that is gone is said."""
    source = calm.add_workspace()
    change(calm, source, fill)
    for name, owner in (("again", "root"), ("alone", "nobody")):
        reused = {"runId": name, "parentRunId": None, "rootRunId": name, "dataContainerId": f"dcid.{owner}"}
        change(calm, source, lambda held, more=reused: held.world.runs.put(held.guid, held.run("root") | more))

    done, archive = await extracted(source, tmp_path / "archive", ExtractOptions())

    assert (done.runs, done.failed) == (4, ())
    assert [(omission.run, omission.what, omission.reason) for omission in archive.omissions()] == [
        ("alone", "files and metrics of nobody", "its owner is gone from the source")
    ]


def rows_of(archive: Archive) -> dict[tuple[str, str], list[tuple[int | None, str]]]:
    """Steps and values of every series, to the bit; MLflow's times end at the millisecond."""
    return {
        (run, series.key.name): [
            (step, float(value).hex())
            for points in archive.points(run, series.key)
            for step, _, (value,) in points.rows()
        ]
        for root in archive.units()
        for run in (one.id for one in archive.unit(root))
        for series, _ in archive.series(run)
    }
