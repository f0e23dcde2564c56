"""ARM's routes that write assets, which a submission brings along: codes, environments, components and data.

Recorded: PUT of each, new (201) and taken (200), the answer's changes, `hash`, the refusal of a changed component;
`startPendingUpload` from its recorded description. A code keeps the `codeUri` that it came with, whatever a second PUT
says and though it answers 200 (recorded twice, in recordings that are not shared: assets.md 1.1).
"""

from __future__ import annotations

import json
import re
from uuid import uuid4

import yaml  # type: ignore[import-untyped]
from starlette.responses import Response

from azureml_sandbox.arm.component_spec import kept
from azureml_sandbox.arm.wire import put_on
from azureml_sandbox.arm.wire import version as version_asked
from azureml_sandbox.assets import models, store
from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.history.access import strict
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.bodies import arm_answer, body, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Handler, Spoken
from azureml_sandbox.world import Document, Kind

ANONYMOUS = "azureml_anonymous"
_SAS_HOURS = 8
_ENVIRONMENT = ("image", "condaFile", "build", "osType")
"""The keys that make two environments different."""
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}")
_DATA = frozenset({"uri_file", "uri_folder", "mltable"})
_COMMON = ("description", "tags", "properties", "isArchived", "isAnonymous")
_DATA_KEYS = frozenset({*_COMMON, "dataUri", "dataType", "autoDeleteSetting", "stage"})
_FEW_TAGS = 15
"""With the variant `few-asset-tags`: what Azure Resource Manager documents of resources of its own."""
_REFERENCED = ("referencedUris", "mltable")
STAGED = "2023-04-01-preview"
"""The first version that has a model's `stage`, and the first that leaves an MLflow model where it lies (recorded)."""
_LATEST = re.compile(r"azureml:([^:/@]+)@latest")
_IMMUTABLE = ("code", "command", "environment", "inputs", "outputs", "type", "jobs")


async def pending_upload(call: Call) -> Response:
    """POST codes/{name}/versions/{v}/startPendingUpload: a container of its own, and a SAS for it."""
    container, account = f"{uuid4().hex[:8]}-{uuid4()}", call.workspace.account
    await call.storage.create_container(account, container)
    url = call.storage.sas_url(account, container, None, "rwlac", _SAS_HOURS)
    plain, _, sas = url.partition("?")
    blob_uri = plain.replace(".net/", ".net:443/", 1)
    group = f"/subscriptions/{call.workspace.subscription_id}/resourceGroups/{call.workspace.resource_group}"
    return arm_answer(
        {
            "blobReferenceForConsumption": {
                "blobUri": blob_uri,
                "storageAccountArmId": f"{group}/providers/Microsoft.Storage/storageAccounts/{account}",
                "credential": {"credentialType": "SAS", "sasUri": f"{blob_uri}?{sas}"},
            },
            "pendingUploadId": str(uuid4()),
            "pendingUploadType": "None",
        }
    )


async def code(call: Call) -> Response:
    """PUT codes/{name}/versions/{v}: comes back as not anonymous, its values as strings (recorded)."""
    given = await _given(call)
    values = {key: str(value) for key, value in given["properties"].items()}
    there = _there(call, "codes")
    uri = there["properties"]["codeUri"] if there is not None else given.get("codeUri")
    changes = {"codeUri": uri, "isAnonymous": False, "properties": values, "provisioningState": "Succeeded"}
    return _stored(call, "codes", given | changes)


async def environment(call: Call) -> Response:
    """PUT environments/{name}/versions/{v}: `condaFile` goes in as YAML and comes back as indented JSON (recorded).

    Raises Refused (409) where another environment has the version: azure-ai-ml then takes the next one (its source).
    """
    given = await _given(call)
    conda = given.get("condaFile")
    try:
        text = json.dumps(yaml.safe_load(conda), indent=2) if conda else ""
    except yaml.YAMLError as wrong:
        raise Refused(400, f"condaFile: {wrong}", ("UserError", "BadArgument", "InvalidCondaFile")) from wrong
    filled = {"environmentType": "UserCreated", "osType": "Linux", "autoRebuild": "Disabled", "stage": "Development"}
    made = filled | given | {"condaFile": text, "provisioningState": "Succeeded"}
    made["osType"] = str(made["osType"] or "Linux").capitalize()  # sent as `linux` too, which is the same
    name, version, there = call.path("name"), call.path("asset_version"), _there(call, "environments")
    may_not = there is not None and not store.may_change(call)
    if there is not None and may_not and any(there["properties"].get(key) != made.get(key) for key in _ENVIRONMENT):
        raise errors.conflict(f"Environment {name}:{version} already exists, it cannot be changed.")
    return _stored(call, "environments", made)


async def data(call: Call) -> Response:
    """PUT data/{name}/versions/{v}: a short datastore URI comes back long, a folder's with `/` at its end.

    What was sent as anonymous comes back as not anonymous (both: automl-image-object-detection 4). `referencedUris` of
    a table are kept as sent. Assumptions: a key that azure-ai-ml's interface does not know is dropped; the words of a
    type that is none.
    """
    given = await _given(call)
    uri, kind = given.get("dataUri"), given.get("dataType")
    if not isinstance(uri, str) or not uri:
        raise Refused(400, "The DataUri field is required.", ("UserError", "BadArgument", "ArgumentBlankOrEmpty"))
    if kind not in _DATA:
        raise Refused(400, f"The DataType {kind} is not valid.", ("UserError", "BadArgument", "ArgumentInvalid"))
    folder = kind == "uri_folder" and uri.startswith("azureml:") and not uri.endswith("/")
    placed = {"dataUri": long_uri(call.workspace, uri) + ("/" if folder else ""), "isAnonymous": False}
    made = {key: value for key, value in given.items() if key in _DATA_KEYS or (key, kind) == _REFERENCED} | placed
    table = _REFERENCED[:1] if kind == "mltable" else ()
    store.same_paths(call, _there(call, "data"), made, "dataUri", "dataType", *table)
    return _stored(call, "data", made, listed=not given["isAnonymous"])


async def model(call: Call) -> Response:
    """PUT models/{name}/versions/{v}: `assets/models.py` says what becomes of it."""
    given, told = await _given(call), version_asked(call)
    made = await models.put_by_arm(call, given, _there(call, "models"), staged=told >= STAGED, copied=told < STAGED)
    return _stored(call, "models", made)


async def component(call: Call) -> Response:
    """PUT components/{name}/versions/{v}.

    An anonymous one is answered, and kept, under another guid than the URL's (2,010 times recorded; here the same one
    for the same URL). A pipeline's graph is not in the answer (recorded), though it is kept.
    """
    given = await _given(call)
    spec: Document = part(given, "componentSpec", "object") or {}
    name, version = call.path("name"), call.path("asset_version")
    if name == ANONYMOUS:
        version = stable_guid(ANONYMOUS, version)
    made = given | {"description": None, "componentSpec": kept(_resolved(call, spec), version)}
    stored = call.world.assets.get(call.workspace.guid, "components", name, version)
    if stored is not None and not store.may_change(call):
        _unchanged(name, stored["properties"]["componentSpec"], made["componentSpec"])
    made["properties"] = store.appended(stored, made["properties"])
    answer = store.put(call, "components", name, version, made, listed=not made["isAnonymous"])
    return arm_answer(graphless(answer), 200 if stored is not None else 201)


def _resolved(call: Call, spec: Document) -> Document:
    """The specification with its environment's label resolved, as the service does when it is written.

    Recorded of curated ones (schedule-lifetime 0). Assumption: of the workspace's own likewise.
    """
    named = _LATEST.fullmatch(str(spec.get("environment")))
    found = call.world.assets.newest(call.workspace.guid, "environments", named[1]) if named else None
    return spec | {"environment": f"azureml:{found['id']}"} if found is not None else spec


def graphless(component: Document) -> Document:
    """A component without its graph."""
    spec = {key: value for key, value in component["properties"]["componentSpec"].items() if key != "jobs"}
    return component | {"properties": component["properties"] | {"componentSpec": spec}}


def _unchanged(name: str, stored: Document, given: Document) -> None:
    changed = next((key for key in _IMMUTABLE if stored.get(key) != given.get(key)), None)
    if changed is not None:
        raise Refused(
            400,
            f'Failed to update component {name} since field "{changed}" is immutable, try specifying a new version.',
            ("UserError", "BadArgument", "ArgumentInvalid", "UpdateComponentFailed"),
        )


async def _given(call: Call) -> Document:
    """What was sent, its empty maps filled in."""
    named(call)
    given: Document = part(await body(call), "properties", "object") or {}
    filled = {key: part(given, key, "object") or {} for key in ("tags", "properties")}
    if len(filled["tags"]) > _FEW_TAGS and "few-asset-tags" in strict(call):
        raise Refused(400, f"An asset takes at most {_FEW_TAGS} tags.", ("UserError", "BadArgument", "ArgumentInvalid"))
    return {"description": None, "isArchived": False, "isAnonymous": False} | given | filled


def named(call: Call) -> str:
    """The name in the URL. Raises Refused (400) where its form is another than that of mfe-2024-04-01.json."""
    if not _NAME.fullmatch(call.path("name")):
        words = f"The name {call.path('name')} is not valid: {_NAME.pattern}."
        raise Refused(400, words, ("UserError", "BadArgument", "ArgumentInvalid"))
    return call.path("name")


def _there(call: Call, kind: Kind) -> Document | None:
    return call.world.assets.get(call.workspace.guid, kind, call.path("name"), call.path("asset_version"))


def _stored(call: Call, kind: Kind, properties: Document, *, listed: bool | None = None) -> Response:
    name, version, there = call.path("name"), call.path("asset_version"), _there(call, kind)
    # An environment answers 201 to an update too (recorded).
    status = 200 if there is not None and kind != "environments" else 201
    listed = not properties.get("isAnonymous") and kind != "codes" if listed is None else listed
    made = properties | {"properties": store.appended(there, properties["properties"])}
    return arm_answer(store.put(call, kind, name, version, made, listed=listed), status)


def _routes() -> tuple[Spoken, ...]:
    routes: list[Spoken] = []
    handlers: dict[Kind, Handler] = {
        "codes": code,
        "environments": environment,
        "data": data,
        "components": component,
        "models": model,
    }
    for kind, handler in handlers.items():
        put_on(routes, "PUT", f"/{kind}/{{name}}/versions/{{asset_version}}", handler, "write")
    put_on(routes, "POST", "/codes/{name}/versions/{asset_version}/startPendingUpload", pending_upload, "write")
    return tuple(routes)


ROUTES = _routes()
