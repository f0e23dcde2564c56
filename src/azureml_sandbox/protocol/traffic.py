"""The traffic since the last reset: requests, writes, bytes, and the most requests at one time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import Message, Receive, Send

from azureml_sandbox.protocol.route import Effect


@dataclass(frozen=True, slots=True)
class Asked:
    """One request with the service, workspace and route that it is for."""

    service: str
    """A `route.Service`, or blob, login, discovery, none."""
    workspace: str
    """The workspace's name; empty where the request names none that exists."""
    region: str
    method: str
    route: str
    """The template of its route, or what a blob request does; the path itself where no route fits."""
    effect: Effect
    path: str
    """The path as sent, percent-encoding included, without the query."""


class Hearing(Protocol):
    """Whoever wants to see what passes."""

    def received(self, message: Message, /) -> None:
        """A piece of the request."""

    def sent(self, message: Message, /) -> None:
        """A piece of the answer."""


class Traffic:
    """The counts of one server."""

    def __init__(self) -> None:
        self._in_flight = 0
        self.reset()

    @property
    def in_flight(self) -> int:
        """The number of requests that wait for their answer."""
        return self._in_flight

    def reset(self) -> None:
        """Set all counts to 0; a request under way is counted when it ends."""
        self._bytes = 0
        self._most = self._in_flight
        self._routes: Counter[tuple[str, str, str, int, Effect]] = Counter()

    def begin(self, asked: Asked, receive: Receive, send: Send, heard: Hearing | None = None) -> Exchange:
        """Count a request in; the caller uses the exchange's `receive` and `send` in place of its own."""
        self._in_flight += 1
        self._most = max(self._most, self._in_flight)
        return Exchange(self, asked, receive, send, heard)

    def end(self, asked: Asked, status: int, size_bytes: int) -> None:
        """Count a request out. Status 0: the connection was cut before an answer."""
        self._in_flight -= 1
        self._bytes += size_bytes
        self._routes[asked.workspace, asked.method, asked.route, status, asked.effect] += 1

    def document(self) -> dict[str, Any]:
        """`{"total", "writes", "bytes", "most_in_flight", "routes": [...]}`; bytes are those of bodies, both ways."""
        names = ("workspace", "method", "route", "status", "effect")
        return {
            "total": self._routes.total(),
            "writes": sum(count for (*_, effect), count in self._routes.items() if effect == "write"),
            "bytes": self._bytes,
            "most_in_flight": self._most,
            "routes": [
                {**dict(zip(names, key, strict=True)), "count": count} for key, count in sorted(self._routes.items())
            ],
        }


class Exchange:
    """One request and its answer, measured while they pass."""

    __slots__ = ("_asked", "_heard", "_receive", "_send", "_size_bytes", "_status", "_traffic")

    def __init__(self, traffic: Traffic, asked: Asked, receive: Receive, send: Send, heard: Hearing | None) -> None:
        self._traffic, self._asked, self._receive, self._send, self._heard = traffic, asked, receive, send, heard
        self._status = self._size_bytes = 0

    async def receive(self) -> Message:
        """ASGI's receive."""
        message = await self._receive()
        self._size_bytes += len(message.get("body", b""))
        if self._heard is not None:
            self._heard.received(message)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's send."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
        else:
            self._size_bytes += len(message.get("body", b""))
        if self._heard is not None:
            self._heard.sent(message)
        await self._send(message)

    def end(self) -> None:
        """Count the request out: its answer was sent, or never will be."""
        self._traffic.end(self._asked, self._status, self._size_bytes)
