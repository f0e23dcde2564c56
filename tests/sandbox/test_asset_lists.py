"""Lists of assets: their order, their pages, what archiving hides, and the labels that stand for versions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import CommandComponent, Data, Environment
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import EnvironmentCredential

from sandbox.jobs import API, ENVIRONMENT, Jobs, jobs
from sandbox.plane import Plane

__all__ = ["jobs"]

URI = "azureml://datastores/workspaceblobstore/paths/a.csv"


@pytest.fixture
def client(plane: Plane) -> MLClient:
    """azure-ai-ml, unmodified."""
    names = plane.workspace.subscription_id, plane.workspace.resource_group, plane.workspace.workspace_name
    return MLClient(EnvironmentCredential(), *names)


def register(client: MLClient, name: str, version: str) -> Any:
    return client.components.create_or_update(
        CommandComponent(name=name, version=version, command="true", environment=ENVIRONMENT)
    )


def names(page: dict[str, Any]) -> list[str]:
    return [item["name"] for item in page["value"]]


def test_versions_come_newest_first(client: MLClient, plane: Plane) -> None:
    """Recorded: data-archive-restore 10, env-archive-restore-version 2."""
    for version in ("1", "2"):
        client.data.create_or_update(Data(name="d", version=version, type="uri_file", path=URI))
        client.environments.create_or_update(Environment(name="e", version=version, image="x:1"))
        register(client, "c", version)

    assert [names(plane.arm(f"/{path}/versions")) for path in ("data/d", "environments/e", "components/c")] == [
        ["2", "1"]
    ] * 3


def test_containers_come_newest_first_but_those_of_models(client: MLClient, plane: Plane) -> None:
    """Recorded: component-list-paging 1 begins with the newest, model-list-paging 0 with the oldest."""
    for name in ("c1", "c2"):
        register(client, name, "1")

    assert names(plane.arm("/components")) == ["c2", "c1"]


def test_top_is_the_size_of_a_page(client: MLClient, plane: Plane) -> None:
    """`$orderBy=createdtime desc&$top=1`: the newest, and a link to the others that repeats the query."""
    for version in ("1", "2"):
        register(client, "c", version)

    first = plane.arm("/components/c/versions", **{"$orderBy": "createdtime desc", "$top": "1"})
    second = plane.session.get(first["nextLink"], timeout=30).json()

    assert (names(first), names(second), list(second)) == (["2"], ["1"], ["value"])
    assert "$orderBy=createdtime+desc" in first["nextLink"].replace("%24", "$")
    assert client.components.get("c", label="latest").version == "2"


def test_a_long_list_of_versions_goes_on_where_it_ended(client: MLClient, plane: Plane) -> None:
    """Forty to a page; newest first on each."""
    made = [str(number) for number in range(45)]
    for version in made:
        properties = {"properties": {"dataType": "uri_file", "dataUri": URI}}
        plane.document("arm", "PUT", f"/data/d/versions/{version}", API, properties)

    assert [found.version for found in client.data.list("d")] == made[::-1]


def test_archived_versions_are_listed_when_asked_for(client: MLClient, plane: Plane) -> None:
    """Recorded: data-archive-restore 12-16, env-archive-restore-version 4-8."""
    for version in ("1", "2"):
        client.environments.create_or_update(Environment(name="e", version=version, image="x:1"))

    client.environments.archive("e", "1")
    hidden = plane.arm("/environments/e/versions")
    shown = {view: names(plane.arm("/environments/e/versions", listViewType=view)) for view in ("All", "ArchivedOnly")}
    client.environments.restore("e", "1")

    assert (names(hidden), shown) == (["2"], {"All": ["2", "1"], "ArchivedOnly": ["1"]})
    assert names(plane.arm("/environments/e/versions")) == ["2", "1"]


@pytest.mark.parametrize(
    ("asked", "status"), [({"listViewType": "Some"}, 400), ({"$top": "0"}, 400), ({"$orderBy": "modifiedtime"}, 501)]
)
def test_what_a_list_does_not_understand_is_not_ignored(plane: Plane, asked: dict[str, str], status: int) -> None:
    """Refused, or said to be missing here."""
    assert plane("arm", "GET", "/data/d/versions", API | asked).status_code == status


def test_a_component_container_names_no_version(client: MLClient, plane: Plane) -> None:
    """Recorded in component-list-paging 1: a null, and the time of the request."""
    register(client, "c", "7")

    for properties in (plane.arm("/components/c")["properties"], plane.arm("/components")["value"][0]["properties"]):
        assert properties["latestVersion"] is None
        assert re.fullmatch(r"\d{4}(-\d\d){5}-\d{7}", properties["nextVersion"])


def test_the_label_default_is_the_newest_version(client: MLClient, plane: Plane) -> None:
    """Under the label's id, with the version's name (azure-sdk-for-python: test_component_with_default_label)."""
    for version in ("0.0.1", "0.0.2"):
        register(client, "c", version)

    answer = plane.arm("/components/c/versions/azureml_default")

    assert (answer["id"], answer["name"]) == (f"{plane.path}/components/c/labels/default", "0.0.2")
    assert client.components.get("c").version == client.components.get("c", label="default").version == "0.0.2"
    with pytest.raises(ResourceNotFoundError, match="Not found component x"):
        client.components.get("x", version="azureml_default")


def test_a_node_may_name_a_label(client: MLClient, jobs: Jobs) -> None:
    """`…/labels/default` is found, another label is not."""
    register(client, "c", "1")
    node = {"componentId": f"{jobs.plane.path}/components/c/labels/default"}

    made = jobs.put("p", jobType="Pipeline", jobs={"a": node})
    other = jobs.put("q", jobType="Pipeline", jobs={"a": {"componentId": node["componentId"] + "s"}})

    assert (made.status_code, other.status_code) == (201, 404)
