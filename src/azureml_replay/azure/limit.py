"""How many requests a service may be asked at once, and how long to wait: values and arithmetic, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

FIRST_WIDTH = 4
LONGEST_BACKOFF_S = 30.0

_STATED = re.compile(r"(?:retry|try again|wait)\D{0,40}?(\d{1,4})\s*(?:s\b|sec)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """The width that a service was seen to bear.

    It starts narrow and doubles with every round of answers (slow start); the first refusal ends that. From then on it
    grows by one a round and is cut once per burst of refusals: cutting on every 429 fell to 1 in a simulation.
    """

    ceiling: int
    """`--parallel`."""
    width: int = FIRST_WIDTH
    good: int = 0
    """Answers since the last change of width."""
    cuts: int = 0
    """A request sent before the last cut tells nothing new when it is refused."""

    def __post_init__(self) -> None:
        """A width above the ceiling is no width."""
        object.__setattr__(self, "width", max(1, min(self.width, self.ceiling)))

    def after(self, *, throttled: bool, sent_at_cut: int) -> Limit:
        """What is known once a request was answered; `sent_at_cut` is the value of `cuts` when it was sent."""
        if throttled:
            return self if sent_at_cut < self.cuts else self._cut()
        needed = 1 if self.cuts == 0 else self.width
        if self.good + 1 < needed:
            return replace(self, good=self.good + 1)
        return replace(self, width=min(self.ceiling, self.width + 1), good=0)

    def _cut(self) -> Limit:
        # Slow start overshoots by up to two: half brings it back at once. Later a fifth is enough.
        kept = self.width // 2 if self.cuts == 0 else self.width * 4 // 5
        return replace(self, width=max(1, kept), good=0, cuts=self.cuts + 1)


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
