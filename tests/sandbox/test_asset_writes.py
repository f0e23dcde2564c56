"""What becomes of data, codes, components and datastores that are put, put again, or put otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore, Data
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azureml_sandbox.guids import stable_guid
from azureml_sandbox.server.sandbox import Sandbox
from sandbox.jobs import API, ENVIRONMENT
from sandbox.plane import Plane
from sandbox.test_asset_lists import client

__all__ = ["client"]

SHORT = "azureml://datastores/workspaceblobstore/paths/"


def put(plane: Plane, path: str, **properties: Any) -> Any:
    return plane("arm", "PUT", path, API, {"properties": properties})


def test_data_keeps_where_it_lies(client: MLClient, plane: Plane, tmp_path: Path) -> None:
    """A GET has the long URI, a list one of the workspace's guid (data-archive-restore 10, 11); neither changes."""
    (tmp_path / "MLTable").write_text("paths:\n  - file: ./0.png\n")
    (tmp_path / "0.png").write_bytes(b"0")
    client.data.create_or_update(Data(name="t", version="1", type="mltable", path=str(tmp_path)))
    client.data.create_or_update(Data(name="d", version="1", type="uri_file", path=f"{SHORT}a.csv"))
    client.data.create_or_update(Data(name="d", version="x", type="uri_file", path="https://bla/"))

    with pytest.raises(HttpResponseError, match="Asset paths cannot be updated"):
        client.data.create_or_update(Data(name="d", version="1", type="uri_file", path=f"{SHORT}b.csv"))
    typed = put(plane, "/data/d/versions/1", dataType="uri_folder", dataUri=f"{SHORT}a.csv")
    client.data.archive("d", version="1")
    listed = plane.arm("/data/d/versions", listViewType="All")["value"]
    container = plane.arm("/data/d")["properties"]

    guid = plane.properties["workspaceId"]
    assert [item["properties"]["dataUri"] for item in listed] == [
        "https://bla/",
        f"azureml://workspaces/{guid}/datastores/workspaceblobstore/paths/a.csv",
    ]
    assert (typed.status_code, plane.arm("/data/t/versions/1")["properties"]["referencedUris"]) == (400, ["./0.png"])
    assert [container[key] for key in ("latestVersion", "nextVersion", "dataType")] == ["x", "2", "uri_file"]
    assert client.data.get("d", label="latest").version == "x"
    assert put(plane, "/data/d/versions/2", dataType="table", dataUri=SHORT).status_code == 400


def test_a_code_keeps_its_uri(plane: Plane) -> None:
    """200 to the second PUT, which does not say that its URI was dropped (recorded twice)."""
    first, second = (
        put(plane, "/codes/c/versions/1", codeUri=f"https://x.blob.core.windows.net/{name}", properties={"hash": "1"})
        for name in ("a", "b")
    )

    assert [answer.status_code for answer in (first, second)] == [201, 200]
    assert {answer.json()["properties"]["codeUri"][-2:] for answer in (first, second)} == {"/a"}


def test_graphs_of_components_may_be_hidden(plane: Plane, calm: Sandbox) -> None:
    """Declared: nobody reads them, by name, label or in a list; the service still knows them."""
    spec = {"type": "pipeline", "environment": ENVIRONMENT, "jobs": {"a": {"type": "command"}}}
    put(plane, "/components/p/versions/1", componentSpec=spec)
    paths = ("/components/p/versions/1", "/components/p/versions/azureml_default")

    def graphs() -> list[bool]:
        whole = [*(plane.arm(path) for path in paths), *plane.arm("/components/p/versions")["value"]]
        return ["jobs" in item["properties"]["componentSpec"] for item in whole]

    shown = graphs()
    calm.set_faults(strict=["hide-component-graphs"])
    hidden = graphs()
    calm.set_faults()
    assert (shown, hidden, graphs()) == ([True] * 3, [False] * 3, [True] * 3)


def test_datastores_are_made_and_deleted(client: MLClient, plane: Plane) -> None:
    """As recorded in datastore-blob; what leads elsewhere, the workspace's own, and an account of nobody's do not."""
    key = stable_guid("no key at all")
    store = AzureBlobDatastore(
        name="own", account_name="nobody", container_name="c", credentials=AccountKeyConfiguration(account_key=key)
    )
    made = client.datastores.create_or_update(store)
    names = [item.name for item in client.datastores.list()]
    known = client.datastores.get("own", include_secrets=True)
    refused = [
        plane("arm", "PUT", f"/datastores/{name}", API | {"skipValidation": skip}, {"properties": BLOB | change})
        for name, skip, change in (
            ("own", "true", {"containerName": "d"}),
            ("other", "false", {}),
            ("other", "true", {"containerName": None}),
            ("other", "true", {"datastoreType": "Hdfs"}),
            ("other", "true", {"credentials": {"credentialsType": "AccountKey"}}),
            ("workspaceblobstore", "true", {}),
        )
    ]
    client.datastores.delete("own")

    assert (made.name, names[0], known.credentials.account_key) == ("own", "own", key)
    assert "secrets" not in plane("arm", "GET", "/datastores", API).text
    assert [answer.status_code for answer in refused] == [400] * 5 + [409]
    assert plane("arm", "DELETE", "/datastores/own", API).status_code == 204
    assert plane("arm", "DELETE", "/datastores/workspaceblobstore", API).status_code == 409
    with pytest.raises(ResourceNotFoundError, match="Could not find datastore: own"):
        client.datastores.get("own")


BLOB: dict[str, Any] = {
    "datastoreType": "AzureBlob",
    "accountName": "nobody",
    "containerName": "c",
    "credentials": {"credentialsType": "None"},
}


def test_a_label_is_resolved_when_a_component_is_written(plane: Plane) -> None:
    """A later version of the environment changes nothing of it, and is another environment for the same label."""
    spec = {"type": "command", "command": "true", "environment": "azureml:e@latest"}
    for version in ("1", "2"):
        put(plane, f"/environments/e/versions/{version}", image="x:1")
        put(plane, f"/components/c/versions/{version}", componentSpec=spec)

    wire = [plane.arm(f"/components/c/versions/{version}")["properties"]["componentSpec"] for version in ("1", "2")]
    again = put(plane, "/components/c/versions/1", componentSpec=spec)
    assert [each["environment"][-24:] for each in wire] == [f"/environments/e/versions/{at}"[-24:] for at in (1, 2)]
    assert (again.status_code, "environment" in again.json()["error"]["message"]) == (400, True)
