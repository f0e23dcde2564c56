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
"""The most in flight at the start, doubled each half second: when a burst of 250 ends, all in flight is refused. At a
width of 64 that was 64, 6 % of what went out in 70 s; an unhurried start costs a quarter of a second at width 32."""
LONGEST_BACKOFF_S = 30.0
PROBE_S = 5.0
"""Seconds between a settled width's tries of one more: a fourth of a stated wait of 20 s, so that few sit one out."""
NEARLY_ALL = 0.75
"""Part of the requests in flight: so many are refused only where a rate was exceeded."""
LEAST_PER_S = 4.0
"""The least pace: it is measured by what was answered, and a client that asked little shall not crawl afterwards."""
NO_PACE_PER_S = 5_000.0
"""The pace from which there is none: twice what the client itself can send (benchmarks/ceiling.py)."""
PATIENT_S = 60.0
"""Seconds for which a pace that was refused twice grows slowly: a bucket of 250 that refills by 25 a second hides for
half a minute that a pace is a little too fast."""
PATIENT_GROWTH = 1.03
"""That growth, a second. A refusal costs 20 s, in which half of what the bucket gains runs over: it shall be rare."""

_STATED = re.compile(r"(?:retry|try again|wait)\D{0,40}?(\d{1,4})\s*(?:s\b|sec)", re.IGNORECASE)


class Growth(Enum):
    """By how much the width may grow from one round of answers to the next."""

    DOUBLE = "slow start: nothing was refused since the start or the last wait"
    QUARTER = "one more was tried and answered: doubling would cost a width of refusals at every try"
    NONE = "settled; one more is tried now and then"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was known of the service when a request was sent."""

    level: int
    """Requests in flight, this one among them."""
    within: bool
    """True where so many in flight had been answered before, or this one was alone: it was not too many at once."""


@dataclass(frozen=True, slots=True)
class Round:
    """The requests that were in flight at a refusal, counted as they come back."""

    left: int
    answered: int = 0
    refused: int = 0
    wait_s: float = 0.0
    """The longest wait that the service stated, in seconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A number of requests a second, growing with time until a refusal."""

    per_s: float
    """Requests a second when the stated wait ended."""
    since_s: float
    sure: bool
    """True where a pace was refused again: doubling it every second would waste a bucket each time."""

    def at(self, now_s: float) -> float:
        """The requests a second at `now_s`."""
        elapsed_s = max(0.0, now_s - self.since_s)
        patient_s = min(elapsed_s, PATIENT_S) if self.sure else 0.0
        doublings = min(30.0, elapsed_s - patient_s)
        return min(NO_PACE_PER_S, self.per_s * math.pow(PATIENT_GROWTH, patient_s) * math.pow(2, doublings))


@dataclass(frozen=True, slots=True)
class Limit:
    """What a service was seen to accept. Moments are seconds on one clock."""

    ceiling: int
    """The greatest width: `--parallel`."""
    proven: int = 0
    """The most requests in flight that were answered."""
    growth: Growth = Growth.DOUBLE
    probe_s: float = 0.0
    """The moment at which a settled width tries one more."""
    cuts: int = 0
    round: Round | None = None
    answered: int = 0
    since_s: float | None = None
    """The moment at which the first request since the last wait was sent."""
    paused_until_s: float = 0.0
    pace: Pace | None = None

    def width(self, now_s: float) -> int:
        """The requests that may be in flight at `now_s`."""
        if self.round is not None:
            # Without a stated wait some go on: a copy of 256 MiB that is in flight shall not stop all others.
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
        """The requests that may be sent in a second; None: no bound."""
        pace = self.pace.at(now_s) if self.pace else NO_PACE_PER_S
        return pace if pace < NO_PACE_PER_S else None

    def sending(self, in_flight: int, now_s: float) -> tuple[Limit, Sent]:
        """The limit, and what is known, when one more request is sent; `in_flight` without it."""
        sent = Sent(in_flight + 1, within=in_flight < max(1, self.proven))
        probes = not sent.within and self.growth is Growth.NONE
        if self.since_s is not None and not probes:
            return self, sent
        since_s = now_s if self.since_s is None else self.since_s
        return replace(self, since_s=since_s, probe_s=now_s + PROBE_S if probes else self.probe_s), sent

    def after_answer(self, sent: Sent, in_flight: int, now_s: float) -> Limit:
        """The limit after an answer; `in_flight` are left, here and below."""
        known = replace(self, answered=self.answered + 1)
        if self.round is not None:
            return replace(known, round=replace(self.round, answered=self.round.answered + 1)).counted(in_flight, now_s)
        if sent.level <= self.proven:
            return known
        probed = self.growth is Growth.NONE
        return replace(known, proven=sent.level, growth=Growth.QUARTER if probed else self.growth)

    def after_refusal(self, sent: Sent, in_flight: int, now_s: float, *, wait_s: float | None = None) -> Limit:
        """The limit after a refusal; `wait_s` where the service asks for a wait."""
        if self.round is None and self.growth is Growth.NONE and not sent.within:
            return replace(self, probe_s=now_s + PROBE_S)  # the one more that was tried: the others go on
        before = self.round or Round(left=in_flight + 1)
        seen = replace(before, refused=before.refused + 1, wait_s=max(before.wait_s, wait_s or 0.0))
        return replace(self, round=seen).counted(in_flight, now_s)

    def counted(self, in_flight: int, now_s: float) -> Limit:
        """The limit when one more request has come back or never will; decided once all that were in flight have."""
        if self.round is None:
            return self
        if in_flight and self.round.left > 1:
            return replace(self, round=replace(self.round, left=self.round.left - 1))
        seen, known = self.round, replace(self, round=None, cuts=self.cuts + 1)
        if seen.wait_s and seen.refused >= NEARLY_ALL * (seen.answered + seen.refused):
            return known.stopped(now_s, seen.wait_s)
        # A settled width that is suddenly refused shrinks by a quarter at least.
        kept = seen.answered if self.growth is not Growth.NONE else min(seen.answered, self.proven * 3 // 4)
        return replace(known, proven=max(1, kept), growth=Growth.NONE, probe_s=now_s + PROBE_S)

    def stopped(self, now_s: float, wait_s: float) -> Limit:
        """The limit that sends nothing for `wait_s`, then at a pace: what was answered over burst and wait together."""
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
