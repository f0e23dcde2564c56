"""The limit on bytes: counted on a clock on which only waiting takes time."""

from __future__ import annotations

import asyncio

import pytest

from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.sending.cap import Cap
from azureml_replay.sending.sender import Sender, Service
from unit.scripted import Patient, Said, Scripted, Tokens

BLOB, HISTORY = Service("blob account", None), Service("history", "scope")
MEGABIT = 125_000
URL = "https://account.example/container/file"


async def test_bytes_take_the_time_that_the_limit_gives_them() -> None:
    """8 Mbit/s is a million bytes a second, whoever asks; what has passed is forgotten."""
    clock = Patient()
    cap = Cap(8, clock)

    for count in (500_000, 500_000, 1_000_000, 0):
        await cap.take(count)
    assert clock.waited_s == pytest.approx(2)

    await clock.sleep(5)
    before = clock.waited_s
    await cap.take(10)
    assert clock.waited_s == before, "nothing is owed, and nothing was saved up"


async def test_those_who_wait_take_turns() -> None:
    """Each waits for all that were before it, not for the same moment; a clock that is set back changes nothing."""
    clock = Patient()
    cap = Cap(8, clock)
    await asyncio.gather(*(cap.take(1_000_000) for _ in range(3)))

    assert sorted(round(wait) for wait in clock.waits) in ([1, 2], [1, 1])
    assert Cap(0.5, clock).turns._value == 1  # type: ignore[attr-defined]  # no other way to see it
    assert Cap(80, clock).turns._value == 10  # type: ignore[attr-defined]


async def test_files_of_both_workspaces_count_and_nothing_else() -> None:
    """Downloads and uploads wait for each other; copies by the storage, lists and rows of metrics do not wait."""
    clock = Patient()
    cap = Cap(8, clock)
    half = b"x" * 500_000
    source = Sender(Scripted(Said(206, half), Said(206, half)), Tokens(), AZURE_WORDS, parallel=8, clock=clock, cap=cap)
    target = Sender(Scripted(*[Said(201, b"")] * 4), Tokens(), AZURE_WORDS, parallel=8, clock=clock, cap=cap)

    async def put(service: Service, data: bytes | None) -> None:
        await target.send(service, "PUT", URL, data=data, repeatable=True)

    await source.send(BLOB, "GET", URL, raw=True, repeatable=True)
    assert clock.waited_s == 0
    await put(BLOB, half)
    assert clock.waited_s == pytest.approx(0.5)
    await put(HISTORY, half)
    await put(BLOB, None)
    assert clock.waited_s == pytest.approx(0.5)
    await source.send(BLOB, "GET", URL, raw=True, repeatable=True)
    await put(BLOB, b"x")
    assert clock.waited_s == pytest.approx(1.5)


async def test_an_attempt_that_is_made_again_counts_again() -> None:
    """Its bytes went through here twice."""
    clock = Patient()
    cap = Cap(8, clock)
    busy = Scripted(Said(503, b""), Said(201, b""))
    target = Sender(busy, Tokens(), AZURE_WORDS, parallel=8, clock=clock, cap=cap)
    taken: list[int] = []
    take = cap.take

    async def counting(count: int) -> None:
        taken.append(count)
        await take(count)

    cap.take = counting  # type: ignore[method-assign]
    await target.send(BLOB, "PUT", URL, data=b"12345", repeatable=True)

    assert taken == [5, 5]
