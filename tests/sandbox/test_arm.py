"""ARM and what hangs on it, asked by Microsoft's own client where it has a call for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from azure.ai.ml import MLClient
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import EnvironmentCredential

from azureml_sandbox import instants
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import Workspace, World
from sandbox.plane import Plane

API = {"api-version": "2024-04-01"}
BLOB = {"x-ms-blob-type": "BlockBlob"}


@pytest.fixture
def client(plane: Plane) -> MLClient:
    """azure-ai-ml, unmodified."""
    names = plane.workspace.subscription_id, plane.workspace.resource_group, plane.workspace.workspace_name
    return MLClient(EnvironmentCredential(), *names)


def upload(plane: Plane, run: str, **files: bytes) -> None:
    """Files under `outputs/`, through the index."""
    paths = [{"path": f"outputs/{name}"} for name in files]
    made = plane.post(f"/experiments/train/runs/{run}/artifacts/batch/metadata", paths=paths)
    for name, data in files.items():
        url = made["artifactContentInformation"][f"outputs/{name}"]["contentUri"]
        requests.put(url, data, headers=BLOB, timeout=30).raise_for_status()


def submitted(home: Workspace, name: str, job_type: str, **properties: Any) -> dict[str, Any]:
    """A job document as ARM keeps it."""
    plain = {"jobType": job_type, "tags": {}, "properties": {}, "status": "Completed", "isArchived": False}
    return {
        "id": f"{home.arm_id}/jobs/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "properties": plain | properties,
        "systemData": {"createdAt": instants.text(instants.now()), "createdBy": "A", "createdByType": "User"},
    }


def chain(answer: requests.Response) -> list[str]:
    """The codes of an ARM error from coarse to fine."""
    found = answer.json()["error"]
    information = {item["type"]: item["info"]["value"] for item in found["additionalInfo"]}
    codes, inner = [found["code"]], information.get("InnerError")
    while inner is not None:
        codes.append(inner["code"])
        inner = inner["innerError"]
    return codes


def test_a_workspace_leads_to_its_services(client: MLClient, plane: Plane) -> None:
    """Discovery and tracking URIs are of its own region."""
    found = client.workspaces.get(plane.workspace.workspace_name)

    assert found.location == plane.region
    assert found.discovery_url == f"https://{plane.region}.api.azureml.ms/discovery"
    assert found.mlflow_tracking_uri.endswith(plane.path)


def test_discovery_needs_no_token(plane: Plane) -> None:
    """`api` is where clients go; `history` is the old host."""
    found = requests.get(plane.properties["discoveryUrl"], timeout=30).json()

    assert found["api"] == f"https://{plane.region}.api.azureml.ms"
    assert found["history"] == f"https://{plane.region}.experiments.azureml.net"


def test_a_request_without_api_version_is_refused_by_the_gateway(plane: Plane) -> None:
    """In its short form."""
    answer = plane("arm", "GET", "/jobs")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"
    assert set(answer.json()["error"]) == {"code", "message"}


def test_every_workspace_has_two_datastores(client: MLClient, plane: Plane) -> None:
    """One for data, the default, and one for artifacts."""
    containers = {found.name: found.container_name for found in client.datastores.list()}

    guid = plane.properties["workspaceId"]
    assert containers == {"workspaceblobstore": f"azureml-blobstore-{guid}", "workspaceartifactstore": "azureml"}
    assert client.datastores.get_default().name == "workspaceblobstore"


def test_a_datastore_tells_its_secret(client: MLClient) -> None:
    """azure-ai-ml asks for an expirable one, and takes the SAS."""
    found = client.datastores.get("workspaceblobstore", include_secrets=True)

    assert "sig=" in found.credentials.sas_token


def test_an_expirable_secret_is_a_sas_that_opens_the_account(plane: Plane) -> None:
    """Each container of the account. Without being asked for it, the account's key is told."""
    door = "/datastores/workspaceblobstore/listSecrets"
    sas = plane.document("arm", "POST", door, API, {"expirableSecret": True, "expireAfterHours": 1})
    key = plane.document("arm", "POST", door, API)

    account = plane.arm("/datastores/workspaceblobstore")["properties"]
    for container in (account["containerName"], "azureml"):
        url = f"https://{account['accountName']}.blob.core.windows.net/{container}/LocalUpload/a?{sas['sasToken']}"
        assert requests.put(url, b"1", headers=BLOB, timeout=30).status_code == 201
    assert (sas["secretsType"], key["secretsType"], list(key)) == ("Sas", "AccountKey", ["secretsType", "key"])


def test_a_datastore_that_is_not_there_is_refused_as_recorded(plane: Plane) -> None:
    """The useful code stands in the chain."""
    answer = plane("arm", "GET", "/datastores/x", API)

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Could not find datastore: x."
    assert chain(answer) == ["UserError", "NotFoundError"]


def test_a_job_that_is_not_there_is_refused_as_recorded(plane: Plane, client: MLClient) -> None:
    """With the parts of the message beside it."""
    answer = plane("arm", "GET", "/jobs/x", API)

    assert answer.json()["error"]["message"] == "Job x not found."
    assert chain(answer) == ["UserError", "NotFound", "JobNotFound"]
    with pytest.raises(ResourceNotFoundError):
        client.jobs.get("x")


def test_jobs_are_root_runs_newest_first(plane: Plane, client: MLClient) -> None:
    """Children are no jobs of their own."""
    for name in ("r1", "r2"):
        plane.put(name, status="Completed", displayName=f"run {name}")
    plane.put("c", parentRunId="r1")

    assert [(job.name, job.display_name, job.experiment_name) for job in client.jobs.list()] == [
        ("r2", "run r2", "train"),
        ("r1", "run r1", "train"),
    ]


def test_a_long_list_goes_on_at_its_next_link(plane: Plane, client: MLClient) -> None:
    """Absolute, with a lower-case escape and a bare `$`; the last page has no key for it."""
    runs = [{"runId": f"r{index:03}"} for index in range(130)]
    plane.document("history", "PATCH", "/experiments/train/batch/runs", body={"runs": runs})

    first = plane.arm("/jobs", listViewType="All")
    second = plane.session.get(first["nextLink"], timeout=30).json()

    link = first["nextLink"]
    assert link.startswith(f"https://management.azure.com{plane.path}/jobs?")
    assert "listViewType=All&$skipToken=" in link
    assert "%3D" not in link
    assert (len(first["value"]), list(second)) == (100, ["value"])
    assert [job.name for job in client.jobs.list()] == [run["runId"] for run in reversed(runs)]


def test_jobs_of_one_page_have_no_next_link(plane: Plane) -> None:
    """Not null: absent."""
    plane.put("r1")

    assert list(plane.arm("/jobs")) == ["value"]


def test_archived_jobs_are_listed_when_asked_for(plane: Plane, client: MLClient) -> None:
    """Archiving is a PATCH of the run, restoring another one."""
    plane.put("r1", status="Completed")

    client.jobs.archive("r1")

    assert list(client.jobs.list()) == []
    assert [job.name for job in client.jobs.list(list_view_type="ArchivedOnly")] == ["r1"]
    client.jobs.restore("r1")
    assert [job.name for job in client.jobs.list()] == ["r1"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["p", "b", "a"]),
        ({"jobType": "Pipeline"}, ["p"]),
        ({"jobType": "Command"}, ["b", "a"]),
        ({"tag": "team"}, ["b", "a"]),
        ({"tag": "team=vision"}, ["a"]),
        ({"properties": "k=v"}, ["b"]),
    ],
)
def test_jobs_are_filtered(
    plane: Plane, world: World, home: Workspace, asked: dict[str, str], expected: list[str]
) -> None:
    """By type, by tag and by property."""
    plane.put("a", tags={"team": "vision"})
    plane.put("b", tags={"team": "text"}, properties={"k": "v"})
    world.jobs.put(home.guid, submitted(home, "p", "Pipeline"), instants.now())

    assert [job["name"] for job in plane.arm("/jobs", **asked)["value"]] == expected


def test_a_filter_value_that_is_none_is_refused(plane: Plane) -> None:
    """Never ignored."""
    assert plane("arm", "GET", "/jobs", API | {"listViewType": "Some"}).status_code == 400
    assert plane("arm", "GET", "/jobs", API | {"jobType": "Dance"}).status_code == 400


def test_a_child_job_answers_without_properties(plane: Plane, client: MLClient) -> None:
    """200 all the same; azure-ai-ml then asks run history."""
    plane.put("p", status="Completed")
    created = plane.put("c", parentRunId="p", status="Failed", displayName="step")["createdUtc"]

    answer = plane.arm("/jobs/c")
    job = client.jobs.get("c")

    assert set(answer) == {"id", "name", "type", "systemData"}
    assert answer["systemData"]["createdAt"] == created
    assert (job.display_name, job.status) == ("step", "Failed")


def test_children_are_listed_by_their_parent(plane: Plane, client: MLClient) -> None:
    """Direct ones."""
    plane.put("p")
    plane.put("c1", parentRunId="p")
    plane.put("c2", parentRunId="c1")

    assert [job.name for job in client.jobs.list(parent_job_name="p")] == ["c1"]


def test_updating_a_job_changes_its_run(plane: Plane, client: MLClient) -> None:
    """azure-ai-ml patches run history; ARM shows it."""
    plane.put("r1", status="Completed", tags={"a": "1"})

    updated = client.jobs.update("r1", tags={"b": "2"}, description="why", display_name="new")

    assert (updated.tags, updated.description, updated.display_name) == ({"a": "1", "b": "2"}, "why", "new")


def test_a_submitted_job_keeps_its_definition_and_shows_its_runs_state(
    plane: Plane, world: World, home: Workspace
) -> None:
    """What ARM was told at submission, and what happened since."""
    document = submitted(home, "p", "Pipeline", status="Preparing", jobs={"step": {"type": "command"}}, settings=None)
    world.jobs.put(home.guid, document, instants.now())
    plane.put("p", status="Completed", tags={"a": "1"})

    found = plane.arm("/jobs/p")["properties"]

    assert (found["jobType"], found["jobs"], found["settings"]) == ("Pipeline", document["properties"]["jobs"], None)
    assert (found["status"], found["tags"]) == ("Completed", {"a": "1"})


def test_older_api_versions_have_fewer_fields(plane: Plane) -> None:
    """The set of fields follows the version asked for."""
    plane.put("r1")

    new = plane.arm("/jobs/r1")["properties"]
    old = plane.document("arm", "GET", "/jobs/r1", {"api-version": "2022-10-01-preview"})["properties"]

    assert new.keys() - old.keys() == {"notificationSetting", "queueSettings"}


def test_history_runs_may_not_be_listed(plane: Plane, calm: Sandbox) -> None:
    """Strict variant: ARM knows only what was submitted to it."""
    plane.put("r1")
    calm.set_faults(strict=["history-runs-not-listed"])

    assert plane.arm("/jobs")["value"] == []
    assert plane("arm", "GET", "/jobs/r1", API).status_code == 404


def test_a_job_is_downloaded_with_its_files(plane: Plane, client: MLClient, tmp_path: Path) -> None:
    """From the place that its default output names; an empty file too."""
    plane.put("r1", status="Completed")
    upload(plane, "r1", model=b"weights", empty=b"")

    client.jobs.download("r1", download_path=tmp_path)

    found = {path.name: path.read_bytes() for path in tmp_path.rglob("outputs/*")}
    assert found == {"model": b"weights", "empty": b""}


def test_outputs_are_resolved_to_where_they_lie(
    plane: Plane, client: MLClient, home: Workspace, tmp_path: Path
) -> None:
    """Run history gives asset ids, `/data/v1.0` their place; a child's default output is downloaded by it.

    That a run names an output does not make its data.
    """
    asset = f"azureml://locations/{home.region}/workspaces/{home.guid}/data/azureml_c_output_data_default/versions/1"
    plane.put("p", status="Completed")
    plane.put("c", parentRunId="p", status="Completed", outputs={"default": {"assetId": asset, "type": "UriFolder"}})
    upload(plane, "c", model=b"weights")

    asked = {"values": [asset, asset.replace("azureml_c_", "azureml_nobody_")]}
    before = plane.document("data", "POST", "/dataversion/batchGetResolvedUris", body=asked)["values"]
    place = "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.c"
    told = {"runId": "c", "outputName": "default", "uri": place, "type": "UriFolder"}
    made = plane.document("data", "POST", "/dataversion/createUnregisteredOutput", body=told)
    resolved = plane.document("data", "POST", "/dataversion/batchGetResolvedUris", body=asked)["values"]
    client.jobs.download("c", download_path=tmp_path)

    assert (before, list(resolved), made["latestVersion"]["dataVersion"]["assetId"]) == ({}, [asset], asset)
    assert resolved[asset]["uri"].endswith("/datastores/workspaceartifactstore/paths/ExperimentRun/dcid.c/")
    assert [path.read_bytes() for path in tmp_path.rglob("model")] == [b"weights"]


def test_a_registered_version_is_found_by_its_asset_id(plane: Plane, world: World, home: Workspace) -> None:
    """And one that is not there is refused."""
    properties = {"dataUri": "azureml://x/paths/y", "dataType": "uri_file"}
    world.assets.put(home.guid, "data", "table", {"properties": properties}, version="3")
    asset = f"azureml://locations/{home.region}/workspaces/{home.guid}/data/table/versions/3"

    found = plane.document("data", "POST", "/dataversion/getByAssetId", body={"value": asset})["dataVersion"]

    assert (found["dataUri"], found["dataType"], found["isRegistered"]) == ("azureml://x/paths/y", "UriFile", True)
    assert plane("data", "POST", "/dataversion/getByAssetId", body={"value": asset + "0"}).status_code == 404


def test_a_finished_job_is_streamed(plane: Plane, client: MLClient, capsys: pytest.CaptureFixture[str]) -> None:
    """To its summary."""
    plane.put("r1", status="Completed")

    client.jobs.stream("r1")

    assert "Execution Summary" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "message", "codes"),
    [
        ("/components/x", "Not found component x.", ["UserError", "NotFound", "ComponentNotFound"]),
        (
            "/environments/x",
            "No environment exists for name: x, version: , label: ",
            ["UserError", "NotFoundError"],
        ),
        (
            "/data/x/versions/2",
            "Data version x:2 (dataContainerName:version) not found.",
            ["UserError", "NotFoundError"],
        ),
    ],
)
def test_assets_that_are_not_there_are_refused_as_recorded(
    plane: Plane, path: str, message: str, codes: list[str]
) -> None:
    """Each service in its own words."""
    answer = plane("arm", "GET", path, API)

    assert (answer.status_code, answer.json()["error"]["message"], chain(answer)) == (404, message, codes)


def test_a_compute_that_is_not_there_has_an_empty_answer(plane: Plane) -> None:
    """404 and no body."""
    answer = plane("arm", "GET", "/computes/x", API)

    assert (answer.status_code, answer.content) == (404, b"")


def test_assets_are_read_as_they_are_stored(plane: Plane, world: World, home: Workspace) -> None:
    """One, its versions newest first, its container."""
    for version in ("1", "2"):
        world.assets.put(home.guid, "environments", "e", {"name": version}, version=version)
    world.assets.put(home.guid, "environments", "e", {"name": "e"})

    assert plane.arm("/environments/e/versions/2") == {"name": "2"}
    assert plane.arm("/environments/e/versions") == {"value": [{"name": "2"}, {"name": "1"}]}
    assert plane.arm("/environments") == {"value": [{"name": "e"}]}


def test_codes_are_found_by_the_hash_of_their_bytes(plane: Plane, world: World, home: Workspace) -> None:
    """Whatever the name in the URL."""
    code = {"name": "1", "properties": {"properties": {"hash_sha256": "abc", "hash_version": "202208"}}}
    world.assets.put(home.guid, "codes", "stored", code, version="1")

    assert plane.arm("/codes/random/versions", hash="abc", hashVersion="202208")["value"] == [code]
    assert plane.arm("/codes/random/versions", hash="abd", hashVersion="202208")["value"] == []
