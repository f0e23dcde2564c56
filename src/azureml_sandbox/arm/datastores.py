"""ARM's datastores: the two that every workspace has, and those that were loaded."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from azureml_sandbox.arm.wire import arm_page, put_on, skipped
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import bodies, errors
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import ARTIFACT_STORE, BLOB_STORE, Document, Listing, Workspace

_PAGE = 30
_SAS_PERMISSIONS = "rwdlac"
_SAS_HOURS = 8


async def datastores(call: Call) -> Response:
    """GET datastores?count=&isDefault=&names=&orderByAsc=: `searchText` and `orderBy` are refused (400)."""
    asked = call.request.query_params
    unsupported = [key for key in ("searchText", "orderBy") if key in asked]
    if unsupported:
        raise errors.invalid(f"{', '.join(unsupported)} cannot be understood here.")
    every = list(enumerate((document for document in _all(call) if _wanted(document, asked)), start=1))
    size, after = _size(asked.get("count")), skipped(call)
    return arm_answer(arm_page(call, every[after : after + size + 1], size))


async def datastore(call: Call) -> Response:
    """GET datastores/{name}."""
    return arm_answer(_found(call))


async def secrets(call: Call) -> Response:
    """POST datastores/{name}/listSecrets: a SAS where `expirableSecret` is asked for, else the account's key.

    The SAS opens each container of the account, as the key does.

    The artifact store answers its key in any case: azure-ai-ml 1.35 asks for an expirable secret there too, and signs
    the log URLs of a running job with what it gets, which only a key can do.
    """
    properties = _found(call)["properties"]
    if properties["credentials"]["credentialsType"] == "None":
        raise Refused(400, "No secrets for credentials of type None.", ("UserError", "BadArgument"))
    account = properties["accountName"]
    if account not in call.storage.accounts:
        raise errors.not_found("Storage account", account)
    asked = await bodies.body(call)
    if not asked.get("expirableSecret") or call.path("name") == ARTIFACT_STORE:
        return arm_answer({"secretsType": "AccountKey", "key": call.storage.account_key(account)})
    hours = asked.get("expireAfterHours") or _SAS_HOURS
    sas = call.storage.keyed_sas(account, _SAS_PERMISSIONS, hours)
    return arm_answer({"secretsType": "Sas", "sasToken": sas})


def _size(count: str | None) -> int:
    if count is None:
        return _PAGE
    if not count.isdecimal() or int(count) == 0:
        raise errors.invalid(f"count {count} must be a positive number.")
    return int(count)


def _found(call: Call) -> Document:
    name = call.path("name")
    found = next((document for document in _all(call) if document["name"] == name), None)
    if found is None:
        raise Refused(404, f"Could not find datastore: {name}.", ("UserError", "NotFoundError"))
    return found


def _all(call: Call) -> list[Document]:
    credentials = "None" if "no-shared-keys" in strict(call) else "AccountKey"
    own = [_own(call.workspace, *each, credentials) for each in call.workspace.containers.items()]
    names = {document["name"] for document in own}
    loaded = call.world.assets.page(call.workspace.guid, "datastores", Listing(limit=1000))
    return own + [document for _, document in loaded if document["name"] not in names]


def _wanted(document: Document, asked: Mapping[str, str]) -> bool:
    only_default = asked.get("isDefault")
    names = asked.get("names")
    return (names is None or document["name"] in names.split(",")) and (
        only_default is None or document["properties"]["isDefault"] == (only_default.lower() == "true")
    )


def _own(workspace: Workspace, name: str, container: str, credentials: str) -> Document:
    """A datastore that the service made; its null `tags` and `properties` are recorded."""
    default = name == BLOB_STORE
    return {
        "id": f"{workspace.arm_id}/datastores/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/datastores",
        "properties": {
            "description": None,
            "tags": None,
            "properties": None,
            "isDefault": default,
            "credentials": {"credentialsType": credentials},
            "datastoreType": "AzureBlob",
            "accountName": workspace.account,
            "containerName": container,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity" if default else "None",
        },
        "systemData": {"createdAt": "0001-01-01T00:00:00+00:00", "lastModifiedAt": "0001-01-01T00:00:00+00:00"},
    }


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    put_on(routes, "GET", "/datastores", datastores)
    put_on(routes, "GET", "/datastores/{name}", datastore)
    put_on(routes, "POST", "/datastores/{name}/listSecrets", secrets)
    return tuple(routes)


ROUTES = _routes()
