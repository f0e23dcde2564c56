"""What a dry run says, before anybody logs in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.cli import run
from azureml_replay.model import Artifact, Location, Points, RunDetails, RunId, Series, SeriesKey, StoredFile
from azureml_replay.planning.files import FileChoice
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.summary import SECONDS_PER_CONTAINER, DryRun
from unit.families import Family, a_run, two_steps_and_a_nested_one


def counted(*trees: Tree) -> DryRun:
    """All of them."""
    found = DryRun()
    for tree in trees:
        found.add(tree)
    return found


def test_everything_is_counted_once() -> None:
    """A parent's values are its self's, and nobody else's."""
    found = counted(two_steps_and_a_nested_one().tree(), Family([a_run("solo")]).tree())

    assert (found.jobs, found.runs, found.containers, found.graphs, found.edges) == (2, 5, 5, 1, 1)
    assert (found.points, found.parameters, found.files, found.bytes) == (5, 1, 3, 2_000_000)
    assert (found.own_files, found.overflows, found.left_out) == (2, 2, 0)


def test_the_cost_is_that_of_the_containers() -> None:
    """Hours of one node, times its price."""
    found = counted(two_steps_and_a_nested_one().tree())

    assert found.cost(3.6) == pytest.approx(found.containers * SECONDS_PER_CONTAINER * 3.6 / 3600)


def test_without_artifacts_there_are_no_files() -> None:
    """Points and the rest are counted all the same."""
    found = counted(two_steps_and_a_nested_one().tree(files=FileChoice(artifacts=False)))

    assert (found.points, found.files, found.bytes) == (5, 0, 0)


def test_what_jobs_will_not_have_is_told_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files whose names lead elsewhere or nowhere, and metrics that become a file."""
    monkeypatch.chdir(tmp_path)
    one = RunId("r1")
    table = Series(key=SeriesKey("table"), columns=(("x", "Double"), ("y", "Double")))
    places = [Location("store", path) for path in ("outputs/../x", "outputs//x", "outputs/fits")]
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        archive.put_listed([a_run("r1")])
        archive.select([one])
        archive.begin(one)
        archive.put_details(RunDetails(run=a_run("r1")))
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
