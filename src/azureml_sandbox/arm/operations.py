"""URLs of long operations: they lie below a location and name their workspace by its guid (recorded)."""

from __future__ import annotations

import re

from azureml_sandbox.world import World

_OPERATION = re.compile(
    r"/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+"
    r"(/mfeOperationResults/\w+:([0-9a-f-]{36}):[^/]+)",
    re.IGNORECASE,
)


def within(path: str, world: World) -> str:
    """The path as if the operation lay in its workspace; any other path as it is."""
    found = _OPERATION.fullmatch(path)
    if found is None:
        return path
    homes = (each.arm_id for each in world.workspaces() if each.guid == found[2].lower())
    return next((f"{home}{found[1]}" for home in homes), path)
