"""Long operations: their URLs lie below a location and name their workspace by its guid (recorded)."""

from __future__ import annotations

import re

from starlette.responses import Response

from azureml_sandbox.arm.wire import version
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.route import Call
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


def accepted(call: Call, operation_id: str, document: object = None) -> Response:
    """202 with the address at which the operation is asked about."""
    workspace = call.workspace
    place = (
        f"https://management.azure.com/subscriptions/{workspace.subscription_id}/providers"
        f"/Microsoft.MachineLearningServices/locations/{workspace.region}/mfeOperationResults/{operation_id}"
    )
    answer = arm_answer(document, 202)
    answer.headers["Location"] = f"{place}?api-version={version(call)}"
    answer.headers["x-ms-async-operation-timeout"] = "PT1H"
    return answer
