"""The JSON Schema of what `--json` answers, made from the results' own types, so that the document cannot drift."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from azureml_replay.instants import Instant

_PLAIN: Mapping[object, Mapping[str, str]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Path: {"type": "string"},
    Instant: {"type": "string", "description": "a time, UTC, to the 100-nanosecond tick"},
}


def json_schema(of: Any) -> dict[str, Any]:  # noqa: ANN401 - any type, or a union of types
    """The schema of what `terminal.as_json` makes of a value of this type. Raises TypeError for an unknown type."""
    of = getattr(of, "__supertype__", of)  # a NewType is what it is made of
    if of in _PLAIN:
        return dict(_PLAIN[of])
    if is_dataclass(of) and isinstance(of, type):
        return _object(of)
    if isinstance(of, type) and issubclass(of, Enum):
        return {"enum": [each.value for each in of]}
    return _generic(of)


def _object(of: type) -> dict[str, Any]:
    hints = get_type_hints(of)
    names = [field.name for field in fields(of)]
    return {
        "type": "object",
        "properties": {name: json_schema(hints[name]) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _generic(of: Any) -> dict[str, Any]:  # noqa: ANN401 - a parametrised type
    origin, inner = get_origin(of), get_args(of)
    if origin in (Union, types.UnionType):
        return {"anyOf": [json_schema(each) for each in inner]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": json_schema(inner[1])}
    if origin is tuple and Ellipsis not in inner:
        return {
            "type": "array",
            "prefixItems": [json_schema(each) for each in inner],
            "minItems": len(inner),
            "maxItems": len(inner),
        }
    if isinstance(origin, type) and issubclass(origin, Collection):
        return {"type": "array", "items": json_schema(inner[0])}
    raise TypeError(f"{of} has no JSON schema: give it one here")
