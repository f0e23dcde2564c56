"""ARM's datastores: the two that every workspace has, and those that were made or loaded.

Recorded: 201 and 200 to a PUT, its answer without secrets and with filled in keys, `listSecrets` of what was sent, 200
to a DELETE, the newest first in the list (datastore-blob 0-8, datastore-gen2-credentialless). From mfe-2024-04-01.json:
what cannot be changed. Assumptions: without `skipValidation` the account has to be one that exists here; the two that
every workspace has are neither changed nor deleted; the words of these refusals.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from azureml_sandbox.arm.assets import named
from azureml_sandbox.arm.wire import arm_page, put_on, skipped
from azureml_sandbox.assets.store import system_data
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import bodies, errors
from azureml_sandbox.protocol.bodies import arm_answer
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import ARTIFACT_STORE, BLOB_STORE, Document, Listing, Workspace

_PAGE = 30
_SECRETS = "secrets"
"""The version under which a secret is kept: no list shows versions of datastores."""
_CREDENTIALS = frozenset({"AccountKey", "Certificate", "None", "Sas", "ServicePrincipal"})
_PLACES: Mapping[str, tuple[str, ...]] = {
    "AzureBlob": ("accountName", "containerName"),
    "AzureFile": ("accountName", "fileShareName"),
    "AzureDataLakeGen1": ("storeName",),
    "AzureDataLakeGen2": ("accountName", "filesystem"),
    "OneLake": ("oneLakeWorkspaceName", "artifact"),
}
"""What says where each type leads."""
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
    kept = call.world.assets.get(call.workspace.guid, "datastores", call.path("name"), _SECRETS)
    if kept is not None:
        return arm_answer(kept)
    account = properties["accountName"]
    if account not in call.storage.accounts:
        raise errors.not_found("Storage account", account)
    asked = await bodies.body(call)
    if not asked.get("expirableSecret") or call.path("name") == ARTIFACT_STORE:
        return arm_answer({"secretsType": "AccountKey", "key": call.storage.account_key(account)})
    hours = asked.get("expireAfterHours") or _SAS_HOURS
    sas = call.storage.keyed_sas(account, _SAS_PERMISSIONS, hours)
    return arm_answer({"secretsType": "Sas", "sasToken": sas})


async def put(call: Call) -> Response:
    """PUT datastores/{name}?skipValidation=."""
    name, assets, guid = named(call), call.world.assets, call.workspace.guid
    given: Document = bodies.part(await bodies.body(call), "properties", "object") or {}
    before = next((document for document in _all(call) if document["name"] == name), None)
    if name in call.workspace.containers:
        raise errors.conflict(f"Datastore {name} belongs to the workspace, it cannot be changed.")
    properties, secret = _accepted(call, given, before)
    document = {
        "id": f"{call.workspace.arm_id}/datastores/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/datastores",
        "properties": properties,
        "systemData": system_data(call, before),
    }
    with call.world.transaction():
        assets.put(guid, "datastores", name, document)
        assets.delete(guid, "datastores", name, _SECRETS)
        if secret:
            assets.put(guid, "datastores", name, secret, _SECRETS)
    return arm_answer(document, 201 if before is None else 200)


def _accepted(call: Call, given: Document, before: Document | None) -> tuple[Document, Document | None]:
    """The properties that are answered, and the secret. Raises Refused (400)."""
    kind, credentials = str(given.get("datastoreType")), dict(bodies.part(given, "credentials", "object") or {})
    secret = credentials.pop("secrets", None)
    if kind not in _PLACES or credentials.get("credentialsType") not in _CREDENTIALS:
        raise _wrong(f"The datastoreType {kind} or its credentialsType is not valid.")
    missing = [key for key in _PLACES[kind] if not given.get(key)]
    if missing or (credentials["credentialsType"] != "None" and not secret):
        raise _wrong(f"{', '.join(missing or ['secrets'])} is required.")
    fixed = ("datastoreType", *_PLACES[kind])
    if before is not None and any(before["properties"].get(key) != given[key] for key in fixed):
        raise _wrong("Where a datastore leads cannot be changed.")
    validated = call.request.query_params.get("skipValidation", "false").lower() != "true"
    if validated and given.get("accountName") not in call.storage.accounts:
        raise _wrong(f"The account of datastore {call.path('name')} could not be reached.")
    unset: Document = {"description": None, "tags": {}, "properties": None, "isDefault": False}
    filled = {"endpoint": "core.windows.net", "protocol": "https", "serviceDataAccessAuthIdentity": "None"}
    return unset | filled | given | {"isDefault": False, "credentials": credentials}, secret


def _wrong(words: str) -> Refused:
    return Refused(400, words, ("UserError", "BadArgument", "ArgumentInvalid"))


async def delete(call: Call) -> Response:
    """DELETE datastores/{name}: 200, or 204 where there is none (mfe-2024-04-01.json)."""
    name, assets, guid = call.path("name"), call.world.assets, call.workspace.guid
    if name in call.workspace.containers:
        raise errors.conflict(f"Datastore {name} belongs to the workspace, it cannot be deleted.")
    if assets.get(guid, "datastores", name) is None:
        return Response(status_code=204)
    assets.delete(guid, "datastores", name)
    assets.delete(guid, "datastores", name, _SECRETS)
    return Response(status_code=200)


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
    others = call.world.assets.page(call.workspace.guid, "datastores", Listing(newest_first=True, limit=1000))
    return [document for _, document in others if document["name"] not in names] + own


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
    put_on(routes, "PUT", "/datastores/{name}", put, "write")
    put_on(routes, "DELETE", "/datastores/{name}", delete, "write")
    put_on(routes, "POST", "/datastores/{name}/listSecrets", secrets)
    return tuple(routes)


ROUTES = _routes()
