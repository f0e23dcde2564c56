"""What was asked and answered, body by body, while a test wants to know it. Without tokens; signed URLs are in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import orjson
from starlette.types import Message

from azureml_sandbox.pki import private
from azureml_sandbox.protocol.traffic import Asked

NAME = "exchanges.jsonl"
"""In the sandbox's folder: one JSON object a line, `Entry.document`."""


class Entry:
    """One request and its answer, collected while they pass."""

    def __init__(self, asked: Asked, query: bytes, client: str) -> None:
        self._asked, self._query, self._client = asked, query, client
        self._request, self._answer = bytearray(), bytearray()
        self._status = 0

    def received(self, message: Message) -> None:
        """A piece of the request."""
        self._request += message.get("body", b"")

    def sent(self, message: Message) -> None:
        """A piece of the answer."""
        self._status = message.get("status", self._status)
        self._answer += message.get("body", b"")

    def document(self) -> dict[str, Any]:
        """The exchange; bodies as text."""
        return {
            "service": self._asked.service,
            "method": self._asked.method,
            "route": self._asked.route,
            "path": self._asked.path,
            "query": self._query.decode("ascii", "replace"),
            "client": self._client,
            "request": self._request.decode("utf-8", "replace"),
            "status": self._status,
            "answer": self._answer.decode("utf-8", "replace"),
        }


class Journal:
    """The exchanges of all services but storage and login, written down while it is open."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Begin anew."""
        self.close()
        self._file = open(self._path, "wb", opener=private)  # noqa: SIM115 - closed by `close`

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def begin(self, asked: Asked, query: bytes, client: str) -> Entry | None:
        """An entry to be filled; None where nobody wants to know."""
        if self._file is None or asked.service in {"blob", "login", "discovery", "none"}:
            return None
        return Entry(asked, query, client)

    def end(self, entry: Entry) -> None:
        """Write an entry down."""
        if self._file is not None:
            self._file.write(orjson.dumps(entry.document()) + b"\n")
            self._file.flush()
