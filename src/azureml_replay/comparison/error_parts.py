"""What a run's error says, part by part, as it is compared (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from azureml_replay.instants import Instant
from azureml_replay.model import Json, Run


def error_part(part: str) -> Callable[[Run], object]:
    """`code` or `message` of the error itself."""
    return lambda run: run.error.get(part) if isinstance(run.error, Mapping) else None


def beside_error(run: Run) -> Mapping[str, object]:
    """What else has a value, of the error (`innerError`, …) and beside it (`time`, `componentName`, …)."""
    inner = run.error if isinstance(run.error, Mapping) else {}
    origin = run.error_origin if isinstance(run.error_origin, Mapping) else {}
    said = {key: _valued(value) for key, value in inner.items() if key not in ("code", "message")}
    said |= {key: _moment(value) if key == "time" else _valued(value) for key, value in origin.items()}
    return {key: value for key, value in said.items() if value is not None}


def _valued(value: Json) -> object:
    """Without what is empty, at any depth: services write `null`, `[]` and `{}` where nothing was said."""
    if isinstance(value, Mapping):
        return {key: told for key, item in value.items() if (told := _valued(item)) is not None} or None
    if isinstance(value, list | tuple):
        return [_valued(item) for item in value] or None
    return value


def _moment(value: Json) -> object:
    """By value: a service may write the same time otherwise. What is no time stays a text."""
    try:
        return Instant.parse(str(value))
    except ValueError:
        return value
