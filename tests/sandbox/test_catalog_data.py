"""The data service: what stands for a run's inputs and outputs, and versions of data by name and id."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.plane import Plane, error

SHORT = "azureml://datastores/workspaceblobstore/paths/a"


def make(plane: Plane, way: str, **given: Any) -> Any:
    """The answer to a request for what stands for an input or output."""
    whole = {"runId": "r1", f"{way.lower()}Name": "o", "uri": SHORT, "type": "UriFolder"} | given
    return plane("data", "POST", f"/dataversion/createUnregistered{way}", body=whole)


@pytest.mark.parametrize("way", ["Input", "Output"])
def test_data_of_a_run_is_made_once(plane: Plane, way: str) -> None:
    """Under its fixed name, with a long URI and a folder's slash; not listed; never of a run that is not here."""
    plane.put("r1")
    made = make(plane, way)
    version, container = made.json()["latestVersion"]["dataVersion"], made.json()["dataContainer"]
    statuses = [
        make(plane, way, **change).status_code
        for change in ({}, {"runId": "r2"}, {"type": "uri_folder"}, {"uri": ""}, {"runId": None})
    ]
    by_id = plane.document("data", "POST", "/dataversion/getByAssetId", body={"value": version["assetId"]})

    name = f"azureml_r1_{way.lower()}_data_o"
    assert (made.status_code, version["assetId"].endswith(f"/data/{name}/versions/1")) == (200, True)
    assert version["dataUri"].endswith(f"/{plane.workspace.workspace_name}/datastores/workspaceblobstore/paths/a/")
    assert (container["name"], container["isRegistered"], version["runId"]) == (name, False, "r1")
    assert statuses == [409, 404, 400, 400, 400]
    assert by_id["dataVersion"] == version
    assert plane.arm("/data")["value"] == []
    assert plane.arm(f"/data/{name}/versions/1")["properties"]["dataUri"] == version["dataUri"]


def test_an_output_is_registered_under_a_name(plane: Plane) -> None:
    """With the next version where none is said; a version that is taken, and what nobody made, are refused."""
    plane.put("r1")
    asset = make(plane, "Output").json()["latestVersion"]["dataVersion"]

    def register(**given: str) -> Any:
        whole = {"existingUnregisteredAssetId": asset["assetId"], "name": "own"} | given
        return plane("data", "POST", "/dataversion/registerExisting", body=whole)

    made = [register(), register(), register(version="x")]
    refused = [register(version="2"), register(existingUnregisteredAssetId=asset["assetId"].replace("r1", "r2"))]

    latest = [answer.json()["latestVersion"]["dataVersion"] for answer in made]
    assert [version["versionId"] for version in latest] == ["1", "2", "x"]
    assert {version["dataUri"] for version in latest} == {asset["dataUri"]}
    assert [answer.status_code for answer in refused] == [409, 404]
    assert "already exists" in error(refused[0])["message"]
    listed = plane.document("data", "GET", "/dataversion/own/versions")["value"]
    assert [item["dataVersion"]["versionId"] for item in listed] == ["x", "2", "1"]
    assert plane.document("data", "GET", "/dataversion/own/versions/2")["dataVersion"] == latest[1]
    asked = [f"/dataversion/own/versions/{version}/exists" for version in ("2", "3")]
    assert [plane.document("data", "GET", path) for path in asked] == [True, False]
    assert plane("data", "GET", "/dataversion/own/versions/3").status_code == 404
    assert plane("data", "GET", "/dataversion/own/versions", {"orderBy": "x"}).status_code == 501
    assert plane.arm("/data/own/versions/2")["properties"]["isAnonymous"] is False


def test_a_run_may_be_given_its_inputs_and_outputs_later(plane: Plane) -> None:
    """As promptflow patches them, of a run that has ended; seen where outputs are, and in no other form."""
    plane.put("r1", status="Completed")
    asset_id = make(plane, "Output").json()["latestVersion"]["dataVersion"]["assetId"]
    given = {"o": {"assetId": asset_id, "type": "UriFolder"}}
    told = plane.put("r1", outputs=given, inputs=given)

    data = plane.post("/rundata", runId="r1", selectRunMetadata=True)["runMetadata"]
    details = plane.read("/runs/r1/details")
    wrong = [
        plane("history", "PATCH", "/experiments/train/runs/r1", body={"outputs": {"o": reference}}).status_code
        for reference in (asset_id, {"assetId": asset_id, "uri": "x"}, {"assetId": 1})
    ]

    assert (told["outputs"], data["outputs"], data["inputs"], details["outputs"]) == (None, given, given, given)
    assert wrong == [400] * 3
