"""Asynchronous copies that take a while: Azurite's are done when they are answered, the service's often are not.

The copy is made at once and hidden until it is due: its blob says `pending` and has no bytes, nobody can write to it,
and it can be aborted. The server forgets hidden copies when it stops. A listing shows the blob's final size (clients
that wait for a copy do not read it there).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from azureml_sandbox.protocol.errors import Refused

PENDING = Refused(409, "There is currently a pending copy operation.", ("PendingCopyOperation",))
NONE_PENDING = Refused(409, "There is currently no pending copy operation.", ("NoPendingCopyOperation",))

_NO_RANGE = {b"x-ms-error-code": b"InvalidRange", b"content-range": b"bytes */0"}
_HIDDEN = frozenset({b"content-length", b"content-md5", b"content-range", b"x-ms-copy-completion-time"})


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy that is pending or was aborted."""

    due: float
    """When it is done, in seconds of the monotonic clock."""
    copy_id: str = ""
    state: Literal["pending", "aborted"] = "pending"

    @property
    def hides(self) -> bool:
        """Whether its blob still looks as if it had no bytes."""
        return self.state == "aborted" or time.monotonic() < self.due


class PendingCopies:
    """The copies of all accounts, by account and path as sent."""

    def __init__(self) -> None:
        self._copies: dict[tuple[str, str], Copy] = {}

    def hidden(self, account: str, path: str) -> Copy | None:
        """The copy that hides this blob; None where there is none, or where it is done."""
        found = self._copies.get((account, path))
        if found is not None and not found.hides:
            del self._copies[account, path]
            return None
        return found

    def starting(self, account: str, path: str, after_s: float, answer: ASGIApp) -> ASGIApp:
        """The answer to the start of a copy; where the copy succeeds the answer says `pending`."""

        def seen(message: Message) -> Message:
            if message["status"] != 202:
                return message
            headers = dict(message["headers"])
            copy = Copy(time.monotonic() + after_s, headers.get(b"x-ms-copy-id", b"").decode())
            self._copies[account, path] = copy
            return {**message, "headers": _with(message["headers"], {b"x-ms-copy-status": b"pending"})}

        return _changed(answer, seen)

    def answering(
        self, account: str, scope: Scope, answer: ASGIApp, empty: Callable[[], Awaitable[None]]
    ) -> ASGIApp | None:
        """The answer while the blob is hidden; None where it is not. `empty` removes the blob's bytes.

        Raises:
            Refused: the blob may not be written now (409).
        """
        path, asked = scope["raw_path"].decode("ascii"), parse_qs(scope["query_string"].decode("ascii"))
        copy = self.hidden(account, path)
        if asked.get("comp") == ["copy"]:
            if copy is None or copy.state == "aborted" or asked.get("copyid") != [copy.copy_id]:
                raise NONE_PENDING
            return self._aborting(account, path, copy, empty)
        if copy is None:
            return None
        if scope["method"] in {"GET", "HEAD"}:
            return _changed(answer, _hiding(copy), bodiless=True)
        if copy.state == "pending":
            raise PENDING
        del self._copies[account, path]
        return None

    def _aborting(self, account: str, path: str, copy: Copy, empty: Callable[[], Awaitable[None]]) -> ASGIApp:
        async def abort(scope: Scope, receive: Receive, send: Send) -> None:
            self._copies[account, path] = replace(copy, state="aborted")
            await empty()
            await Response(status_code=204)(scope, receive, send)

        return abort


def _hiding(copy: Copy) -> Callable[[Message], Message]:
    state = {b"x-ms-copy-status": copy.state.encode(), b"x-ms-copy-id": copy.copy_id.encode(), b"content-length": b"0"}

    def seen(message: Message) -> Message:
        if message["status"] >= 400:
            return {**message, "headers": _with(message["headers"], {b"content-length": b"0"})}
        ranged = message["status"] == 206  # a blob without bytes has no range
        shown = [(name, value) for name, value in message["headers"] if name.lower() not in _HIDDEN]
        progress = next((value for name, value in shown if name.lower() == b"x-ms-copy-progress"), b"0/0")
        told = state | {b"x-ms-copy-progress": b"0/" + progress.rpartition(b"/")[2]}
        return {
            **message,
            "status": 416 if ranged else 200,
            "headers": _with(shown, told | (_NO_RANGE if ranged else {})),
        }

    return seen


def _with(headers: list[tuple[bytes, bytes]], given: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [*((name, value) for name, value in headers if name.lower() not in given), *given.items()]


def _changed(answer: ASGIApp, seen: Callable[[Message], Message], *, bodiless: bool = False) -> ASGIApp:
    async def changing(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = seen(message)
            elif bodiless:
                message = {**message, "body": b""}
            await send(message)

        await answer(scope, receive, sending)

    return changing
