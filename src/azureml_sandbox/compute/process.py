"""Runs a submitted command as a local process, passes its output on as it comes, ends it on demand."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

GRACE_S = 3
"""Seconds between SIGTERM and SIGKILL. The service's own are not documented; a server has 10 s to stop in."""

_KEEPER = Path(__file__).with_name("keeper.py")
_TOGETHER_S = 0.1  # output of this time is written at once: an append costs Azurite 5 ms, a line may come every 1 ms
_CHUNK = 1 << 20


async def execute(
    command: str,
    folder: Path,
    variables: Mapping[str, str],
    write: Callable[[bytes], Awaitable[None]],
    timeout_s: float | None = None,
) -> int:
    """Run `bash -c command` in the folder with these variables and no others; returns its exit code.

    `write` gets stdout and stderr as they come. When cancelled, it raises after the process and all that it started
    have ended.

    Raises:
        TimeoutError: the process was ended because its time was over.
    """
    keeper = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(_KEEPER),
        str(GRACE_S),
        command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=dict(variables),
        start_new_session=True,  # an interrupt at the terminal reaches only the server
    )
    assert keeper.stdin is not None  # noqa: S101 - asked for above
    assert keeper.stdout is not None  # noqa: S101 - asked for above
    writing = asyncio.create_task(_pump(keeper.stdout, write))
    try:
        async with asyncio.timeout(timeout_s):
            return await keeper.wait()
    finally:
        keeper.stdin.close()
        await keeper.wait()
        await writing


async def _pump(output: asyncio.StreamReader, write: Callable[[bytes], Awaitable[None]]) -> None:
    while chunk := await output.read(_CHUNK):
        await write(chunk)
        await asyncio.sleep(_TOGETHER_S)
