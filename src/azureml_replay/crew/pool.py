"""Which parts wait, which are handed out and to which attempt, and when one may be handed out again (pure)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from azureml_replay.model import RunId
from azureml_replay.planning.parts import UnitPart, handful

TRIES = 4
"""Attempts at one part: where as many workers died at it, another one would too."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Which part, and which attempt at it."""

    name: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.name}.{self.attempt}"


@dataclass(frozen=True, slots=True)
class Portion:
    """Parts that one worker got together."""

    errand: Errand
    parts: tuple[UnitPart, ...]

    @property
    def units(self) -> tuple[RunId, ...]:
        """All of them."""
        return tuple(unit for part in self.parts for unit in part.units)


@dataclass(slots=True)
class Pool:
    """Parts of one verb's work."""

    workers: int
    clock: Callable[[], float]
    waiting: deque[UnitPart] = field(default_factory=deque)
    given: dict[Errand, Portion] = field(default_factory=dict)
    fenced: list[tuple[float, Portion]] = field(default_factory=list)
    """Portions of workers that may live, and from when on nothing of theirs can leave."""
    tried: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, parts: Iterable[UnitPart], workers: int, clock: Callable[[], float]) -> Pool:
        """All of them wait, in this order."""
        return cls(workers, clock, deque(parts))

    @property
    def is_done(self) -> bool:
        """Nothing waits, and nobody works."""
        return not self.waiting and not self.given and not self.fenced

    def take(self) -> Portion | None:
        """Parts for an idle worker; None where none waits now."""
        self._release()
        if not self.waiting:
            return None
        parts = tuple(self.waiting.popleft() for _ in range(handful(len(self.waiting), self.workers)))
        self.tried.update(part.name for part in parts)
        first = parts[0].name
        portion = Portion(Errand(first, self.tried[first]), parts)
        self.given[portion.errand] = portion
        return portion

    def done(self, errand: Errand) -> Portion | None:
        """What this attempt was about, which is over; None where it was not wanted any more."""
        return self.given.pop(errand, None)

    def back(self, portion: Portion, *, fenced_until: float | None) -> None:
        """Let it be handed out again: at once where its worker is known to be dead, else from that moment on."""
        self.given.pop(portion.errand, None)
        if fenced_until is None:
            self.waiting.extendleft(reversed(portion.parts))
        else:
            self.fenced.append((fenced_until, portion))

    def is_hopeless(self, portion: Portion) -> bool:
        """As many workers died at one of its parts as may."""
        return any(self.tried[part.name] >= TRIES for part in portion.parts)

    def _release(self) -> None:
        now = self.clock()
        free = [one for one in self.fenced if one[0] <= now]
        self.fenced = [one for one in self.fenced if one[0] > now]
        for _, portion in free:
            self.waiting.extendleft(reversed(portion.parts))
