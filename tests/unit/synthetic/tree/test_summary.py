"""What a dry run says, before anybody logs in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import run
from azureml_replay.model import Artifact, Location, Points, RunId, Series, SeriesKey, StoredFile
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import PlanOptions
from azureml_replay.synthetic.tree.grow import SyntheticOptions
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.summary import SECONDS_PER_CONTAINER, DryRun, drawn, hierarchy
from azureml_replay.synthetic.tree.trials import TrialChoice
from azureml_replay.terminal.layout import tree as lines
from azureml_replay.workspace.place import WorkspaceRef
from unit.families import Family, a_pipeline, a_run, output


def counted(*trees: Tree) -> DryRun:
    """All of them."""
    found = DryRun()
    for tree in trees:
        found.add(tree)
    return found


def a_family() -> Family:
    """A pipeline of two steps and a nested one; 5 points, 1 parameter, 3 files, 2 values without room."""
    family = a_pipeline("prepare", "inner", bound={"inner": {"x": output("prepare")}})
    family.runs[1] = a_run(
        "id-prepare", "p", display_name="prepare", parameters={"lr": 0.1}, tags={"none": None, "long": "x" * 1001}
    )
    family.runs.append(a_run("deep", "id-inner", display_name="Deep", status="Failed", kind="azureml.StepRun"))
    family.logged = {("id-prepare", "loss"): [1.0, 0.5], ("deep", "acc"): [0.1, 0.2, 0.3]}
    family.files = {"deep": (3, 2_000_000)}
    return family


def test_everything_is_counted_once() -> None:
    """A parent's values are its self's, and nobody else's."""
    found = counted(a_family().tree(), Family([a_run("solo")]).tree())

    assert (found.jobs, found.runs, found.containers, found.graphs, found.edges) == (2, 5, 5, 1, 1)
    assert (found.points, found.parameters, found.files, found.bytes) == (5, 1, 3, 2_000_000)
    assert (found.own_files, found.overflows, found.left_out) == (2, 2, 0)


def test_the_cost_is_that_of_the_containers() -> None:
    """Hours of one node, times its price."""
    found = counted(a_family().tree())

    assert found.cost(3.6) == pytest.approx(found.containers * SECONDS_PER_CONTAINER * 3.6 / 3600)


def test_without_artifacts_there_are_no_files() -> None:
    """Points and the rest are counted all the same."""
    found = counted(a_family().tree(plan_options=PlanOptions(files=FileChoice(artifacts=False))))

    assert (found.points, found.files, found.bytes) == (5, 0, 0)


def test_the_tree_shows_what_each_job_holds_and_waits_for() -> None:
    """By the keys and names of the replay."""
    assert list(lines(drawn(a_family().tree()))) == [
        "p (pipeline job in exp)",
        "├── self: Whole",
        "├── prepare: prepare, 2 points, 1 parameters, 2 values without room",
        "└── inner: inner",
        "    ├── self: inner, after prepare",
        "    └── deep: Deep, 3 points, 3 files, 2.0 MB",
    ]


def test_the_hierarchy_shows_the_originals() -> None:
    """Their ids and states; the jobs that we add are not among them, what is left out is."""
    assert list(lines(hierarchy(a_family().tree()))) == [
        "p [Completed] Whole",
        "├── id-prepare [Completed] prepare",
        "└── id-inner [Completed] inner",
        "    └── deep [azureml.StepRun, Failed] Deep",
    ]
    sweep = Family([a_run("s", properties={"runTemplate": "HyperDrive"}), a_run("s_0", "s"), a_run("s_1", "s")])
    assert list(lines(hierarchy(sweep.tree(SyntheticOptions(trials=TrialChoice(most=1)))))) == [
        "s [Completed, automl_parent]",
        "├── s_0 [Completed, automl_trial]",
        "└── s_1 (left out: a trial that --replay-automl-max-trials leaves out)",
    ]


def test_what_jobs_will_not_have_is_told_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files whose names lead elsewhere or nowhere, and metrics that become a file."""
    monkeypatch.chdir(tmp_path)
    one = RunId("r1")
    table = Series(key=SeriesKey("table"), columns=(("x", "Double"), ("y", "Double")))
    places = [Location("store", path) for path in ("outputs/../x", "outputs//x", "outputs/fits")]
    with Archive.create(tmp_path / "archive", WorkspaceRef("sub", "group", "source")) as archive:
        archive.put_listed([a_run("r1")])
        archive.select([one])
        archive.begin(one)
        archive.put_chunk(one, [Points.of(table, [(0, 10_000, (1.0, 2.0))])])
        stored = [StoredFile(location=place, size_bytes=1) for place in places]
        archive.put_artifacts(
            one, [Artifact(path=f.location.path, location=f.location, indexed=True, stored=f) for f in stored]
        )
        archive.complete(one)

    assert run(["plan", "archive", "--mode", "synthetic", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["reasons"] == {
        "its name would lead out of its folder": 1,
        "no file system holds an empty part of a path": 1,
        "as a file: outputs/replay/metrics.json": 1,
    }
