"""Which hosts the target's storage cannot fetch from, by what became of the copies that it was asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

REFUSALS = 3
"""Files of a host in a row that storage could not fetch, before the others go through us at once. One may be about
its own blob: a type, a tier, a customer's key."""
ASKED_AGAIN = 100
"""Of so many files that then go through us, storage is asked for one: 1 % more requests, and a host that was taken for
one out of reach by mistake, or that has been opened meanwhile, is found."""


@dataclass(slots=True)
class Reach:
    """What storage fetched of each host, and what it did not. No single answer decides about a host."""

    _refused: Counter[str] = field(default_factory=Counter)
    """Refusals since the last file that was fetched."""
    _passed: Counter[str] = field(default_factory=Counter)
    """Files that went through us without a question."""

    def worth_asking(self, host: str) -> bool:
        """False where the bytes had better go through us at once."""
        if self._refused[host] < REFUSALS:
            return True
        self._passed[host] += 1
        return self._passed[host] % ASKED_AGAIN == 0

    def fetched(self, host: str) -> None:
        """A file of this host was copied."""
        self._refused[host] = 0

    def refused(self, host: str) -> None:
        """A file of this host went through us, as storage could not fetch it."""
        self._refused[host] += 1
