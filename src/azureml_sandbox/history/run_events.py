"""Events: how clients tell run history that a run started, ended or went wrong, with their own times. Pure.

Names and data are azureml-core's (`Microsoft.MachineLearning.Run.{Start|Completed|…}`); `BaseEvent` of
run-history.json. What the service does with each is an assumption except that Error is the only way to set `error`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from azureml_sandbox import instants
from azureml_sandbox.history.run_document import TERMINAL, moved, time, touched
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.world import Document

PREFIX = "Microsoft.MachineLearning.Run."

_UNSET_SOURCE: Document = {
    "error": None,
    "correlation": None,
    "environment": None,
    "location": None,
    "time": instants.UNSET,
    "componentName": None,
}


def subject(event: Mapping[str, Any]) -> str | None:
    """The run id that an event carries in its data."""
    found = _data(event).get("runid")
    return found if isinstance(found, str) else None


def after_event(run: Document, event: Mapping[str, Any], user: Document, at: int) -> Document:
    """The run after the event. Raises Refused (400) for an event of another name or one that its status forbids."""
    name = str(event.get("name", "")).removeprefix(PREFIX)
    effect = _EFFECTS.get(name)
    if effect is None:
        raise errors.invalid(f"Event {event.get('name')} is not known.")
    return touched(effect(run, event, name), user, at)


def _data(event: Mapping[str, Any]) -> Document:
    """The event's data, keys in lower case: .NET does not look at their case."""
    data = event.get("data")
    return {key.lower(): value for key, value in data.items()} if isinstance(data, dict) else {}


def _when(event: Mapping[str, Any], key: str) -> str:
    given = _data(event).get(key.lower()) or event.get("timestamp")
    if given is None:
        raise errors.invalid(f"Event {event.get('name')} needs {key} or a timestamp.")
    return time(key, given)


def _started(run: Document, event: Mapping[str, Any], _name: str) -> Document:
    return moved(run, "Running") | {"startTimeUtc": _when(event, "StartTime")}


def _ended(run: Document, event: Mapping[str, Any], name: str) -> Document:
    return moved(run, name) | {"endTimeUtc": _when(event, "EndTime")}


def _waiting(run: Document, _event: Mapping[str, Any], name: str) -> Document:
    return run if run.get("status") in TERMINAL and name == "CancelRequested" else moved(run, name)


def _alive(run: Document, _event: Mapping[str, Any], _name: str) -> Document:
    return run


def _warned(run: Document, event: Mapping[str, Any], _name: str) -> Document:
    data = _data(event)
    if len(str(data.get("message") or "")) > limits.WARNING:
        raise errors.over_limit("Warning.Message", limits.WARNING)
    warning = {"source": data.get("source"), "message": data.get("message")}
    return run | {"warnings": [*(run.get("warnings") or []), warning]}


def _failed(run: Document, event: Mapping[str, Any], _name: str) -> Document:
    response = _data(event).get("errorresponse")
    root = response.get("error") if isinstance(response, dict) else None
    if not isinstance(response, dict) or not isinstance(root, dict):
        raise errors.invalid("An Error event needs an ErrorResponse with an error.")
    if not isinstance(root.get("message") or "", str):
        raise errors.invalid("The message of an error must be a string.")
    if len(root.get("message") or "") > limits.ERROR_MESSAGE:
        raise errors.over_limit("ErrorResponse.Error.Message", limits.ERROR_MESSAGE)
    return run | {"error": _UNSET_SOURCE | response | {"error": errors.error_root(root)}}


def _queued_because(run: Document, event: Mapping[str, Any], _name: str) -> Document:
    data = _data(event)
    information = data.get("queueinginfo", data)
    if not isinstance(information, dict):
        raise errors.invalid("QueueingInfo must be an object.")
    return run | {
        "queueingInfo": {
            "code": information.get("code"),
            "message": information.get("message"),
            "lastRefreshTimestamp": _when(event, "LastRefreshTimestamp"),
        }
    }


_EFFECTS: dict[str, Callable[[Document, Mapping[str, Any], str], Document]] = {
    "Start": _started,
    "Completed": _ended,
    "Failed": _ended,
    "Canceled": _ended,
    "CancelRequested": _waiting,
    "Queued": _waiting,
    "Heartbeat": _alive,
    "Warning": _warned,
    "Error": _failed,
    "QueueingInfo": _queued_because,
}
