"""The state machine of leases: two holders, whatever pauses lie between their steps, never write at the same time."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from azureml_replay.instants import Instant
from azureml_replay.workspace.lease import (
    CLOCK_TICK_S,
    ClockReading,
    InTheWay,
    LeaseHolder,
    LeasePace,
    OwnTerm,
    Term,
    first_term,
    last_term,
    next_term,
)

PACE = LeasePace(term_s=60, renewed_after_s=40, margin_s=5)
ANNA, BERT = LeaseHolder("a", "anna@one", "one"), LeaseHolder("b", "bert@two", "two")
NOON = Instant.parse("2026-01-01T12:00:00Z")


@dataclass
class Service:
    """Terms by number, the first to write one holds it; a clock that says whole seconds."""

    true_s: float = 0.0
    terms: dict[int, Term] = field(default_factory=dict)
    dead: set[LeaseHolder] = field(default_factory=set)
    """Of whom the operating system would tell that they live no more."""

    def now(self) -> Instant:
        return NOON.after(self.true_s // CLOCK_TICK_S * CLOCK_TICK_S)

    def last(self) -> Term | None:
        return self.terms[max(self.terms)] if self.terms else None

    def claim(self, term: Term) -> bool:
        return self.terms.setdefault(term.number, term) == term


@dataclass
class Process:
    """One holder, step by step: between any two steps as much time passes as the test likes."""

    holder: LeaseHolder
    service: Service
    starts_at_s: float
    """What its own clock showed when the true one showed 0."""
    take_over: bool = False
    own: OwnTerm | None = None
    ended: bool = False

    def at_s(self) -> float:
        return self.starts_at_s + self.service.true_s

    def may_write(self) -> bool:
        return (
            not (self.ended or self.holder in self.service.dead) and self.own is not None and self.own.runs(self.at_s())
        )

    def steps(self) -> Generator[None, None, None]:
        asked_s = self.at_s()
        yield
        last, now = self.service.last(), self.service.now()
        yield
        clock = ClockReading(now, asked_s, self.at_s())
        yield
        dead = last is not None and last.holder in self.service.dead
        first = first_term(self.holder, last, clock, self.at_s(), PACE, dead=dead, take_over=self.take_over)
        if isinstance(first, InTheWay):
            self.ended = True
            return
        asked: OwnTerm = first
        while True:
            asked_s = self.at_s()
            yield
            claimed, now = self.service.claim(asked.term), self.service.now()
            yield
            if not claimed:
                self.ended = True
                return
            self.own, clock = asked, ClockReading(now, asked_s, self.at_s())
            yield
            while self.at_s() < asked.begins_s:
                yield
            asked = next_term(asked.term, clock, self.at_s(), PACE)


LONG_S = st.sampled_from([0.0, 0.0, 3.0, 12.0, 20.0, 41.0, 54.0, 56.0, 61.0, 62.5, 70.0]) | st.floats(0, 130)
SHORT_S = st.sampled_from([0.0, 0.0, 0.1, 0.7, 3.0])
BURSTS = st.lists(
    st.tuples(st.sampled_from("AABBab"), st.sampled_from([1, 2, 3, 4, 6, 9, 9, 9]), SHORT_S, LONG_S), max_size=14
)
"""Who goes on (`a`: or that A is killed), how many steps, each how long, and how long nobody does anything then."""


B_WAITS_FOR_A_AND_IS_KILLED = [(who, 9, 0.0, 0.0) for who in "ABbB"]


@settings(max_examples=1_500)
@example(B_WAITS_FOR_A_AND_IS_KILLED, 0.0, True)
@given(BURSTS, st.floats(0, 1e6), st.booleans())
def test_two_never_write_at_the_same_time(bursts, start_s: float, take_over: bool) -> None:
    """Whoever is paused between whichever steps, is killed, takes over, or starts again; by the true clock."""
    service = Service(true_s=0.25)
    processes = [Process(ANNA, service, start_s), Process(BERT, service, 7.5, take_over=take_over)]
    running = [process.steps() for process in processes]

    def pass_by(seconds: float) -> None:
        assert sum(process.may_write() for process in processes) <= 1
        service.true_s += seconds
        assert sum(process.may_write() for process in processes) <= 1

    for who, steps, each_s, then_s in bursts:
        at = "AB".find(who.upper())
        if who.islower():
            service.dead.add(processes[at].holder)
            running[at] = iter(())
            continue
        for _ in range(steps):
            if next(running[at], "end") == "end":
                old = processes[at]
                fresh = replace(old.holder, id=f"{old.holder.id}'")
                processes[at] = Process(fresh, service, old.starts_at_s, take_over=old.take_over)
                running[at] = processes[at].steps()
            pass_by(each_s)
        pass_by(then_s)


@given(st.floats(0, 300), st.floats(0, 300), st.floats(0, 1e6))
def test_the_own_term_ends_before_others_see_its_end(before_s: float, between_s: float, start_s: float) -> None:
    """However long the clock's answer and the claim were on their way."""
    service = Service(true_s=before_s)
    asked_s = start_s + service.true_s
    service.true_s += between_s
    clock = ClockReading(service.now(), asked_s, start_s + service.true_s)
    service.true_s += before_s
    own = first_term(ANNA, None, clock, start_s + service.true_s, PACE)
    assert isinstance(own, OwnTerm)

    service.true_s = own.ends_s - start_s

    assert own.term.runs(service.now())


def test_a_running_term_is_in_the_way_until_it_ran_out() -> None:
    """By the workspace's clock; one that was given back or whose holder is dead is not."""
    clock = ClockReading(NOON, 0.0, 0.5)
    term = Term(number=3, holder=ANNA, since=NOON, until=NOON)

    def asked(last: Term, **how: bool) -> OwnTerm | InTheWay:
        return first_term(BERT, last, clock, 1.0, PACE, **how)

    assert asked(term) == InTheWay(term)
    for free in (asked(last_term(term)), asked(replace(term, until=NOON.after(-1))), asked(term, dead=True)):
        assert isinstance(free, OwnTerm)
        assert (free.begins_s, free.ends_s, free.term.holder) == (1.0, 1.0 + 60 - 5, BERT)


def test_taking_over_follows_the_term_that_runs() -> None:
    """It takes the next number at once, so that the other can't renew, and begins when the other's time is over."""
    clock = ClockReading(NOON, 0.0, 0.5)
    term = Term(number=3, holder=ANNA, since=NOON, until=NOON.after(30))

    asked = first_term(BERT, term, clock, 1.0, PACE, take_over=True)

    assert isinstance(asked, OwnTerm)
    assert (asked.term.number, asked.begins_s) == (4, 30.5)
    assert not asked.runs(30.0)
    assert asked.runs(31.0)
    again = first_term(BERT, asked.term, clock, 1.5, PACE, take_over=True, not_before_s=asked.begins_s)
    assert isinstance(again, OwnTerm)
    assert (again.term.number, again.begins_s) == (5, 30.5), "its own term is not in the way, the other's still is"


def test_the_dead_who_waited_for_nobody_are_followed_at_once() -> None:
    """Not a clock's tick later: a command that is killed over and over would wait a second each time."""
    clock = ClockReading(NOON, 0.0, 0.5)
    killed = first_term(ANNA, None, clock, 1.0, PACE)
    assert isinstance(killed, OwnTerm)

    asked = first_term(BERT, killed.term, clock, 1.0, PACE, dead=True)

    assert isinstance(asked, OwnTerm)
    assert asked.begins_s == 1.0


def test_the_dead_who_waited_are_waited_for_as_they_were() -> None:
    """Whoever was killed while it took over leaves the term before its own running: nobody knows it to be dead."""
    clock = ClockReading(NOON, 0.0, 0.5)
    running = Term(number=3, holder=ANNA, since=NOON, until=NOON.after(30))
    waited = first_term(BERT, running, clock, 1.0, PACE, take_over=True)
    assert isinstance(waited, OwnTerm)

    asked = first_term(replace(BERT, id="c"), waited.term, clock, 2.0, PACE, dead=True)

    assert isinstance(asked, OwnTerm)
    assert (asked.term.number, asked.runs(30.0), asked.runs(33.0)) == (5, False, True)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"holder":1}', '{"since":"never"}'])
def test_what_is_no_term_is_passed_over(text: str) -> None:
    """Somebody may write anything into a run."""
    assert Term.of_text(1, text) is None


def test_a_term_is_read_as_it_was_written() -> None:
    """To the tick."""
    term = Term(number=7, holder=ANNA, since=NOON, until=Instant(NOON.ticks + 1))

    assert Term.of_text(7, term.to_text()) == term
    assert Term.of_text(8, last_term(term).to_text()) == last_term(term)
