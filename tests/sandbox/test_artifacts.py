"""The artifact index and the bytes behind it, driven over the wire."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.plane import Plane, error

NAMES = ["outputs/model.pkl", "outputs/a b#?.txt", "outputs/%41", "outputs/ä/ö", "outputs/x//y", "empty"]


def create(plane: Plane, *paths: str, run: str = "r1") -> Any:
    return plane.post(f"/experiments/train/runs/{run}/artifacts/batch/metadata", paths=[{"path": p} for p in paths])


def put(plane: Plane, path: str, data: bytes) -> None:
    url = create(plane, path)["artifactContentInformation"][path]["contentUri"]
    requests.put(url, data, headers={"x-ms-blob-type": "BlockBlob"}, timeout=30).raise_for_status()


def below(plane: Plane, door: str, **params: str) -> Any:
    return plane.read(f"/experiments/train/runs/r1/artifacts{door}", **params)


@pytest.fixture(autouse=True)
def run(plane: Plane) -> None:
    plane.put("r1")


@pytest.mark.parametrize("path", NAMES)
def test_bytes_go_in_and_out_by_urls_of_the_service(plane: Plane, path: str) -> None:
    """Whatever the path is called."""
    data = b"" if path == "empty" else path.encode()
    put(plane, path, data)

    found = below(plane, "/contentinfo", path=path)

    assert requests.get(found["contentUri"], timeout=30).content == data
    assert (found["origin"], found["container"], found["path"]) == ("ExperimentRun", "dcid.r1", path)


def test_a_read_url_does_not_write(plane: Plane) -> None:
    """Its SAS is for reading."""
    put(plane, "outputs/a", b"old")
    url = below(plane, "/contentinfo", path="outputs/a")["contentUri"]

    assert requests.put(url, b"new", headers={"x-ms-blob-type": "BlockBlob"}, timeout=30).status_code == 403


def test_an_entry_says_where_its_bytes_lie(plane: Plane) -> None:
    """In the artifact store, under the run's container."""
    create(plane, "outputs/a")

    found = below(plane, "/metadata", path="outputs/a")

    assert found["artifactId"] == "ExperimentRun/dcid.r1/outputs/a"
    assert found["dataPath"] == {
        "dataStoreName": "workspaceartifactstore",
        "relativePath": "ExperimentRun/dcid.r1/outputs/a",
    }


def test_a_hundred_paths_are_one_request_and_no_more(plane: Plane) -> None:
    """The request is refused whole, in the service's words."""
    made = create(plane, *(f"outputs/{at}" for at in range(100)))
    path, more = "/experiments/train/runs/r1/artifacts/batch/metadata", [{"path": f"more/{at}"} for at in range(101)]

    refused = plane("history", "POST", path, body={"paths": more})

    assert len(made["artifacts"]) == 100
    assert (refused.status_code, error(refused)["message"]) == (400, "Artifact batch size exceeded the limit of 100.")


def test_a_path_that_is_taken_is_refused(plane: Plane) -> None:
    """In `errors`; the others are made."""
    create(plane, "outputs/a")

    answer = create(plane, "outputs/a", "outputs/b")

    assert list(answer["artifacts"]) == list(answer["artifactContentInformation"]) == ["outputs/b"]
    assert answer["errors"]["outputs/a"]["statusCode"] == 409


@pytest.mark.parametrize("path", ["p" * 5001, "p" * 1024])
def test_a_path_that_is_too_long_is_refused(plane: Plane, path: str) -> None:
    """5,000 characters for the index, 1,024 for the whole name of the blob."""
    assert list(create(plane, path)["errors"]) == [path]


def test_the_whole_index_comes_by_pages_of_five_hundred(plane: Plane) -> None:
    """By path; the last page has no token."""
    for start in range(0, 600, 100):
        create(plane, *(f"outputs/{index:04}" for index in range(start, start + 100)))

    first = below(plane, "")
    second = plane.session.get(first["nextLink"], timeout=30).json()

    assert (len(first["value"]), len(second["value"])) == (500, 100)
    assert [each["path"] for each in first["value"] + second["value"]] == [f"outputs/{n:04}" for n in range(600)]
    assert list(second) == ["value"]


def test_a_folder_is_listed_by_its_path(plane: Plane) -> None:
    """With entries, or with URLs to read them."""
    create(plane, "outputs/a", "outputs/b", "logs/c")

    entries = below(plane, "/path", path="outputs/")["value"]
    infos = below(plane, "/prefix/contentinfo", path="outputs/")["value"]

    assert [each["path"] for each in entries] == ["outputs/a", "outputs/b"]
    assert all(each["contentUri"].startswith("https://") for each in infos)
    assert len(infos) == 2


def test_the_older_form_has_the_path_in_the_url(plane: Plane) -> None:
    """As azureml-core asks."""
    create(plane, "outputs/a b")

    assert below(plane, "/contentinfo/outputs/a%20b")["path"] == "outputs/a b"


@pytest.mark.parametrize("door", ["/contentinfo", "/metadata", "/artifacturi"])
def test_a_path_that_is_not_there_is_refused(plane: Plane, door: str) -> None:
    """404; without any path 400."""
    base = f"/experiments/train/runs/r1/artifacts{door}"

    assert plane("history", "GET", base, {"path": "x"}).status_code == 404
    assert plane("history", "GET", base).status_code == 400


def test_a_blob_that_nobody_registered_is_not_listed(plane: Plane) -> None:
    """The index is not the storage."""
    url = create(plane, "outputs/a")["artifactContentInformation"]["outputs/a"]["contentUri"]
    other = plane.document("artifact", "GET", "/artifacts/ExperimentRun/dcid.r1/write", {"path": "outputs/b"})
    assert other["contentUri"] != url

    plane.document("artifact", "DELETE", "/artifacts/ExperimentRun/dcid.r1/metadata", {"path": "outputs/b"})

    assert [each["path"] for each in below(plane, "")["value"]] == ["outputs/a"]


def test_a_registered_artifact_may_lie_in_another_datastore(plane: Plane) -> None:
    """As promptflow registers what it uploaded; the URL leads there."""
    place = {"dataStoreName": "workspaceblobstore", "relativePath": "flow/r1/results.jsonl"}
    body = {"origin": "ExperimentRun", "container": "dcid.r1", "path": "results.jsonl", "dataPath": place}

    found = plane.document("artifact", "POST", "/artifacts/register", body=body)

    assert found["artifactId"] == "ExperimentRun/dcid.r1/results.jsonl"
    assert found["dataPath"] == place
    container = f"azureml-blobstore-{plane.properties['workspaceId']}"
    assert f"/{container}/flow/r1/results.jsonl?" in below(plane, "/contentinfo", path="results.jsonl")["contentUri"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 409),
        ({"path": "other", "origin": "Elsewhere"}, 400),
        ({"path": None}, 400),
        ({"path": "other", "dataPath": {"dataStoreName": "nowhere", "relativePath": "x"}}, 404),
    ],
)
def test_what_cannot_be_registered_is_refused(plane: Plane, change: dict[str, Any], status: int) -> None:
    """A path that is taken, an origin or a datastore that is none, no path."""
    body = {"origin": "ExperimentRun", "container": "dcid.r1", "path": "a"}
    plane.document("artifact", "POST", "/artifacts/register", body=body)

    assert plane("artifact", "POST", "/artifacts/register", body=body | change).status_code == status


def test_bytes_go_through_the_service_too(plane: Plane) -> None:
    """POST and GET of `content`."""
    door = "/artifacts/ExperimentRun/dcid.r1/content"
    url = f"https://{plane.region}.api.azureml.ms/artifact/v2.0{plane.path}{door}"
    plane.session.post(url, params={"path": "outputs/a"}, data=b"\x00\xff", timeout=30).raise_for_status()

    assert plane("artifact", "GET", door, {"path": "outputs/a"}).content == b"\x00\xff"


def test_azureml_cores_forms_have_the_address_last(plane: Plane) -> None:
    """The same answers as those that have it first."""
    own = "ExperimentRun/dcid.r1"
    made = plane.document("artifact", "POST", f"/artifacts/batch/metadata/{own}", body={"paths": [{"path": "logs/a"}]})
    url = made["artifactContentInformation"]["logs/a"]["contentUri"]
    requests.put(url, b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=30).raise_for_status()

    def old(door: str) -> Any:
        return plane("artifact", "GET", f"/artifacts/{door}/{own}/logs/a")

    def new(door: str) -> Any:
        return plane("artifact", "GET", f"/artifacts/{own}/{door}", {"path": "logs/a"})

    assert old("metadata").json() == new("metadata").json()
    assert old("content").content == new("content").content == b"x"
    for door in ("contentinfo", "write"):
        assert old(door).json()["path"] == new(door).json()["path"] == "logs/a"
    listed = plane.document("artifact", "GET", f"/artifacts/prefix/contentinfo/{own}/logs")["value"]
    assert [requests.get(each["contentUri"], timeout=30).content for each in listed] == [b"x"]


def test_entries_are_read_by_their_ids(plane: Plane) -> None:
    """Missing ones stand in `errors`."""
    create(plane, "outputs/a")
    ids = ["ExperimentRun/dcid.r1/outputs/a", "ExperimentRun/dcid.r1/outputs/b"]

    answer = plane.document("artifact", "POST", "/artifacts/batch/metadata", body={"artifactIds": ids})

    assert (list(answer["artifacts"]), list(answer["errors"])) == (ids[:1], ids[1:])


def test_deleting_many_is_all_or_nothing(plane: Plane) -> None:
    """One that is missing refuses all."""
    create(plane, "a", "b")
    door = "/artifacts/ExperimentRun/dcid.r1/batch/metadata:delete"

    assert plane("artifact", "POST", door, body={"paths": [{"path": "a"}, {"path": "x"}]}).status_code == 404
    assert plane("artifact", "POST", door, body={"paths": [{"path": "a"}]}).status_code == 200

    listed = plane.document("artifact", "GET", "/artifacts/ExperimentRun/dcid.r1")["value"]
    assert [each["path"] for each in listed] == ["b"]
