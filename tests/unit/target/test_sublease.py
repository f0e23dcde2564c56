"""A part's term: what may leave within it, what a pause costs, and that a part that is another's is not written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from azureml_replay.errors import LeaseTaken
from azureml_replay.target import sublease
from azureml_replay.target.lease import Guard, TermOver, again_once_held, hold, is_held
from azureml_replay.target.sublease import SubLease
from azureml_replay.workspace.lease import Check, unchecked


@dataclass
class Clock:
    """Stands still unless it is told."""

    now: float = 1_000.0


@dataclass
class Held:
    """A target, and the driver who grants terms for a part of it."""

    clock: Clock
    grants: list[float | LeaseTaken]
    asked: int = 0
    appended: list[str] = field(default_factory=list)
    at_the_gate_s: list[float] = field(default_factory=list)

    async def ask(self) -> float:
        self.asked += 1
        granted = self.grants.pop(0)
        if isinstance(granted, LeaseTaken):
            raise granted
        return granted

    async def append_points(self, what: str, *, check: Check = unchecked) -> None:
        self.clock.now += self.at_the_gate_s.pop(0) if self.at_the_gate_s else 0
        check()
        self.appended.append(what)

    async def put_files(self, what: str) -> None:
        self.appended.append(what)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sublease, "now_s", lambda: made.now)
    return made


def guarded(clock: Clock, *grants: float | LeaseTaken) -> tuple[Held, Guard, SubLease]:
    held = Held(clock, [*grants])
    term = SubLease(held.ask)
    return held, Guard(held, term), term


async def test_a_write_asks_for_a_term_and_later_ones_go_within_it(clock: Clock) -> None:
    """At most of a minute, whatever is granted; what only reads asks for none."""
    held, target, term = guarded(clock, 1_000.0, 60.0)
    assert not is_held(target)
    await target.append_points("a")
    await target.put_files("b")
    assert (held.asked, is_held(target), term.left_s) == (1, True, 60.0)
    clock.now += 60
    await target.append_points("c")

    assert (held.asked, held.appended) == (2, ["a", "b", "c"])


async def test_the_gate_may_outlast_the_term(clock: Clock) -> None:
    """It is looked at once more when the bytes are about to leave: a new term is asked for first."""
    held, target, _ = guarded(clock, 10.0, 60.0)
    held.at_the_gate_s = [20.0]
    await target.append_points("late")

    assert (held.asked, held.appended) == (2, ["late"])


async def test_whoever_was_paused_finds_its_part_taken(clock: Clock) -> None:
    """Between the term and the bytes lies the pause: nothing leaves, then or later."""
    held, target, _ = guarded(clock, 60.0, LeaseTaken("given away"), LeaseTaken("given away"))
    await hold(target)
    held.at_the_gate_s = [3_600.0]
    for _ in range(2):
        with pytest.raises(LeaseTaken, match="given away"):
            await target.append_points("doubled")

    assert held.appended == []


async def test_a_term_counts_from_when_it_was_asked_for(clock: Clock) -> None:
    """The answer may have waited in the pipe of a process that was stopped."""
    term = SubLease(Held(clock, []).ask)
    term.extend(clock.now - 59, 60.0)
    assert term.left_s == 1
    term.extend(clock.now - 100, 60.0)
    assert term.left_s == 1, "a late renewal takes nothing away"
    clock.now += 1
    with pytest.raises(TermOver):
        term.check()


async def test_what_was_read_before_the_first_term_is_read_again(clock: Clock) -> None:
    """The driver holds the lease from the first write of any worker on."""
    held, target, _ = guarded(clock, 60.0)
    begun: list[str] = []

    async def work() -> None:
        begun.append("read")
        await target.put_files("file")

    await again_once_held(target, work)

    assert (begun, held.appended) == (["read", "read"], ["file"])


async def test_several_that_write_at_once_ask_once(clock: Clock) -> None:
    held, target, _ = guarded(clock, 60.0)
    await asyncio.gather(*(target.append_points(str(number)) for number in range(5)))

    assert (held.asked, len(held.appended)) == (1, 5)
