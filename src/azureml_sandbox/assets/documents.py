"""ARM's documents of assets. Pure."""

from __future__ import annotations

from azureml_sandbox.world import Document, Workspace

_TYPE = "Microsoft.MachineLearningServices/workspaces"


def version_of(
    workspace: Workspace, kind: str, name: str, version: str, *, properties: Document, system_data: Document
) -> Document:
    """One version."""
    return {
        "id": f"{workspace.arm_id}/{kind}/{name}/versions/{version}",
        "name": version,
        "type": f"{_TYPE}/{kind}/versions",
        "properties": properties,
        "systemData": system_data,
    }


def container(workspace: Workspace, kind: str, name: str, system_data: Document, **given: object) -> Document:
    """A container without a version, `given` among its properties; that of a component is answered otherwise.

    Recorded: the null and the "1" of a model whose versions nobody registered (model-list-paging 0).
    """
    unset: Document = {"description": None, "tags": {}, "properties": {}, "isArchived": False}
    return {
        "id": f"{workspace.arm_id}/{kind}/{name}",
        "name": name,
        "type": f"{_TYPE}/{kind}",
        "properties": unset | {"latestVersion": None, "nextVersion": "1"} | given,
        "systemData": system_data,
    }


def with_version(container: Document, version: str) -> Document:
    """The container once this version was made: `latestVersion` is the one made last, `nextVersion` counts numbers.

    Recorded: 2 and 3, 5 and 6 of models (model-list-paging 0). Assumption: a text between numbers changes no count.
    """
    properties = container["properties"]
    following = max(int(properties.get("nextVersion") or 1), int(version) + 1 if version.isdecimal() else 1)
    return container | {"properties": properties | {"latestVersion": version, "nextVersion": str(following)}}


def output_data(workspace: Workspace, name: str, version: str, data: Document, system_data: Document) -> Document:
    """The data that a job's output was registered as; its nulls are recorded (pipe-details-completed 76-79)."""
    unset = dict.fromkeys(("description", "tags", "properties", "autoDeleteSetting", "stage", "intellectualProperty"))
    properties = unset | {"isArchived": False, "isAnonymous": False} | data
    return version_of(workspace, "data", name, version, properties=properties, system_data=system_data)
