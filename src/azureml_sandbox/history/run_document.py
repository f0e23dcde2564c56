"""How a run's document changes when the run is created, modified or receives an event. Pure: no I/O, no clock.

Evidence: the 61 keys and their order are recorded (63 plain GETs); which keys a client may write is `CreateRun` of
run-history.json. azure-ai-ml's docstrings say that PATCH merges tags and properties; run-history.json says that
properties and parameters are immutable. Assumptions, each the less kind way: changing the value of an existing
property or parameter is refused, and so is leaving a terminal status; null means "not given".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from azureml_sandbox import instants
from azureml_sandbox.history import dataset_lineage
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.world import Document

TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
STATUSES = TERMINAL | {
    "NotStarted",
    "Starting",
    "Provisioning",
    "Preparing",
    "Queued",
    "Running",
    "Finalizing",
    "CancelRequested",
    "NotResponding",
    "Paused",
}

_WRITABLE: dict[str, type] = {
    "displayName": str,
    "name": str,
    "description": str,
    "hidden": bool,
    "dataContainerId": str,
    "runType": str,
    "runTypeV2": dict,
    "actionUris": dict,
    "scriptName": str,
    "target": str,
    "uniqueChildRunComputeTargets": list,
    "settings": dict,
    "services": dict,
    "inputDatasets": list,
    "outputDatasets": list,
    "runDefinition": object,
    "jobSpecification": object,
    "primaryMetricName": str,
    "createdFrom": dict,
    "cancelUri": str,
    "completeUri": str,
    "diagnosticsUri": str,
    "computeRequest": dict,
    "compute": dict,
    "retainForLifetimeOfWorkspace": bool,
    "queueingInfo": dict,
    "inputs": dict,
    "outputs": dict,
}
"""The keys that a client may write as they are, beside tags, properties, parameters, status and times."""

_LENGTHS = {"displayName": limits.DISPLAY_NAME, "description": limits.DESCRIPTION}
_COUNTS = {"inputDatasets": limits.INPUT_DATASETS, "outputDatasets": limits.OUTPUT_DATASETS}


def new(run_id: str, experiment_id: str, user: Document, at: int, parent: Document | None = None) -> Document:
    """A run with all 61 keys in the recorded order, status NotStarted.

    `at` is its creation in ticks, `user` its creator, `parent` the whole document of its parent.
    """
    return _bookkeeping(run_id, user, at, parent) | _description(run_id, experiment_id, parent)


def _bookkeeping(run_id: str, user: Document, at: int, parent: Document | None) -> Document:
    """The first 23 keys, which only the service writes: numbers, guids, creator, revisions, durations."""
    uuid, when = str(uuid4()), instants.text(at)
    return {
        "runNumber": at // instants.SECOND,
        "rootRunId": parent["rootRunId"] if parent else run_id,
        "createdUtc": when,
        "createdBy": user,
        "userId": user["userObjectId"],
        "token": None,
        "tokenExpiryTimeUtc": None,
        "error": None,
        "warnings": None,
        "revision": 0,
        "statusRevision": 0,
        "runUuid": uuid,
        "parentRunUuid": parent["runUuid"] if parent else None,
        "rootRunUuid": parent["rootRunUuid"] if parent else uuid,
        "lastStartTimeUtc": None,
        "currentComputeTime": None,
        "computeDuration": None,
        "effectiveStartTimeUtc": None,
        "lastModifiedBy": user,
        "lastModifiedUtc": when,
        "duration": None,
        "cancelationReason": None,
        "currentAttemptId": 1,
    }


def _description(run_id: str, experiment_id: str, parent: Document | None) -> Document:
    """The other 38 keys: ids, status and times, and what clients may write."""
    return {
        "runId": run_id,
        "parentRunId": parent["runId"] if parent else None,
        "experimentId": experiment_id,
        "status": "NotStarted",
        "startTimeUtc": None,
        "endTimeUtc": None,
        "scheduleId": None,
        "displayName": None,
        "name": None,
        "dataContainerId": f"dcid.{run_id}",
        "description": None,
        "hidden": False,
        "runType": None,
        "runTypeV2": {"orchestrator": None, "traits": [], "attribution": None, "computeType": None},
        "properties": {},
        "parameters": {},
        "actionUris": {},
        "scriptName": None,
        "target": None,
        "uniqueChildRunComputeTargets": [],
        "tags": {},
        "settings": {},
        "services": {},
        "inputDatasets": [],
        "outputDatasets": [],
        "runDefinition": None,
        "jobSpecification": None,
        "primaryMetricName": None,
        "createdFrom": None,
        "cancelUri": None,
        "completeUri": None,
        "diagnosticsUri": None,
        "computeRequest": None,
        "compute": None,
        "retainForLifetimeOfWorkspace": False,
        "queueingInfo": None,
        "inputs": None,
        "outputs": None,
    }


def modified(run: Document, change: Mapping[str, Any], user: Document, at: int) -> Document:
    """The run with a `CreateRun` laid over it; keys that cannot be written are ignored.

    Raises Refused (400) over a limit.
    """
    given = {key: value for key, value in change.items() if value is not None}
    changed = run | {key: _plain(key, given[key]) for key in _WRITABLE if key in given}
    if "tags" in given:
        changed["tags"] = tagged(run.get("tags"), given["tags"])
    if "properties" in given:
        changed["properties"] = propertied(run.get("properties"), given["properties"])
    if "parameters" in given:
        changed["parameters"] = parametrised(run.get("parameters"), given["parameters"])
    for key in ("startTimeUtc", "endTimeUtc"):
        if key in given:
            changed[key] = time(key, given[key])
    return touched(moved(changed, given.get("status")), user, at)


def moved(run: Document, status: object) -> Document:
    """The run in another status. Raises Refused (400) for an unknown status, and where the run's status is terminal."""
    if status is None or status == run.get("status"):
        return run
    if not isinstance(status, str) or status not in STATUSES:
        raise errors.invalid(f"Status {status} is not a run status.")
    if run.get("status") in TERMINAL:
        raise errors.invalid(f"Run {run['runId']} is {run['status']}, it cannot become {status}.")
    return run | {"status": status, "statusRevision": (run.get("statusRevision") or 0) + 1}


def kind(run: Document) -> str:
    """`external` for a run of an orchestrator elsewhere, `typed` for one of any other, `neutral` for the rest."""
    orchestrator = (run.get("runTypeV2") or {}).get("orchestrator")
    if orchestrator == "External":
        return "external"
    return "typed" if run.get("runType") or orchestrator else "neutral"


def touched(run: Document, user: Document, at: int) -> Document:
    """The run with durations that fit its times and the next revision, modified by `user` at tick `at`."""
    return (
        run
        | _durations(run)
        | {
            "revision": (run.get("revision") or 0) + 1,
            "lastModifiedBy": user,
            "lastModifiedUtc": instants.text(at),
        }
    )


def tagged(
    tags: Mapping[str, str | None] | None, given: object, longest_key: int = limits.KEY
) -> dict[str, str | None]:
    """The tags with the given ones merged in. Raises Refused (400) over a limit."""
    return _strings("Tags", tags or {}, given, limits.TAGS, longest_key)


def propertied(properties: Mapping[str, str | None] | None, given: object) -> dict[str, str | None]:
    """The properties with the given ones added.

    Raises Refused (400) over a limit, or where an existing one would change.
    """
    kept = properties or {}
    merged = _strings("Properties", kept, given, limits.PROPERTIES)
    return _kept("properties", kept, merged)


def parametrised(parameters: Mapping[str, Any] | None, given: object) -> dict[str, Any]:
    """The parameters, any JSON, with the given ones added.

    Raises Refused (400) over a limit, or where one would change.
    """
    if not isinstance(given, dict):
        raise errors.invalid("Parameters must be an object.")
    merged = _kept("parameters", parameters or {}, given)
    _within("Parameters/Count", len(merged), limits.PARAMETERS)
    return merged


def time(key: str, given: object) -> str:
    """A client's time in the service's form, to the tick. Raises Refused (400) for anything else."""
    try:
        return instants.text(instants.parse(str(given)))
    except ValueError as wrong:
        raise errors.invalid(f"{key}: {wrong}") from wrong


def string(key: str, value: object) -> str | None:
    """A value of a map of strings, as .NET reads it: `42` becomes "42" (recorded), `true` "true", null stays null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise errors.invalid(f"The value of {key} must be a string.")
    return None if value is None else str(value)


def _strings(
    what: str, old: Mapping[str, str | None], given: object, count: int, longest_key: int = limits.KEY
) -> dict[str, str | None]:
    if not isinstance(given, dict):
        raise errors.invalid(f"{what} must be an object.")
    fresh = {key: string(key, value) for key, value in given.items()}
    for key, value in fresh.items():
        _within(f"{what}/Key", len(key), longest_key)
        _within(f"{what}/Value", len(value or ""), limits.VALUE)
    merged = {**old, **fresh}
    # A loaded run may have more than the limit; it can still be modified, but nothing can be added.
    if len(merged) > len(old):
        _within(f"{what}/Count", len(merged), count)
    return merged


def _kept(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    changed = [key for key, value in old.items() if key in new and new[key] != value]
    if changed:
        raise errors.invalid(f"Run {what} are immutable: {', '.join(changed)}.")
    return {**old, **new}


def _plain(key: str, value: Any) -> object:  # noqa: ANN401 JSON
    fits = isinstance(value, _WRITABLE[key])
    if not fits:
        raise errors.invalid(f"{key} has the wrong type.")
    if key in _LENGTHS:
        _within(key, len(value), _LENGTHS[key])
    if key in _COUNTS:
        _within(f"{key}/Count", len(value), _COUNTS[key])
        dataset_lineage.check(key, value)
    if key in dataset_lineage.REFERENCES:
        dataset_lineage.check_references(key, value)
    return value


def _within(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise errors.over_limit(what, limit)


def _durations(run: Document) -> Document:
    """Running runs have a start to count from, finished ones a duration (recorded: never both)."""
    started, ended = run.get("startTimeUtc"), run.get("endTimeUtc")
    finished = run.get("status") in TERMINAL
    spent = instants.span(instants.parse(ended) - instants.parse(started)) if started and ended and finished else None
    counting = started if not finished else None
    return {
        "lastStartTimeUtc": counting,
        "effectiveStartTimeUtc": counting,
        "currentComputeTime": "00:00:00" if counting else None,
        "computeDuration": spent,
        "duration": spent,
    }
