"""Completes runs that recordings hold in part, and makes up runs that they do not hold. Pure.

Such a run carries the property `azureml_sandbox.made_up` = "true", so that nobody takes it for evidence. Its status,
names, tags and the times that ARM answers are recorded; a start or an end that ARM does not answer is taken from the
creation and from the answer's Date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from azureml_sandbox import instants
from azureml_sandbox.guids import stable_guid
from azureml_sandbox.history import run_document
from azureml_sandbox.protocol import errors
from azureml_sandbox.world import Document

MADE_UP = "azureml_sandbox.made_up"

_RUN_TYPES = {
    "Command": "azureml.scriptrun",
    "Pipeline": "azureml.PipelineRun",
    "Sweep": "hyperdrive",
    "AutoML": "automl",
}
_TRAITS: dict[str, Document] = {
    "Command": {"orchestrator": "Execution", "traits": ["scriptRun", "remote"], "attribution": "azureml.scriptrun"},
    "Pipeline": {"orchestrator": "Pipeline", "traits": ["azureml.PipelineRun", "MFE", "HTTP", "DevPlatv2"]},
    "Sweep": {"orchestrator": "HyperDrive", "traits": ["hyperdrive", "DevPlatv2"], "attribution": "HyperDrive"},
    "AutoML": {"orchestrator": "AutoML", "traits": ["automl", "Remote"], "attribution": "AutoML"},
}
"""Pipeline and command as recorded in run history; sweep and AutoML parents were never recorded there."""

_WAITING = {"NotStarted", "Starting", "Provisioning", "Preparing", "Queued"}
_EXPERIMENT = re.compile(r"/experimentids/([0-9a-f-]{36})/")


def is_made_up(run: Document) -> bool:
    """Whether the loader made up any part of the run."""
    return bool((run.get("properties") or {}).get(MADE_UP))


def experiment_hint(job: Document) -> str | None:
    """The experiment's id, where the job holds it: only AutoML jobs do, in the address that cancels them."""
    properties = job["properties"].get("properties") or {}
    found = _EXPERIMENT.search(properties.get("CancelUri") or "")
    return found[1] if found else None


def whole(run: Document, experiment_id: str, parent: Document | None) -> Document:
    """The run with all keys; it is marked where some were missing."""
    at = instants.parse(run["createdUtc"])
    empty = _empty(run["runId"], experiment_id, run.get("createdBy") or {}, at, parent)
    if not set(empty) - set(run) and run["experimentId"]:
        return run | {"experimentId": experiment_id}
    known = {key: value for key, value in run.items() if value is not None}
    document = empty | known | {"experimentId": experiment_id, "createdBy": empty["createdBy"]}
    return _marked(_counted(document, at))


def from_job(job: Document, experiment_id: str, seen: int) -> Document:
    """The run of a job that only ARM answered; `seen` is the tick when its status was first answered."""
    definition, systemic = job["properties"], job.get("systemData") or {}
    kind = definition["jobType"]
    # A local job that was only just submitted has no creation yet (cmd-local-startlocalrun-update 1).
    created = instants.parse(systemic["createdAt"]) if systemic.get("createdAt") else seen
    started, ended = _times(definition, created, seen)
    properties = definition.get("properties") or {}
    run = _empty(job["name"], experiment_id, {"userName": systemic.get("createdBy")}, created, None) | {
        "status": definition["status"],
        "displayName": definition["displayName"],
        "description": definition["description"],
        "tags": definition["tags"] or {},
        "properties": properties,
        "parameters": json.loads(properties.get("azureml.parameters") or "{}"),
        "hidden": definition["isArchived"],
        "runType": _RUN_TYPES.get(kind),
        "runTypeV2": {"orchestrator": None, "traits": [], "attribution": None, "computeType": None}
        | _TRAITS.get(kind, {}),
        "target": (definition.get("computeId") or "").rpartition("/")[2] or None,
        "startTimeUtc": started,
        "endTimeUtc": ended,
        "error": _error(properties.get("errors")),
    }
    return _marked(_counted(run, seen))


def parent_of(children: Sequence[Document], name: str, experiment_id: str) -> Document:
    """The parent of runs that were recorded without it."""
    first = min(children, key=lambda child: instants.parse(child["createdUtc"]))
    ends = [child.get("endTimeUtc") for child in children]
    run = _empty(name, experiment_id, first["createdBy"], instants.parse(first["createdUtc"]), None) | {
        "runUuid": first["parentRunUuid"],
        "rootRunUuid": first["rootRunUuid"],
        "rootRunId": first["rootRunId"],
        "parentRunId": None if first["rootRunId"] == name else first["rootRunId"],
        "status": "Completed" if all(ends) else "Running",
        "runType": _RUN_TYPES["Pipeline"],
        "runTypeV2": {"attribution": None, "computeType": None} | _TRAITS["Pipeline"],
        "startTimeUtc": first["createdUtc"],
        "endTimeUtc": max(filter(None, ends), key=instants.parse) if all(ends) else None,
    }
    return _marked(_counted(run, instants.parse(run["endTimeUtc"] or run["createdUtc"])))


def _empty(run_id: str, experiment_id: str, user: Document, at: int, parent: Document | None) -> Document:
    """As `run_document.new`, with a guid that is the same each time."""
    keys = ("userObjectId", "userPuId", "userIdp", "userAltSecId", "userIss", "userTenantId", "userName", "upn")
    run = run_document.new(run_id, experiment_id, dict.fromkeys(keys) | user, at, parent)
    guid = stable_guid("run", run_id, at)
    return run | {"runUuid": guid, "rootRunUuid": run["rootRunUuid"] if parent else guid}


def _marked(run: Document) -> Document:
    return run | {"properties": {**(run.get("properties") or {}), MADE_UP: "true"}}


def _counted(run: Document, at: int) -> Document:
    """The run with durations that fit its times, and with its recorded revision."""
    counted = run_document.touched(run, run["lastModifiedBy"], at)
    return counted | {"revision": run["revision"]}


def _times(definition: Document, created: int, seen: int) -> tuple[str | None, str | None]:
    properties = definition.get("properties") or {}
    stages = json.loads(properties.get("azureml.pipelines.stages") or "{}").get("Execution") or {}
    start = properties.get("StartTimeUtc") or stages.get("StartTime")
    end = properties.get("EndTimeUtc") or stages.get("EndTime")
    if definition["status"] in _WAITING:
        return None, None
    started = _tick(start) if start else created
    ended = _tick(end) if end else max(seen, started)
    terminal = definition["status"] in run_document.TERMINAL
    return instants.text(started), instants.text(ended) if terminal else None


def _tick(text: str) -> int:
    """Ticks of a time in a property; some have a blank for the `T` and no zone: `2024-07-24 08:48:48`."""
    return instants.parse(text.replace(" ", "T"))


def _error(text: str | None) -> Mapping[str, object] | None:
    """A run's `error` made of AutoML's property `errors`; None without one."""
    if not text:
        return None
    root = errors.error_root({"code": "UserError", "message": text})
    unset: dict[str, object] = dict.fromkeys(("correlation", "environment", "location", "componentName"))
    return {"error": root, **unset, "time": instants.UNSET}
