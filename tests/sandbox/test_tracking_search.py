"""runs/search through azureml-mlflow: MLflow's filters, orders and pages over the workspace's runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, ViewType
from mlflow.exceptions import RestException

from sandbox.plane import Plane

pytest_plugins = ("sandbox.mlflow_client",)

LOSSES = (0.3, 0.1, 0.2, math.nan)


@pytest.fixture
def experiment_id(tracking: MlflowClient) -> str:
    """Four finished runs r0 to r3 with losses, one a second, and r4 without a loss, running and the newest."""
    made = tracking.create_experiment("searched")
    for number, loss in enumerate((*LOSSES, None)):
        tags = {"kind": "odd" if number % 2 else "even"}
        run_id = tracking.create_run(
            made, start_time=1_000 * (number + 1), run_name=f"r{number}", tags=tags
        ).info.run_id
        if loss is not None:
            tracking.log_batch(
                run_id, [Metric("loss", 9.0, 1, 0), Metric("loss", loss, 2, 1)], [Param("n", f"{number}")]
            )
            tracking.set_terminated(run_id, "FINISHED", 1_000 * (number + 1) + 500)
    return made


def test_runs_are_filtered_newest_first(tracking: MlflowClient, experiment_id: str) -> None:
    """By metrics, parameters, tags and attributes."""
    expected = {
        "": "r4 r3 r2 r1 r0",
        "metrics.loss < 0.25": "r2 r1",
        "metrics.loss < 0.25 and tags.kind = 'odd'": "r1",
        "params.n = '2'": "r2",
        "tags.kind != 'odd'": "r4 r2 r0",
        "attributes.status = 'RUNNING'": "r4",
        "attributes.run_name LIKE 'r%' and attributes.start_time >= 3000": "r4 r3 r2",
        "attributes.end_time = 2500": "r1",
        "tags.`mlflow.runName` = 'r3'": "r3",
    }

    found = {condition: _names(tracking.search_runs([experiment_id], condition)) for condition in expected}

    assert found == expected


def test_runs_are_ordered(tracking: MlflowClient, experiment_id: str) -> None:
    """What has no value, or NaN, comes last either way."""
    expected = {
        "metrics.loss ASC": "r1 r2 r0 r3 r4",
        "metrics.loss DESC": "r0 r2 r1 r3 r4",
        "tags.kind ASC, attributes.start_time ASC": "r0 r2 r4 r1 r3",
        "attributes.end_time ASC": "r0 r1 r2 r3 r4",
    }

    found = {order: _names(tracking.search_runs([experiment_id], order_by=order.split(", "))) for order in expected}

    assert found == expected


def test_a_page_carries_whole_runs_and_a_token_until_the_last(tracking: MlflowClient, experiment_id: str) -> None:
    """Two a page."""
    pages, token = [], None
    while token != "":
        page = tracking.search_runs([experiment_id], max_results=2, page_token=token)
        pages.append(page)
        token = page.token or ""

    assert [_names(page) for page in pages] == ["r4 r3", "r2 r1", "r0"]
    assert pages[1][1].data.metrics == {"loss": 0.1}
    assert pages[1][1].data.params == {"n": "1"}


def test_deleted_runs_are_found_when_asked_for(tracking: MlflowClient, experiment_id: str) -> None:
    """Three views."""
    tracking.delete_run(tracking.search_runs([experiment_id])[0].info.run_id)

    views = (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
    counts = [len(tracking.search_runs([experiment_id], run_view_type=view)) for view in views]

    assert counts == [4, 1, 5]


def test_several_experiments_are_searched_at_once(tracking: MlflowClient, experiment_id: str) -> None:
    """Experiment 0 is Default."""
    tracking.create_run("0", start_time=10_000, run_name="elsewhere")

    assert _names(tracking.search_runs(["0", experiment_id], max_results=2)) == "elsewhere r4"


def test_a_filter_that_is_none_is_refused(tracking: MlflowClient, experiment_id: str) -> None:
    """In the words of MLflow's parser."""
    with pytest.raises(RestException, match="INVALID_PARAMETER_VALUE"):
        tracking.search_runs([experiment_id], "loss is small")


def test_runs_that_others_made_are_shown_as_mlflow_can(tracking: MlflowClient, plane: Plane) -> None:
    """A run of run history that has not started, with parameters that are no strings and a table among its metrics."""
    plane.put("job_1", displayName="a job", parameters={"lr": 0.1, "layers": [1, 2]}, tags={"empty": None})
    rows = [{"data": {"a": 1.5, "b": "x"}}]
    table = {"name": "t", "columns": {"a": "Double", "b": "String"}, "value": rows}
    scalar = {"name": "s", "columns": {"s": "Double"}, "value": [{"data": {"s": 2.5}, "step": None}]}
    plane.document("metric", "POST", "/runs/job_1/batch", body={"values": [table, scalar]})

    experiment = tracking.get_experiment_by_name("train")
    assert experiment is not None
    (run,) = tracking.search_runs([experiment.experiment_id])

    assert (run.info.run_id, run.info.run_name, run.info.status) == ("job_1", "a job", "SCHEDULED")
    assert run.data.params == {"lr": "0.1", "layers": "[1, 2]"}
    assert run.data.metrics == {"s": 2.5}
    assert [point.step for point in tracking.get_metric_history("job_1", "s")] == [0]
    assert "/experiments/train/runs/job_1/" in str(run.info.artifact_uri)


def _names(runs: Iterable[Run]) -> str:
    return " ".join(run.info.run_name for run in runs)
