"""The faults that may be declared, as JSON; `front/faults.py` makes them happen.

    {"rules": [{"match": {"service": "metric", "method": "POST", "path": "/batch$", "workspace": "target"},
                "after": 2, "every": 3, "times": 5, "do": "throttle"}],
     "max_in_flight": 32, "rate": {"burst": 250, "per_second": 25},
     "ingestion_lag_ms": 2000, "event_lag_ms": 500, "deletion_lag_ms": 100, "kept_days": 100, "managed_runs": ["typed"],
     "pending_copy_ms": 500, "token_lifetime_s": 60,
     "strict": ["refuse-client-ids", "no-shared-keys@source"], "unwanted": ["some text"],
     "denied": [{"workspace": "target", "action": "Microsoft.MachineLearningServices/workspaces/jobs/read"}]}

A rule counts the requests it matches, skips the first `after`, then hits each `every`th, `times` times at most.
Without `match` it matches all, without counts it always hits. The first rule that hits decides; delays add up.
A variant of the service (`strict`) holds for all workspaces, or for the one that is named after an `@`.
A write whose body has an `unwanted` text in it is refused with 400, as one is that breaks a limit nobody documented.
An action that is `denied` is refused with 403 to everybody, since there is one principal only; `roles.py` says which
route needs which action.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from azureml_sandbox.protocol.traffic import Asked

SOURCES = ("change-source", "remove-source")
ACTS = ("throttle", "status", "html502", "reset", "reset-after", "truncate", "delay", "refuse-copy", *SOURCES)
"""`status` needs the key `status`, `delay` the key `delay_ms`. `reset` cuts the connection before the request is
handled, `reset-after` after it was handled and before it is answered, `truncate` in the middle of the answer's body.
`change-source` adds one byte to the blob that is about to be read or copied from, which changes its ETag;
`remove-source` deletes that blob. `refuse-copy` answers a copy as a source does whose firewall shuts out the target's
storage; it hits copies only."""

STRICT: Mapping[str, str] = {
    "refuse-client-ids": "clients may not choose the id of a new run",
    "ignore-start-times": "runs start and end when the service hears of it, whatever the client says",
    "recent-times-only": "a start or an end that lies more than kept_days back is as if it were not told",
    "drop-source-tags": "a run that MLflow makes loses its tags mlflow.source.*, which may be set later",
    "created-now": "a run is created when the service hears of it, whatever start its client sends",
    "system-managed-status": "no client may change the status of runs of the kinds in managed_runs, once they are made",
    "system-managed-status-at-creation": "nor make one with a status",
    "drop-properties": "properties of runs are not stored",
    "drop-null-values": "tags and properties whose value is null are not stored",
    "refuse-null-values": "a run with a tag or a property whose value is null is refused",
    "refuse-foreign-datasets": "a run that names datasets is refused, as the workspace has none of these",
    "history-runs-not-listed": "ARM lists only jobs that were submitted to it",
    "lose-metric-ids": "the service gives metric rows ids of its own",
    "delay-events": "events, status and end show up late, by event_lag_ms",
    "active-experiments-only": "experiments:query never answers archived experiments, whatever viewType says",
    "no-batchrundata": "run history has no route batchrundata",
    "no-metric-list": "the metric service has no route list",
    "no-batchsync": "the metric service has no route batchsync",
    "no-runs-query": "run history has no route runs:query below an experiment's id",
    "no-write-urls": "the artifact service has no route write, which hands out a URL for a file that is there",
    "no-entry-removal": "the artifact service has no route batch/metadata:delete",
    "url-safe-names-only": "experiments:query hides names that are not URL-safe, whatever it is asked",
    "delete-history-runs": "ARM deletes runs that it never saw submitted, too",
    "delete-child-runs": "ARM deletes a run below another one by its own name, too",
    "delete-keeps-runs": "ARM deletes jobs, and run history keeps their runs",
    "delete-takes-children": "with a job go the runs below its own",
    "reuse-deleted-names": "the name of a deleted job may be used again; points and files of the first one are there",
    "no-content-for-absent-jobs": "ARM answers the deletion of a job that is not there with 204, not 404",
    "refuse-parent-tokens": "a job's own token may not write to the runs above its run",
    "drop-job-names": "ARM keeps no jobName of a model, whatever is sent",
    "replicate-models": "an MLflow model's files are copied when ARM registers it, and its URI is that of the copy",
    "hide-component-graphs": "ARM answers pipeline components without their jobs, to a GET and in lists, too",
    "overwrite-assets": "ARM lets a model, data, an environment or a component be changed into another one",
    "drop-archived-stages": "ARM keeps no stage of a model that is archived",
    "few-asset-tags": "ARM refuses an asset with more than 15 tags",
    "no-unregistered-assets": "no route makes what stands for an input or output of a run",
    "repeat-outputs": "each createUnregisteredOutput for an output of a run makes another version of its data",
    "fixed-run-outputs": "inputs and outputs of a run stay as it was made with",
    "text-model-versions": "MLflow's registry shows versions of models that are no number, too",
    "model-aliases": "MLflow's registry has the routes for aliases",
    "no-shared-keys": "storage accepts no account keys, and datastores have none",
}
"""Variants of the service: the name, and how the service behaves then."""

_LACKS = {
    "no-batchrundata": "/history/v1.0/batchrundata",
    "no-metric-list": "/metric/v2.0/runs/{run_id}/list",
    "no-batchsync": "/metric/v2.0/runs/{run_id}/batchsync",
    "no-runs-query": "/history/v1.0/experimentids/{experiment_id}/runs:query",
    "no-write-urls": "/artifact/v2.0/artifacts/{origin}/{container}/write",
    "no-entry-removal": "/artifact/v2.0/artifacts/{origin}/{container}/batch/metadata:delete",
}
_LACKS_UNLESS = {"model-aliases": "/mlflow/{version}/api/2.0/mlflow/registered-models/alias"}
"""Variants without which the route is lacking: nobody saw the service have it."""
_LACKS_ALL = {"no-unregistered-assets": "/createUnregistered"}
"""Variants that lack each route that has this in it."""
EVENT_LAG_MS = 2_000
DELETION_LAG_MS = 100
KEPT_DAYS = 100
MANAGED_RUNS = ("typed",)
RUN_KINDS = ("neutral", "external", "typed")


@dataclass(frozen=True, slots=True)
class Match:
    """The requests that a rule is about; a field that is None fits all."""

    service: str | None = None
    method: str | None = None
    path: str | None = None
    """A regular expression, searched in the path as sent."""
    route: str | None = None
    """The route as `azureml-sandbox requests` names it: `blob PUT copy`, `/metric/v2.0/runs/{run_id}/full`."""
    workspace: str | None = None

    def __call__(self, asked: Asked) -> bool:
        """Whether the rule is about this request."""
        return (
            self.service in (None, asked.service)
            and self.method in (None, asked.method)
            and self.workspace in (None, asked.workspace)
            and self.route in (None, asked.route)
            and (self.path is None or re.search(self.path, asked.path) is not None)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of fault, and which of the matching requests it hits."""

    do: str
    match: Match = field(default_factory=Match)
    after: int = 0
    every: int = 1
    times: int | None = None
    status: int = 500
    delay_ms: float = 0

    def hits(self, count: int) -> bool:
        """Whether the rule hits the `count`th request that it matches; counting starts at 1."""
        turn, rest = divmod(count - self.after, self.every)
        return count > self.after and rest == 0 and (self.times is None or turn <= self.times)


@dataclass(frozen=True, slots=True)
class Rate:
    """The number of requests per second that are let through after a first burst."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Denied:
    """An action that nobody may perform."""

    action: str
    """An action of Azure RBAC, `*` for any letters: `Microsoft.MachineLearningServices/workspaces/jobs/read`."""
    workspace: str | None = None
    """None: the action is denied in all workspaces."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that is declared at one time."""

    rules: tuple[Rule, ...] = ()
    max_in_flight: int | None = None
    """Requests at one time; a further request to ARM or the data plane is refused (429)."""
    rate: Rate | None = None
    ingestion_lag_ms: int = 0
    """Metrics become readable this long after they were sent."""
    event_lag_ms: int = EVENT_LAG_MS
    """With the variant `delay-events`, events, status and end show up this late."""
    deletion_lag_ms: int = DELETION_LAG_MS
    """A deleted job is gone this long after it was deleted."""
    kept_days: float = KEPT_DAYS
    """With the variant `recent-times-only`, times that lie further back are not kept."""
    managed_runs: tuple[str, ...] = MANAGED_RUNS
    """With the variants `system-managed-status…`, kinds of runs: `neutral` without a type, `external`, `typed`."""
    pending_copy_ms: int = 0
    """A copy that may be asynchronous stays pending for this long."""
    token_lifetime_s: int | None = None
    strict: frozenset[str] = frozenset()
    """Variants of the service, as declared: `name` or `name@workspace`."""
    unwanted: tuple[str, ...] = ()
    """Texts, ASCII, that no body of a write may have in it."""
    denied: tuple[Denied, ...] = ()

    @classmethod
    def read(cls, document: object) -> Declared:
        """Read JSON: an object with these keys, or a list of rules. Raises ValueError, one line, for anything else."""
        given = _named(cls, {"rules": document} if isinstance(document, list) else document, "faults")
        rules = tuple(_rule(rule, f"rules[{index}]") for index, rule in enumerate(given.pop("rules", [])))
        if given.get("rate") is not None:
            given["rate"] = Rate(**_named(Rate, given["rate"], "rate"))
        strict = frozenset(given.get("strict", ()))
        if unknown := sorted(each for each in strict if each.partition("@")[0] not in STRICT):
            raise ValueError(f"strict is {unknown[0]!r}, expected one of: {', '.join(STRICT)}")
        given["managed_runs"] = tuple(given.get("managed_runs", MANAGED_RUNS))
        if unknown := sorted(set(given["managed_runs"]) - set(RUN_KINDS)):
            raise ValueError(f"managed_runs is {unknown[0]!r}, expected one of: {', '.join(RUN_KINDS)}")
        denied = tuple(_denied(each, f"denied[{index}]") for index, each in enumerate(given.get("denied", [])))
        unwanted = tuple(map(str, given.get("unwanted", ())))
        return cls(**{**given, "rules": rules, "strict": strict, "denied": denied, "unwanted": unwanted})

    def denies(self, workspace: str, action: str) -> bool:
        """Whether this action is denied in this workspace."""
        return any(
            each.workspace in (None, workspace) and fnmatchcase(action.lower(), each.action.lower())
            for each in self.denied
        )

    def unwanted_in(self, body: bytes) -> str | None:
        """The first unwanted text in a body; None where there is none."""
        return next((text for text in self.unwanted if text.encode() in body), None)

    def variants(self, workspace: str) -> frozenset[str]:
        """The variants that hold for this workspace."""
        named = (each.partition("@") for each in self.strict)
        return frozenset(name for name, _, only in named if only in ("", workspace))

    def lacks(self, workspace: str, route: str) -> bool:
        """Whether the service of this workspace has no such route."""
        variants = self.variants(workspace)
        return (
            any(route == gone for name, gone in _LACKS.items() if name in variants)
            or any(part in route for name, part in _LACKS_ALL.items() if name in variants)
            or any(route == only for name, only in _LACKS_UNLESS.items() if name not in variants)
        )


def _rule(document: object, where: str) -> Rule:
    given = _named(Rule, document, where)
    if given.get("do") not in ACTS:
        raise ValueError(f"{where}.do is {given.get('do')!r}, expected one of: {', '.join(ACTS)}")
    if given.get("every", 1) < 1:
        raise ValueError(f"{where}.every is {given['every']}, expected 1 or more")
    match = Match(**_named(Match, given.pop("match", {}), f"{where}.match"))
    if match.path is not None:
        try:
            re.compile(match.path)
        except re.error as error:
            raise ValueError(f"{where}.match.path is no regular expression: {error}") from error
    return Rule(**given, match=match)


def _denied(document: object, where: str) -> Denied:
    given = _named(Denied, document, where)
    if not isinstance(given.get("action"), str) or "/" not in given["action"]:
        raise ValueError(f"{where}.action is {given.get('action')!r}, expected an action of Azure RBAC")
    return Denied(**given)


def _named(kind: type, document: object, where: str) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise ValueError(f"{where} is {document!r}, expected an object")  # noqa: TRY004 - JSON from a user
    known = {each.name for each in fields(kind)}
    if unknown := sorted(set(document) - known):
        raise ValueError(f"{where}.{unknown[0]} is not known, expected: {', '.join(sorted(known))}")
    return dict(document)
