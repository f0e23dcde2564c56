"""The assets that stand for a run's inputs and outputs: their names and ids.

Recorded: the names of data (pipe-child-run-download, pipe-details-completed) and of models (model-list-paging 0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from azureml_sandbox.assets.documents import container, version_of
from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Document, Kind, Workspace, World

Way = Literal["input", "output"]

_ID = re.compile(
    r"azureml://locations/[^/]+/workspaces/(?P<guid>[^/]+)/(?P<kind>data|models)/(?P<name>[^/]+)/versions/(?P<version>.+)"
)
_OF_RUN = re.compile(r"azureml_(?P<run>.+)_(?:input|output)_data_.+")


@dataclass(frozen=True, slots=True)
class Address:
    """What an asset's id names."""

    kind: Kind
    name: str
    version: str

    @property
    def run_id(self) -> str | None:
        """The run that the data stands for an input or output of; None where it is named otherwise."""
        found = _OF_RUN.fullmatch(self.name)
        return found["run"] if found else None


def parse(workspace: Workspace, asset_id: str) -> Address | None:
    """The address in an id; None where it is of another form, or another workspace."""
    found = _ID.fullmatch(asset_id)
    if found is None or found["guid"] != workspace.guid:
        return None
    return Address("data" if found["kind"] == "data" else "models", found["name"], found["version"])


def asset_id(workspace: Workspace, kind: Kind, name: str, version: str = "1") -> str:
    """The id of a version (form recorded)."""
    return f"azureml://locations/{workspace.region}/workspaces/{workspace.guid}/{kind}/{name}/versions/{version}"


def data_name(run_id: str, way: Way, port: str) -> str:
    """The name of the data of an input or output."""
    return f"azureml_{run_id}_{way}_data_{port}"


def model_name(run_id: str, way: Way, port: str) -> str:
    """The name of the model of an output (recorded); of an input likewise (assumption)."""
    return f"azureml_{run_id}_{way}_{port}"


def put_data(world: World, workspace: Workspace, name: str, uri: str, kind: str) -> Document:
    """Make the data of an input or output: a version without a container, so that no list shows it."""
    properties: Document = {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": True}
    told = properties | {"dataUri": long_uri(workspace, uri), "dataType": kind}
    document = version_of(workspace, "data", name, "1", properties=told, system_data={})
    world.assets.put(workspace.guid, "data", name, document, "1")
    return document


def put_model(world: World, workspace: Workspace, name: str, properties: Document, system_data: Document) -> Document:
    """Make the model of an input or output: its container is listed without a version (model-list-paging 0)."""
    told: Document = {"description": None, "tags": {}, "properties": {}, "isArchived": False, "isAnonymous": True}
    document = version_of(workspace, "models", name, "1", properties=told | properties, system_data=system_data)
    world.assets.put(workspace.guid, "models", name, document, "1")
    world.assets.put(workspace.guid, "models", name, container(workspace, "models", name, system_data))
    return document


def output_uri(world: World, workspace: Workspace, run_id: str, output: str) -> str | None:
    """Where an output lies; None where nothing stands for it."""
    data = world.assets.get(workspace.guid, "data", data_name(run_id, "output", output), "1")
    model = world.assets.get(workspace.guid, "models", model_name(run_id, "output", output), "1")
    found = (data or {}).get("properties", {}).get("dataUri") or (model or {}).get("properties", {}).get("modelUri")
    return str(found) if found else None


def put_default(world: World, workspace: Workspace, run: Document) -> str:
    """Make the data that stands for a run's own files; returns its id."""
    name = data_name(run["runId"], "output", "default")
    uri = f"azureml://datastores/{ARTIFACT_STORE}/paths/{RUN_ORIGIN}/{run['dataContainerId']}/"
    put_data(world, workspace, name, uri, "uri_folder")
    return asset_id(workspace, "data", name)
