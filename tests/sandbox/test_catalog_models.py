"""The model registry as the old SDK and azure-ai-ml's generated client see it: ARM's models in another form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, MLClient, Output
from azure.ai.ml.entities import Model

from e2e import old_sdk
from e2e.own_environment import NotInstallable
from sandbox.jobs import Jobs, jobs, shell
from sandbox.plane import Plane, error
from sandbox.test_asset_lists import client

__all__ = ["client", "jobs"]

URI = "azureml://datastores/workspaceblobstore/paths/a"


def test_the_old_sdk_registers_and_finds_models(plane: Plane, client: MLClient, tmp_path: Path) -> None:
    """`Model.run_id` of a model that came from a run; ARM knows it too."""
    try:
        old_sdk.installed()
    except NotInstallable as why:
        pytest.skip(str(why))

    told = json.loads(old_sdk.run("models.py", plane.workspace, tmp_path / "work").splitlines()[-1])

    assert told["found"] == [
        ["own", 2, "r1", "old-sdk", {"a": "2"}],
        ["own", 1, "r1", "old-sdk", {"a": "1"}],
        ["own", 1, "r1", "old-sdk", {"a": "1"}],
    ]
    assert (told["all"], told["latest"]) == ([["other", 1], ["own", 1], ["own", 2]], [1, 2])
    found = client.models.get("own", version="2")
    assert (found.job_name, found.properties) == ("r1", {"p": "1"})
    assert found.path.endswith("/datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r1/outputs/model.pkl")


def register(plane: Plane, **given: Any) -> Any:
    return plane("modelregistry", "POST", "/models", body={"name": "own", "url": URI} | given)


def test_a_model_is_registered(plane: Plane) -> None:
    """With the next number or its own, its run and stage; what is taken, unknown or no number is refused."""
    plane.put("r1")
    first = register(plane, runId="r1", kvTags={"a": "1"}, stage="Production")
    register(plane, version=7)
    third = register(plane).json()

    refused = [
        register(plane, **change).status_code
        for change in ({"version": 7}, {"runId": "r2"}, {"url": "nowhere"}, {"name": ""}, {"url": "aml://asset/x"})
    ]
    plane.document("arm", "PUT", "/models/own/versions/x", API, {"properties": {"modelUri": URI}})
    listed = plane.document("modelregistry", "GET", "/models", {"count": "2"})
    left = plane.session.get(listed["nextLink"], timeout=30).json()
    of_run = plane.document("modelmanagement", "GET", "/models", {"runId": "r1"})["value"]

    whole = plane.arm("/models/own/versions/1")["properties"]
    assert (whole["jobName"], whole["stage"], whole["tags"]) == ("r1", "Production", {"a": "1"})
    assert (first.json()["id"], third["id"], first.json()["runId"]) == ("own:1", "own:8", "r1")
    assert refused == [409, 404, 400, 400, 404]
    assert [[item["version"] for item in page["value"]] for page in (listed, left)] == [[8, 7], [1]]
    assert [item["id"] for item in of_run] == ["own:1"]
    assert plane.document("modelregistry", "GET", "/models/own:7")["version"] == 7
    assert [plane("modelregistry", "GET", f"/models/own:{version}").status_code for version in ("9", "text")] == [
        404
    ] * 2
    assert plane("modelregistry", "GET", "/models", {"orderBy": "x"}).status_code == 501


API = {"api-version": "2024-04-01"}


def test_a_model_of_a_run_is_made_once(plane: Plane) -> None:
    """Its container is listed without a version (recorded: model-list-paging 0); ids are resolved to places."""
    plane.put("r1")

    def make(**change: Any) -> Any:
        given = {"runId": "r1", "outputName": "o", "path": URI, "type": "CustomModel"} | change
        return plane("modelregistry", "POST", "/models/createUnregisteredOutput", body=given)

    made = make()
    refused = [make(), make(runId="r2"), make(type="UriFolder"), make(path=None)]
    asset_id = made.json()["assetId"]
    asked = {"values": [asset_id, asset_id.replace("r1", "r2"), "x"]}
    resolved = plane.document("modelregistry", "POST", "/models/batchGetResolvedUris", body=asked)["values"]

    (listed,) = plane.arm("/models")["value"]
    assert listed["name"] == "azureml_r1_output_o"
    assert [listed["properties"][key] for key in ("latestVersion", "nextVersion")] == [None, "1"]
    assert [answer.status_code for answer in refused] == [409, 404, 400, 400]
    assert "already exists" in error(refused[0])["message"]
    assert [(key, value["type"]) for key, value in resolved.items()] == [(asset_id, "CustomModel")]
    assert resolved[asset_id]["path"].endswith("/datastores/workspaceblobstore/paths/a")


def test_a_jobs_outputs_come_down(jobs: Jobs, tmp_path: Path) -> None:
    """And a model of one is registered by its short URI.

    By its name: for `all`, azure-ai-ml 1.35 looks for types in another spelling than the recorded `UriFolder`.
    """
    line = "echo weights > ${{outputs.o}}/model.bin"
    name = jobs.submit(shell(line, outputs={"o": Output(type="uri_folder")}))
    assert jobs.ended(name)["status"] == "Completed"

    jobs.client.jobs.download(name, download_path=tmp_path, output_name="o")
    made = jobs.client.models.create_or_update(
        Model(name="own", path=f"azureml://jobs/{name}/outputs/o/paths/model.bin")
    )

    assert [path.read_bytes() for path in tmp_path.rglob("model.bin")] == [b"weights\n"]
    assert made.job_name == name
    assert made.path.endswith(f"/workspaceblobstore/paths/azureml/{name}/o/model.bin")


def test_a_job_makes_models(jobs: Jobs) -> None:
    """As an output, under the run's name and one of its own; and another job takes it in."""
    line = "mkdir -p ${{outputs.m}} && echo weights > ${{outputs.m}}/model.bin"
    made = jobs.submit(shell(line, outputs={"m": Output(type="custom_model", name="own", version="3")}))
    assert jobs.ended(made)["status"] == "Completed"
    taking = Input(type="custom_model", path="azureml:own:3")
    took = jobs.submit(shell("cat ${{inputs.m}}/model.bin", inputs={"m": taking}))
    assert jobs.ended(took)["status"] == "Completed"

    found = jobs.client.models.get("own", version="3")
    output = jobs.plane.post("/rundata", runId=made, selectRunMetadata=True)["runMetadata"]["outputs"]["m"]
    asked = {"values": [output["assetId"]]}
    resolved = jobs.plane.document("modelregistry", "POST", "/models/batchGetResolvedUris", body=asked)["values"]
    assert (found.job_name, found.type, output["type"]) == (made, "custom_model", "CustomModel")
    assert output["assetId"].endswith(f"/models/azureml_{made}_output_m/versions/1")
    assert resolved[output["assetId"]]["path"].rstrip("/") == found.path
    assert "weights" in jobs.log(took)
