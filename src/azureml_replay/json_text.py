"""JSON of every text and number that Python holds, written and read (pure)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson


def dumps(value: object, *, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """`orjson.dumps`, also of what that refuses: half of a surrogate pair, whole numbers beyond 64 bits.

    Those are in a document seldom, so it is the attempt that finds them. Raises TypeError for what is no JSON.
    """
    try:
        return orjson.dumps(value, default=default, option=option)
    except TypeError:
        indent = 2 if option & orjson.OPT_INDENT_2 else None
        sort = bool(option & orjson.OPT_SORT_KEYS)
        return json.dumps(value, default=default, indent=indent, sort_keys=sort).encode()


_LONG = re.compile(rb"[:\[,]\s*-?\d{19}")


def loads(text: bytes, *, long_numbers: bool = True) -> Any:  # noqa: ANN401  # as json.loads
    """`orjson.loads`, also of what that refuses or rounds: half of a surrogate pair, whole numbers beyond 64 bits.

    Services cut texts between UTF-16 units, so halves do come. Looking for long numbers takes 9 µs a KB: `long_numbers`
    is false where there can be none. Raises ValueError for what is no JSON, or is a number that no double holds.
    """
    if long_numbers and _LONG.search(text):
        return _exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _exactly(text)


def _exactly(text: bytes) -> Any:  # noqa: ANN401
    return json.loads(text, parse_constant=_refused, parse_float=_finite)


def _refused(word: str) -> float:
    raise ValueError(f"not JSON: {word}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"a number that no double holds: {text}")
    return number
