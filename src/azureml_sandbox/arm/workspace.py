"""ARM's routes that read the workspace, its computes and assets; and the list of all of ARM's routes.

Bodies and 404 texts are recorded unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from azureml_sandbox.arm import assets, datastores, jobs, submission
from azureml_sandbox.arm.wire import arm_page, put_on, skipped
from azureml_sandbox.documents import computes
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.limits import ASSETS_IN_PAGE
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Kind, Workspace

_NOT_SET = "0001-01-01T00:00:00Z"
_VERSIONED: tuple[Kind, ...] = ("codes", "environments", "components", "data", "models")


async def workspace(call: Call) -> Response:
    """GET the workspace."""
    return arm_answer(_workspace(call.workspace))


async def compute(call: Call) -> Response:
    """GET computes/{name}; 404 has an empty body (recorded)."""
    found = computes.compute(call.world, call.workspace, call.path("name"))
    return arm_answer(found) if found is not None else Response(status_code=404)


def _containers(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        after = skipped(call)
        found = call.world.assets.page(call.workspace.guid, kind, after=after, limit=ASSETS_IN_PAGE + 1)
        return arm_answer(arm_page(call, found, ASSETS_IN_PAGE))

    return answering


def _container(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        return arm_answer(_found(call, kind, call.path("name"), ""))

    return answering


def _versions(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        asked = call.request.query_params
        found: Sequence[tuple[int, Document]]
        if kind == "codes" and "hash" in asked:
            # Recorded: the name in the URL does not matter, codes are found by the hash of their bytes.
            found = call.world.assets.codes_of_hash(call.workspace.guid, asked["hash"])
        else:
            found = call.world.assets.versions(
                call.workspace.guid, kind, call.path("name"), after=skipped(call), limit=ASSETS_IN_PAGE + 1
            )
        return arm_answer(arm_page(call, found, ASSETS_IN_PAGE))

    return answering


def _version(kind: Kind) -> Handler:
    async def answering(call: Call) -> Response:
        return arm_answer(_found(call, kind, call.path("name"), call.path("asset_version")))

    return answering


def _found(call: Call, kind: Kind, name: str, version: str) -> Document:
    found = call.world.assets.get(call.workspace.guid, kind, name, version)
    if found is None:
        raise _missing(kind, name, version)
    return found


def _missing(kind: Kind, name: str, version: str) -> Refused:
    """404 in the words of the service behind ARM; all but that of codes are recorded."""
    match kind:
        case "components":
            return Refused(404, f"Not found component {name}.", ("UserError", "NotFound", "ComponentNotFound"))
        case "environments":
            text = f"No environment exists for name: {name}, version: {version}, label: "
            return Refused(404, text, ("UserError", "NotFoundError"))
        case "data":
            text = f"Data version {name}:{version} (dataContainerName:version) not found."
            return Refused(404, text, ("UserError", "NotFoundError"))
        case "models":
            return Refused(404, "The specified resource was not found.", ("UserError", "ModelNotFound"))
        case _:
            return Refused(404, f"{kind} {name}:{version} was not found.", ("UserError", "NotFoundError"))


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
    put_on(routes, "GET", "/computes", _containers("computes"))
    put_on(routes, "GET", "/computes/{name}", compute)
    for kind in _VERSIONED:
        put_on(routes, "GET", f"/{kind}", _containers(kind))
        put_on(routes, "GET", f"/{kind}/{{name}}", _container(kind))
        put_on(routes, "GET", f"/{kind}/{{name}}/versions", _versions(kind))
        put_on(routes, "GET", f"/{kind}/{{name}}/versions/{{asset_version}}", _version(kind))
    return (*routes, *datastores.ROUTES, *jobs.ROUTES, *submission.ROUTES, *assets.ROUTES)


ROUTES = _routes()
