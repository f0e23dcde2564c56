"""What azureml-mlflow logs comes back as it was logged, and the service's limits hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException, RestException
from requests import Response

from azureml_sandbox.server.sandbox import Sandbox

pytest_plugins = ("sandbox.mlflow_client",)

Ask = Callable[..., Response]


@pytest.fixture
def run_id(tracking: MlflowClient) -> str:
    return str(tracking.create_run("0").info.run_id)


def test_a_batch_of_1500_metrics_arrives_whole(calm: Sandbox, tracking: MlflowClient, run_id: str) -> None:
    """The client splits it by 1,000; 150 of each of ten names."""
    names = [f"m{number}" for number in range(10)]
    sent = [Metric(name, step / 10, 1_000 + step, step) for step in range(150) for name in names]

    tracking.log_batch(run_id, metrics=sent)

    read = [point for name in names for point in tracking.get_metric_history(run_id, name)]
    assert _plain(read) == _plain(sorted(sent, key=lambda point: (names.index(point.key), point.step)))
    assert _count(calm, "runs/log-batch") == 2


def test_2500_points_are_read_by_pages_below_1000(calm: Sandbox, tracking: MlflowClient, run_id: str) -> None:
    """The client asks for 25,000 and follows the tokens."""
    sent = [Metric("loss", 1 / (step + 1), step, step) for step in range(2500)]
    for start in range(0, 2500, 250):
        tracking.log_batch(run_id, metrics=sent[start : start + 250])

    assert _plain(tracking.get_metric_history(run_id, "loss")) == _plain(sent)
    assert _count(calm, "metrics/get-history") == 3


def test_a_smaller_page_is_given_when_asked(tracking: MlflowClient, run_id: str) -> None:
    """max_results and page_token."""
    for step in range(5):
        tracking.log_metric(run_id, "a", step, step=step)
    store = tracking._tracking_client.store

    first = store.get_metric_history(run_id, "a", max_results=2)
    second = store.get_metric_history(run_id, "a", max_results=2, page_token=first.token)

    assert [point.step for point in [*first, *second]] == [0, 1, 2, 3]


def test_what_is_not_finite_and_what_is_negative_stay_so(tracking: MlflowClient, run_id: str) -> None:
    """NaN and the infinities travel as strings; steps may be negative, times before a second has passed."""
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    tracking.log_batch(run_id, metrics=[Metric("odd", value, step, step - 3) for step, value in enumerate(values)])

    read = tracking.get_metric_history(run_id, "odd")

    assert [str(point.value) for point in read] == [str(value) for value in values]
    assert [(point.timestamp, point.step) for point in read] == [(step, step - 3) for step in range(6)]
    assert math.isnan(tracking.log_metric(run_id, "last", math.nan) or tracking.get_run(run_id).data.metrics["last"])


def test_the_last_value_logged_is_the_one_shown(tracking: MlflowClient, run_id: str) -> None:
    """Steps may go back."""
    tracking.log_metric(run_id, "a", 1.0, step=9)
    tracking.log_metric(run_id, "a", 2.0, step=3)

    assert tracking.get_run(run_id).data.metrics == {"a": 2.0}
    assert tracking.get_metric_history(run_id, "unknown") == []


def test_parameters_are_written_once(tracking: MlflowClient, run_id: str) -> None:
    """The same value again is nothing, another one is refused, and with it all of its batch."""
    tracking.log_param(run_id, "depth", 3)
    tracking.log_param(run_id, "depth", 3)

    with pytest.raises(MlflowException, match="immutable"):
        tracking.log_param(run_id, "depth", 4)
    with pytest.raises(RestException, match="immutable"):
        tracking.log_batch(run_id, metrics=[Metric("a", 1, 1, 1)], params=[Param("depth", "5"), Param("width", "1")])

    data = tracking.get_run(run_id).data
    assert (data.params, data.metrics) == ({"depth": "3"}, {})


def test_tags_come_go_and_change(tracking: MlflowClient, run_id: str) -> None:
    """Deleting one that is not there is refused."""
    tracking.set_tag(run_id, "mood", "☀ good")
    tracking.set_tag(run_id, "mood", "better")
    tracking.set_tag(run_id, "gone", "x")
    tracking.delete_tag(run_id, "gone")

    assert {"mood": "better"}.items() <= tracking.get_run(run_id).data.tags.items()
    assert "gone" not in tracking.get_run(run_id).data.tags
    with pytest.raises(RestException, match="was not found"):
        tracking.delete_tag(run_id, "gone")


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"metrics": [Metric("a", 0, 0, step) for step in range(251)]}, "MetricV2Dto.Value/Count, Limit=250, Size=251"),
        ({"metrics": [Metric(f"m{number}", 0, 0, 0) for number in range(51)]}, "Limit=50"),
        ({"tags": [RunTag("a", "x" * 1001)]}, "Limit=1000"),
        ({"tags": [RunTag("k" * 101, "x")]}, "Limit=100"),
        ({"metrics": [Metric("m" * 250, 0, 0, 0)], "params": [Param("a", "1")], "tags": [RunTag("b", "")]}, None),
    ],
)
def test_limits_of_a_batch_refuse_all_of_it(
    tracking: MlflowClient, run_id: str, batch: dict[str, Any], words: str | None
) -> None:
    """The last batch is within every limit."""
    if words is None:
        tracking.log_batch(run_id, **batch)
        return
    with pytest.raises(RestException, match=words):
        tracking.log_batch(run_id, **batch)
    data = tracking.get_run(run_id).data
    assert not data.metrics
    assert not data.params


def test_a_run_takes_200_parameters(tracking: MlflowClient, run_id: str) -> None:
    """In the service's own words; the client splits by 100."""
    tracking.log_batch(run_id, params=[Param(f"p{number}", "1") for number in range(200)])

    with pytest.raises(MlflowException, match="Limit=200"):
        tracking.log_param(run_id, "one-more", 1)


def test_limits_of_one_request_hold_where_no_client_splits(ask: Ask, run_id: str) -> None:
    """1,000 metrics, 100 parameters, 100 tags, 1,000 together, 1 MB."""
    metric = {"value": 1.0, "timestamp": 1, "step": 0}
    metrics = [metric | {"key": f"m{number % 20}"} for number in range(1001)]
    pairs = [{"key": f"k{number}", "value": "v"} for number in range(101)]
    for body in (
        {"metrics": metrics},
        {"params": pairs},
        {"tags": pairs},
        {"metrics": metrics[:1000], "params": pairs[:1]},
        {"params": [{"key": "long", "value": "x" * 1_000_000}]},
    ):
        refused = ask("POST", "mlflow/runs/log-batch", {"run_id": run_id} | body)
        assert refused.status_code == 400
        assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_a_body_that_is_no_json_is_refused(ask: Ask) -> None:
    """Not a failure of the server's."""
    assert ask("POST", "mlflow/runs/create", "text").status_code == 400


def test_a_time_that_no_calendar_has_is_refused(tracking: MlflowClient, run_id: str) -> None:
    """Nanoseconds sent as milliseconds."""
    with pytest.raises(RestException, match="no time in milliseconds"):
        tracking.log_metric(run_id, "a", 1.0, timestamp=1_700_000_000_000_000_000)


def test_metrics_logged_without_waiting_arrive(tracking: MlflowClient) -> None:
    """synchronous=False goes through azureml-mlflow's own preview routes."""
    with mlflow.start_run() as run:
        mlflow.log_params({"a": 1}, synchronous=False).wait()
        mlflow.log_metrics({"x": 1.5, "y": 2.5}, step=3, synchronous=False).wait()

    data = tracking.get_run(run.info.run_id).data
    assert (data.metrics, data.params) == ({"x": 1.5, "y": 2.5}, {"a": "1"})


def test_lagging_ingestion_hides_metrics_and_keeps_the_asker_waiting(
    calm: Sandbox, tracking: MlflowClient, run_id: str, ask: Ask
) -> None:
    """Declared trouble: parameters are there at once, metrics are not."""
    calm.set_faults(ingestion_lag_ms=3_600_000)
    late = {"key": "late", "value": 1, "timestamp": 1, "step": 1}
    batch = {"run_id": run_id, "metrics": [late], "params": [{"key": "soon", "value": "1"}]}
    sent = ask("POST", "preview/mlflow/runs/log-batch-async", batch).json()

    data = tracking.get_run(run_id).data
    status = ask("GET", "preview/mlflow/runs/get-run-data-status", {"run_id": run_id} | sent).json()

    assert (data.metrics, data.params) == ({}, {"soon": "1"})
    assert tracking.get_metric_history(run_id, "late") == []
    assert status == {"is_complete": False}


def _plain(points: list[Metric]) -> list[tuple[str, float, int, int]]:
    return [(point.key, point.value, point.timestamp, point.step) for point in points]


def _count(sandbox: Sandbox, path: str) -> int:
    """Requests of an MLflow path."""
    return sum(each["count"] for each in sandbox.requests()["routes"] if each["route"].endswith(path))
