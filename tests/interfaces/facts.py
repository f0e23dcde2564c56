"""Holds a request and its answer against what the interface files say: exchange -> contradictions. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

Json = Mapping[str, Any]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True, order=True)
class Contradiction:
    """One place of one route where the wire says something else than the interface."""

    route: str
    where: str
    """`request/values[]/name`, `query/$top`, `200/value[]/status`: `[]` any item of a list, `{}` any key of a map."""
    what: str

    def __str__(self) -> str:
        return f"{self.route}  {self.where}: {self.what}"


class Facts:
    """The table that `make.py` wrote."""

    def __init__(self, table: Json) -> None:
        self._routes, self._types = table["routes"], table["types"]

    def knows(self, route: str) -> bool:
        """Whether an interface file has this route, `METHOD path`."""
        return route in self._routes

    def of_request(self, exchange: Json) -> Iterator[Contradiction]:
        """What is wrong with a request: its query and its body."""
        route = f"{exchange['method']} {exchange['route']}"
        told = self._routes[route]
        for where, what in self._query(told["query"], exchange["query"]):
            yield Contradiction(route, where, what)
        body = _json(exchange["request"])
        if body is None:
            if "needed" in told:
                yield Contradiction(route, "request", "missing")
        elif told["body"] is None:
            yield Contradiction(route, "request", "has a body")
        else:
            for where, what in self._value("request", told["body"], body):
                yield Contradiction(route, where, what)

    def of_answer(self, exchange: Json) -> Iterator[Contradiction]:
        """What is wrong with an answer: its status and its body. Status 0 is none: the connection was cut."""
        route, status = f"{exchange['method']} {exchange['route']}", str(exchange["status"])
        answers = self._routes[route]["answers"]
        if status == "0":
            return
        if status not in answers and (status < "400" or "default" not in answers):
            yield Contradiction(route, status, f"not among the answers: {', '.join(answers)}")
            return
        schema = answers.get(status, answers.get("default"))
        body = _json(exchange["answer"])
        if schema is not None and (body is not None or status == "200"):
            for where, what in self._value(status, schema, body):
                yield Contradiction(route, where, what)

    def _query(self, told: Json, sent: str) -> Iterator[tuple[str, str]]:
        """Names are compared without their case, as ASP.NET does."""
        known = {name.lower(): (name, one) for name, one in told.items()}
        given = dict(parse_qsl(sent, keep_blank_values=True))
        for name, value in given.items():
            if name.lower() not in known:
                yield f"query/{name}", "unknown"
            else:
                yield from self._value(f"query/{name}", known[name.lower()][1]["is"], _word(value))
        there = {name.lower() for name in given}
        missing = (known[low][0] for low in known if "required" in known[low][1] and low not in there)
        yield from ((f"query/{name}", "missing") for name in missing)

    def _value(self, where: str, schema: Any, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(schema, str):
            yield from self._kind(where, schema, value)
        elif value is None:
            if not schema.get("null") and "by" not in schema and "keys" not in schema:
                yield where, "null"
        elif "enum" in schema:
            if value not in schema["enum"] and not _is_in(value, schema["enum"]):
                yield where, f"{value!r} is not in the enumeration"
        elif "list" in schema:
            yield from self._list(where, schema["list"], value)
        elif not isinstance(value, dict):
            yield where, f"{_named(value)}, not an object"
        elif "map" in schema:
            for one in value.values():
                yield from self._value(f"{where}/{{}}", schema["map"], one)
        elif "by" in schema:
            yield from self._chosen(where, schema, value)
        else:
            yield from self._keys(where, schema, value)

    def _list(self, where: str, schema: Any, value: Any) -> Iterator[tuple[str, str]]:
        if not isinstance(value, list):
            yield where, f"{_named(value)}, not a list"
            return
        for one in value:
            yield from self._value(f"{where}[]", schema, one)

    def _chosen(self, where: str, schema: Json, value: Json) -> Iterator[tuple[str, str]]:
        kind = value.get(schema["by"])
        if kind not in schema["of"]:
            yield f"{where}/{schema['by']}", f"{kind!r} chooses no type"
        else:
            yield from self._value(where, schema["of"][kind], value)

    def _keys(self, where: str, schema: Json, value: Json) -> Iterator[tuple[str, str]]:
        yield from ((f"{where}/{key}", "missing") for key in schema["required"] if key not in value)
        for key, one in value.items():
            if key in schema["keys"]:
                yield from self._value(f"{where}/{key}", schema["keys"][key], one)
            elif not schema.get("open"):
                yield f"{where}/{key}", "unknown"

    def _kind(self, where: str, kind: str, value: Any) -> Iterator[tuple[str, str]]:
        """`@name`: a reference cannot say that null is allowed, and recorded answers have it there."""
        if kind.startswith("@"):
            if value is not None:
                yield from self._value(where, self._types[kind[1:]], value)
        elif value is None:
            if not kind.endswith("?") and kind not in {"any", "ErrorResponse"}:
                yield where, "null"
        elif not _fits(kind.rstrip("?"), value):
            yield where, f"{_named(value)}, not {kind.rstrip('?')}"


def _fits(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind in {"boolean", "any"}
    return _FITS.get(kind, lambda _: True)(value)


def _is_uuid(value: str) -> bool:
    try:
        return bool(UUID(value))
    except ValueError:
        return False


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "date-time": lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None,
    "uuid": lambda value: isinstance(value, str) and _is_uuid(value),
    "integer": lambda value: isinstance(value, int),
    "number": lambda value: isinstance(value, int | float),
    "boolean": lambda _: False,
}
"""Whether a value that is neither null nor a truth is of a kind; of all others any value is."""


def _is_in(value: Any, words: list[str]) -> bool:
    """Enumerations are read without their case."""
    return isinstance(value, str) and value.lower() in (word.lower() for word in words)


def _named(value: Any) -> str:
    return {str: "string", int: "integer", float: "number", bool: "boolean", list: "list", dict: "object"}[type(value)]


def _word(value: str) -> Any:
    """A word of a query as the kind it looks like."""
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return int(value) if value.isdecimal() else value


def _json(text: str) -> Any:
    return json.loads(text) if text else None
