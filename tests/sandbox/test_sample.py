"""Samples: equal for equal seeds, as large as asked for, readable by Microsoft's own clients."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from azureml_sandbox.cli.app import app
from azureml_sandbox.fill.hostile import hostile_runs
from azureml_sandbox.fill.sample import experiments, regular_runs, sample
from azureml_sandbox.fill.sample_runs import SampledRun
from azureml_sandbox.fill.sample_shape import Wanted, nodes
from azureml_sandbox.problem import Problem
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE, BLOB_STORE, RUN_ORIGIN, Document, Workspace, World
from conftest import point_at

HOME = Workspace("home", "sub", "group", "westeurope", "tenant", "6d6f1c3e-0000-4000-8000-000000000001", "account")
SMALL = Wanted(runs=60, seed=7, experiments=2, series=2, points=4, artifacts=1)


def test_equal_seeds_give_equal_histories() -> None:
    """Documents, metrics and files, byte for byte; another seed gives another history."""
    one, same, other = ([*regular_runs(replace(SMALL, seed=seed), HOME)] for seed in (7, 7, 8))

    assert one == same
    assert not ids(one) & ids(other)
    assert list(hostile_runs(7, HOME)) == list(hostile_runs(7, HOME))
    assert not ids(list(hostile_runs(7, HOME))) & ids(list(hostile_runs(8, HOME)))


def test_a_larger_sample_begins_with_the_smaller_one() -> None:
    """So a history can grow."""
    small, large = ([*regular_runs(replace(SMALL, runs=count), HOME)] for count in (60, 90))

    assert large[:60] == small


def test_sweeps_have_no_tracking_service() -> None:
    """As none of 45 recorded ones had."""
    jobs = [one.job["properties"] for one in regular_runs(replace(SMALL, runs=300), HOME) if one.job is not None]

    assert {job["jobType"] for job in jobs if "Tracking" not in job["services"]} == {"Sweep"}
    assert {job["jobType"] for job in jobs if "Tracking" in job["services"]} >= {"Command", "Pipeline"}


@pytest.mark.parametrize("wanted", [SMALL, replace(SMALL, runs=1), replace(SMALL, runs=0), replace(SMALL, children=0)])
def test_as_many_as_asked_for(wanted: Wanted) -> None:
    """Runs, metrics, rows and files."""
    runs = list(regular_runs(wanted, HOME))

    assert len(ids(runs)) == len(runs) == wanted.runs
    assert all(len(run.series) == wanted.series and len(run.files) == wanted.artifacts for run in runs)
    every = [rows for run in runs for _, rows in run.series]
    assert all([row["step"] for row in rows] == list(range(wanted.points)) for rows in every)
    assert all(len({row["createdUtc"] for row in rows}) == len(rows) for rows in every)
    assert len(experiments(wanted)) == wanted.experiments
    assert wanted.children or all(run.run["parentRunId"] is None for run in runs)


def test_trees_are_three_deep_and_finished_within_their_parents() -> None:
    """Pipelines with nested pipelines, sweeps, AutoML; times of a child lie in its parent's."""
    every = list(nodes(replace(SMALL, runs=400)))

    assert {node.type for node in every} == {
        "command",
        "tracked",
        "pipeline",
        "nested",
        "step",
        "sweep",
        "automl",
        "trial",
    }
    assert max(depth(node) for node in every) == 3
    assert {node.status for node in every} == {"Completed", "Failed", "Canceled"}
    assert all(node.created <= node.started < node.ended for node in every)
    assert all(node.parent.started <= node.started < node.ended <= node.parent.ended for node in every if node.parent)


def test_azureml_mlflow_reads_a_sample(
    sandbox: Sandbox, workspace: WorkspaceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run in its experiment, every row of a metric, every file."""
    from mlflow.tracking import MlflowClient

    point_at(sandbox, monkeypatch)
    sample(sandbox.folder, workspace.workspace_name, SMALL)
    with opened(sandbox.folder, workspace.workspace_name) as (_, home):
        client = MlflowClient(f"azureml://{home.region}.api.azureml.ms/mlflow/v1.0{home.arm_id}")
        expected = {made.run["runId"]: made for made in regular_runs(SMALL, home)}

    found = [run for each in experiments(SMALL) for run in client.search_runs([each["experimentId"]], max_results=100)]

    assert Counter(run.info.run_id for run in found) == Counter(expected.keys())
    for run in found[:5]:
        made = expected[run.info.run_id]
        (series, rows), *_ = made.series
        history = client.get_metric_history(run.info.run_id, series.name)
        assert [(point.step, point.value) for point in history] == [(r["step"], r["data"][series.name]) for r in rows]
        assert run.data.params == made.run["parameters"]


def test_azure_ai_ml_reads_a_sample(
    sandbox: Sandbox, workspace: WorkspaceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every root as a job of its type; none that it cannot parse, hostile ones included."""
    from azure.ai.ml import MLClient
    from azure.identity import EnvironmentCredential

    point_at(sandbox, monkeypatch)
    sample(sandbox.folder, workspace.workspace_name, SMALL, hostile=True)
    client = MLClient(
        EnvironmentCredential(), workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    )

    listed = list(client.jobs.list(list_view_type="All"))

    assert None not in listed
    roots = {made.run["runId"] for made in regular_runs(SMALL, HOME) if made.run["parentRunId"] is None}
    hostile = {made.run["runId"] for made in hostile_runs(SMALL.seed, HOME) if made.run["parentRunId"] is None}
    assert {job.name for job in listed} == roots | hostile
    assert {type(job).__name__ for job in listed} >= {"Command", "PipelineJob", "SweepJob", "ClassificationJob"}


def test_a_second_sample_of_a_seed_adds_what_is_new(sandbox: Sandbox, workspace: WorkspaceFile) -> None:
    """Nothing twice."""
    sample(sandbox.folder, workspace.workspace_name, SMALL)
    again = sample(sandbox.folder, workspace.workspace_name, replace(SMALL, runs=70))

    assert (again.runs, again.there) == (10, 60)
    with opened(sandbox.folder, workspace.workspace_name) as (world, home):
        first = next(iter(regular_runs(SMALL, home))).run
        assert [series.rows for series in world.metrics.of_container(home.guid, first["dataContainerId"])] == [4, 4]


def test_files_go_with_the_runs_that_have_them(
    sandbox: Sandbox, workspace: WorkspaceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history of any size: what waits to be sent is a batch's, not the whole history's."""
    monkeypatch.setattr("azureml_sandbox.fill.sample.WRITTEN_TOGETHER", 20)
    there: list[int] = []
    put = Blobs.put

    def noting(self: Blobs, *arguments: Any, **options: Any) -> None:
        with opened(sandbox.folder, workspace.workspace_name) as (world, home):
            there.append(len(world.runs.many(home.guid, (made.run["runId"] for made in regular_runs(SMALL, home)))))
        put(self, *arguments, **options)

    monkeypatch.setattr(Blobs, "put", noting)
    sample(sandbox.folder, workspace.workspace_name, SMALL)

    assert sorted(set(there)) == [20, 40, 60]


def test_index_and_storage_agree(sandbox: Sandbox, workspace: WorkspaceFile) -> None:
    """Every file is indexed and stored, and nothing else is."""
    sample(sandbox.folder, workspace.workspace_name, SMALL)

    with opened(sandbox.folder, workspace.workspace_name) as (world, home):
        runs = [made.run for made in regular_runs(SMALL, home)]
        indexed = {entry["artifactId"] for run in runs for entry in entries(world, home, run)}
        assert len(indexed) == SMALL.runs
        assert stored(sandbox, home) == indexed


def test_hostile_values_come_back_as_they_are(sandbox: Sandbox, workspace: WorkspaceFile) -> None:
    """Numbers that JSON lacks, missing steps, null tags, long texts, odd names of files."""
    sample(sandbox.folder, workspace.workspace_name, replace(SMALL, runs=0), hostile=True)

    with opened(sandbox.folder, workspace.workspace_name) as (world, home):
        run = {name: found(world, home, f"hostile-7-{name}") for name in ("null-tags", "running", "orphan", "archived")}
        assert run["null-tags"]["tags"]["empty_tag"] is None
        assert (run["running"]["status"], run["running"]["endTimeUtc"]) == ("Running", None)
        assert world.runs.get(home.guid, run["orphan"]["parentRunId"]) is None
        assert run["archived"]["hidden"]
        archived = world.experiments.get(home.guid, run["archived"]["experimentId"])
        assert archived is not None
        assert archived["archivedTime"]
        reused, owner = (found(world, home, f"hostile-7-step-{name}") for name in ("reused", "that-ran"))
        assert reused["dataContainerId"] == owner["dataContainerId"]
        files = Blobs.of(sandbox.folder, home)
        odd = found(world, home, "hostile-7-odd-names")
        paths = [entry["path"] for entry in entries(world, home, odd)]
        assert {"outputs/a#b.txt", "outputs/a%41.txt", "outputs/a//b.txt", "replay/job.json"} <= set(paths)
        assert max(len(f"{RUN_ORIGIN}/{odd['dataContainerId']}/{path}") for path in paths) == 1_024
        for path in paths:
            assert files.read(ARTIFACT_STORE, f"{RUN_ORIGIN}/{odd['dataContainerId']}/{path}") == path.encode(), path
        gone = f"{RUN_ORIGIN}/dcid.hostile-7-disagreeing/outputs"
        assert files.read(ARTIFACT_STORE, f"{gone}/listed_but_gone.bin") is None
        assert files.read(ARTIFACT_STORE, f"{gone}/stored_but_not_listed.bin") is not None
        elsewhere = "promptflow/PromptFlowArtifacts/hostile-7-elsewhere/instance_results.jsonl"
        assert files.read(BLOB_STORE, elsewhere) is not None


def test_mlflow_reads_not_finite_numbers(
    sandbox: Sandbox, workspace: WorkspaceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN, both infinities, and the sign of zero."""
    from mlflow.tracking import MlflowClient

    point_at(sandbox, monkeypatch)
    sample(sandbox.folder, workspace.workspace_name, replace(SMALL, runs=0), hostile=True)
    with opened(sandbox.folder, workspace.workspace_name) as (_, home):
        client = MlflowClient(f"azureml://{home.region}.api.azureml.ms/mlflow/v1.0{home.arm_id}")

    values = [point.value for point in client.get_metric_history("hostile-7-not-finite", "odd")]

    assert math.isnan(values[0])
    assert values[1:3] == [math.inf, -math.inf]
    assert math.copysign(1, values[3]) == -1


def test_a_hostile_workspace_has_every_kind_of_run() -> None:
    """Job types, nodes, tasks of AutoML, distributions, trackers; few enough to be quick."""
    runs = list(hostile_runs(0, HOME))
    jobs = [made.job["properties"] for made in runs if made.job is not None]
    nodes = [node for job in jobs for node in (job.get("jobs") or {}).values()]
    traits = {trait for made in runs for trait in made.run["runTypeV2"]["traits"]}

    assert len(ids(runs)) == len(runs) < 120
    assert {job["jobType"] for job in jobs} == {"Command", "Pipeline", "Sweep", "AutoML", "Spark"}
    assert {node.get("type", "import") for node in nodes} == {
        *("command", "parallel", "spark", "sweep", "automl", "import", "data_transfer", "pipeline"),
        *("if_else", "do_while", "parallel_for"),
    }
    assert {node["task"] for node in nodes if node.get("type") == "data_transfer"} == {
        "copy_data",
        "import_data",
        "export_data",
    }
    assert len({job["taskDetails"]["taskType"] for job in jobs if job["jobType"] == "AutoML"}) == 10
    assert {(job.get("distribution") or {}).get("distributionType") for job in jobs} == {
        *(None, "Mpi", "PyTorch", "TensorFlow", "Ray")
    }
    assert {"mlflow", "local", "hyperdrive", "automl", "somethingNew"} <= traits
    assert any(made.run["runType"] == "azureml.promptflow.FlowRun" for made in runs)
    assert any(made.run["runId"].startswith("HD_") and made.run["parentRunId"] for made in runs)
    assert any(job["jobType"] == "Pipeline" and job["jobs"] is None for job in jobs)
    known = {made.run["runId"] for made in runs}
    assert [made.run["runId"] for made in runs if (made.run["parentRunId"] or made.run["runId"]) not in known] == [
        "hostile-0-orphan"
    ]


def test_a_reused_step_s_owner_may_lie_in_another_experiment() -> None:
    runs = {made.run["runId"]: made.run for made in hostile_runs(0, HOME)}
    step = runs["hostile-0-step-reused-from-afar"]
    owner = runs[step["properties"]["azureml.reusedrunid"]]

    assert step["dataContainerId"] == owner["dataContainerId"]
    assert step["experimentId"] != owner["experimentId"]


def test_what_is_odd_is_told(sandbox: Sandbox, workspace: WorkspaceFile) -> None:
    """With --json: run, oddity, and what must be an omission; what no limit and no loss forbids is none."""
    arguments = ["sample", str(sandbox.folder), "--workspace", workspace.workspace_name, "--runs", "1"]

    ran = CliRunner().invoke(app, [*arguments, "--hostile", "--json"])

    told = json.loads(ran.stdout)
    odd = {each["run"]: each for each in told["hostile"]}
    assert told["runs"] == 1 + len(odd)
    assert odd["hostile-0-many-tags"] == {
        "run": "hostile-0-many-tags",
        "oddity": "75 tags, of which 50 fit.",
        "omissions": ["tags"],
    }
    assert odd["hostile-0-disagreeing"]["omissions"] == ["file outputs/listed_but_gone.bin"]
    assert odd["hostile-0-odd-names"]["omissions"] == []


def test_index_and_storage_may_name_different_places(sandbox: Sandbox, workspace: WorkspaceFile) -> None:
    """The index one in another datastore, and the run's own place has other bytes."""
    sample(sandbox.folder, workspace.workspace_name, replace(SMALL, runs=0), hostile=("more",))

    with opened(sandbox.folder, workspace.workspace_name) as (world, home):
        files = Blobs.of(sandbox.folder, home)
        (entry,) = entries(world, home, found(world, home, "hostile-7-two-places"))
        assert entry["dataPath"]["dataStoreName"] == BLOB_STORE
        assert files.read(BLOB_STORE, entry["dataPath"]["relativePath"]) == b'{"place": "index"}'
        assert files.read(ARTIFACT_STORE, entry["artifactId"]) == b'{"place": "storage"}'


def test_hostile_runs_break_the_service_s_limits() -> None:
    """What a copier has to survive: each limit of the run document is exceeded at least once."""
    runs = [made.run for made in hostile_runs(0, HOME)]
    series = Counter(each.container for made in hostile_runs(0, HOME) for each, _ in made.series)

    assert max(len(run["tags"]) for run in runs) > 50
    assert max(len(run["properties"]) for run in runs) > 50
    assert max(len(run["parameters"]) for run in runs) > 200
    assert max(len(value or "") for run in runs for value in run["tags"].values()) > 4_000
    assert max(len(run["displayName"] or "") for run in runs) > 256
    assert max(len(run["description"] or "") for run in runs) > 5_000
    assert max(series.values()) > 50
    every = [(each, row) for made in hostile_runs(0, HOME) for each, rows in made.series for row in rows]
    assert max(len(each.name) for each, _ in every) > 255
    assert max(len(each.columns) for each, _ in every) > 15
    assert max(len(cell) for _, row in every for cell in row["data"].values() if isinstance(cell, str)) > 255
    assert max(len(run["error"]["error"]["message"]) for run in runs if run["error"]) > 3_000
    assert max(len(run["inputDatasets"]) for run in runs) > 200
    assert max(len(run["outputDatasets"]) for run in runs) > 20


@pytest.mark.parametrize(
    ("folder", "name", "message"),
    [("nowhere", "source", "holds no sandbox"), ("", "nobody", "--workspace nobody")],
)
def test_a_place_that_is_not_there_is_one_line(sandbox: Sandbox, folder: str, name: str, message: str) -> None:
    """What is wrong, and what there is."""
    with pytest.raises(Problem, match=message):
        sample(sandbox.folder / folder, name, SMALL)


def ids(runs: Sequence[SampledRun]) -> set[str]:
    return {made.run["runId"] for made in runs}


def depth(node: Any) -> int:
    return 1 + (depth(node.parent) if node.parent else 0)


def found(world: World, home: Workspace, run_id: str) -> Document:
    run = world.runs.get(home.guid, run_id)
    assert run is not None, run_id
    return run


def entries(world: World, home: Workspace, run: Document) -> Sequence[Document]:
    return world.artifacts.page(home.guid, (RUN_ORIGIN, run["dataContainerId"]))


def stored(sandbox: Sandbox, home: Workspace) -> set[str]:
    return set(Blobs.of(sandbox.folder, home).names(ARTIFACT_STORE, f"{RUN_ORIGIN}/"))
