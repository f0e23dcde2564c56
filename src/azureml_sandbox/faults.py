"""Declared trouble: what the service does on bad days, on demand and never by chance.

    {"rules": [{"match": {"service": "metric", "method": "POST", "path": "/batch$", "workspace": "target"},
                "after": 2, "every": 3, "times": 5, "do": "throttle"}],
     "max_in_flight": 32, "rate": {"burst": 250, "per_second": 25},
     "ingestion_lag_ms": 2000, "token_lifetime_s": 60, "strict": ["refuse-client-ids"]}

A rule counts the requests it matches, skips the first `after`, then hits each `every`th, `times` times at most.
Without `match` it matches all, without counts it always hits. The first rule that hits decides; delays add up.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from azureml_sandbox.errors import Refused
from azureml_sandbox.refusals import BAD_GATEWAY, refuse
from azureml_sandbox.traffic import Asked

ACTS = ("throttle", "status", "html502", "reset", "reset-after", "truncate", "delay")
"""`status` wants the key `status`, `delay` the key `delay_ms`. `reset` cuts the connection before the request is
handled, `reset-after` when it was and its answer is due, `truncate` in the middle of the answer's body."""

STRICT = ("refuse-client-ids", "ignore-start-times", "drop-properties", "history-runs-not-listed")
"""Variants of the service that behave otherwise, as `run_history.py` and `arm_jobs.py` know them."""
_UNLIMITED = frozenset({"blob", "login", "discovery"})
_BUSY = Refused(
    429,
    "Received too many requests in a short amount of time. Retry again after 20 seconds.",
    ("UserError", "QuotaExceeded", "TooManyRequests"),
)
_WORDS = {
    500: ("ServiceError", "InternalServerError"),
    503: ("ServiceError", "ServiceUnavailable"),
    504: ("TransientError", "Timeout"),
}


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests; what is not named is not asked."""

    service: str | None = None
    method: str | None = None
    path: str | None = None
    """A regular expression, searched in the path as sent."""
    workspace: str | None = None

    def __call__(self, asked: Asked) -> bool:
        """Whether this request is meant."""
        return (
            self.service in (None, asked.service)
            and self.method in (None, asked.method)
            and self.workspace in (None, asked.workspace)
            and (self.path is None or re.search(self.path, asked.path) is not None)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of trouble."""

    do: str
    match: Match = field(default_factory=Match)
    after: int = 0
    every: int = 1
    times: int | None = None
    status: int = 500
    delay_ms: float = 0

    def hits(self, count: int) -> bool:
        """Whether the `count`th request that it matches, from 1 on, is hit."""
        turn, rest = divmod(count - self.after, self.every)
        return count > self.after and rest == 0 and (self.times is None or turn <= self.times)


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second that are let through after a first burst."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Declared:
    """All trouble of one moment."""

    rules: tuple[Rule, ...] = ()
    max_in_flight: int | None = None
    """A further request of ARM or the data plane is refused (429)."""
    rate: Rate | None = None
    ingestion_lag_ms: int = 0
    """Metrics show up this late."""
    token_lifetime_s: int | None = None
    strict: frozenset[str] = frozenset()
    """Variants of the service that handlers know by name."""

    @classmethod
    def read(cls, document: object) -> Declared:
        """From JSON: an object with these names, or a list of rules. ValueError with one line for anything else."""
        given = _named(cls, {"rules": document} if isinstance(document, list) else document, "faults")
        rules = tuple(_rule(rule, f"rules[{index}]") for index, rule in enumerate(given.pop("rules", [])))
        if given.get("rate") is not None:
            given["rate"] = Rate(**_named(Rate, given["rate"], "rate"))
        strict = frozenset(given.get("strict", ()))
        if unknown := sorted(strict - set(STRICT)):
            raise ValueError(f"strict is {unknown[0]!r}, expected one of: {', '.join(STRICT)}")
        return cls(**{**given, "rules": rules, "strict": strict})


def _rule(document: object, where: str) -> Rule:
    given = _named(Rule, document, where)
    if given.get("do") not in ACTS:
        raise ValueError(f"{where}.do is {given.get('do')!r}, expected one of: {', '.join(ACTS)}")
    if given.get("every", 1) < 1:
        raise ValueError(f"{where}.every is {given['every']}, expected 1 or more")
    match = Match(**_named(Match, given.pop("match", {}), f"{where}.match"))
    if match.path is not None:
        try:
            re.compile(match.path)
        except re.error as error:
            raise ValueError(f"{where}.match.path is no regular expression: {error}") from error
    return Rule(**given, match=match)


def _named(kind: type, document: object, where: str) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise ValueError(f"{where} is {document!r}, expected an object")  # noqa: TRY004 - JSON from a user
    known = {each.name for each in fields(kind)}
    if unknown := sorted(set(document) - known):
        raise ValueError(f"{where}.{unknown[0]} is not known, expected: {', '.join(sorted(known))}")
    return dict(document)


class Faults:
    """The declared trouble and how far it has come. Handlers read `declared`."""

    def __init__(self, declared: Declared) -> None:
        self.declare(declared)

    def declare(self, declared: Declared) -> None:
        """Replace what was declared; counts begin anew."""
        self.declared = declared
        self._counts = [0] * len(declared.rules)
        self._tokens = float(declared.rate.burst) if declared.rate is not None else 0.0
        self._filled = time.monotonic()

    @property
    def ingestion_lag_ms(self) -> int:
        """How late metrics show up."""
        return self.declared.ingestion_lag_ms

    def around(self, asked: Asked, in_flight: int, answer: ASGIApp) -> ASGIApp:
        """The answer, or what is declared instead of it for this one request."""
        if self._too_many(asked, in_flight):
            return _throttle(asked)
        hit = self._hit(asked)
        rule = next((rule for rule in hit if rule.do != "delay"), None)
        troubled = answer if rule is None else _instead(rule, asked, answer)
        delay_ms = sum(rule.delay_ms for rule in hit)
        return _late(troubled, delay_ms) if delay_ms else troubled

    def _too_many(self, asked: Asked, in_flight: int) -> bool:
        if asked.service in _UNLIMITED:
            return False
        wide = self.declared.max_in_flight is not None and in_flight > self.declared.max_in_flight
        return wide or not self._let_through()

    def _let_through(self) -> bool:
        rate = self.declared.rate
        if rate is None:
            return True
        now = time.monotonic()
        self._tokens = min(rate.burst, self._tokens + (now - self._filled) * rate.per_second)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _hit(self, asked: Asked) -> list[Rule]:
        hit = []
        for index, rule in enumerate(self.declared.rules):
            if rule.match(asked):
                self._counts[index] += 1
                if rule.hits(self._counts[index]):
                    hit.append(rule)
        return hit


def _throttle(asked: Asked) -> Response:
    """429 as recorded: no Retry-After, the wait only in the words, and the connection closed."""
    answer = refuse(asked, _BUSY)
    answer.headers["connection"] = "close"
    return answer


def _late(answer: ASGIApp, delay_ms: float) -> ASGIApp:
    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(delay_ms / 1000)
        await answer(scope, receive, send)

    return waiting


def _instead(rule: Rule, asked: Asked, answer: ASGIApp) -> ASGIApp:
    if rule.do == "throttle":
        return _throttle(asked)
    if rule.do == "status":
        words = _WORDS.get(rule.status, ("ServiceError", f"Declared{rule.status}"))
        return refuse(asked, Refused(rule.status, "Declared trouble.", words))
    if rule.do == "html502":
        return HTMLResponse(BAD_GATEWAY, 502)
    return _cut(rule.do, answer)


def _cut(act: str, answer: ASGIApp) -> ASGIApp:
    async def cutting(scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope["state"]["transport"]
        if act == "truncate":
            await answer(scope, receive, _Half(send, transport))
            return
        if act == "reset-after":
            await answer(scope, receive, _nowhere)
        transport.abort()

    return cutting


async def _nowhere(_message: Message) -> None:
    """The answer that never arrives."""


class _Half:
    """Sends half of the body's first part, then ends the connection."""

    def __init__(self, send: Send, transport: asyncio.Transport) -> None:
        self._send, self._transport = send, transport

    async def __call__(self, message: Message) -> None:
        if self._transport.is_closing():
            return
        if message["type"] == "http.response.start":
            await self._send(message)
            return
        body = message.get("body", b"")
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        self._transport.close()
