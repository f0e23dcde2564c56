"""Writes and reads JSON, with every text and number that Python holds (pure). No other module writes JSON.

orjson is fast and refuses two things that occur: half of a surrogate pair, as services cut texts between UTF-16 units,
and whole numbers beyond 64 bits. They are rare, so orjson is tried first; where it refuses, the standard library
writes. Each form below is on a disk or a wire and stays as it is, byte for byte.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson

Plain: TypeAlias = Callable[[Any], Any]
"""A function that turns values without a JSON form into values with one."""


def dumps(value: object, *, indent: bool = False, in_order: bool = False, plain: Plain | None = None) -> bytes:
    """JSON in UTF-8 without spaces, or indented; `in_order`: keys sorted, for digests. Raises TypeError for no JSON."""
    option = (orjson.OPT_INDENT_2 if indent else 0) | (orjson.OPT_SORT_KEYS if in_order else 0)
    try:
        return orjson.dumps(value, default=plain, option=option)
    except TypeError:
        return json.dumps(value, default=plain, indent=2 if indent else None, sort_keys=in_order).encode()


def dumps_any(value: object, plain: Plain) -> bytes:
    """JSON as `dumps` writes it; dataclasses and subclasses go to `plain` too, and keys may be of any type."""
    option = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(value, default=plain, option=option)
    except TypeError:
        return json.dumps(value, default=plain).encode()


def loads(text: bytes, *, long_numbers: bool = True) -> Any:  # noqa: ANN401  # as json.loads
    """The value of any JSON. Looking for long numbers takes 9 µs a KB: `long_numbers` is false where there are none.

    Raises ValueError for what is no JSON, and for a number that no double holds.
    """
    if long_numbers and _LONG.search(text):
        return _exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _exactly(text)


def dumps_marked(value: object) -> bytes:
    """JSON as an archive holds it: with a space before what orjson could not read exactly."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _MARK + json.dumps(value).encode()


def loads_marked(text: bytes | str) -> Any:  # noqa: ANN401  # as json.loads
    """The value of `dumps_marked`."""
    raw = text.encode() if isinstance(text, str) else text
    return json.loads(raw) if raw.startswith(_MARK) else orjson.loads(raw)


def compact(value: object) -> str:
    """JSON text without spaces, every character as itself, also half of a surrogate pair."""
    try:
        return orjson.dumps(value).decode()  # 0.5 µs, json takes 5
    except TypeError:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def canonical(value: object) -> bytes:
    """JSON as `compact`, keys in the order of their code points: one text for equal values, for digests.

    The value must hold no doubles: the two writers spell some of them differently.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass")


def spaced(value: object) -> str:
    """JSON as the standard library writes it: in ASCII, with spaces."""
    return json.dumps(value)


def strict(value: object) -> str:
    """JSON as `spaced`; a number that JSON lacks becomes a text, as on MLflow's own wire (clients.md 4.1)."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_numbers_as_text(value), allow_nan=False)


_LONG = re.compile(rb"[:\[,]\s*-?\d{19}")
_MARK = b" "


def _exactly(text: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("not JSON that can be held: lists within lists within lists") from error


def _refused(word: str) -> float:
    raise ValueError(f"not JSON: {word}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"a number that no double holds: {text}")
    return number


def _numbers_as_text(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {name: _numbers_as_text(item) for name, item in value.items()}
    return [_numbers_as_text(item) for item in value] if isinstance(value, list | tuple) else value
