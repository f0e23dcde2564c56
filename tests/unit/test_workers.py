"""The one starter of tasks: bounded, and an end for all when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from azureml_replay.workers import Room, beside, for_each, map_bounded, overlapping, side_by_side


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


async def counted(item: int) -> AsyncIterator[int]:
    """As many results as the item's number."""
    for number in range(item):
        await asyncio.sleep(0)
        yield number


async def test_results_come_in_the_order_of_the_items_while_others_are_read() -> None:
    """One stream that stands still does not hold up the reading of the next, but what they give waits for it."""
    taken: list[tuple[int, int]] = []
    read: list[int] = []
    gate = asyncio.Event()

    async def reading(item: int) -> AsyncIterator[int]:
        if item == 3:
            await gate.wait()
        async for number in counted(item):
            read.append(item)
            yield number

    running = asyncio.create_task(
        side_by_side([3, 0, 2, 4, 1], reading, lambda *one: taken.append(one), asyncio.Semaphore(4))
    )
    for _ in range(50):
        await asyncio.sleep(0)
    assert (taken, sorted(read)) == ([], [2, 2, 4, 4])  # one result each waits, the next is held at the door
    gate.set()
    await running

    assert taken == [(item, number) for item in (3, 0, 2, 4, 1) for number in range(item)]


async def test_streams_of_all_readers_share_the_room() -> None:
    """Two lists of ten read at once: never more than four streams are open, and all are read to their end."""
    now = most = 0
    room = asyncio.Semaphore(4)

    async def reading(item: int) -> AsyncIterator[int]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        async for number in counted(item):
            yield number
        now -= 1

    taken: list[int] = []
    await asyncio.gather(
        *(side_by_side(range(10), reading, lambda item, _: taken.append(item), room) for _ in range(2))
    )

    assert most == 4
    assert len(taken) == 2 * sum(range(10))
    assert room._value == 4


async def test_a_stream_that_fails_ends_the_others_and_gives_back_their_room() -> None:
    """Its exception is raised as it is."""
    room, ended = asyncio.Semaphore(3), []

    async def reading(item: int) -> AsyncIterator[int]:
        try:
            if item == 1:
                raise ValueError("the second")
            await asyncio.sleep(60)
            yield item
        finally:
            ended.append(item)

    with pytest.raises(ValueError, match="the second"):
        await side_by_side(range(5), reading, lambda *_: None, room)

    assert sorted(ended) == [0, 1, 2]
    assert room._value == 3


async def test_what_goes_on_beside_ends_with_the_block() -> None:
    """However often it went round."""
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    async with beside(work):
        await asyncio.sleep(0.01)

    ended = rounds
    await asyncio.sleep(0.01)
    assert rounds == ended > 1


async def test_what_fails_beside_ends_the_block() -> None:
    """Its own error is raised, as the block's is."""

    async def fails() -> None:
        raise KeyError("beside")

    async def waits() -> None:
        await asyncio.sleep(60)

    with pytest.raises(KeyError, match="beside"):
        async with beside(fails):
            await asyncio.sleep(60)
    with pytest.raises(ValueError, match="block"):
        async with beside(waits):
            raise ValueError("block")


async def test_work_that_overlaps_begins_in_order_and_waits_where_it_must() -> None:
    """The third waits for the first; a place is held from the beginning to the end of each."""
    told, gates, room = list[str](), [asyncio.Event() for _ in range(4)], Room(3)

    async def begin(item: int) -> Callable[[], Awaitable[None]]:
        await asyncio.sleep(0)
        told.append(f"begun {item}")

        async def go_on() -> None:
            await gates[item].wait()
            told.append(f"ended {item}")

        return go_on

    async def some() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    items = [(0, ()), (1, ()), (2, (0,)), (3, ())]
    running = asyncio.create_task(overlapping(items, begin, room))
    await some()
    assert told == ["begun 0", "begun 1"]
    gates[0].set()
    await some()
    assert told[2:] == ["ended 0", "begun 2", "begun 3"]
    assert room.locked()
    for gate in gates:
        gate.set()
    assert await running == []
    assert not room.locked()


async def test_of_work_that_overlaps_what_began_ends_where_something_fails() -> None:
    """No further one begins, and all that was raised is told."""
    ended, room = list[int](), Room(2)

    async def begin(item: int) -> Callable[[], Awaitable[None]]:
        async def go_on() -> None:
            for _ in range(5 * item):
                await asyncio.sleep(0)
            ended.append(item)
            raise ValueError(item)

        return go_on

    assert [error.args for error in await overlapping([(at, ()) for at in range(9)], begin, room)] == [(0,), (1,)]
    assert ended == [0, 1]
    assert not room.locked()


async def test_work_that_overlaps_is_cancelled_with_its_caller() -> None:
    room = Room(2)

    async def begin(_: int) -> Callable[[], Awaitable[None]]:
        return asyncio.Event().wait  # type: ignore[return-value]

    running = asyncio.create_task(overlapping([(at, ()) for at in range(9)], begin, room))
    for _ in range(9):
        await asyncio.sleep(0)
    assert room.locked()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not room.locked()
