"""The only place that starts tasks. A width bounds memory; a gate per service bounds requests in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def for_each(
    items: Iterable[Item] | AsyncIterable[Item], work: Callable[[Item], Awaitable[None]], width: int
) -> None:
    """`work` on every item, at most `width` at a time; the next item is taken only when a worker is free.

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


async def _iterate(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncGenerator[Item, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class Handful:
    """Bounds the bytes of files that are in memory at once."""

    def __init__(self, size_bytes: int) -> None:
        """Empty."""
        self._whole = self._left = size_bytes
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size_bytes: int) -> AsyncIterator[None]:
        """Waits until there is room for so much."""
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
