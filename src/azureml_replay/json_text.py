"""JSON of every text and number that Python holds (pure)."""

from __future__ import annotations

import json
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
