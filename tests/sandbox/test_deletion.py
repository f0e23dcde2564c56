"""ARM's deletion of a job: by azure-ai-ml where it has a call for it, by hand for what the service is silent about."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import EnvironmentCredential

from azureml_sandbox import instants
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import Workspace, World
from sandbox.plane import Plane
from sandbox.test_arm import API, chain, submitted

LOSS = {"name": "loss", "columns": {"loss": "Double"}, "value": [{"step": 1, "data": {"loss": 0.5}}]}


@pytest.fixture
def client(plane: Plane) -> MLClient:
    """azure-ai-ml, unmodified."""
    names = plane.workspace.subscription_id, plane.workspace.resource_group, plane.workspace.workspace_name
    return MLClient(EnvironmentCredential(), *names)


@pytest.fixture
def job(plane: Plane, world: World, home: Workspace, calm: Sandbox) -> str:
    """A pipeline that ARM saw being submitted, with a point, a file and a step; it has ended."""
    plane.put("p1", status="Completed")
    plane.put("step", parentRunId="p1", status="Completed")
    world.jobs.put(home.guid, submitted(home, "p1", "Pipeline"), instants.now())
    plane.document("metric", "POST", "/runs/p1/batch", body={"values": [LOSS]})
    plane.post("/experiments/train/runs/p1/artifacts/batch/metadata", paths=[{"path": "outputs/a"}])
    return "p1"


def delete(plane: Plane, name: str) -> requests.Response:
    return plane("arm", "DELETE", f"/jobs/{name}", API)


def polled(plane: Plane, asked: requests.Response) -> list[requests.Response]:
    """Every answer of the operation, the final one last."""
    assert (asked.status_code, asked.text) == (202, "null"), asked.text
    answers = [asked]
    while answers[-1].status_code == 202:
        answers.append(plane.session.get(asked.headers["Location"], timeout=30))
    return answers[1:]


def status(plane: Plane, run: str) -> int:
    return plane("history", "GET", f"/runs/{run}").status_code


def listed(plane: Plane) -> list[str]:
    return [one["name"] for one in plane.arm("/jobs", listViewType="All")["value"]]


def again(plane: Plane, name: str) -> requests.Response:
    """A client makes a run of this name."""
    return plane("history", "PATCH", f"/experiments/train/runs/{name}", body={"runId": name})


def test_microsofts_client_deletes_a_job(client: MLClient, plane: Plane, job: str) -> None:
    """It waits until the job is gone; another one is refused as it documents."""
    client.jobs.begin_delete(job, polling_interval=0).result()

    assert (plane("arm", "GET", f"/jobs/{job}", API).status_code, status(plane, job)) == (404, 404)
    with pytest.raises(ResourceNotFoundError):
        client.jobs.begin_delete(job)
    with pytest.raises(ResourceNotFoundError):
        client.jobs.begin_delete("nothing")


def test_a_deletion_is_an_operation_to_poll(plane: Plane, job: str, calm: Sandbox) -> None:
    """Until it is done the job is there, and a second request is the same deletion."""
    calm.set_faults(deletion_lag_ms=3_600_000)
    first, second = delete(plane, job), delete(plane, job)
    assert first.headers["Location"] == second.headers["Location"]
    assert plane.session.get(first.headers["Location"], timeout=30).text == "{}"
    assert (listed(plane), status(plane, job)) == ([job], 200)

    unknown = plane.session.get(first.headers["Location"].replace(":p1?", ":p2?"), timeout=30)
    assert unknown.status_code == 404


def test_what_stays_of_a_deleted_job(plane: Plane, job: str, calm: Sandbox) -> None:
    """Its steps, index entries, points; its name stays taken, until the variant says otherwise."""
    answers = polled(plane, delete(plane, job))

    assert (answers[-1].status_code, answers[-1].text) == (200, "")
    assert (listed(plane), status(plane, job), status(plane, "step")) == ([], 404, 200)
    assert plane.document("artifact", "GET", f"/artifacts/ExperimentRun/dcid.{job}")["value"][0]["path"] == "outputs/a"
    refused = plane("arm", "PUT", f"/jobs/{job}", API, {"properties": {"jobType": "Command"}})
    assert (again(plane, job).status_code, refused.status_code) == (409, 409)

    calm.set_faults(strict=["reuse-deleted-names"])
    assert again(plane, job).status_code == 200
    rows = plane.document("metric", "POST", f"/runs/{job}/full", body={"metricName": "loss"})["value"]
    assert ([row["data"] for row in rows], listed(plane)) == ([{"loss": 0.5}], [job])


def test_what_is_not_deleted(plane: Plane, job: str, client: MLClient) -> None:
    """A run that never was a job, a step, a job that has not ended."""
    plane.put("alone", status="Completed")
    assert [chain(delete(plane, name)) for name in ("alone", "step")] == [["UserError", "NotFound", "JobNotFound"]] * 2
    assert (status(plane, "alone"), status(plane, "step")) == (200, 200)


def test_a_job_that_has_not_ended_is_refused(
    plane: Plane, client: MLClient, world: World, home: Workspace, calm: Sandbox
) -> None:
    plane.put("p2", status="Running")
    world.jobs.put(home.guid, submitted(home, "p2", "Command"), instants.now())

    with pytest.raises(HttpResponseError, match="Job p2 is in status Running, it can't be deleted"):
        client.jobs.begin_delete("p2")
    assert status(plane, "p2") == 200


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("delete-history-runs", {"p1": 404, "step": 200, "alone": 404}),
        ("delete-child-runs", {"p1": 404, "step": 200, "alone": 200}),
        ("delete-takes-children", {"p1": 404, "step": 404, "alone": 200}),
        ("delete-keeps-runs", {"p1": 200, "step": 200, "alone": 200}),
    ],
)
def test_the_service_may_delete_otherwise(
    plane: Plane, job: str, calm: Sandbox, variant: str, expected: dict[str, Any]
) -> None:
    """A run that is kept is no job again, whatever is written to it."""
    calm.set_faults(strict=[variant])
    plane.put("alone", status="Completed")
    for name in (job, "alone"):
        asked = delete(plane, name)
        if asked.status_code == 202:
            polled(plane, asked)

    assert {name: status(plane, name) for name in expected} == expected
    if expected[job] == 200:
        plane.put(job, hidden=True)
    assert job not in listed(plane)
    assert plane("arm", "GET", f"/jobs/{job}", API).status_code == 404


def test_a_job_that_is_not_there_may_have_no_content(plane: Plane, calm: Sandbox) -> None:
    calm.set_faults(strict=["no-content-for-absent-jobs"])

    assert (delete(plane, "nothing").status_code, delete(plane, "nothing").text) == (204, "")
