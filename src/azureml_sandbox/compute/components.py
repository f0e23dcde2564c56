"""Finds the components that jobs are made of, by the ids that clients use."""

from __future__ import annotations

import re

from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.world import Document, Workspace, World

_ID = re.compile(r"(?:azureml:)?/subscriptions/.+/components/([^/]+)/versions/([^/]+)", re.IGNORECASE)
_NAMED = re.compile(r"azureml:([^:/@]+):([^:/]+)")


def component(world: World, workspace: Workspace, component_id: str) -> Document:
    """The component's ARM document, a pipeline's graph included. Raises Refused (404) in the recorded words."""
    named = _ID.fullmatch(component_id) or _NAMED.fullmatch(component_id)
    found = world.assets.get(workspace.guid, "components", named[1], named[2]) if named else None
    if found is None:
        what = f"{named[1]} (version: {named[2]})" if named else component_id
        raise Refused(404, f"key: {component_id}, Message: Not found component {what}.", ("NotFound",))
    return found
