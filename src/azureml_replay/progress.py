"""How long work is told. Verbs tell, `cli` shows; silence is the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from azureml_replay.workspace.traffic import Load

Loads = Callable[[], Mapping[str, Load]]
"""How the services of one workspace are asked right now, by name. Called from any thread, many times a second."""


class Progress(Protocol):
    """Whoever listens to a verb."""

    def expect(self, what: str, count: int) -> None:
        """So many more of `what` will come: `runs`, `points`, `files`, `experiments`."""
        ...

    def done(self, what: str, count: int = 1) -> None:
        """So many of `what` are finished."""
        ...

    def say(self, text: str) -> None:
        """One line worth reading now: a run that failed."""
        ...

    def slowed(self, text: str) -> None:
        """A service asks for patience: a line where `watch` shows nothing meanwhile."""
        ...

    def watch(self, side: str, loads: Loads) -> None:
        """From now on `loads` tells how the services of `side` (`source`, `target`) bear it."""
        ...

    def finished(self) -> None:
        """All that was told so far belongs to a verb that has ended."""
        ...


class Silent:
    """Nobody listens."""

    def expect(self, what: str, count: int) -> None:
        """Nothing."""

    def done(self, what: str, count: int = 1) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def slowed(self, text: str) -> None:
        """Nothing."""

    def watch(self, side: str, loads: Loads) -> None:
        """Nothing."""

    def finished(self) -> None:
        """Nothing."""


SILENT = Silent()
