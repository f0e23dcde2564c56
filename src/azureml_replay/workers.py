"""The only place that starts tasks. Its widths bound memory; gates bound the requests in flight at a service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, nullcontext
from enum import Enum
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Room = asyncio.Semaphore
"""Places that several share."""
Result = TypeVar("Result")


async def for_each(
    items: Iterable[Item] | AsyncIterable[Item], work: Callable[[Item], Awaitable[None]], width: int
) -> None:
    """Await `work` on every item, at most `width` at a time; the next item is taken only when a worker is free.

    The first exception, of `work` or of `items`, cancels the others and is raised as it is.
    """
    async with aclosing(_iterate(items)) as source:
        turn = asyncio.Lock()

        async def worker() -> None:
            while True:
                async with turn:
                    try:
                        item = await anext(source)
                    except StopAsyncIteration:
                        return
                await work(item)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(max(1, width)):
                    group.create_task(worker())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None


async def map_bounded(items: Sequence[Item], work: Callable[[Item], Awaitable[Result]], width: int) -> Sequence[Result]:
    """The results of `work` in the order of `items`, at most `width` at a time. Raises as `for_each` does."""
    results: dict[int, Result] = {}

    async def keep(numbered: tuple[int, Item]) -> None:
        at, item = numbered
        results[at] = await work(item)

    await for_each(enumerate(items), keep, min(width, len(items)))
    return [results[at] for at in range(len(items))]


async def together(*work: Callable[[], Awaitable[Result]]) -> Sequence[Result]:
    """The results of all of it, done at once. Raises as `for_each` does."""
    return await map_bounded(work, lambda one: one(), len(work))


async def _iterate(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncGenerator[Item, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """`work` goes on while the block does, and is cancelled at its end.

    What `work` raises cancels the block, and is raised as it is; so is what the block raises.
    """
    try:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(_done(work))
            yield
            working.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _done(work: Callable[[], Awaitable[None]]) -> None:
    await work()


@asynccontextmanager
async def read_ahead(items: AsyncIterator[Item], most: int) -> AsyncIterator[AsyncIterator[Item]]:
    """The same items, of which up to `most` wait: the next ones are read while the last one is worked on.

    What reading raises cancels the block, and is raised as it is.
    """
    waiting: asyncio.Queue[Item | _End] = asyncio.Queue(maxsize=most)

    async def pump() -> None:
        async with aclosing(items) if isinstance(items, AsyncGenerator) else nullcontext():
            await _pump(items, waiting)

    async with beside(pump):
        yield _taken(waiting)


async def side_by_side(
    items: Iterable[Item],
    read: Callable[[Item], AsyncIterator[Result]],
    take: Callable[[Item, Result], None],
    room: asyncio.Semaphore,
) -> None:
    """Give `take` everything that `read` gives of each item, in the order of `items`.

    As long as `room`, which others share, allows, later items are read meanwhile; one result of each waits at most.
    The first exception cancels the others and is raised as it is.
    """
    coming = iter(items)
    reading: deque[tuple[Item, asyncio.Queue[Result | _End]]] = deque()
    async with room:
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    while (not reading or not room.locked()) and (item := next(coming, _End.END)) is not _End.END:
                        if reading:
                            await room.acquire()
                        reading.append((item, asyncio.Queue(maxsize=1)))
                        group.create_task(_pump(read(item), reading[-1][1]))
                    if not reading:
                        return
                    item, results = reading[0]
                    if (result := await results.get()) is not _End.END:
                        take(item, result)
                        continue
                    reading.popleft()
                    if reading:
                        room.release()  # the next item, read ahead with a place of its own, takes the first one's
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            for _ in range(len(reading) - 1):
                room.release()


async def overlapping(
    items: Iterable[tuple[Item, Collection[int]]],
    begin: Callable[[Item], Awaitable[Callable[[], Awaitable[None]]]],
    room: asyncio.Semaphore,
) -> Sequence[Exception]:
    """Work on items that begin in their order and go on side by side, as long as `room`, which others share, allows.

    `begin` is awaited for one item at a time, and gives what goes on. Beside each item stand the places of earlier ones
    that must have ended before it begins. Once one fails, no further one begins; what was raised is the result, once
    all that began have ended: nothing of theirs is on its way then.
    """
    going: dict[int, asyncio.Task[None]] = {}
    failed: list[BaseException] = []

    def ended(at: int, task: asyncio.Task[None]) -> None:
        del going[at]
        room.release()
        if not task.cancelled() and (error := task.exception()):
            failed.append(error)

    try:
        for at, (item, after) in enumerate(items):
            await _ended(going[one] for one in after if one in going)
            await room.acquire()
            if failed:
                room.release()
                break
            going[at] = asyncio.create_task(_after(begin(item), begun := asyncio.Event()))
            going[at].add_done_callback(partial(ended, at))
            await begun.wait()
        while going and all(isinstance(error, Exception) for error in failed):
            await asyncio.wait(going.values(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in going.values():
            task.cancel()
        await _ended(going.values())
    for error in failed:
        if not isinstance(error, Exception):
            raise error
    return [error for error in failed if isinstance(error, Exception)]


async def _after(begin: Awaitable[Callable[[], Awaitable[None]]], begun: asyncio.Event) -> None:
    try:
        go_on = await begin
    finally:
        begun.set()
    await go_on()


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    if waiting := list(tasks):
        await asyncio.wait(waiting)


class _End(Enum):
    END = "end"


async def _pump(results: AsyncIterator[Result], into: asyncio.Queue[Result | _End]) -> None:
    async for result in results:
        await into.put(result)
    await into.put(_End.END)


async def _taken(waiting: asyncio.Queue[Item | _End]) -> AsyncIterator[Item]:
    """Whoever reads gets a turn after each, so that what was sent goes on also where the work itself never waits."""
    while (item := await waiting.get()) is not _End.END:
        yield item
        await asyncio.sleep(0)


async def in_a_thread(work: Callable[[], Result]) -> Result:
    """What `work` gives, which asks neither an archive nor the loop: digests let go of the interpreter meanwhile."""
    return await asyncio.to_thread(work)


class Handful:
    """Bounds the bytes of files in memory at once."""

    def __init__(self, size_bytes: int) -> None:
        """Starts empty."""
        self._whole = self._left = size_bytes
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size_bytes: int) -> AsyncIterator[None]:
        """Hold so many bytes, after waiting until there is room for them."""
        taken = min(size_bytes, self._whole)
        async with self._changed:
            await self._changed.wait_for(lambda: self._left >= taken)
            self._left -= taken
        try:
            yield
        finally:
            async with self._changed:
                self._left += taken
                self._changed.notify_all()
