"""Experiments and runs as azureml-mlflow sees them, and as run history shows the same runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import RestException
from requests import Response

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile

pytest_plugins = ("sandbox.mlflow_client",)

Ask = Callable[..., Response]

STARTED, ENDED = 1_600_000_000_123, 1_600_000_002_345


def test_a_created_run_is_written_in_the_recorded_manner(ask: Ask) -> None:
    """Times are strings, experiment 0 has a guid but stays in the URI, mlflow.user comes twice, no empty lists."""
    sent = {"experiment_id": "0", "run_name": "first", "start_time": str(STARTED)}
    tags = [{"key": "mlflow.user", "value": "somebody"}]

    run = ask("POST", "mlflow/runs/create", sent | {"tags": tags}).json()["run"]

    info = run["info"]
    assert info["start_time"] == str(STARTED)
    assert len(info["experiment_id"]) == 36
    assert info["artifact_uri"].endswith(f"/experiments/0/runs/{info['run_id']}/artifacts")
    assert info["run_uuid"] == info["run_id"]
    assert [tag["key"] for tag in run["data"]["tags"]] == [
        "mlflow.user",
        "mlflow.rootRunId",
        "mlflow.runName",
        "mlflow.user",
    ]
    assert run["inputs"] == {}
    assert "metrics" not in run["data"]
    assert "params" not in run["data"]
    logged = ask("POST", "mlflow/runs/log-metric", {"run_id": info["run_id"], "key": "a", "value": 1, "timestamp": 1})
    assert logged.json() == {}


def test_run_history_shows_a_run_of_mlflow_as_recorded(tracking: MlflowClient, workspace: WorkspaceFile) -> None:
    """It is Running at once, has the trait mlflow, and the client's start is its creation."""
    created = tracking.create_run("0", start_time=STARTED, run_name="seen twice", tags={"team": "b"})

    job = _history(workspace, created.info.run_id)

    assert job["status"] == "Running"
    assert job["displayName"] == "seen twice"
    assert job["startTimeUtc"] == job["createdUtc"] == "2020-09-13T12:26:40.123+00:00"
    assert job["runType"] is None
    assert job["runTypeV2"]["traits"] == ["mlflow"]
    assert job["tags"] == {"team": "b"}
    assert job["properties"]["mlflow.artifactUri"] == created.info.artifact_uri


def test_experiments_are_created_found_tagged_archived_and_restored(tracking: MlflowClient) -> None:
    """The life of an experiment; Azure ML renames none."""
    made = tracking.create_experiment("one", tags={"a": "1"})
    tracking.set_experiment_tag(made, "b", "2")
    with pytest.raises(RestException, match="cannot be renamed"):
        tracking.rename_experiment(made, "two")

    assert tracking.get_experiment_by_name("two") is None
    found = tracking.get_experiment_by_name("one")
    assert found is not None
    assert (found.experiment_id, found.tags, found.lifecycle_stage) == (made, {"a": "1", "b": "2"}, "active")

    tracking.delete_experiment(made)
    assert tracking.get_experiment(made).lifecycle_stage == "deleted"
    assert [each.name for each in tracking.search_experiments()] == ["Default"]
    assert [each.name for each in tracking.search_experiments(view_type=ViewType.DELETED_ONLY)] == ["one"]

    tracking.restore_experiment(made)
    assert {each.name for each in tracking.search_experiments()} == {"Default", "one"}


def test_models_and_traces_of_mlflow_3_are_not_offered(ask: Ask) -> None:
    """As it was reported: 404 without a body, and 403 in words."""
    model, trace = ask("POST", "mlflow/logged-models", {}), ask("POST", "mlflow/traces", {})

    assert (model.status_code, model.content) == (404, b"")
    assert (trace.status_code, "not supported in AML yet" in trace.text) == (403, True)


def test_experiments_are_searched_with_mlflows_own_filters_page_by_page(tracking: MlflowClient) -> None:
    """Filter, order and page tokens."""
    for number in range(5):
        tracking.create_experiment(f"e{number}", tags={"odd": str(number % 2)})

    odd = tracking.search_experiments(filter_string="tags.odd = '1'", order_by=["name ASC"])
    first = tracking.search_experiments(max_results=4, order_by=["name DESC"])
    rest = tracking.search_experiments(max_results=4, order_by=["name DESC"], page_token=first.token)

    assert [each.name for each in odd] == ["e1", "e3"]
    assert [each.name for each in [*first, *rest]] == ["e4", "e3", "e2", "e1", "e0", "Default"]
    assert not rest.token


def test_a_taken_name_and_an_unknown_id_are_refused_in_mlflows_words(tracking: MlflowClient) -> None:
    """The client tells the two apart by `error_code`."""
    tracking.create_experiment("taken")

    with pytest.raises(RestException) as taken:
        tracking.create_experiment("taken")
    with pytest.raises(RestException) as unknown:
        tracking.get_run("not-there")

    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert unknown.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert "runId=not-there was not found" in unknown.value.message


def test_a_refusal_has_the_services_capitals(ask: Ask) -> None:
    """Users printed such bodies in public: no `message` on top, `error_code` beside `Error`."""
    refused = ask("POST", "mlflow/runs/log-metric", {"run_id": "not-there", "key": "a", "value": 1, "timestamp": 1})

    body = refused.json()
    assert refused.status_code == body["statusCode"] == 404
    assert body["ComponentName"] == "mlflow"
    assert body["Error"]["Code"] == "UserError"
    assert "message" not in body


@pytest.mark.parametrize(
    ("status", "job_status"), [("FINISHED", "Completed"), ("FAILED", "Failed"), ("KILLED", "Canceled")]
)
def test_a_run_ends_as_and_when_its_client_says(
    tracking: MlflowClient, workspace: WorkspaceFile, status: str, job_status: str
) -> None:
    """set_terminated with an end of its own; run history has the duration."""
    run_id = tracking.create_run("0", start_time=STARTED).info.run_id

    tracking.set_terminated(run_id, status, ENDED)

    info, job = tracking.get_run(run_id).info, _history(workspace, run_id)
    assert (info.status, info.start_time, info.end_time) == (status, STARTED, ENDED)
    assert (job["status"], job["duration"]) == (job_status, "00:00:02.2220000")


def test_children_know_their_parent_and_root(tracking: MlflowClient, workspace: WorkspaceFile) -> None:
    """mlflow.parentRunId makes a child, children of children share the root."""
    root = tracking.create_run("0").info.run_id
    child = tracking.create_run("0", tags={"mlflow.parentRunId": root}).info.run_id
    grandchild = tracking.create_run("0", tags={"mlflow.parentRunId": child}).info.run_id

    assert tracking.get_run(grandchild).data.tags["mlflow.rootRunId"] == root
    assert _history(workspace, child)["parentRunId"] == root
    assert tracking.get_parent_run(grandchild).info.run_id == child
    with pytest.raises(RestException, match="was not found"):
        tracking.create_run("0", tags={"mlflow.parentRunId": "nobody"})


def test_a_deleted_run_is_hidden_and_can_be_restored(tracking: MlflowClient, workspace: WorkspaceFile) -> None:
    """MLflow's delete is run history's `hidden`."""
    run = tracking.create_run("0")

    tracking.delete_run(run.info.run_id)
    assert tracking.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    assert _history(workspace, run.info.run_id)["hidden"] is True

    tracking.restore_run(run.info.run_id)
    assert tracking.get_run(run.info.run_id).info.lifecycle_stage == "active"


def test_a_run_is_renamed_by_name_and_by_tag(tracking: MlflowClient) -> None:
    """`mlflow.runName` and the run's name are one thing."""
    run_id = tracking.create_run("0", run_name="a").info.run_id

    tracking.set_tag(run_id, "mlflow.runName", "b")
    by_tag = tracking.get_run(run_id)
    tracking.update_run(run_id, name="c")
    by_name = tracking.get_run(run_id)

    assert (by_tag.info.run_name, by_tag.data.tags["mlflow.runName"]) == ("b", "b")
    assert (by_name.info.run_name, by_name.data.tags["mlflow.runName"]) == ("c", "c")


def test_nothing_is_created_in_an_archived_experiment(tracking: MlflowClient) -> None:
    """As MLflow's own server has it."""
    experiment_id = tracking.create_experiment("gone")
    tracking.delete_experiment(experiment_id)

    with pytest.raises(RestException, match="archived"):
        tracking.create_run(experiment_id)


def _history(workspace: WorkspaceFile, run_id: str) -> Any:
    """The run as azure-ai-ml's own run-history client reads it."""
    names = workspace.subscription_id, workspace.resource_group, workspace.workspace_name
    jobs = MLClient(DefaultAzureCredential(), *names).jobs
    return jobs._runs_operations.get_run(run_id).as_dict()


def test_a_service_may_drop_source_tags_of_new_runs(tracking: MlflowClient, calm: Sandbox) -> None:
    """Strict variant, as users reported it: what is set later stays."""
    calm.set_faults(strict=["drop-source-tags"])
    run = tracking.create_run("0", tags={"mlflow.source.name": "train.py", "team": "b"}).info.run_id

    before = tracking.get_run(run).data.tags
    tracking.set_tag(run, "mlflow.source.name", "train.py")

    assert "mlflow.source.name" not in before
    assert before["team"] == "b"
    assert tracking.get_run(run).data.tags["mlflow.source.name"] == "train.py"
