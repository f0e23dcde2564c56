"""Runs as the index service writes them, cut into annotations and properties, made into run documents. Pure."""

from __future__ import annotations

from azureml_sandbox.world import Document


def run_of(entity: Document) -> Document:
    """The run document of an entity of type `runs`, as far as the entity holds it (index-list-runs, ten recorded)."""
    notes, facts = entity["annotations"], entity["properties"]
    same = ("dataContainerId", "scriptName", "experimentId", "runUuid", "parentRunUuid", "runNumber", "compute")
    run = {key: facts[key] for key in (*same, "runId", "parentRunId", "rootRunId", "runType", "actionUris", "duration")}
    noted = ("tags", "displayName", "status", "primaryMetricName", "parameters", "settings", "name", "description")
    run |= {key: notes[key] for key in (*noted, "computeDuration", "retainForLifetimeOfWorkspace")}
    created = facts["creationContext"]
    return run | {
        "createdUtc": created["createdTime"],
        "createdBy": created["createdBy"],
        "hidden": notes["archived"],
        "startTimeUtc": _zoned(facts["startTime"]),
        "endTimeUtc": _zoned(facts["endTime"]),
        "lastModifiedUtc": _zoned(notes["modifiedTime"]),
        "properties": facts["userProperties"],
        "target": facts["targetName"],
        "computeRequest": facts["computeRequest"],
        "runTypeV2": facts["runTypeV2"] | {"traits": list(facts["runTypeV2"]["traits"])},
    }


def _zoned(time: str | None) -> str | None:
    """The time in run history's form: the index writes `Z` where run history writes `+00:00`."""
    return time.removesuffix("Z") + "+00:00" if time and time.endswith("Z") else time
