"""How the services refuse: one exception, two bodies.

The data plane writes `innerError` as a property (recorded: a run that does not exist); ARM writes the same chain as an
item of `additionalInfo` (recorded: job, datastore, component that do not exist).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from azureml_sandbox import instants
from azureml_sandbox.world import Document


@dataclass(eq=False)  # not frozen: a traceback is attached while it travels
class Refused(Exception):
    """The service says no: a status, a message, and the chain of codes from coarse to fine."""

    status: int
    message: str
    chain: Sequence[str]
    """For example ("UserError", "NotFound", "JobNotFound"): the first is `error.code`."""
    form: str | None = None
    """`messageFormat`: the message with names in braces."""
    parameters: Mapping[str, str] = field(default_factory=dict)


def run_not_found(run_id: str) -> Refused:
    """404 for a run that does not exist. Recorded word for word, the odd `runId=` before the id included."""
    named = f"runId={run_id}"
    return Refused(
        404,
        f"Run {named} was not found",
        ("UserError", "NotFoundError"),
        "Run {runId} was not found",
        {"runId": named},
    )


def job_not_found(name: str) -> Refused:
    """404 for a job that ARM does not know. Recorded word for word."""
    return Refused(
        404,
        f"Job {name} not found.",
        ("UserError", "NotFound", "JobNotFound"),
        "Job {jobId} not found.",
        {"jobId": name},
    )


def not_found(what: str, name: str) -> Refused:
    """404 for anything but a run, in the manner of `run_not_found`; these words are not recorded."""
    return Refused(
        404,
        f"{what} {name} was not found",
        ("UserError", "NotFoundError"),
        what + " {name} was not found",
        {"name": name},
    )


def invalid(message: str) -> Refused:
    """400 for a body or parameter that the service cannot accept; words are not recorded."""
    return Refused(400, message, ("ValidationError",))


def over_limit(what: str, limit: int) -> Refused:
    """400 in the one form that is known from the metric service: `MetricV2Dto.Value/Count, Limit=250`."""
    return Refused(
        400,
        f"Reached service limit for {what}, Limit={limit}",
        ("UserError", "BadArgument", "ServiceLimitExceeded"),
        "Reached service limit for {name}, Limit={limit}",
        {"name": what, "limit": str(limit)},
    )


def forbidden(message: str) -> Refused:
    """403 of the data plane. Its codes are known from clients that look for them in the service's answers."""
    return Refused(403, message, ("UserError", "ForbiddenError"))


def status_managed() -> Refused:
    """403 for a status that the client may not write: the words of recommenders-team/recommenders#1876."""
    words = "client is not permitted to update status for run. Status for this run is system managed"
    return Refused(403, words, ("UserError", "ForbiddenError"))


def conflict(message: str) -> Refused:
    """409; never recorded from Azure ML itself."""
    return Refused(409, message, ("UserError", "ConflictError"))


def data_plane(refused: Refused, region: str, component: str) -> Document:
    """The body in the form of run history, metrics, artifacts (`ErrorResponse` with all that was recorded of it)."""
    return {
        "error": error_root(
            {
                "code": refused.chain[0],
                "message": refused.message,
                "messageFormat": refused.form,
                "messageParameters": dict(refused.parameters),
                "innerError": _chained(refused.chain[1:]),
            }
        ),
        "correlation": _correlation(),
        "environment": region,
        "location": region,
        "time": instants.text(instants.now()),
        "componentName": component,
        "statusCode": refused.status,
    }


def error_root(given: Document) -> Document:
    """A `RootError` with every key written, as on a failed run."""
    empty: Document = {
        "code": None,
        "severity": None,
        "message": None,
        "messageFormat": None,
        "messageParameters": {},
        "referenceCode": None,
        "detailsUri": None,
        "target": None,
        "details": [],
        "innerError": None,
        "debugInfo": None,
        "additionalInfo": None,
    }
    return empty | given


def arm(refused: Refused, region: str) -> Document:
    """The body in the form of the management front end."""
    information: list[tuple[str, object]] = [
        ("ComponentName", "managementfrontend"),
        ("Correlation", _correlation()),
        ("Environment", region),
        ("Location", region),
        ("Time", instants.text(instants.now())),
    ]
    if refused.chain[1:]:  # absent with one code alone (recorded: pipe-404-component-missing)
        information.append(("InnerError", _chained(refused.chain[1:])))
    if refused.form is not None:
        information += [("MessageFormat", refused.form), ("MessageParameters", dict(refused.parameters))]
    return {
        "error": {
            "code": refused.chain[0],
            "message": refused.message,
            "details": [],
            "additionalInfo": [{"type": kind, "info": {"value": value}} for kind, value in information],
        }
    }


def _chained(codes: Sequence[str]) -> Document | None:
    return {"code": codes[0], "innerError": _chained(codes[1:])} if codes else None


def _correlation() -> Document:
    return {"operation": secrets.token_hex(16), "request": secrets.token_hex(8)}
