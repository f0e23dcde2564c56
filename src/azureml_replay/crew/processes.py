"""Workers as processes of this machine: messages go through their pipes, and nobody else can read them.

A worker ends when its driver does: its pipe says so. One that says nothing for too long is killed, and reaped.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from azureml_replay.crew.engine import Channel, WorkerLost
from azureml_replay.crew.messages import Answer, Request, Setup

HEAD = struct.Struct(">Q")
"""Before each message: its length."""
ENDING_S = 3.0
"""For a worker that was told to end."""


class Processes:
    """Starts them with this interpreter, and its environment: they log in as this process does."""

    shares_disk = True
    program: tuple[str, ...] = ("-m", "azureml_replay.crew.processes")
    """What Python is to run."""

    @asynccontextmanager
    async def worker(self, setup: Setup) -> AsyncIterator[Channel]:
        """One process, in a session of its own: Ctrl-C is for the driver."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self.program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        channel = self.channel_to(process)
        try:
            await channel.send(setup)
            yield channel
        finally:
            await channel.end()

    def channel_to(self, process: asyncio.subprocess.Process) -> PipeChannel:
        """To one that was started."""
        return PipeChannel(process)

    async def close(self) -> None:
        """Nothing is left."""


@dataclass(frozen=True, slots=True)
class PipeChannel:
    """To a process."""

    process: asyncio.subprocess.Process

    async def heard(self, within_s: float) -> Request:
        """The next request. A process that says nothing for so long is killed: a stopped one may go on later."""
        try:
            async with asyncio.timeout(within_s):
                return cast("Request", await self._read())
        except TimeoutError:
            why = f"it said nothing for {within_s:.0f} s"
        except (asyncio.IncompleteReadError, ConnectionError):
            why = "it ended"
        raise await self.lost(why)

    async def lost(self, why: str) -> WorkerLost:
        """Ends it; it cannot go on later."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        return WorkerLost(why, reaped=True)

    async def end(self) -> None:
        """Tells it to end, by its pipe, and ends it where it does not."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(ENDING_S):
                await self.process.wait()
        except (TimeoutError, asyncio.CancelledError):
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def answer(self, answer: Answer) -> None:
        """The answer to the last one."""
        try:
            await self.send(answer)
        except ConnectionError as error:
            raise await self.lost("it ended") from error

    async def send(self, message: object) -> None:
        """Writes a message, whole."""
        assert self.process.stdin is not None  # noqa: S101  # a pipe, as it was started
        data = pickle.dumps(message)
        self.process.stdin.write(HEAD.pack(len(data)) + data)
        await self.process.stdin.drain()

    async def _read(self) -> object:
        assert self.process.stdout is not None  # noqa: S101  # the same
        (length,) = HEAD.unpack(await self.process.stdout.readexactly(HEAD.size))
        return pickle.loads(await self.process.stdout.readexactly(length))  # noqa: S301  # of a process that we started


# The process


@dataclass(frozen=True, slots=True)
class _Ends:
    """A worker's two pipes. One question at a time."""

    reading: BinaryIO
    writing: BinaryIO
    turn: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> object:
        """The next message. Raises EOFError where the driver has ended."""
        (length,) = HEAD.unpack(self._whole(HEAD.size))
        return pickle.loads(self._whole(length))  # noqa: S301  # of the process that started this one

    def ask(self, request: Request) -> Answer:
        """A question, and its answer."""
        with self.turn:
            data = pickle.dumps(request)
            self.writing.write(HEAD.pack(len(data)) + data)
            self.writing.flush()
            return cast("Answer", self.read())

    def _whole(self, length: int) -> bytes:
        data = self.reading.read(length)
        if len(data) < length:
            raise EOFError("the driver has ended")
        return data


def main() -> None:
    """One worker, until its driver has no more for it, or is gone."""
    from azureml_replay.crew.worker import work  # noqa: PLC0415  # 0.5 s of imports, after the pipes are ours

    ends = _Ends(os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints is no message
    setup = cast("Setup", ends.read())

    async def call(request: Request) -> Answer:
        return await asyncio.to_thread(ends.ask, request)

    asyncio.run(work(setup, call))


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    finally:
        os._exit(code)  # a thread may still wait for the driver
