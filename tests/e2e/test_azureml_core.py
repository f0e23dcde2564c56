"""The old SDK as a client nobody here wrote: what it logged, and what others logged, is the same in the target."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_sandbox.fill.load import load
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e import old_sdk
from e2e.histories import small
from e2e.own_environment import NotInstallable
from e2e.test_migration import LINEAGE_TAG, replay
from e2e.test_recordings import RECORDINGS
from e2e.witness import tracking_uri
from environment import point_at

ARTIFACT_URI = "mlflow.artifactUri"
PROBE, LINEAGE_PROPERTY = "azureml-replay-probe", "azureml_replay"
_DESCRIBED = ("experiment", "display_name", "description", "parent", "status", "tags", "properties")
SENT_MARK = "azureml_replay_sent"
OF_ROUTE = ("azureml_replay_source", SENT_MARK)
SAMPLED = Wanted(runs=6, seed=3, experiments=1, points=4, artifacts=1)  # a pipeline, one nested in it, their steps


@dataclass(frozen=True)
class Looked:
    """What the SDK says of source and target; of the target without what the product says of its own work."""

    there: dict[str, Any]
    here: dict[str, Any]
    lineage: dict[str, dict[str, Any]]
    """Run -> what its lineage property says."""

    def both(self, *keys: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """These keys of every run, there and here."""
        there, here = (
            {run: {key: told[key] for key in keys} for run, told in _all(s)} for s in (self.there, self.here)
        )
        return there, here


@pytest.fixture(scope="module")
def _sdk() -> None:
    try:
        old_sdk.installed()
    except NotInstallable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def looked(_sdk: None, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """A source that MLflow, the old SDK and the sample filled, migrated by the product's command."""

    def fill(source: WorkspaceFile, folder: Path) -> str:
        small(source)
        sample(sandbox.folder, source.workspace_name, SAMPLED)
        old_sdk.run("write.py", source, folder / "written")
        return _hide_one(source)

    return _migrated(sandbox, tmp_path_factory.mktemp("old-sdk"), fill)


def _migrated(
    sandbox: Sandbox, folder: Path, fill: Callable[[WorkspaceFile, Path], str | None], variant: str | None = None
) -> Looked:
    """`fill` returns the id of a run that is hidden. `variant`: of the target."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        patch.chdir(folder)
        source, target = sandbox.add_workspace(), sandbox.add_workspace()
        hidden = fill(source, folder)
        if variant:
            sandbox.set_faults(strict=[f"{variant}@{target.workspace_name}"])
        done = replay("migrate", "--source", source.path, "--target", target.path, "--archive", folder / "archive")
        assert done.returncode == 0, done.stderr

        def look(workspace: WorkspaceFile) -> dict[str, Any]:
            named = [hidden] if hidden else []
            return json.loads(old_sdk.run("look.py", workspace, folder / workspace.workspace_name, *named))

        with ThreadPoolExecutor() as both:  # 5 s each, most of it waiting
            there, here = both.map(look, (source, target))
    for seen in (there, here):
        for _, told in _all(seen):
            for properties in (told["properties"], told["details"]["properties"]):
                place = properties.pop(ARTIFACT_URI, "")
                assert seen is there or source.workspace_name not in place
    ours = [(run, told) for run, told in _all(here) if LINEAGE_PROPERTY in told["properties"]]
    return Looked(there, here, {run: _without_lineage(told) for run, told in ours})


def _hide_one(workspace: WorkspaceFile) -> str:
    """Archive the run that failed, as MLflow's users do."""
    mlflow.set_tracking_uri(tracking_uri(workspace))
    client = MlflowClient()
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id], "attributes.status = 'FAILED'")[0].info.run_id
    client.delete_run(run)
    return str(run)


def _all(seen: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from seen["runs"].items()
    yield from seen["named"].items()


def _without_lineage(told: dict[str, Any]) -> dict[str, Any]:
    """Take out what the product adds; return its lineage property."""
    del told["tags"][LINEAGE_TAG]
    del told["details"]["properties"][LINEAGE_PROPERTY]
    for pairs in (told["tags"], told["properties"], told["details"]["properties"]):
        pairs.pop(SENT_MARK, None)  # of a run that was written once more, as the assets that it names were there
    told["files"] = {name: digest for name, digest in told["files"].items() if not name.startswith("replay/")}
    found: dict[str, Any] = json.loads(told["properties"].pop(LINEAGE_PROPERTY))
    return found


def test_the_same_experiments_and_roots_are_listed(looked: Looked) -> None:
    """Archived ones are archived, and their runs are found."""
    assert looked.here["experiments"].pop(PROBE) is False
    assert looked.here["roots"].pop(PROBE) == []

    assert looked.here["experiments"] == looked.there["experiments"]
    assert looked.here["roots"] == looked.there["roots"]
    assert looked.there["experiments"]["put-away"] is True
    assert len(looked.there["roots"]["put-away"]) == 1


def test_every_run_is_listed_but_a_hidden_one(looked: Looked) -> None:
    """16 runs; the one that MLflow deleted is told only to who knows its id."""
    assert looked.here["runs"].keys() == looked.there["runs"].keys()
    assert looked.here["named"].keys() == looked.there["named"].keys()
    assert len(looked.there["runs"]) == 16
    assert not looked.there["runs"].keys() & looked.there["named"].keys()


def test_names_parents_children_tags_and_properties_are_equal(looked: Looked) -> None:
    """`get_children(recursive=True)`, `get_status`, `get_tags`, `get_properties`; a tag without a value too."""
    there, here = looked.both(*_DESCRIBED)

    assert here == there
    assert {told["status"] for told in there.values()} == {"Completed", "Failed", "Canceled"}
    assert looked.here["children"] == looked.there["children"]
    assert max(map(len, looked.there["children"].values())) == 6
    runs = looked.there["runs"]
    assert {runs[told["parent"]]["type"] for told in runs.values() if told["type"] == "azureml.StepRun"} == {
        "azureml.PipelineRun"
    }
    assert any(None in told["tags"].values() for told in there.values())


def test_every_metric_has_the_same_points(looked: Looked) -> None:
    """`get_metrics`, and the rows below it with step and time: scalars of every type, lists, rows, tables, files."""
    there, here = looked.both("metrics", "points")

    assert here == there
    (logged,) = (told["points"] for told in there.values() if "matrix" in told["metrics"])
    assert [row[0] for row in sorted(logged["loss"], key=lambda row: row[0])] == list(range(0, 600, 10))
    assert logged.keys() == {
        *("loss", "best", "flag", "word", "list", "row", "table"),
        *("matrix", "residuals", "predictions", "image"),
    }


def test_every_file_has_the_same_bytes(looked: Looked) -> None:
    """`get_file_names` and `download_file`: the files behind metrics among them."""
    there, here = looked.both("files")

    assert here == there
    names = {name for told in there.values() for name in told["files"]}
    assert {"matrix", "residuals", "predictions", "picture.png", "outputs/deep/b.txt", "logs/train.log"} <= names


def test_details_are_equal_but_for_what_the_service_owns(looked: Looked) -> None:
    """`get_details`: times, error, logs; who submitted and what kind of run it was, the lineage property says."""
    there, _ = looked.both("details")

    _same_details(looked)
    errors = [told["details"]["error"]["error"]["message"] for told in there.values() if "error" in told["details"]]
    assert "it broke" in errors


def test_when_and_where_an_error_was_noticed_is_equal(looked: Looked) -> None:
    """`time` and `componentName` beside it."""
    there, here = looked.both("details")

    said = {run: told["details"]["error"] for run, told in there.items() if "error" in told["details"]}
    assert {run: here[run]["details"]["error"] for run in said} == said


def _same_details(looked: Looked, *owned: str) -> None:
    """But for these keys, and the two that a client cannot set."""
    there, here = looked.both("details", "type")
    for run, told in there.items():
        less = {"submittedBy", "target", *owned}
        assert _less(here[run]["details"], less) == _less(told["details"], less)
        assert looked.lineage[run].get("type") == told["type"]
        assert looked.lineage[run]["run"] == run


def _less(given: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in names}


@pytest.mark.slow
@pytest.mark.usefixtures("_sdk")
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings of the real service at {RECORDINGS}")
def test_recorded_pipelines_read_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """A pipeline, and one that reuses its step: that step shows the files of the step that made them."""

    def fill(source: WorkspaceFile, _: Path) -> None:
        load(sandbox.folder, source.workspace_name, [RECORDINGS / "pipe-child-run-download.json"])

    looked = _migrated(sandbox, tmp_path, fill)

    there, here = looked.both(*_DESCRIBED, "metrics", "points", "files")
    assert here == there
    assert sorted(len(told["files"]) for told in there.values()) == [0, 0, 0, 13, 13]
    assert looked.here["children"] == looked.there["children"]
    assert sorted(map(len, looked.there["children"].values())) == [0, 0, 0, 1, 2]
    _same_details(looked, "runDefinition")  # carried as the file replay/job.json


@pytest.mark.slow
@pytest.mark.usefixtures("_sdk")
@pytest.mark.parametrize("variant", ["refuse-client-ids", "ignore-start-times"])
def test_runs_of_mlflows_route_read_the_same_ids_aside(sandbox: Sandbox, tmp_path: Path, variant: str) -> None:
    """Parents and children, points, files: only the ids are the target's own."""

    def fill(source: WorkspaceFile, _: Path) -> None:
        small(source)

    try:
        looked = _migrated(sandbox, tmp_path, fill, variant)
    finally:
        sandbox.set_faults()

    sources = {run: told["run"] for run, told in looked.lineage.items()}
    here = {run: told for run, told in looked.here["runs"].items() if run in sources}
    assert sorted(sources[run] for run in here) == sorted(looked.there["runs"])
    assert not set(here) & set(looked.there["runs"])
    for run, told in here.items():
        before = looked.there["runs"][sources[run]]
        for key in ("experiment", "display_name", "description", "status", "properties", "metrics", "points", "files"):
            assert told[key] == before[key], key
        assert sources.get(told["parent"]) == before["parent"]
        tags = {key: sources.get(value, value) for key, value in told["tags"].items() if key not in OF_ROUTE}
        assert tags == before["tags"]
