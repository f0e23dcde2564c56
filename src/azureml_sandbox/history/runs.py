"""Run history's routes for runs: reading, writing, events. `experiments.py` has the experiments of the same service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.responses import Response

from azureml_sandbox import instants
from azureml_sandbox.history import experiments, run_document, run_events, run_filter
from azureml_sandbox.history.access import (
    COMPONENT,
    caller,
    is_too_old,
    may_move,
    plain,
    put,
    replaced,
    scope,
    stored_run,
    strict,
)
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.bodies import SCOPES, Table, answer, body, body_list, number, page, part
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.login import ARM
from azureml_sandbox.protocol.route import Call, Spoken
from azureml_sandbox.world import RUN_ORIGIN, Document, RunQuery

_RUN_TOKEN_S = 21 * 86_400
"""Three weeks, as recorded."""
_LOGS = ("azureml-logs/", "logs/", "system_logs/", "user_logs/")
_SAS_HOURS = 8

_DETAILS = (
    "runId runUuid parentRunUuid rootRunUuid target status parentRunId dataContainerId createdTimeUtc startTimeUtc"
    " endTimeUtc error warnings tags properties parameters services inputDatasets outputDatasets runDefinition logFiles"
    " jobCost revision runTypeV2 settings computeRequest compute createdBy computeDuration effectiveStartTimeUtc"
    " runNumber rootRunId userId statusRevision currentComputeTime lastStartTimeUtc lastModifiedBy lastModifiedUtc"
    " duration inputs outputs currentAttemptId"
)
"""The 42 keys of a recorded answer, in order: no displayName, description, experimentId, runType."""

_NO_COST = dict.fromkeys(
    ("chargedCpuCoreSeconds", "chargedCpuMemoryMegabyteSeconds", "chargedGpuSeconds", "chargedNodeUtilizationSeconds")
)


async def get_run(call: Call) -> Response:
    """GET {scope}/runs/{id}."""
    return answer(plain(stored_run(call)))


async def put_run(call: Call) -> Response:
    """PATCH {scope}/runs/{id}: create or modify; only this answer carries a token (recorded)."""
    document = plain(put(call, await body(call), call.path("run_id")))
    return answer(document | _run_token(call, "tokenExpiryTimeUtc"))


async def add_run(call: Call) -> Response:
    """POST /runs/{id}: create only (the swagger calls it "add"); a run that exists is refused (assumption)."""
    run_id = call.path("run_id")
    change = await body(call)
    if call.world.runs.get(call.workspace.guid, run_id) is not None:
        raise errors.conflict(f"Run {run_id} already exists.")
    return answer(plain(put(call, change, run_id)))


async def modify_run(call: Call) -> Response:
    """PATCH /runs/{id}/modify: as `put_run`, for a run that exists, without a token (recorded)."""
    change = await body(call)
    return answer(plain(put(call, change, stored_run(call)["runId"])))


async def put_runs(call: Call) -> Response:
    """PATCH {scope}/batch/runs: each item succeeds or fails by itself, in order, so that parents may come first.

    200 with `errors` (run-history.json has no 207 here).
    """
    given = part(await body(call), "runs", "array") or []
    done: dict[str, Document] = {}
    refused: dict[str, Document] = {}
    with call.world.transaction():
        for change in given:
            if not isinstance(change, dict) or not isinstance(change.get("runId"), str):
                raise errors.invalid("Each run needs a runId.")
            try:
                done[change["runId"]] = plain(put(call, change, change["runId"]))
            except Refused as no:
                refused[change["runId"]] = _refusal(call, no)
    return answer({"runs": done, "errors": refused})


async def get_runs(call: Call) -> Response:
    """POST {scope}/runs/runIds."""
    ids = [str(item) for item in part(await body(call), "runIds", "array") or []]
    done, refused = _each(ids, lambda run_id: plain(stored_run(call, run_id)), call)
    return answer({"runs": done, "errors": refused})


async def children(call: Call) -> Response:
    """GET {scope}/runs/{id}/children: direct children by creation, hidden ones too (assumption).

    Pages are of 50, go on by token, and have no link (reported: Azure/azure-sdk-for-python#32440).
    """
    asked = call.request.query_params
    unsupported = [key for key in ("$filter", "$orderby", "$sortorder", "$count") if key in asked]
    if unsupported:
        raise errors.invalid(f"{', '.join(unsupported)} cannot be understood here.")
    size = _size(asked.get("$top"), limits.CHILDREN_IN_PAGE, limits.CHILDREN_IN_PAGE)
    parent = stored_run(call)["runId"]
    after = number(asked.get("$continuationtoken"))
    found = call.world.runs.children(call.workspace.guid, parent, after=after, limit=size + 1)
    following = found[size - 1][0] if len(found) > size else None
    return answer(page(call, [plain(item) for _, item in found[:size]], following))


async def query_runs(call: Call) -> Response:
    """POST {scope}/runs:query: all runs of an experiment, children and hidden ones too unless filtered (assumption)."""
    asked = await body(call)
    experiment = scope(call)
    assert experiment is not None  # noqa: S101 this route has no bare form
    column, descending = run_filter.order(part(asked, "orderBy", "string"))
    wanted = run_filter.condition(part(asked, "filter", "string"))
    query = RunQuery(experiment["experimentId"], wanted, column, descending)
    size, skip = _size(asked.get("top")), number(part(asked, "continuationToken", "string"))
    found = call.world.runs.query(call.workspace.guid, query, skip=skip, limit=size + 1)
    following = skip + size if len(found) > size else None
    return answer(page(call, [plain(item) for item in found[:size]], following))


async def run_data(call: Call) -> Response:
    """POST /rundata: the run with its inputs and outputs, its definition, its job specification."""
    return answer(_run_data(call, await body(call)))


async def batch_run_data(call: Call) -> Response:
    """POST /batchrundata: several `rundata` requests; 207 where one of them failed."""
    requests = part(await body(call), "requests", "object") or {}
    done, refused = _each(list(requests), lambda key: _run_data(call, requests[key]), call)
    return answer({"successfulResults": done, "failedResults": refused}, 207 if refused else 200)


async def details(call: Call) -> Response:
    """GET {scope}/runs/{id}/details: another set of keys, and a fresh SAS for every log file."""
    found = stored_run(call)
    known = found | {"createdTimeUtc": found["createdUtc"], "logFiles": _log_files(call, found), "jobCost": _NO_COST}
    return answer({key: known.get(key) for key in _DETAILS.split()})


async def event(call: Call) -> Response:
    """POST {scope}/runs/{id}/events: 200 and no body (azureml-core asks for 200; azure-ai-ml's own wants 204)."""
    given = await body(call)
    if run_events.subject(given) not in (None, call.path("run_id")):
        raise errors.invalid("The event is about another run than the request.")
    _apply(call, call.path("run_id"), given)
    return Response(status_code=200)


async def events(call: Call) -> Response:
    """POST {scope}/batch/events: each event succeeds or fails by itself; `successes` are run ids (assumption)."""
    done: list[str] = []
    refused: list[Document] = []
    given = part(await body(call), "events", "array") or []
    with call.world.transaction():
        for each in given:
            try:
                done.append(_apply(call, _subject(each), each))
            except Refused as no:
                refused.append({"key": each, "value": _refusal(call, no)})
    return answer({"errors": refused, "successes": done})


async def patch_tags(call: Call) -> Response:
    """PATCH {scope}/runs/{id}/tags {tagsToModify, tagsToDelete}."""
    asked = await body(call)
    return _retagged(call, part(asked, "tagsToModify", "object") or {}, part(asked, "tagsToDelete", "array") or [])


async def delete_tags(call: Call) -> Response:
    """DELETE {scope}/runs/{id}/tags with a list of keys; keys that are not there are no error (assumption)."""
    return _retagged(call, {}, await body_list(call))


async def delete_services(call: Call) -> Response:
    """DELETE {scope}/runs/{id}/services {servicesToDelete}."""
    gone = part(await body(call), "servicesToDelete", "array") or []
    found = stored_run(call)
    left = {key: value for key, value in (found.get("services") or {}).items() if key not in gone}
    return answer(plain(_store(call, found | {"services": left})))


async def cancel(call: Call) -> Response:
    """POST {scope}/runs/{id}/cancel: a run that computes here is asked to end, any other is Canceled at once.

    A run that has ended stays as it is.
    """
    found = stored_run(call)
    if found.get("status") in run_document.TERMINAL:
        return answer(plain(found))
    if call.request.app.state.cluster.cancel(call.workspace.guid, found["runId"]):
        return answer(plain(stored_run(call)))
    reason = call.request.query_params.get("CancelationReason")
    ended = {"endTimeUtc": instants.text(instants.now()), "cancelationReason": reason}
    return answer(plain(_store(call, run_document.moved(found, "Canceled") | ended)))


async def token(call: Call) -> Response:
    """GET {scope}/runs/{id}/token: azureml-mlflow refreshes a job's token here."""
    stored_run(call)
    return answer(_run_token(call, "expiryTimeUtc"))


async def metrics_ingested(call: Call) -> Response:
    """GET …/runs/{id}/metricsingest/wait: 202 and a `Location` until every row can be read (azureml-core polls that).

    Where the address leads is not known: here below this one.
    """
    container = stored_run(call)["dataContainerId"]
    if call.world.metrics.settled(call.workspace.guid, container, instants.now()):
        return Response()
    operation = call.request.path_params.get("operation") or uuid4()
    begun = call.request.scope["raw_path"].decode("ascii").partition("/metricsingest/")[0]
    there = f"https://{call.request.headers['host']}{begun}/metricsingest/wait/{operation}"
    return Response(status_code=202, headers={"Location": there})


def _each(
    keys: list[str], get: Callable[[str], Document], call: Call
) -> tuple[dict[str, Document], dict[str, Document]]:
    done: dict[str, Document] = {}
    refused: dict[str, Document] = {}
    for key in keys:
        try:
            done[key] = get(key)
        except Refused as no:
            refused[key] = _refusal(call, no)
    return done, refused


def _refusal(call: Call, no: Refused) -> Document:
    return errors.data_plane(no, call.workspace.region, COMPONENT)


def _size(top: object, usual: int = limits.RUNS_IN_PAGE, most: int = limits.RUNS_IN_PAGE_AT_MOST) -> int:
    """A page's size; more than the service gives is capped (assumption: `top` is the size of a page, not of all)."""
    if top is None:
        return usual
    if not str(top).isdecimal() or int(str(top)) == 0:
        raise errors.invalid(f"top {top} must be a positive number.")
    return min(int(str(top)), most)


def _run_data(call: Call, asked: object) -> Document:
    if not isinstance(asked, dict) or not isinstance(asked.get("runId"), str):
        raise errors.invalid("runId is required.")
    found = stored_run(call, asked["runId"])
    whole = found | {"runDefinition": None, "jobSpecification": None}
    return {
        "runMetadata": whole if asked.get("selectRunMetadata") else None,
        "runDefinition": found.get("runDefinition") if asked.get("selectRunDefinition") else None,
        "jobSpecification": found.get("jobSpecification") if asked.get("selectJobSpecification") else None,
        "systemSettings": None,
    }


def _log_files(call: Call, found: Document) -> dict[str, str]:
    place = (RUN_ORIGIN, found["dataContainerId"])
    entries = [
        entry for family in _LOGS for entry in call.world.artifacts.page(call.workspace.guid, place, prefix=family)
    ]
    containers = call.workspace.containers
    return {
        entry["path"]: call.storage.sas_url(
            call.workspace.account, containers[store], entry["dataPath"]["relativePath"], "r", _SAS_HOURS
        )
        for entry in entries
        if (store := entry["dataPath"]["dataStoreName"]) in containers
    }


def _subject(given: Any) -> str:  # noqa: ANN401 JSON
    subject = run_events.subject(given) if isinstance(given, dict) else None
    if subject is None:
        raise errors.invalid("The event names no run.")
    return subject


def _apply(call: Call, run_id: str, given: Document) -> str:
    """Change the run as an event says; returns its id."""
    heard = _untimed(given) if "ignore-start-times" in strict(call) else _recent(call, given)
    found = stored_run(call, run_id)
    changed = run_events.after_event(found, heard, caller(call), instants.now())
    may_move(call, found, changed)
    replaced(call, changed)
    return run_id


def _recent(call: Call, given: Document) -> Document:
    """The event without times that lie further back than this service keeps."""
    times = [value for key, value in (given.get("data") or {}).items() if key in ("StartTime", "EndTime")]
    return _untimed(given) if any(is_too_old(call, one) for one in times) else given


def _untimed(given: Document) -> Document:
    """The event as received by a service that goes by its own clock: without the client's times."""
    data = {key: value for key, value in (given.get("data") or {}).items() if key not in ("StartTime", "EndTime")}
    return given | {"timestamp": instants.text(instants.now()), "data": data}


def _retagged(call: Call, changed: Document, deleted: list[Any]) -> Response:
    found = stored_run(call)
    left = {key: value for key, value in (found.get("tags") or {}).items() if key not in deleted}
    return answer(plain(_store(call, found | {"tags": run_document.tagged(left, changed)})))


def _store(call: Call, document: Document) -> Document:
    return replaced(call, run_document.touched(document, caller(call), instants.now()))


def _run_token(call: Call, expiry_key: str) -> Document:
    expiry = instants.now() + _RUN_TOKEN_S * instants.SECOND
    run_id = call.path("run_id")
    minted = call.request.app.state.login.mint(call.workspace.tenant_id, ARM, _RUN_TOKEN_S, run_id=run_id)
    return {"token": minted, expiry_key: instants.text(expiry)}


def _routes() -> tuple[Spoken, ...]:
    table, named = Table("history", COMPONENT), SCOPES[1:]
    table.on("PATCH", "/batch/runs", put_runs, "write", named)
    table.on("POST", "/runs/runIds", get_runs, "read", named)
    table.on("POST", "/runs:query", query_runs, "read", named)
    table.on("POST", "/batch/events", events, "write", SCOPES)
    table.on("POST", "/rundata", run_data)
    table.on("POST", "/batchrundata", batch_run_data)
    table.on("GET", "/runs/{run_id}", get_run, "read", SCOPES)
    table.on("PATCH", "/runs/{run_id}", put_run, "write", SCOPES)
    table.on("POST", "/runs/{run_id}", add_run, "write")
    table.on("PATCH", "/runs/{run_id}/modify", modify_run, "write")
    table.on("GET", "/runs/{run_id}/children", children, "read", SCOPES)
    table.on("GET", "/runs/{run_id}/details", details, "read", SCOPES)
    table.on("POST", "/runs/{run_id}/events", event, "write", SCOPES)
    table.on("PATCH", "/runs/{run_id}/tags", patch_tags, "write", named)
    table.on("DELETE", "/runs/{run_id}/tags", delete_tags, "write", SCOPES)
    table.on("DELETE", "/runs/{run_id}/services", delete_services, "write", SCOPES)
    table.on("POST", "/runs/{run_id}/cancel", cancel, "write", named)
    table.on("GET", "/runs/{run_id}/token", token, "read", named)
    for waiting in ("/runs/{run_id}/metricsingest/wait", "/runs/{run_id}/metricsingest/wait/{operation}"):
        table.on(
            "GET", waiting, metrics_ingested, "read", SCOPES[1:2]
        )  # below the experiment's name alone (clients.md 4)
    return (*table.routes, *experiments.ROUTES)


ROUTES = _routes()
