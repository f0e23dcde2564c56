"""What the trainings leave, asked through MLflow; they run once, as a process, as a user would start them."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from azureml_sandbox.fill import notebooks
from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from sandbox.plane import Plane

pytest_plugins = ("sandbox.mlflow_client",)


@pytest.fixture(scope="module")
def trained(sandbox: Sandbox) -> WorkspaceFile:
    """A workspace that they filled."""
    workspace = sandbox.add_workspace()
    _train(sandbox, workspace)
    return workspace


@pytest.fixture
def workspace(trained: WorkspaceFile) -> WorkspaceFile:
    """Every test of this file reads the same one."""
    return trained


def test_three_experiments_one_of_them_archived(tracking: MlflowClient) -> None:
    """And Default, which every workspace has."""
    active = {each.name for each in tracking.search_experiments()}
    archived = {each.name for each in tracking.search_experiments(view_type=ViewType.DELETED_ONLY)}

    assert active == {"Default", notebooks.CLASSIFICATION, notebooks.REGRESSION}
    assert archived == {notebooks.ABANDONED}


def test_a_grid_is_a_parent_with_three_children(tracking: MlflowClient) -> None:
    """Each with its curve, parameters and files; the parent with the best of them."""
    runs = _runs(tracking, notebooks.CLASSIFICATION)
    parent = runs["grid over alpha"]
    children = [run for run in runs.values() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]

    assert {run.data.params["alpha"] for run in children} == {str(alpha) for alpha in notebooks.ALPHAS}
    assert parent.data.metrics["best_accuracy"] == max(run.data.metrics["accuracy"] for run in children)
    assert parent.data.tags["mlflow.note.content"].startswith("Three penalties")
    for child in children:
        curve = tracking.get_metric_history(child.info.run_id, "loss")
        assert [point.step for point in curve] == list(range(notebooks.EPOCHS))
        assert curve[-1].value == child.data.metrics["loss"]
        assert _files(tracking, child) >= {
            "confusion.json",
            "logs/training.log",
            "logs/warnings.log",
            "model/MLmodel",
            "model/model.pkl",
            "plots/loss.png",
        }


def test_the_model_loads_and_the_empty_file_is_empty(tracking: MlflowClient, tmp_path: Path) -> None:
    """The bytes are whole."""
    child = _runs(tracking, notebooks.CLASSIFICATION)["alpha=0.01"]

    folder = Path(tracking.download_artifacts(child.info.run_id, "", str(tmp_path)))

    assert mlflow.sklearn.load_model(str(folder / "model")).predict([[0.0] * 13]).shape == (1,)
    assert (folder / "logs" / "warnings.log").read_bytes() == b""
    assert (folder / "plots" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((folder / "confusion.json").read_text())["data"]) == 3


def test_runs_ended_in_every_way(tracking: MlflowClient) -> None:
    """Finished, failed with what was logged until then, killed, deleted."""
    runs = _runs(tracking, notebooks.CLASSIFICATION)

    assert runs["grid over alpha"].info.status == "FINISHED"
    assert runs["learning rate too high"].info.status == "FAILED"
    assert len(tracking.get_metric_history(runs["learning rate too high"].info.run_id, "loss")) == 3
    assert runs["stopped by hand"].info.status == "KILLED"
    assert runs["typo in the label column"].info.lifecycle_stage == "deleted"


def test_a_loss_runs_off_to_infinity_and_nan(tracking: MlflowClient) -> None:
    """Finite first, then infinite, then not a number."""
    run = _runs(tracking, notebooks.REGRESSION)["descent without a brake"]
    values = [point.value for point in tracking.get_metric_history(run.info.run_id, "loss")]

    kinds = dict.fromkeys("nan" if math.isnan(value) else "inf" if math.isinf(value) else "finite" for value in values)

    assert list(kinds) == ["finite", "inf", "nan"]


def test_names_in_many_scripts_are_kept(tracking: MlflowClient) -> None:
    """Of a run, a parameter, a tag and a file."""
    run = _runs(tracking, notebooks.REGRESSION)[notebooks.UNICODE_NAME]

    assert run.data.params["regularisierung_λ"] == "0.5"
    assert run.data.tags["Autorin"] == "Zoë Å."
    assert _files(tracking, run) == {notebooks.UNICODE_FILE}


def test_rows_without_steps_and_a_table_lie_in_the_metric_service(tracking: MlflowClient, plane: Plane) -> None:
    """MLflow shows the first as step 0 and nothing of the second."""
    run = _runs(tracking, notebooks.REGRESSION)["checked against a hold-out"]

    stored = {
        name: plane.document("metric", "POST", f"/runs/{run.info.run_id}/full", body={"metricName": name})
        for name in ("holdout_r2", "coefficients")
    }

    assert [row["step"] for row in stored["holdout_r2"]["value"]] == [None] * 3
    assert stored["coefficients"]["properties"]["uxMetricType"] == "azureml.v1.table"
    assert list(run.data.metrics) == ["holdout_r2"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(tracking: MlflowClient, sandbox: Sandbox) -> None:
    """A second time in the same workspace, which has the archived experiment already."""
    before = _numbers(tracking)

    _train(sandbox, sandbox.workspace(_name(tracking)))

    assert _numbers(tracking) == sorted(before + before)


def _train(sandbox: Sandbox, workspace: WorkspaceFile) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in state.BYPASSES} | sandbox.env
    command = [sys.executable, "-m", "azureml_sandbox.fill.notebooks", str(workspace.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def _name(tracking: MlflowClient) -> str:
    return str(tracking.tracking_uri).partition("?")[0].rpartition("/")[2]


def _runs(tracking: MlflowClient, experiment: str) -> dict[str, Run]:
    """Of an experiment by name, deleted ones too; the first trained of each name."""
    found = tracking.get_experiment_by_name(experiment)
    assert found is not None
    newest_first = tracking.search_runs([found.experiment_id], run_view_type=ViewType.ALL)
    return {run.info.run_name: run for run in newest_first}


def _numbers(tracking: MlflowClient) -> list[str]:
    """Last values of every run, as text: NaN equals NaN there."""
    experiments = tracking.search_experiments(view_type=ViewType.ALL)
    runs = tracking.search_runs([each.experiment_id for each in experiments], run_view_type=ViewType.ALL)
    return sorted(f"{run.info.run_name} {sorted(run.data.metrics.items())} {run.data.params}" for run in runs)


def _files(tracking: MlflowClient, run: Run) -> set[str]:
    return set(_walk(tracking, run.info.run_id, None))


def _walk(tracking: MlflowClient, run_id: str, folder: str | None) -> Iterable[str]:
    for entry in tracking.list_artifacts(run_id, folder):
        if entry.is_dir:
            yield from _walk(tracking, run_id, entry.path)
        else:
            yield entry.path
