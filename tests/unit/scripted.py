"""A transport that answers from a script, and a clock that waits without waiting: two of the product's seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AsyncHttpTransport
from multidict import CIMultiDict


@dataclass
class Said:
    """One scripted answer."""

    status_code: int
    content: bytes = b"{}"
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> Mapping[str, str]:
        return CIMultiDict(self.given)

    async def iter_raw(self) -> Any:
        yield self.content


class Scripted(AsyncHttpTransport):
    """Answers with what the script says next: a Said, an exception, or a function of the request."""

    def __init__(self, *script: Said | Exception | Callable[[Any], Said]) -> None:
        self.script: Iterator[Said | Exception | Callable[[Any], Said]] = iter(script)
        self.requests: list[Any] = []

    async def send(self, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        said = next(self.script)
        if isinstance(said, Exception):
            raise said
        return said(request) if callable(said) else said

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None: ...


class Patient:
    """A clock on which only waiting takes time."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += timedelta(seconds=seconds)

    @property
    def waited_s(self) -> float:
        return sum(self.waits)


class Tokens:
    """A credential whose every token is another."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.given = 0
        self.failure = failure

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        if self.failure:
            raise self.failure
        self.given += 1
        return AccessToken(f"token-{self.given}", 4_000_000_000)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Tokens:
        return self

    async def __aexit__(self, *_: object) -> None: ...
