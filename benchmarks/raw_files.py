"""Requests to storage with nothing around them: what it bears. Run by `benchmarks.files`, as a process of its own.

It reads what to do as JSON from the file that it is given, and prints the seconds that it took. Digests of what it
uploads are made once, beforehand.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import ssl
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from azureml_replay.workers import for_each

VERSION = {"x-ms-version": "2023-11-03"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one process is to do."""

    what: str
    """`copy`, `relay` (read and write in blocks) or `upload` (write in blocks)."""
    source: str
    """URL of a container with a `%s` where the blob's name belongs, signed; so is `target`."""
    target: str
    files: list[tuple[str, str, int]]
    """Name in the source, name in the target, bytes."""
    width: int
    block_bytes: int
    proxy: str | None = None


Ask = Callable[..., Coroutine[Any, Any, bytes]]


async def run(work: Work) -> None:
    """Raises where storage refuses anything."""
    trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    connector = aiohttp.TCPConnector(limit=0, ssl=trusted)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def ask(method: str, url: str, **options: Any) -> bytes:  # noqa: ANN401 aiohttp's own
            options["headers"] = {**VERSION, **options.get("headers", {})}
            async with session.request(method, URL(url, encoded=True), proxy=work.proxy, **options) as answer:
                body = await answer.read()
            if answer.status >= 300:
                raise SystemExit(f"{method} {url.partition('?')[0]}: {answer.status} {body[:300]!r}")
            return body

        if work.what == "copy":
            await for_each(work.files, lambda file: _copied(ask, work, file), work.width)
        else:
            await _in_blocks(ask, work)


async def _copied(ask: Ask, work: Work, file: tuple[str, str, int]) -> None:
    headers = {"x-ms-copy-source": work.source % file[0], "x-ms-requires-sync": "true"}
    await ask("PUT", work.target % file[1], headers=headers)


async def _in_blocks(ask: Ask, work: Work) -> None:
    content = os.urandom(work.block_bytes)
    blocks = [(file, start) for file in work.files for start in range(0, file[2], work.block_bytes)]

    async def one(block: tuple[tuple[str, str, int], int]) -> None:
        (source, target, size), start = block
        data = content[: size - start]
        if work.what == "relay":
            wanted = {"x-ms-range": f"bytes={start}-{start + len(data) - 1}"}
            data = await ask("GET", work.source % source, headers=wanted)
        headers = {"Content-MD5": digest if len(data) == len(content) and data is content else _md5(data)}
        await ask("PUT", f"{work.target % target}&comp=block&blockid={_name(start)}", data=data, headers=headers)

    digest = _md5(content)
    await for_each(blocks, one, work.width)
    for _, target, size in work.files:
        names = "".join(f"<Latest>{name}</Latest>" for name in _names(size, work.block_bytes))
        body = f"<BlockList>{names}</BlockList>".encode()
        await ask("PUT", f"{work.target % target}&comp=blocklist", data=body)


def _names(size: int, step: int) -> Iterator[str]:
    return (_name(start) for start in range(0, size, step))


def _name(start: int) -> str:
    """12 bytes: no character of their Base64 needs quoting."""
    return base64.b64encode(b"%012d" % start).decode()


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


if __name__ == "__main__":
    order = Work(**json.loads(Path(sys.argv[1]).read_bytes()))
    started = time.perf_counter()
    asyncio.run(run(order))
    print(json.dumps(time.perf_counter() - started))
