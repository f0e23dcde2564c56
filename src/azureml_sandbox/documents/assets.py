"""ARM's documents of assets. Pure."""

from __future__ import annotations

from azureml_sandbox.world import Document, Workspace


def container(workspace: Workspace, kind: str, name: str, version: str, system_data: Document) -> Document:
    """The container of a version that was written last; of a component it is answered otherwise."""
    following = str(int(version) + 1) if version.isdecimal() else None
    unset: Document = {"description": None, "tags": {}, "properties": {}, "isArchived": False}
    return {
        "id": f"{workspace.arm_id}/{kind}/{name}",
        "name": name,
        "type": f"Microsoft.MachineLearningServices/workspaces/{kind}",
        "properties": unset | {"latestVersion": version, "nextVersion": following},
        "systemData": system_data,
    }


def output_data(workspace: Workspace, name: str, version: str, data: Document, system_data: Document) -> Document:
    """The data that a job's output was registered as; its nulls are recorded (pipe-details-completed 76-79)."""
    unset = dict.fromkeys(("description", "tags", "properties", "autoDeleteSetting", "stage", "intellectualProperty"))
    return {
        "id": f"{workspace.arm_id}/data/{name}/versions/{version}",
        "name": version,
        "type": "Microsoft.MachineLearningServices/workspaces/data/versions",
        "properties": unset | {"isArchived": False, "isAnonymous": False} | data,
        "systemData": system_data,
    }
