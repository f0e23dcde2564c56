"""The names under which documents mean a workspace, of the text that names it."""

from __future__ import annotations

from azureml_replay.azure.place import azure_place, names_of
from azureml_replay.azure.wire.naming import Scope
from azureml_replay.workspace.place import Place


def scope_named(workspace: str) -> Scope:
    """Of `subscription/resource-group/name`; one that nothing is in for any other text."""
    parts = workspace.split("/")
    return scope_at(azure_place(*parts)) if len(parts) == 3 else Scope(subscription="", group="", workspace="")


def scope_at(place: Place) -> Scope:
    """Of a workspace."""
    subscription, group, workspace = names_of(place)
    return Scope(subscription=subscription, group=group, workspace=workspace)
