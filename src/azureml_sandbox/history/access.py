"""How handlers reach runs: who calls, which experiment and run the request is about, how a run is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from azureml_sandbox import instants
from azureml_sandbox.history import dataset_lineage, run_document
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.login import RUN_CLAIM
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.world import Document, Stage

COMPONENT = "run-history"
_TIMES = ("startTimeUtc", "endTimeUtc")
_DAY = 86_400 * instants.SECOND

_SET_BY_EVENTS = (
    "status",
    "statusRevision",
    "startTimeUtc",
    "endTimeUtc",
    "error",
    "warnings",
    "lastStartTimeUtc",
    "effectiveStartTimeUtc",
    "currentComputeTime",
    "computeDuration",
    "duration",
)
"""The keys that events set, directly or as a consequence."""
_DETACHED = ("inputs", "outputs", "runDefinition", "jobSpecification")


def caller(call: Call) -> Document:
    """The `User` that the token names (eight keys, as recorded)."""
    claims = _claims(call)
    return {
        "userObjectId": claims.get("oid"),
        "userPuId": claims.get("puid"),
        "userIdp": None,
        "userAltSecId": None,
        "userIss": claims.get("iss"),
        "userTenantId": claims.get("tid"),
        "userName": claims.get("name") or claims.get("appid"),
        "upn": claims.get("upn"),
    }


def _claims(call: Call) -> Mapping[str, Any]:
    """The claims of the token, which `front/app.py` has checked."""
    bearer = call.request.headers["authorization"].partition(" ")[2]
    claims: Mapping[str, Any] = jwt.decode(bearer, options={"verify_signature": False})
    return claims


def strict(call: Call) -> frozenset[str]:
    """The stricter variants of the service (`declared_faults.STRICT`) that hold for this workspace."""
    variants: frozenset[str] = call.request.app.state.faults.declared.variants(call.workspace.name)
    return variants


def scope(call: Call) -> Document | None:
    """The experiment that the URL names; None where it names none. Raises Refused (404) where it does not exist."""
    names, experiments = call.request.path_params, call.world.experiments
    if "experiment_name" in names:
        name = call.path("experiment_name")
        # "0" is MLflow's word for it: recorded in the artifact URI of a run that was created so.
        found = experiments.named(call.workspace.guid, "Default" if name == "0" else name)
    elif "experiment_id" in names:
        name = call.path("experiment_id")
        found = experiments.get(call.workspace.guid, name)
    else:
        return None
    if found is None:
        raise errors.not_found("Experiment", name)
    return found


def stored_run(call: Call, run_id: str | None = None) -> Document:
    """The run of the URL, or of this id, within the URL's experiment. Raises Refused (404) where there is none.

    A call that writes gets the run with the changes that do not show yet. Raises Refused (403) where its token may not
    write to the run.
    """
    wanted = call.path("run_id") if run_id is None else run_id
    found = call.world.runs.get(call.workspace.guid, wanted)
    experiment = scope(call)
    if found is None or (experiment is not None and not _within(experiment, found)):
        raise errors.run_not_found(wanted)
    if call.effect == "read":
        return found
    may_write(call, wanted)
    return latest(call, found)


def may_write(call: Call, run_id: str) -> None:
    """Raises Refused (403) where a job's own token would write to a run above its run.

    Only the strict variant `refuse-parent-tokens` checks this.
    """
    own = _claims(call).get(RUN_CLAIM) if "refuse-parent-tokens" in strict(call) else None
    while own is not None and own != run_id:
        below = call.world.runs.get(call.workspace.guid, own)
        own = below["parentRunId"] if below is not None else None
        if own == run_id:
            raise errors.forbidden(f"The token of run {_claims(call)[RUN_CLAIM]} is not valid for run {run_id}.")


def may_move(call: Call, before: Document, after: Document, *, is_new: bool = False) -> None:
    """Raises Refused (403) where a client changes a status that is the system's affair.

    The words are those that a user reported of 2023 (live-evidence.md); status, codes and which runs are meant are
    assumptions.
    """
    wanted = "system-managed-status-at-creation" if is_new else "system-managed-status"
    managed = any(one.startswith(wanted) for one in strict(call))
    kinds: tuple[str, ...] = call.request.app.state.faults.declared.managed_runs
    if managed and before["status"] != after["status"] and run_document.kind(after) in kinds:
        raise errors.status_managed()


def latest(call: Call, found: Document) -> Document:
    """The run with every accepted change, shown yet or not."""
    return call.world.late_changes.ahead(call.workspace.guid, found)


def plain(document: Document) -> Document:
    """A run as GET, children, queries and PATCH answer it: without what only rundata and details have (recorded)."""
    return document | dict.fromkeys(_DETACHED)


def put(call: Call, change: Document, run_id: str) -> Document:
    """Create or modify a run from a `CreateRun` body; returns the whole document as it shows now.

    Evidence: azureml-core creates child runs so, with ids of its own; recorded for modifying. Assumptions: a new
    run's experiment is made when the URL names an unknown one; below the bare workspace it is the body's
    `experimentId`, else `Default`; a parent that does not exist is refused (404). A new run's `createdUtc` is the
    start that it came with: so it is recorded of MLflow's `runs/create`, and promptflow's live test asserts it of runs
    that it uploads (live-evidence.md, "Ids, past times, status").
    """
    if change.get("runId") not in (None, run_id):
        raise errors.invalid(f"runId {change['runId']} is not the one of the request, {run_id}.")
    guid, user, at = call.workspace.guid, caller(call), instants.now()
    heard = _heard(call, change)
    with call.world.transaction():
        stored = call.world.runs.get(guid, run_id)
        is_new = stored is None
        if stored is None:
            stored = _created(call, heard, run_id, user, at)
        else:
            may_write(call, run_id)
            if "fixed-run-outputs" in strict(call):
                heard = {key: value for key, value in heard.items() if key not in ("inputs", "outputs")}
            _same_place(call, stored, change)
        document = run_document.modified(latest(call, stored), heard, user, at)
        may_move(call, latest(call, stored), document, is_new=is_new)
        return _shown(call, stored, document)


def replaced(call: Call, document: Document) -> Document:
    """Store the changed document of a run; returns it as it shows now."""
    stored = call.world.runs.get(call.workspace.guid, document["runId"])
    return _shown(call, stored or document, document)


def _shown(call: Call, before: Document, after: Document) -> Document:
    """Store a change; with the variant `delay-events` its status and times show up late."""
    guid = call.workspace.guid
    if "delay-events" in strict(call):
        ahead = latest(call, before)
        late = {key: after[key] for key in _SET_BY_EVENTS if after[key] != ahead[key]}
        if late:
            lag = int(call.request.app.state.faults.declared.event_lag_ms) * instants.MILLISECOND
            call.world.late_changes.add(guid, after["runId"], late, instants.now() + lag)
        after = after | {key: before[key] for key in _SET_BY_EVENTS}
    call.world.runs.put(guid, after)
    return after


def _heard(call: Call, change: Document) -> Document:
    """The change without the keys that a stricter service ignores."""
    ignoring = {"ignore-start-times": _TIMES, "drop-properties": ("properties",)}
    ignored = {key for variant, keys in ignoring.items() if variant in strict(call) for key in keys}
    ignored |= {key for key in _TIMES if key in change and is_too_old(call, change[key])}
    heard = {key: value for key, value in change.items() if key not in ignored}
    if "refuse-foreign-datasets" in strict(call) and any(dataset_lineage.saved_ids(heard)):
        raise errors.invalid("A dataset is not in this workspace.")  # which keeps none: words are an assumption
    return _without_nulls(call, heard)


def _without_nulls(call: Call, change: Document) -> Document:
    """Null values of tags and properties as the variants have them. Raises Refused (400)."""
    pairs = {key: change[key] for key in ("tags", "properties") if isinstance(change.get(key), dict)}
    if "refuse-null-values" in strict(call) and any(None in one.values() for one in pairs.values()):
        raise errors.invalid("The value of a tag or a property must be a string.")
    if "drop-null-values" not in strict(call):
        return change
    told = {key: {name: value for name, value in one.items() if value is not None} for key, one in pairs.items()}
    return change | told


def is_too_old(call: Call, given: object) -> bool:
    """Whether a client's time lies further back than this service keeps."""
    if given is None or "recent-times-only" not in strict(call):
        return False
    kept = float(call.request.app.state.faults.declared.kept_days) * _DAY
    return instants.parse(run_document.time("time", given)) < instants.now() - kept


def _created(call: Call, change: Document, run_id: str, user: Document, at: int) -> Document:
    if not limits.RUN_ID.fullmatch(run_id):
        raise errors.invalid(
            "Run IDs must be less than 256 characters and contain only alphanumeric characters with dashes and"
            f" underscores: {run_id}"
        )
    if "refuse-client-ids" in strict(call):
        raise errors.invalid(f"Run {run_id} was not made by the service.")
    free_name(call, run_id)
    parent_id = change.get("parentRunId")
    parent = call.world.runs.get(call.workspace.guid, str(parent_id)) if parent_id is not None else None
    if parent_id is not None and parent is None:
        raise errors.run_not_found(str(parent_id))
    fresh = run_document.new(run_id, _experiment(call, change)["experimentId"], user, at, parent)
    return fresh | creation(call, change.get("startTimeUtc"))


def free_name(call: Call, name: str) -> None:
    """Raises Refused (409) for the name of a job that was deleted, unless the variant lets it be used again."""
    if call.world.deletions.stage(call.workspace.guid, name) is Stage.NONE:
        return
    if "reuse-deleted-names" not in strict(call):
        raise errors.conflict(f"Run {name} was deleted.")
    call.world.deletions.forget(call.workspace.guid, name)


def creation(call: Call, start: object) -> Document:
    """When a new run was created: the start that its client sent; its number still tells the service's own second."""
    if start is None or "created-now" in strict(call):
        return {}
    return {"createdUtc": run_document.time("startTimeUtc", start)}


def _experiment(call: Call, change: Document) -> Document:
    guid, experiments = call.workspace.guid, call.world.experiments
    if "experiment_name" in call.request.path_params:
        return experiments.obtain(guid, experiment_name(call.path("experiment_name")))
    wanted = scope(call)
    if wanted is None:
        given = change.get("experimentId")
        wanted = experiments.named(guid, "Default") if given is None else experiments.get(guid, str(given))
    if wanted is None:
        raise errors.not_found("Experiment", str(change.get("experimentId")))
    return wanted


def experiment_name(name: str) -> str:
    """The name, refused (400) where it is too long or empty."""
    if not 0 < len(name) <= limits.EXPERIMENT_NAME:
        raise errors.over_limit("ExperimentName", limits.EXPERIMENT_NAME)
    return name


def _same_place(call: Call, stored: Document, change: Document) -> None:
    """A run stays in its experiment and under its parent (assumption: moving it is refused, not ignored)."""
    experiment = scope(call)
    if experiment is not None and not _within(experiment, stored):
        raise errors.conflict(f"Run {stored['runId']} belongs to another experiment.")
    for key in ("experimentId", "parentRunId"):
        if change.get(key) not in (None, stored.get(key)):
            raise errors.invalid(f"{key} of run {stored['runId']} cannot be changed.")


def _within(experiment: Document, found: Document) -> bool:
    return bool(found["experimentId"].lower() == experiment["experimentId"].lower())
