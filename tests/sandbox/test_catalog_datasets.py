"""Datasets of the old kind: documents under ids of the server's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e import old_sdk
from e2e.own_environment import NotInstallable
from sandbox.plane import Plane

FLOW = json.dumps({"blocks": [{"type": "Microsoft.DPrep.GetDatastoreFilesBlock"}]})


def register(plane: Plane, name: str, *, asked: dict[str, str] | None = None, **given: Any) -> Any:
    body = {"name": name, "latest": {"dataflow": FLOW}, "datasetType": "tabular"} | given
    return plane("dataset", "POST", "/datasets", asked, body)


def names(plane: Plane, **asked: str) -> list[str]:
    return [item["name"] for item in plane.document("dataset", "GET", "/datasets", asked)["value"]]


def test_versions_of_a_dataset(plane: Plane) -> None:
    """The first comes with the dataset, others by its name or id; each is found by name, id and saved id."""
    first = register(plane, "own", description="d", tags={"a": "1"}).json()
    second = register(plane, "own", asked={"ifExistsOk": "true", "updateDefinitionIfExists": "true"}).json()
    path = f"/datasets/{first['datasetId']}"
    third = plane.document("dataset", "POST", f"{path}/definitions", {"userVersionId": "9"}, {"dataflow": FLOW})

    assert {each["datasetId"] for each in (first, second, third)} == {first["datasetId"]}
    assert [each["latest"]["versionId"] for each in (first, second, third)] == ["1", "2", "9"]
    assert (first["latest"]["dataflow"], first["tags"], third["nextVersionId"]) == (FLOW, {"a": "1"}, "10")
    assert plane.document("dataset", "GET", f"{path}/versions")["value"] == ["1", "2", "9"]
    listed = plane.document("dataset", "GET", f"{path}/definitions")["value"]
    assert listed[1] == plane.document("dataset", "GET", f"{path}/definitions/2") == second["latest"]
    by_name = plane.document("dataset", "GET", "/datasets/query/name=own", {"versionId": "1"})
    saved = plane.document("dataset", "GET", f"/datasets/query/savedDatasetId={listed[0]['savedDatasetId']}")
    assert by_name["latest"] == saved["latest"] == first["latest"]
    kept = register(plane, "own", asked={"ifExistsOk": "true"}).json()
    assert (kept["latest"]["versionId"], register(plane, "own").status_code) == ("9", 409)


def test_the_list_of_datasets(plane: Plane) -> None:
    """The oldest first, in pages, without what is hidden unless it is asked for; what is not known is refused."""
    for name, visible in (("a", True), ("b", False), ("c", True)):
        register(plane, name, isVisible=visible)
    page = plane.document("dataset", "GET", "/datasets", {"pageSize": "1", "includeLatestDefinition": "true"})
    second = plane.session.get(page["nextLink"], timeout=30).json()

    assert (names(plane), names(plane, includeInvisible="true")) == (["a", "c"], ["a", "b", "c"])
    assert names(plane, datasetNames="c") == ["c"]
    assert ([item["name"] for item in second["value"]], "nextLink" in second) == (["c"], False)
    assert page["value"][0]["latest"]["dataflow"] == FLOW
    wrong = [
        plane("dataset", "GET", path, asked).status_code
        for path, asked in (
            ("/datasets", {"searchText": "a"}),
            ("/datasets", {"pageSize": "0"}),
            ("/datasets/none/versions", {}),
            ("/datasets/query/name=none", {}),
            ("/datasets/query/savedDatasetId=none", {}),
        )
    ]
    assert wrong == [501, 400, 404, 404, 404]
    assert register(plane, "").status_code == 400


def test_the_old_sdk_lists_them(plane: Plane, tmp_path: Path) -> None:
    """By name; what they hold it opens with a package that is not here."""
    try:
        old_sdk.installed()
    except NotInstallable as why:
        pytest.skip(str(why))
    for name in ("a", "b"):
        register(plane, name)

    assert old_sdk.run("datasets.py", plane.workspace, tmp_path / "work").split() == ["a", "b"]
