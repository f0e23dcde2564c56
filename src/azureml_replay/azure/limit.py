"""How many requests a service may be asked at once, how fast, and how long to wait: values and arithmetic, no I/O.

A service refuses for one of two reasons and says which by what else it answers. Too many at once: it refuses what goes
beyond and answers the rest, so the width is cut and the others go on. Too many a second: it refuses everything for a
while, so all wait as long as it asks, and from then on requests keep a distance.
Measured live (benchmarks/throttle.py); in `docs/performance.md`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import Enum

FIRST_WIDTH = 4
LONGEST_BACKOFF_S = 30.0
PROBE_S = 5.0
"""How often a settled width tries one more: a fourth of a stated wait of 20 s, so that few requests sit one out."""
IN_A_ROW = 4
"""So many refusals without an answer between them, of requests that were within what had been borne: a rate."""
LEAST_PER_S = 4.0
"""A pace is measured by what was answered; a client that asked little shall not crawl because of it."""
NO_PACE_PER_S = 5_000.0
"""Twice what the client itself can send (benchmarks/ceiling.py): from there on there is no pace."""
PATIENT_S = 60.0
"""A bucket of 250 that refills by 25 a second hides for half a minute that a pace is a little too fast."""
PATIENT_GROWTH = 1.03
"""A second. Each refusal costs 20 s, in which half of what the bucket gains runs over: the rarer the better."""

_STATED = re.compile(r"(?:retry|try again|wait)\D{0,40}?(\d{1,4})\s*(?:s\b|sec)", re.IGNORECASE)


class Growth(Enum):
    """How much wider the next round of answers may be than the one before."""

    DOUBLE = "slow start: nothing was refused since the start or the last stop"
    QUARTER = "one more was tried and answered: doubling would cost a width of refusals at every try"
    ONE = "slow start went too far: the rest of the way"
    NONE = "settled; one more is tried now and then"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was known when a request left."""

    level: int
    """Requests in flight, itself among them."""
    within: bool
    """So many had been answered before; one alone is never too many at once."""
    cuts: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Requests a second, growing with time until a refusal."""

    per_s: float
    """When the stated wait ended."""
    since_s: float
    sure: bool
    """It was paced before and refused again: doubling every second would waste a bucket each time."""

    def at(self, now_s: float) -> float:
        """Requests a second now."""
        elapsed_s = max(0.0, now_s - self.since_s)
        patient_s = min(elapsed_s, PATIENT_S) if self.sure else 0.0
        doublings = min(30.0, elapsed_s - patient_s)
        return min(NO_PACE_PER_S, self.per_s * math.pow(PATIENT_GROWTH, patient_s) * math.pow(2, doublings))


@dataclass(frozen=True, slots=True)
class Limit:
    """What a service was seen to bear. Moments are seconds on one clock."""

    ceiling: int
    """`--parallel`."""
    proven: int = 0
    """The most in flight that was answered."""
    growth: Growth = Growth.DOUBLE
    probe_s: float = 0.0
    """When a settled width tries one more."""
    cuts: int = 0
    """A request sent before the last cut tells nothing new when it is refused."""
    refusals: int = 0
    in_a_row: int = 0
    answered: int = 0
    since_s: float | None = None
    """When the first request since the last stop left."""
    paused_until_s: float = 0.0
    pace: Pace | None = None

    def width(self, now_s: float) -> int:
        """Requests that may be in flight."""
        match self.growth:
            case Growth.DOUBLE:
                wanted = max(FIRST_WIDTH, 2 * self.proven)
            case Growth.QUARTER:
                wanted = self.proven + max(1, self.proven // 4)
            case Growth.ONE:
                wanted = self.proven + 1
            case Growth.NONE:
                wanted = self.proven + (now_s >= self.probe_s)
        return max(1, min(self.ceiling, wanted))

    def per_s(self, now_s: float) -> float | None:
        """Requests that may leave in a second; None: as they come."""
        pace = self.pace.at(now_s) if self.pace else NO_PACE_PER_S
        return pace if pace < NO_PACE_PER_S else None

    def sending(self, in_flight: int, now_s: float) -> tuple[Limit, Sent]:
        """One more leaves; `in_flight` without it."""
        sent = Sent(in_flight + 1, in_flight < max(1, self.proven), self.cuts, self.refusals)
        probes = not sent.within and self.growth is Growth.NONE
        if self.since_s is not None and not probes:
            return self, sent
        since_s = now_s if self.since_s is None else self.since_s
        return replace(self, since_s=since_s, probe_s=now_s + PROBE_S if probes else self.probe_s), sent

    def after_answer(self, sent: Sent) -> Limit:
        """It was answered; what was refused meanwhile was in flight and not borne."""
        borne = sent.level - (self.refusals - sent.refusals)
        probed = self.growth is Growth.NONE and borne > self.proven and sent.cuts == self.cuts
        growth = Growth.QUARTER if probed else self.growth
        answered = self.answered + 1
        return replace(self, proven=max(self.proven, borne), growth=growth, answered=answered, in_a_row=0)

    def after_refusal(self, sent: Sent, *, now_s: float, wait_s: float | None = None) -> Limit:
        """It was refused for now; `wait_s` where the service asks for a wait."""
        known = replace(self, refusals=self.refusals + 1, in_a_row=self.in_a_row + sent.within)
        if sent.within and wait_s and known.in_a_row >= min(IN_A_ROW, self.proven) and now_s >= self.paused_until_s:
            return known.stopped(now_s, wait_s)
        if sent.cuts < self.cuts:
            return known
        cut = replace(known, cuts=self.cuts + 1, probe_s=now_s + PROBE_S, growth=Growth.NONE)
        if sent.within:
            return replace(cut, proven=max(1, self.proven * 3 // 4))
        # That much is too much, the rest goes on; slow start may have missed half of what is borne.
        return replace(cut, growth=Growth.ONE) if self.growth is Growth.DOUBLE else cut

    def stopped(self, now_s: float, wait_s: float) -> Limit:
        """Everybody waits. Over burst and wait together the service gave what it gives in the long run."""
        until_s = now_s + wait_s
        elapsed_s = until_s - (self.since_s if self.since_s is not None else now_s)
        pace = Pace(max(LEAST_PER_S, self.answered / elapsed_s), until_s, sure=self.per_s(now_s) is not None)
        return Limit(self.ceiling, cuts=self.cuts + 1, refusals=self.refusals, paused_until_s=until_s, pace=pace)


def stated_wait_s(retry_after: str | None, message: str) -> float | None:
    """The wait that a service asks for, in seconds; None where it asks for none.

    Azure ML's 429 has no Retry-After, only "Retry again after 20 seconds." in the message (responses.md 1.6). A
    Retry-After that is a date is not read: no Azure service was seen to send one.
    """
    if retry_after is not None and retry_after.strip().isdigit():
        return float(retry_after)
    found = _STATED.search(message)
    return float(found[1]) if found else None


def backoff_s(failures: int, spread: float) -> float:
    """Seconds before the next attempt after so many failures: 0.5, 1, 2, … 30; `spread` (0 to 1) shifts it by half."""
    return min(LONGEST_BACKOFF_S, 0.5 * 2.0 ** (failures - 1)) * (0.75 + 0.5 * spread)
