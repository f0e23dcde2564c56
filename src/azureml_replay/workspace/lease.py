"""A lease: who may write what one source has into one target, and until when (pure).

Terms follow each other by number. Whoever writes a term's number first holds that term; a holder renews by writing the
next one, and gives back by writing one that is over. Two clocks are asked: the workspace's own, which all holders see,
says whether somebody else's term has run out; the process's, which nobody sets, whether one's own still runs. The first
is read with the second beside it, so that they can be told from each other later, without another request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from azureml_replay import json_text
from azureml_replay.instants import Instant
from azureml_replay.workspace.place import Place

OWN_EXPERIMENT = "azureml-replay-probe"
"""Where runs of a target lie that are this tool's own: throw-away runs, and those that hold leases."""
CLOCK_TICK_S = 1.0
"""A workspace tells its time by whole seconds, cut."""

Check = Callable[[], None]
"""Called when a request is about to leave, before every attempt; what it raises keeps it from leaving."""


def unchecked() -> None:
    """Whatever was to be sent may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePace:
    """How long terms are, in seconds."""

    term_s: int = 60
    """The longest that a blob can be leased, short of for ever."""
    renewed_after_s: float = 40.0
    """Two requests every 40 seconds are three a minute."""
    margin_s: float = 5.0
    """One's own term ends so much earlier: clocks of one service may differ, and bytes need time to arrive."""


PACE = LeasePace()


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Whoever works: one process, or a family of them under one driver, which hands the value on."""

    id: str
    """A GUID, another one for each call."""
    who: str
    """For people: `anna@build-3`."""
    machine: str

    def __str__(self) -> str:
        return self.who


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of a lease."""

    number: int
    """From 1."""
    holder: LeaseHolder
    since: Instant
    """When the holder's first term began, by the workspace's clock; until then an earlier one may run."""
    until: Instant
    over: bool = False
    """Given back: it holds nobody off."""

    def runs(self, now: Instant) -> bool:
        """Whether it holds others off at a moment of the workspace's clock."""
        return not self.over and now <= self.until

    def to_text(self) -> str:
        """As the workspace keeps it, beside its number."""
        holder = self.holder
        times = {"since": str(self.since), "until": str(self.until)}
        names = {"holder": holder.id, "who": holder.who, "machine": holder.machine}
        return json_text.compact({**names, **times, "over": self.over})

    @classmethod
    def of_text(cls, number: int, text: str) -> Term | None:
        """What `to_text` wrote; None for anything else."""
        try:
            told = json_text.loads(text.encode())
            return cls(
                number=number,
                holder=LeaseHolder(str(told["holder"]), str(told["who"]), str(told["machine"])),
                since=Instant.parse(told["since"]),
                until=Instant.parse(told["until"]),
                over=bool(told["over"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """What a workspace shows of a lease."""

    last: Term | None
    """The term with the highest number; None where nobody ever held it."""
    now: Instant
    """The workspace's clock."""
    holders: tuple[LeaseHolder, ...] = ()
    """Whoever held the last terms, the last first, each once: a storage's lock may still be one of theirs."""


@runtime_checkable
class Leasable(Protocol):
    """A workspace that keeps leases. Every method raises Unavailable, Rejected, Forbidden."""

    async def read_lease(self, name: str) -> LeaseSeen:
        """What is there of it. Repeatable."""
        ...

    async def claim_term(
        self, name: str, term: Term, seconds: int, *, instead_of: Sequence[LeaseHolder] = ()
    ) -> Instant | None:
        """Takes or renews it for so long; the workspace's clock, or None where somebody else was first. Repeatable.

        A storage's lock, where it can be had, that one of `instead_of` still holds is taken off it. With no seconds the
        term begins later: then only its number is taken.
        """
        ...

    async def give_back(self, name: str, term: Term) -> None:
        """Writes a term that is over, and lets go of the storage's lock. Repeatable."""
        ...


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The workspace's clock, and the process's before it was asked and after it had answered."""

    now: Instant
    asked_s: float
    heard_s: float

    def latest(self, at_s: float) -> Instant:
        """The workspace shows no later time at this moment of the process."""
        return self.now.after(CLOCK_TICK_S + at_s - self.asked_s)


@dataclass(frozen=True, slots=True)
class OwnTerm:
    """A term that this process is about to write, or holds, by its own clock."""

    term: Term
    asked_s: float
    """When it began to ask for it."""
    begins_s: float
    """Later than that where another's term has to run out first."""
    ends_s: float

    @classmethod
    def of(cls, term: Term, asked_s: float, begins_s: float, pace: LeasePace) -> OwnTerm:
        """Of a term that is about to be written."""
        return cls(term, asked_s, begins_s, begins_s + pace.term_s - pace.margin_s)

    def runs(self, at_s: float) -> bool:
        """Whether what leaves now leaves within it."""
        return self.begins_s <= at_s < self.ends_s


@dataclass(frozen=True, slots=True)
class InTheWay:
    """Somebody else's term."""

    term: Term


def lease_name(source: Place) -> str:
    """Of the lease for what comes from a source; it lies in the target, so that it is one for each pair."""
    return hashlib.sha256(f"{source.kind} {source.key}".encode()).hexdigest()[:16]


def first_term(
    holder: LeaseHolder,
    last: Term | None,
    clock: ClockReading,
    at_s: float,
    pace: LeasePace,
    *,
    dead: bool = False,
    take_over: bool = False,
    not_before_s: float = 0.0,
) -> OwnTerm | InTheWay:
    """The term to ask for, or the one in the way. `dead`: the holder of the last one is known to live no more.

    With `take_over` it follows the one in the way: that can then not be renewed, and is waited out. Where the dead one
    was waiting so, the one that it waited for is. `not_before_s` is when one that was followed before is over.
    """
    begins_s = max(at_s, not_before_s)
    if last is not None and last.runs(clock.now) and last.holder != holder:
        if not (dead or take_over):
            return InTheWay(last)
        over = last.since if dead else last.until
        begins_s = max(begins_s, clock.heard_s + over.seconds_after(clock.now))
    number = 1 if last is None else last.number + 1
    since = clock.latest(begins_s) if begins_s > at_s else clock.now  # whoever finds it dead need not wait out a tick
    term = Term(number=number, holder=holder, since=since, until=_end(clock, begins_s, pace))
    return OwnTerm.of(term, at_s, begins_s, pace)


def next_term(held: Term, clock: ClockReading, at_s: float, pace: LeasePace) -> OwnTerm:
    """The term that renews the last of one's own."""
    return OwnTerm.of(replace(held, number=held.number + 1, until=_end(clock, at_s, pace)), at_s, at_s, pace)


def last_term(held: Term) -> Term:
    """The one that gives back."""
    return replace(held, number=held.number + 1, until=held.since, over=True)


def _end(clock: ClockReading, begins_s: float, pace: LeasePace) -> Instant:
    """Others see the end later than the holder does, whatever passes between asking and the answer."""
    return clock.latest(begins_s).after(pace.term_s)
