"""The smallest server that a client can be measured against: one fixed answer, no parsing beyond the header's end.

`python -m benchmarks.stub` serves until it is killed, and says its port; `ceiling.py` starts it.
"""

from __future__ import annotations

import asyncio
import sys

BODY = b'{"value":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Stub(asyncio.Protocol):
    """Answers every request after `latency_s`."""

    def __init__(self, latency_s: float, body: bytes) -> None:
        self._latency_s, self._answer = latency_s, ANSWER % (len(body), body)
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """One request at a time, as HTTP/1.1 clients send them; a body is skipped by its length."""
        self._waiting += data
        head, ended, rest = self._waiting.partition(b"\r\n\r\n")
        if not ended or len(rest) < _length(head):
            return
        self._waiting = b""
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._say)
        else:
            self._say()

    def _say(self) -> None:
        if isinstance(self._transport, asyncio.WriteTransport) and not self._transport.is_closing():
            self._transport.write(self._answer)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def serve(latency_s: float, body: bytes) -> None:
    """Until cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Stub(latency_s, body), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000, BODY if len(sys.argv) < 3 else b"x" * int(sys.argv[2])))
