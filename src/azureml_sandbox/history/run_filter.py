"""The filters and orders that clients send with `runs:query`, read into conditions of the world. Pure.

    (Status eq Completed) and (CreatedUtc ge 2024-01-01T00:00:00Z or Tags/team eq 'vision')

Forms are azureml-core's: values stand bare or in single quotes, `Tags/{key}` and `Properties/{key}` reach into maps,
`x ne null or x eq null` asks whether the key exists, orders are `StartTimeUtc desc`. A filter that is not understood
is refused (400), never ignored; traits (`RunTypeV2/Traits/…`) are such a case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from azureml_sandbox import instants
from azureml_sandbox.protocol import errors
from azureml_sandbox.world import Column, Comparison, Condition, Either, Every, Operator

_TOKEN = re.compile(r"\s*(\(|\)|'(?:[^']|'')*'|[^\s()']+)")
_OPERATORS: dict[str, Operator] = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_COLUMNS: dict[str, Column] = {
    "runid": "run_id",
    "status": "status",
    "hidden": "hidden",
    "createdutc": "created",
    "starttimeutc": "started",
    "endtimeutc": "ended",
    "parentrunid": "parent_run_id",
}
_DEEPEST = 50
"""Brackets within each other: each is three calls here, and one level of SQL."""
_TIMES = frozenset({"created", "started", "ended"})
_PATHS = {
    "runtype": "$.runType",
    "displayname": "$.displayName",
    "name": "$.name",
    "target": "$.target",
    "rootrunid": "$.rootRunId",
    "userid": "$.userId",
    "datacontainerid": "$.dataContainerId",
    "runtypev2/orchestrator": "$.runTypeV2.orchestrator",
}
_MAPS = {"tags": "$.tags", "properties": "$.properties"}


def condition(text: str | None) -> Condition:
    """The condition of a filter; without a filter every run fits. Raises Refused (400) where it is not understood."""
    if not text:
        return Every()
    tokens = _Tokens(text)
    read = _either(tokens)
    if tokens.next is not None:
        raise tokens.unclear()
    return read


def order(text: str | None) -> tuple[Column, bool]:
    """Column and whether it descends; without an order the oldest comes first.

    Raises Refused (400) for other columns.
    """
    if not text:
        return "created", False
    name, _, way = text.strip().partition(" ")
    column = _COLUMNS.get(name.lower())
    if column is None or way.strip().lower() not in ("", "asc", "desc"):
        raise errors.invalid(f"orderBy {text} is not supported.")
    return column, way.strip().lower() == "desc"


class _Tokens:
    def __init__(self, text: str) -> None:
        self._text = text
        self.open = 0
        self._rest: Iterator[str] = iter(_split(text))
        self.next: str | None = next(self._rest, None)

    def take(self) -> str:
        taken = self.next
        if taken is None:
            raise self.unclear()
        self.next = next(self._rest, None)
        return taken

    def unclear(self) -> errors.Refused:
        return errors.invalid(f"The filter {self._text} could not be understood.")


def _split(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise errors.invalid(f"The filter {text} could not be understood.")
        tokens.append(match[1])
        at = match.end()
    return tokens


def _either(tokens: _Tokens) -> Condition:
    conditions = [_every(tokens)]
    while tokens.next == "or":
        tokens.take()
        conditions.append(_every(tokens))
    return Either(tuple(conditions)) if len(conditions) > 1 else conditions[0]


def _every(tokens: _Tokens) -> Condition:
    conditions = [_term(tokens)]
    while tokens.next == "and":
        tokens.take()
        conditions.append(_term(tokens))
    return Every(tuple(conditions)) if len(conditions) > 1 else conditions[0]


def _term(tokens: _Tokens) -> Condition:
    if tokens.next != "(":
        return _comparison(tokens)
    tokens.take()
    tokens.open += 1
    if tokens.open > _DEEPEST:
        raise tokens.unclear()
    inner = _either(tokens)
    if tokens.take() != ")":
        raise tokens.unclear()
    tokens.open -= 1
    return inner


def _comparison(tokens: _Tokens) -> Comparison:
    subject, operator, value = _subject(tokens), _OPERATORS.get(tokens.take()), tokens.take()
    if operator is None or value in ("(", ")") or (value == "null" and operator not in ("=", "!=")):
        raise tokens.unclear()
    return Comparison(subject, operator, None if value == "null" else _value(subject, value))


def _subject(tokens: _Tokens) -> str:
    name = tokens.take()
    whole, (head, _, key) = name.lower(), name.partition("/")
    if head.lower() in _MAPS and key and '"' not in key:
        return f'{_MAPS[head.lower()]}."{key}"'
    known = _COLUMNS.get(whole) or _PATHS.get(whole)
    if known is None:
        raise errors.invalid(f"Runs cannot be filtered by {name}.")
    return known


def _value(subject: str, token: str) -> str | int:
    bare = token[1:-1].replace("''", "'") if token.startswith("'") else token
    if subject in _TIMES:
        try:
            return instants.parse(bare)
        except ValueError as wrong:
            raise errors.invalid(str(wrong)) from wrong
    if subject == "hidden":
        if bare.lower() not in ("true", "false"):
            raise errors.invalid(f"Hidden is true or false, not {bare}.")
        return int(bare.lower() == "true")
    return bare
