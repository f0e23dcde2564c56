"""The one starter of tasks: bounded, and an end for all when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from azureml_replay.workers import for_each, map_bounded


async def test_never_more_than_the_width_at_once() -> None:
    """Memory is bounded by the width."""
    now, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        done.append(item)

    await for_each(range(50), work, 7)

    assert most == 7
    assert sorted(done) == list(range(50))


async def test_the_next_item_is_taken_only_when_a_worker_is_free() -> None:
    """A source of millions is never read ahead."""
    taken, gate = 0, asyncio.Event()

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(10):
            taken += 1
            yield item

    async def work(_: int) -> None:
        await gate.wait()

    running = asyncio.create_task(for_each(items(), work, 3))
    for _ in range(20):
        await asyncio.sleep(0)
    assert taken == 3
    gate.set()
    await running
    assert taken == 10


async def test_the_first_failure_cancels_the_others_and_is_raised_as_it_is() -> None:
    """No ExceptionGroup reaches whoever called."""
    cancelled = []

    async def work(item: int) -> None:
        if item == 2:
            raise ValueError("the third")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(item)
            raise

    with pytest.raises(ValueError, match="the third"):
        await for_each(range(100), work, 3)
    assert sorted(cancelled) == [0, 1]


async def test_a_failing_source_ends_it_too() -> None:
    """And the source is closed."""
    closed = False

    async def items() -> AsyncIterator[int]:
        nonlocal closed
        try:
            yield 1
            raise OSError("page two")
        finally:
            closed = True

    async def work(_: int) -> None:
        await asyncio.sleep(0)

    with pytest.raises(OSError, match="page two"):
        await for_each(items(), work, 2)
    assert closed


async def test_results_come_in_the_order_of_the_items() -> None:
    """However they finish."""

    async def work(item: int) -> int:
        for _ in range(10 - item):
            await asyncio.sleep(0)
        return item * item

    assert await map_bounded(range(10), work, 4) == [item * item for item in range(10)]
    assert await map_bounded([], work, 4) == []
