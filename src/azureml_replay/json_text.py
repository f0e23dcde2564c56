"""Writes and reads JSON, with every text and number that Python holds (pure). No other module writes JSON.

orjson is fast and refuses two things that occur: half of a surrogate pair, as services cut texts between UTF-16 units,
and whole numbers beyond 64 bits. They are rare, so orjson is tried first; where it refuses, the standard library
writes. Each form below is on a disk or a wire and stays as it is, byte for byte.

What is read is at most `DEEPEST` levels deep: whatever comes from outside comes through here, and much of what looks at
it afterwards goes down by calls, of which Python has 1,000.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

Plain: TypeAlias = Callable[[Any], Any]
"""A function that turns values without a JSON form into values with one."""


DEEPEST = 100
"""Levels of lists and objects within each other: a recorded pipeline's graph has 14, and .NET's own readers of JSON, as
the services use them, take 64 unless they are told otherwise."""
TOO_DEEP = f"(left out: nested more than {DEEPEST} levels deep)"
"""The text that stands where `loads_cut` left something out."""


class NestedTooDeeply(ValueError):
    """Raised for JSON with more than `DEEPEST` levels."""


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
    """The value of any JSON. Looking for long numbers takes 0.8 µs a KB: `long_numbers` is false where there are none.

    Raises ValueError for what is no JSON, and for a number that no double holds; NestedTooDeeply.
    """
    return _not_deep(text, _read(text, long_numbers=long_numbers), DEEPEST)


def loads_cut(text: bytes, *, long_numbers: bool = True) -> Any:  # noqa: ANN401  # as json.loads
    """As `loads`; of what is nested too deeply the rest is read, with `TOO_DEEP` in its place."""
    try:
        return loads(text, long_numbers=long_numbers)
    except NestedTooDeeply:
        return loads(_cut(text, DEEPEST), long_numbers=long_numbers)


def loads_python(text: str) -> Any:  # noqa: ANN401  # as json.loads
    """The value of JSON as Python writes it: with NaN and Infinity. Raises ValueError, NestedTooDeeply."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise NestedTooDeeply(_WITHIN) from error
    if is_deep(found):
        raise NestedTooDeeply(_WITHIN)
    return found


def _read(text: bytes, *, long_numbers: bool) -> Any:  # noqa: ANN401
    if long_numbers and _NINETEEN in text.translate(_DIGITS) and _LONG.search(text):
        return _exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _exactly(text)


def is_deep(value: object, most: int = DEEPEST) -> bool:
    """True where more than so many lists and objects lie within each other. Goes level by level, without calls."""
    level: list[object] = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        if not level:
            return False
        level = [inner for one in level for inner in _within(one)]
    return bool(level)


def _within(one: object) -> Iterator[object]:
    inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return (inner for inner in inside if isinstance(inner, dict | list))


def _not_deep(text: bytes, value: Any, most: int) -> Any:  # noqa: ANN401
    if text.count(b"[") + text.count(b"{") > most and not _is_flat(value, most) and is_deep(value, most):
        raise NestedTooDeeply(_WITHIN)
    return value


_ORJSON_WRITES = 254
"""Levels. Of 1.4 MB of points it looks at all in 2 ms, which took 12 ms to be read; `is_deep` takes 10."""


def _is_flat(value: object, most: int) -> bool:
    """True where orjson says that a value is not too deep; false says nothing."""
    for _ in range(_ORJSON_WRITES - most):
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


_SIGNS = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{}]', re.DOTALL)


def _cut(text: bytes, most: int) -> bytes:
    """JSON with a text in place of what is too deep. By its signs: no parser goes down a million levels."""
    parts, at, level = list[bytes](), 0, 0
    for found in _SIGNS.finditer(text):
        sign = found.group()
        if sign in b"[{":
            parts += [text[at : found.start()]] if level == most else []
            level += 1
        elif sign in b"]}":
            level -= 1
            if level == most:
                parts.append(dumps(TOO_DEEP))
                at = found.end()
    return b"".join((*parts, text[at:]))


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


def loads_once(text: bytes | str) -> Any:  # noqa: ANN401  # as json.loads
    """As `loads_marked`. Raises ValueError where a key stands twice in one object: readers differ on which one counts.

    What was written as it is read back needs no look at each key: 3 µs for 3 KB, where looking takes 60.
    """
    raw = text.encode() if isinstance(text, str) else text
    found = loads_marked(raw)
    if raw.startswith(_MARK) or orjson.dumps(found) != raw:
        json.loads(raw, object_pairs_hook=_no_key_twice)
    return found


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def loads_marked_cut(text: bytes) -> Any:  # noqa: ANN401  # as json.loads
    """As `loads_marked`, with `TOO_DEEP` for what lies deeper than in any document that is written today."""
    try:
        return _not_deep(text, loads_marked(text), DEEPEST + _AROUND)
    except NestedTooDeeply:
        return loads_marked(_cut(text, DEEPEST + _AROUND))


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
_DIGITS, _NINETEEN = bytes.maketrans(b"123456789", b"0" * 9), b"0" * 19
"""What tells at once that no long number is there: the pattern takes 6 µs a KB."""
_MARK = b" "
_AROUND = 10
"""Levels that an archive puts around a document, and more."""
_WITHIN = "not JSON that can be held: lists within lists within lists"


def _exactly(text: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError as error:
        raise NestedTooDeeply(_WITHIN) from error


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
