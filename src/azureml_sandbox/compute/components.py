"""Finds the components that jobs are made of, by the ids that clients use."""

from __future__ import annotations

import re

from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.world import Document, Workspace, World

_ID = re.compile(r"(?:azureml:)?/subscriptions/.+/components/([^/]+)/(versions|labels)/([^/]+)", re.IGNORECASE)
_NAMED = re.compile(r"azureml:([^:/@]+)([:@])([^:/@]+)")


def component(world: World, workspace: Workspace, component_id: str) -> Document:
    """The component's ARM document, a pipeline's graph included. Raises Refused (404) in the recorded words."""
    named = _ID.fullmatch(component_id) or _NAMED.fullmatch(component_id)
    found = _of(world, workspace, named) if named else None
    if found is None:
        what = f"{named[1]} (version: {named[3]})" if named else component_id
        raise Refused(404, f"key: {component_id}, Message: Not found component {what}.", ("NotFound",))
    return found


def labelled(world: World, workspace: Workspace, name: str, label: str) -> Document | None:
    """The version that a component's label means; `default` is the one made last (assumption), others do not exist."""
    return world.assets.newest(workspace.guid, "components", name) if label == "default" else None


def _of(world: World, workspace: Workspace, named: re.Match[str]) -> Document | None:
    if named[2].lower() in {"labels", "@"}:
        return labelled(world, workspace, named[1], named[3])
    return world.assets.get(workspace.guid, "components", named[1], named[3])
