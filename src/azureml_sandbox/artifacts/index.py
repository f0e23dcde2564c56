"""The routes of the artifact index: the list of a run's files, and SAS URLs to their bytes, which lie in Azurite.

Two services show the same index: run history below a run (what azureml-mlflow uses), and `/artifact/v2.0` by
origin and container. Recorded: `register`. From run-history.json and artifact.json: the rest. Assumptions: a path
that is taken is refused; only the index is listed, blobs that nobody registered are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from azureml_sandbox.history.access import may_write, stored_run
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.bodies import SCOPES, Table, answer, body, page, part, position
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import RUN_ORIGIN, Document

COMPONENT = "artifact"

Address = tuple[str, str]

_ORIGINS = frozenset({"ExperimentRun", "LocalUpload", "WebUpload", "Dataset", "ComputeRecord", "Metric", "Unknown"})
_READ, _WRITE, _HOURS = "r", "rcw", 8


async def entries(call: Call) -> Response:
    """GET …/artifacts and {origin}/{container}: the whole index by path, `path` narrows to a folder or file."""
    return answer(_page(call, lambda entry: entry))


async def infos(call: Call) -> Response:
    """GET …/prefix/contentinfo?path=: a read SAS for everything below a path."""
    return answer(_page(call, lambda entry: _info(call, entry, _READ)))


async def info(call: Call) -> Response:
    """GET …/contentinfo?path=: a read SAS. Raises Refused (404) for a path that is not in the index."""
    return answer(_info(call, _entry(call), _READ))


async def entry(call: Call) -> Response:
    """GET …/metadata?path=."""
    return answer(_entry(call))


async def uri(call: Call) -> Response:
    """GET …/artifacturi?path=: a JSON string; its form is azureml-core's `aml://artifactId/…` (assumption)."""
    return answer(f"aml://artifactId/{_entry(call)['artifactId']}")


async def write(call: Call) -> Response:
    """GET {origin}/{container}/write?path=: a write SAS, for promptflow's uploader; the entry is made if missing."""
    path = _path(call)
    found = call.world.artifacts.get(call.workspace.guid, _address(call), path) or _made(call, _address(call), path)
    return answer(_info(call, found, _WRITE))


async def content(call: Call) -> Response:
    """GET {origin}/{container}/content?path=: the bytes, through the service."""
    account, container, blob = _place(call, _entry(call))
    if not await call.storage.exists(account, container, blob):
        raise errors.not_found("Artifact content", blob)
    return Response(await call.storage.read(account, container, blob), media_type="application/octet-stream")


async def upload(call: Call) -> Response:
    """POST {origin}/{container}/content?path=: the bytes in the body, a new entry. A taken path is refused (409)."""
    data = await call.request.body()
    made = _made(call, _address(call), _path(call))
    account, container, blob = _place(call, made)
    await call.storage.put(account, container, blob, data)
    return answer(made)


async def create(call: Call) -> Response:
    """POST …/batch/metadata {paths:[{path}]}: entries and write SAS; refused paths are in `errors`."""
    paths = [_given_path(item) for item in part(await body(call), "paths", "array") or []]
    if len(paths) > limits.ARTIFACTS_IN_REQUEST:
        raise errors.invalid(f"Artifact batch size exceeded the limit of {limits.ARTIFACTS_IN_REQUEST}.")
    made: dict[str, Document] = {}
    refused: dict[str, Document] = {}
    with call.world.transaction():
        for path in paths:
            try:
                made[path] = _made(call, _address(call), path)
            except Refused as no:
                refused[path] = _refusal(call, no)
    return answer(
        {
            "artifacts": made,
            "artifactContentInformation": {path: _info(call, found, _WRITE) for path, found in made.items()},
            "errors": refused,
        }
    )


async def register(call: Call) -> Response:
    """POST register and POST metadata: an entry for bytes that lie in any datastore."""
    given = await body(call)
    origin, container, path = (part(given, key, "string") for key in ("origin", "container", "path"))
    if not origin or not container or not path:
        raise errors.invalid("origin, container and path are required.")
    _may_write(call, container)
    place = part(given, "dataPath", "object") or {}
    store, relative = part(place, "dataStoreName", "string"), part(place, "relativePath", "string")
    if store is None:
        return answer(_made(call, (origin, container), path))
    _account_and_container(call, store)
    return answer(_made(call, (origin, container), path, datastore=store, relative_path=relative))


def _may_write(call: Call, container: str) -> None:
    if call.effect == "write" and container.startswith("dcid."):
        may_write(call, container.removeprefix("dcid."))


async def by_ids(call: Call) -> Response:
    """POST batch/metadata {artifactIds:[origin/container/path]}: entries, read SAS, and errors for what is missing."""
    found: dict[str, Document] = {}
    refused: dict[str, Document] = {}
    for artifact_id in map(str, part(await body(call), "artifactIds", "array") or []):
        origin, _, rest = artifact_id.partition("/")
        container, _, path = rest.partition("/")
        entry_ = call.world.artifacts.get(call.workspace.guid, (origin, container), path)
        if entry_ is None:
            refused[artifact_id] = _refusal(call, errors.not_found("Artifact", artifact_id))
        else:
            found[artifact_id] = entry_
    return answer(
        {
            "artifacts": found,
            "artifactContentInformation": {key: _info(call, item, _READ) for key, item in found.items()},
            "errors": refused,
        }
    )


async def delete(call: Call) -> Response:
    """DELETE {origin}/{container}/metadata?path=&hardDelete=: the entry, with `hardDelete` its bytes too."""
    await _delete(call, _entry(call))
    return Response(status_code=200)


async def delete_many(call: Call) -> Response:
    """POST {origin}/{container}/batch/metadata:delete {paths}: all of them, or none where one is missing."""
    paths = [_given_path(item) for item in part(await body(call), "paths", "array") or []]
    found = [_entry(call, path) for path in paths]
    for item in found:
        await _delete(call, item)
    return Response(status_code=200)


def _address(call: Call) -> Address:
    """Origin and container that the URL is about; a run's own container may be another run's (a reused step's is)."""
    if "run_id" in call.request.path_params:
        return RUN_ORIGIN, stored_run(call)["dataContainerId"]
    _may_write(call, call.path("container"))
    return call.path("origin"), call.path("container")


def _path(call: Call) -> str:
    """The file's path: a query parameter, or part of the URL in azureml-core's older form."""
    given = call.request.path_params.get("path") or call.request.query_params.get("path")
    if not given:
        raise errors.invalid("path is required.")
    return str(given)


def _given_path(item: object) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str) or not item["path"]:
        raise errors.invalid("Each of paths needs a path.")
    return str(item["path"])


def _entry(call: Call, path: str | None = None) -> Document:
    wanted = _path(call) if path is None else path
    address = _address(call)
    found = call.world.artifacts.get(call.workspace.guid, address, wanted)
    if found is None:
        raise errors.not_found("Artifact", "/".join((*address, wanted)))
    return found


def _page(call: Call, form: Callable[[Document], Document]) -> Document:
    asked = call.request.query_params
    prefix = call.request.path_params.get("path") or asked.get("path") or ""
    found = call.world.artifacts.page(
        call.workspace.guid,
        _address(call),
        prefix=prefix,
        after=position(asked.get("continuationToken")) or "",
        limit=limits.ARTIFACTS_IN_PAGE + 1,
    )
    shown = found[: limits.ARTIFACTS_IN_PAGE]
    following = shown[-1]["path"] if len(found) > len(shown) else None
    return page(call, [form(item) for item in shown], following, "continuationToken")


def _made(
    call: Call, address: Address, path: str, *, datastore: str | None = None, relative_path: str | None = None
) -> Document:
    origin, container = address
    if origin not in _ORIGINS:
        raise errors.invalid(f"Origin {origin} is not one of {', '.join(sorted(_ORIGINS))}.")
    if len(path) > limits.ARTIFACT_PATH:
        raise errors.over_limit("ArtifactPath/Length", limits.ARTIFACT_PATH)
    if limits.characters(relative_path or f"{origin}/{container}/{path}") > limits.BLOB_NAME:
        raise errors.over_limit("ArtifactDataPath.RelativePath/Length", limits.BLOB_NAME)
    index, guid = call.world.artifacts, call.workspace.guid
    if index.get(guid, address, path) is not None:
        raise errors.conflict(f"Artifact {origin}/{container}/{path} already exists.")
    if datastore is None:
        return index.register(guid, address, path)
    return index.register(guid, address, path, datastore=datastore, relative_path=relative_path)


async def _delete(call: Call, found: Document) -> None:
    address = (found["origin"], found["container"])
    call.world.artifacts.delete(call.workspace.guid, address, found["path"])
    if call.request.query_params.get("hardDelete", "").lower() == "true":
        await call.storage.delete(*_place(call, found))


def _info(call: Call, found: Document, permissions: str) -> Document:
    account, container, blob = _place(call, found)
    if account not in call.storage.accounts:
        raise errors.not_found("Storage account", account)
    return {
        "contentUri": call.storage.sas_url(account, container, blob, permissions, _HOURS),
        "origin": found["origin"],
        "container": found["container"],
        "path": found["path"],
        "tags": found.get("tags") or {},
    }


def _place(call: Call, found: Document) -> tuple[str, str, str]:
    """The account, container and blob that hold the bytes of an entry."""
    where: dict[str, Any] = found["dataPath"]
    return *_account_and_container(call, where["dataStoreName"]), where["relativePath"]


def _account_and_container(call: Call, datastore: str) -> tuple[str, str]:
    own = call.workspace.containers
    if datastore in own:
        return call.workspace.account, own[datastore]
    known = call.world.assets.get(call.workspace.guid, "datastores", datastore)
    if known is None or known["properties"].get("datastoreType") != "AzureBlob":
        raise errors.not_found("Datastore", datastore)
    return known["properties"]["accountName"], known["properties"]["containerName"]


def _refusal(call: Call, no: Refused) -> Document:
    return errors.data_plane(no, call.workspace.region, COMPONENT)


def _below_runs() -> list[Spoken]:
    table, scopes = Table("history", COMPONENT), SCOPES[1:]
    base = "/runs/{run_id}/artifacts"
    table.on("POST", base + "/batch/metadata", create, "write", scopes)
    table.on("GET", base, entries, "read", scopes)
    forms = {
        "/path": entries,
        "/metadata": entry,
        "/artifacturi": uri,
        "/contentinfo": info,
        "/prefix/contentinfo": infos,
    }
    for path, handler in forms.items():
        table.on("GET", base + path, handler, "read", scopes)
    for path, handler in forms.items():
        table.on("GET", base + path + "/{path:path}", handler, "read", scopes)
    return table.routes


def _by_container() -> list[Spoken]:
    table, base = Table("artifact", COMPONENT), "/artifacts/{origin}/{container}"
    table.on("POST", "/artifacts/register", register, "write")
    table.on("POST", "/artifacts/metadata", register, "write")
    table.on("POST", "/artifacts/batch/metadata", by_ids)
    table.on("GET", base, entries)
    table.on("GET", base + "/metadata", entry)
    table.on("DELETE", base + "/metadata", delete, "write")
    table.on("GET", base + "/contentinfo", info)
    table.on("GET", base + "/prefix/contentinfo", infos)
    table.on("GET", base + "/write", write, "write")
    table.on("GET", base + "/content", content)
    table.on("POST", base + "/content", upload, "write")
    table.on("POST", base + "/batch/metadata", create, "write")
    table.on("POST", base + "/batch/metadata:delete", delete_many, "write")
    own, below = "/{origin}/{container}", "/{origin}/{container}/{path:path}"  # azureml-core: the address comes last
    table.on("POST", "/artifacts/batch/metadata" + own, create, "write")
    older = {"metadata": entry, "contentinfo": info, "prefix/contentinfo": infos, "content": content}
    for name, handler in older.items():
        table.on("GET", f"/artifacts/{name}{below}", handler)
    table.on("GET", "/artifacts/write" + below, write, "write")
    table.on("POST", "/artifacts/content" + below, upload, "write")
    return table.routes


ROUTES: tuple[Spoken, ...] = (*_below_runs(), *_by_container())
