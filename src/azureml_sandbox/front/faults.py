"""Makes declared faults happen: what the service does on bad days, on demand and never by chance.

`protocol/declared_faults.py` says what may be declared.
"""

from __future__ import annotations

import asyncio
import time

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from azureml_sandbox.protocol.declared_faults import SOURCES, Declared, Rule
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.protocol.refusals import BAD_GATEWAY, refuse
from azureml_sandbox.protocol.traffic import Asked

_UNLIMITED = frozenset({"blob", "login", "discovery"})
_BUSY = Refused(
    429,
    "Received too many requests in a short amount of time. Retry again after 20 seconds.",
    ("UserError", "QuotaExceeded", "TooManyRequests"),
)
_OUT_OF_REACH = Refused(403, "This request is not authorized to perform this operation.", ("CannotVerifyCopySource",))
"""Status and code of copies from an account behind a firewall (azure-storage-azcopy issues 755 and 1673)."""
_WORDS = {
    500: ("ServiceError", "InternalServerError"),
    503: ("ServiceError", "ServiceUnavailable"),
    504: ("TransientError", "Timeout"),
}


class Faults:
    """The declared faults, and how many requests each rule has matched. Handlers read `declared`."""

    def __init__(self, declared: Declared) -> None:
        self.declare(declared)

    def declare(self, declared: Declared) -> None:
        """Replace what was declared; all counts begin at 0."""
        self.declared = declared
        self._counts = [0] * len(declared.rules)
        self._tokens = float(declared.rate.burst) if declared.rate is not None else 0.0
        self._filled = time.monotonic()

    @property
    def ingestion_lag_ms(self) -> int:
        """Milliseconds until metrics become readable."""
        return self.declared.ingestion_lag_ms

    def around(self, asked: Asked, in_flight: int, answer: ASGIApp) -> ASGIApp:
        """The answer to this request, or the fault that is declared in its place."""
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
    """429 as recorded: it has no Retry-After, names the wait in its message only, and closes the connection."""
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
    if rule.do == "refuse-copy":
        return refuse(asked, _OUT_OF_REACH) if asked.route.endswith(" copy") else answer
    if rule.do in SOURCES:
        return _disturbed(rule.do, answer)
    return _cut(rule.do, answer)


def _disturbed(act: str, answer: ASGIApp) -> ASGIApp:
    """The answer, given after the blob that it reads was changed or removed."""

    async def disturbing(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.disturb(act, scope)
        await answer(scope, receive, send)

    return disturbing


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
    """Drop a part of an answer that is not to arrive."""


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
