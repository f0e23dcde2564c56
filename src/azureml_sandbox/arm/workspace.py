"""ARM's routes that read the workspace and its computes; and the list of all of ARM's routes.

Bodies and the empty 404 are recorded.
"""

from __future__ import annotations

from starlette.responses import Response

from azureml_sandbox.arm import asset_lists, assets, containers, datastores, jobs, submission
from azureml_sandbox.arm.wire import put_on
from azureml_sandbox.documents import computes
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import Document, Workspace

_NOT_SET = "0001-01-01T00:00:00Z"


async def workspace(call: Call) -> Response:
    """GET the workspace."""
    return arm_answer(_workspace(call.workspace))


async def compute(call: Call) -> Response:
    """GET computes/{name}; 404 has an empty body (recorded)."""
    found = computes.compute(call.world, call.workspace, call.path("name"))
    return arm_answer(found) if found is not None else Response(status_code=404)


def _workspace(workspace: Workspace) -> Document:
    group = f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"
    return {
        "id": workspace.arm_id,
        "name": workspace.name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": workspace.region,
        "tags": {},
        "etag": None,
        "properties": {
            "friendlyName": workspace.name,
            "description": "",
            "storageAccount": f"{group}/providers/Microsoft.Storage/storageAccounts/{workspace.account}",
            "keyVault": f"{group}/providers/Microsoft.Keyvault/vaults/{workspace.account}",
            "applicationInsights": f"{group}/providers/Microsoft.insights/components/{workspace.account}",
            "containerRegistry": None,
            "hbiWorkspace": False,
            "tenantId": workspace.tenant_id,
            "imageBuildCompute": None,
            "provisioningState": "Succeeded",
            "managedNetwork": None,
            "v1LegacyMode": False,
            "softDeleteEnabled": False,
            "creationTime": _NOT_SET,
            "notebookInfo": None,
            "storageHnsEnabled": False,
            "workspaceId": workspace.guid,
            "linkedModelInventoryArmId": None,
            "privateLinkCount": 0,
            "publicNetworkAccess": "Enabled",
            "discoveryUrl": f"{workspace.api}/discovery",
            "mlFlowTrackingUri": f"azureml://{workspace.region}.api.azureml.ms/mlflow/v1.0{workspace.arm_id}",
            "sdkTelemetryAppInsightsKey": None,
            "sasGetterUri": "",
            "enableDataIsolation": False,
        },
        "identity": {"type": "SystemAssigned", "principalId": workspace.guid, "tenantId": workspace.tenant_id},
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "systemData": {"createdAt": _NOT_SET, "createdBy": "sandbox", "createdByType": "Application"},
    }


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    put_on(routes, "GET", "", workspace)
    put_on(routes, "GET", "/computes/{name}", compute)
    return (
        *routes,
        *asset_lists.ROUTES,
        *datastores.ROUTES,
        *jobs.ROUTES,
        *submission.ROUTES,
        *assets.ROUTES,
        *containers.ROUTES,
    )


ROUTES = _routes()
