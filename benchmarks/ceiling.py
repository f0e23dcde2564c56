"""What the client's own stack bears, against a stub that answers at once: requests a second, by width.

`python -m benchmarks.ceiling`. `Sender` is everything that a request of ours passes: pipeline, gate, retry rule, log;
`aiohttp` is the session below it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.credentials import AccessToken
from benchmarks.measure import table, written

from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.sending.sender import Sender, Service
from azureml_replay.sending.transport import open_transport
from azureml_replay.workers import for_each

HEAD = ["client", "width", "requests/s", "client ms/req", "of a core"]


class Login:
    """A token that never ends."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """As azure-identity."""
        return AccessToken("made up", int(time.time()) + 86_400)


def main() -> None:
    """Prints a table, writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ceiling", description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--output", type=Path)
    flags = parser.parse_args()
    with stub() as url:
        figures = [
            asyncio.run(measure(url, width, flags.requests))
            for measure in (of_sender, of_aiohttp)
            for width in (8, 32, 128)
        ]
    print(table(HEAD, [list(one.values()) for one in figures]))
    print(f"\nwritten to {written('ceiling', figures, flags.output)}")


@contextmanager
def stub(latency_ms: float = 0) -> Iterator[str]:
    """A stub in a process of its own; its URL."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.stub", str(latency_ms)], stdout=subprocess.PIPE)
    try:
        port = process.stdout.readline().decode().strip() if process.stdout else ""
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


async def of_sender(url: str, width: int, count: int) -> dict[str, Any]:
    """Through the one function that sends."""
    async with open_transport() as transport:
        sender = Sender(transport, Login(), AZURE_WORDS, parallel=width)  # type: ignore[arg-type]
        service = Service("stub", None)

        async def ask(_: int) -> None:
            await sender.send(service, "POST", url, json={"continuationToken": None}, repeatable=True)

        return await _timed("Sender", ask, width, count)


async def of_aiohttp(url: str, width: int, count: int) -> dict[str, Any]:
    """The session alone."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(_: int) -> None:
            async with session.post(url, json={"continuationToken": None}) as answer:
                await answer.read()

        return await _timed("aiohttp", ask, width, count)


async def _timed(name: str, ask: Callable[[int], Awaitable[None]], width: int, count: int) -> dict[str, Any]:
    await for_each(range(width), ask, width)  # connections open
    started, used = time.perf_counter(), _cpu_s()
    await for_each(range(count), ask, width)
    wall_s, cpu_s = time.perf_counter() - started, _cpu_s() - used
    return {
        "client": name,
        "width": width,
        "per_s": count / wall_s,
        "cpu_ms": 1000 * cpu_s / count,
        "share": cpu_s / wall_s,
    }


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


if __name__ == "__main__":
    main()
