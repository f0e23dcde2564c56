"""How many requests a service may be asked at once, how fast, and how long to wait: values and arithmetic, no I/O.

A service refuses for one of two reasons and does not say which. So after a refusal nothing is sent (little, where no
wait was stated) until what is in flight has come back, which takes one answer's time, and then it is counted. Too many
at once: a part was refused, and the width becomes what was answered. Too many a second: nearly all was refused, all
wait as long as the service asks, and from then on requests keep a distance. Measured live by benchmarks/throttle.py
(docs/performance.md).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import Enum

FIRST_WIDTH = 4
CALM_WIDTH, CALM_S = 16, 0.5
"""At a start no more than 16, doubling each half second: when a burst of 250 ends, what is in flight is refused. That
was 64 at a width of 64, 6 % of what went out in 70 s; an unhurried start costs a quarter of a second at width 32."""
LONGEST_BACKOFF_S = 30.0
PROBE_S = 5.0
"""How often a settled width tries one more: a fourth of a stated wait of 20 s, so that few requests sit one out."""
NEARLY_ALL = 0.75
"""Of what was in flight: so much is refused only where it is a rate that was exceeded."""
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

    DOUBLE = "slow start: nothing was refused since the start or the last wait"
    QUARTER = "one more was tried and answered: doubling would cost a width of refusals at every try"
    NONE = "settled; one more is tried now and then"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was known when a request left."""

    level: int
    """Requests in flight, itself among them."""
    within: bool
    """So many had been answered before; one alone is never too many at once."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was in flight at a refusal, as it comes back."""

    left: int
    answered: int = 0
    refused: int = 0
    wait_s: float = 0.0
    """The longest that was stated."""


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
    round: Round | None = None
    answered: int = 0
    since_s: float | None = None
    """When the first request since the last wait left."""
    paused_until_s: float = 0.0
    pace: Pace | None = None

    def width(self, now_s: float) -> int:
        """Requests that may be in flight."""
        if self.round is not None:
            # Where no wait is stated there is none to save: a copy of 256 MiB in flight shall not stop all others.
            return 0 if self.round.wait_s else max(1, min(self.ceiling, self.proven // 4))
        match self.growth:
            case Growth.DOUBLE:
                wanted = min(max(FIRST_WIDTH, 2 * self.proven), self._calm(now_s))
            case Growth.QUARTER:
                wanted = self.proven + max(1, self.proven // 4)
            case Growth.NONE:
                wanted = self.proven + (now_s >= self.probe_s)
        return max(1, min(self.ceiling, wanted))

    def _calm(self, now_s: float) -> int:
        elapsed_s = 0.0 if self.since_s is None else max(0.0, now_s - self.since_s)
        return CALM_WIDTH << min(16, int(elapsed_s / CALM_S))

    def per_s(self, now_s: float) -> float | None:
        """Requests that may leave in a second; None: as they come."""
        pace = self.pace.at(now_s) if self.pace else NO_PACE_PER_S
        return pace if pace < NO_PACE_PER_S else None

    def sending(self, in_flight: int, now_s: float) -> tuple[Limit, Sent]:
        """One more leaves; `in_flight` without it."""
        sent = Sent(in_flight + 1, within=in_flight < max(1, self.proven))
        probes = not sent.within and self.growth is Growth.NONE
        if self.since_s is not None and not probes:
            return self, sent
        since_s = now_s if self.since_s is None else self.since_s
        return replace(self, since_s=since_s, probe_s=now_s + PROBE_S if probes else self.probe_s), sent

    def after_answer(self, sent: Sent, in_flight: int, now_s: float) -> Limit:
        """It was answered; `in_flight` remain, here and below."""
        known = replace(self, answered=self.answered + 1)
        if self.round is not None:
            return replace(known, round=replace(self.round, answered=self.round.answered + 1)).counted(in_flight, now_s)
        if sent.level <= self.proven:
            return known
        probed = self.growth is Growth.NONE
        return replace(known, proven=sent.level, growth=Growth.QUARTER if probed else self.growth)

    def after_refusal(self, sent: Sent, in_flight: int, now_s: float, *, wait_s: float | None = None) -> Limit:
        """It was refused for now; `wait_s` where the service asks for a wait."""
        if self.round is None and self.growth is Growth.NONE and not sent.within:
            return replace(self, probe_s=now_s + PROBE_S)  # the one more that was tried: the others go on
        before = self.round or Round(left=in_flight + 1)
        seen = replace(before, refused=before.refused + 1, wait_s=max(before.wait_s, wait_s or 0.0))
        return replace(self, round=seen).counted(in_flight, now_s)

    def counted(self, in_flight: int, now_s: float) -> Limit:
        """One more has come back or never will; the verdict, once as many have as were in flight at the refusal."""
        if self.round is None:
            return self
        if in_flight and self.round.left > 1:
            return replace(self, round=replace(self.round, left=self.round.left - 1))
        seen, known = self.round, replace(self, round=None, cuts=self.cuts + 1)
        if seen.wait_s and seen.refused >= NEARLY_ALL * (seen.answered + seen.refused):
            return known.stopped(now_s, seen.wait_s)
        # A settled width that is refused all of a sudden gives up a quarter at least.
        kept = seen.answered if self.growth is not Growth.NONE else min(seen.answered, self.proven * 3 // 4)
        return replace(known, proven=max(1, kept), growth=Growth.NONE, probe_s=now_s + PROBE_S)

    def stopped(self, now_s: float, wait_s: float) -> Limit:
        """Everybody waits. Over burst and wait together the service gave what it gives in the long run."""
        until_s = now_s + wait_s
        elapsed_s = until_s - (self.since_s if self.since_s is not None else now_s)
        pace = Pace(max(LEAST_PER_S, self.answered / elapsed_s), until_s, sure=self.per_s(now_s) is not None)
        return Limit(self.ceiling, cuts=self.cuts, paused_until_s=until_s, pace=pace)


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
