"""How long work is told. Verbs tell, `cli` shows; silence is the default."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever listens to a verb."""

    def expect(self, what: str, count: int) -> None:
        """So many more of `what` will come: `runs`, `points`, `files`, `experiments`."""
        ...

    def done(self, what: str, count: int = 1) -> None:
        """So many of `what` are finished."""
        ...

    def say(self, text: str) -> None:
        """One line worth reading now: a throttled service, a run that failed."""
        ...


class Silent:
    """Nobody listens."""

    def expect(self, what: str, count: int) -> None:
        """Nothing."""

    def done(self, what: str, count: int = 1) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


SILENT = Silent()
