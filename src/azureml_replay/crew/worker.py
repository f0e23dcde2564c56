"""A worker: asks for a part, does a verb's work over the part's archive, says so, and asks for the next one.

It logs in itself, with what its own process finds. It never asks the target for its lease, but its driver; where that
does not answer any more, or says that the part is another one's, the work ends with nothing sent.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from azureml_replay.archive.archive import Archive
from azureml_replay.connection import Config, connect
from azureml_replay.crew.messages import (
    PIECE_BYTES,
    Alive,
    Answer,
    Done,
    Fetch,
    GaveUp,
    Granted,
    Order,
    Over,
    Piece,
    Put,
    Ready,
    Request,
    Result,
    Setup,
    Stop,
    ToExtract,
    ToSend,
)
from azureml_replay.crew.pool import Errand
from azureml_replay.crew.relay import Relay, RelayHandler
from azureml_replay.direct.replay import send_part
from azureml_replay.errors import LeaseTaken
from azureml_replay.extraction.extract import extract_part
from azureml_replay.sending.cap import Cap
from azureml_replay.target.holder import alive_for
from azureml_replay.target.lease import Guard, now_s
from azureml_replay.target.sublease import SubLease
from azureml_replay.verification.proof import Proof
from azureml_replay.verification.verify import verify_part
from azureml_replay.workers import beside, for_each
from azureml_replay.workspace.opened import OpenedWorkspace
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target

Call = Callable[[Request], Awaitable[Answer]]
"""Asks the driver, and gives its answer. Raises where there is no driver any more."""
ALIVE_EVERY_S = 1.0
"""So often the driver hears of a worker at work, and renews its term: a message of some hundred bytes."""
HANDS = 2
"""Orders at a time, over one connection: the last requests of one and the first of the next have few beside them, which
took a second an order at 100 ms. More requests at a time than `--parallel` no service gets from a worker."""
IDLE_S = 0.2
"""Between two questions for work, where there is none."""


async def work(setup: Setup, call: Call) -> None:
    """Carry out orders until there are none. Raises what ended the driver's side, or an order that was taken away."""
    relay = Relay()
    _log_to(relay, setup.log_level)
    with alive_for(setup.holder):
        async with AsyncExitStack() as stack:
            worker = _Worker(setup, call, relay, stack)
            await for_each(range(HANDS), worker.go, HANDS)


def _log_to(relay: Relay, level: int) -> None:
    """All that is logged, from now on, once: the driver's log is the only one."""
    logger = logging.getLogger("azureml_replay")
    logger.setLevel(level)
    logger.propagate = False
    logger.handlers[:] = [RelayHandler(relay)]


@dataclass(slots=True)
class _Worker:
    setup: Setup
    call: Call
    relay: Relay
    stack: AsyncExitStack
    opened: dict[str, OpenedWorkspace] = field(default_factory=dict)
    cap: Cap | None = field(init=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.cap = Cap(self.setup.mbps) if self.setup.mbps is not None else None

    async def go(self, _: int) -> None:
        """One hand: order by order."""
        while not isinstance(answer := await self.call(Ready()), Stop):
            if isinstance(answer, Order):
                await self.carry_out(answer)
            else:
                await asyncio.sleep(IDLE_S)

    async def carry_out(self, order: Order) -> None:
        """One order, with its outcome; what is no fault of one run ends this worker, once the driver knows."""
        term = SubLease(partial(self._alive, order.errand, wants=True))
        try:
            async with self._folder(order) as folder:
                async with beside(partial(self._renew, order.errand, term)):
                    with Archive.open(folder) as archive:
                        result = await self._result(order, archive, term)
                if order.folder is None:
                    await self._put(order.errand, folder)
        except Exception as error:
            await self.call(GaveUp(order.errand, error, self.relay.news()))
            raise
        await self.call(Done(order.errand, result, self.relay.news()))

    async def _result(self, order: Order, archive: Archive, term: SubLease) -> Result:
        setup, relay, work = self.setup, self.relay, order.work
        if isinstance(work, ToExtract):
            return await extract_part(
                await self._source(),
                archive,
                work.options,
                without=work.without,
                shelved=work.shelved,
                width=setup.width,
                progress=relay,
            )
        target = cast("Target", Guard(await self._open("target", setup.target), term))
        without = isinstance(work, ToSend) and not work.options.files.artifacts
        source = None if without or setup.source is None else await self._source()  # as one process has it
        if isinstance(work, ToSend):
            return await send_part(
                archive,
                source,
                target,
                order.units,
                options=work.options,
                profile=work.profile,
                briefing=work.briefing,
                width=setup.width,
                progress=relay,
            )
        proof = Proof(archive, archive.ledger(target.ref), work.look, work.deep, work.files)
        return await verify_part(
            proof, target, order.units, source=source, shelved=work.shelved, width=setup.width, progress=relay
        )

    async def _source(self) -> Source:
        return await self._open("source", self.setup.source)

    async def _open(self, side: str, config: Config | None) -> OpenedWorkspace:
        """Once in a worker's life."""
        if config is None:
            raise LookupError(f"no {side} was named")
        async with self.turn:
            if side not in self.opened:
                opening = connect(config, width=self.setup.width, on_throttle=self.relay.slowed, cap=self.cap)
                self.opened[side] = self.relay.opened[side] = await self.stack.enter_async_context(opening)
                self.relay.watch(side, self.opened[side].loads)
        return self.opened[side]

    # The term

    async def _renew(self, errand: Errand, term: SubLease) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY_S)
            asked_s = now_s()
            seconds = await self._alive(errand, wants=term.was_taken)
            if term.was_taken:
                term.extend(asked_s, seconds)

    async def _alive(self, errand: Errand, *, wants: bool) -> float:
        """For how many seconds nobody else writes. Raises LeaseTaken where somebody else may."""
        answer = await self.call(Alive(errand, wants, self.relay.news()))
        if isinstance(answer, Granted):
            return answer.seconds
        why = answer.why if isinstance(answer, Over) else "the driver said something else"
        raise LeaseTaken(f"part {errand} is not this worker's any more ({why}): nothing was sent since")

    # The part's archive

    @asynccontextmanager
    async def _folder(self, order: Order) -> AsyncIterator[Path]:
        if order.folder is not None:
            yield order.folder
            return
        folder = Path(tempfile.mkdtemp(prefix="azureml-replay-part-"))
        try:
            await self._fetch(order.errand, folder / "archive.db")
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _fetch(self, errand: Errand, file: Path) -> None:
        number = 0
        with file.open("wb") as writing:
            while isinstance(piece := await self.call(Fetch(errand, number)), Piece) and piece.data:
                writing.write(piece.data)
                number += 1

    async def _put(self, errand: Errand, folder: Path) -> None:
        number = 0
        with (folder / "archive.db").open("rb") as reading:
            while data := reading.read(PIECE_BYTES):
                await self.call(Put(errand, number, data))
                number += 1
