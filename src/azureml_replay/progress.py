"""Progress of long work: verbs report it, `cli` shows it; silence is the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from azureml_replay.workspace.traffic import Load

Loads = Callable[[], Mapping[str, Load]]
"""Gives service -> load of one workspace right now. Called from any thread, many times a second."""


class Progress(Protocol):
    """The listener of a verb."""

    def expect(self, what: str, count: int) -> None:
        """Say that so many more of `what` (`runs replayed`, `points sent`, …) will come."""
        ...

    def done(self, what: str, count: int = 1) -> None:
        """Say that so many of `what` are finished."""
        ...

    def doing(self, text: str) -> None:
        """Say what is done now, where nothing is counted yet: `connecting to the target`."""
        ...

    def say(self, text: str) -> None:
        """Give a line worth reading now: a run that failed."""
        ...

    def slowed(self, text: str) -> None:
        """Say that a service is throttling: a line where `watch` shows nothing meanwhile."""
        ...

    def watch(self, side: str, loads: Loads) -> None:
        """Show from now on the load of the services of `side` (`source`, `target`), which `loads` gives."""
        ...

    def finished(self) -> None:
        """Say that a verb has ended: everything so far belonged to it."""
        ...


class Silent:
    """Shows nothing."""

    def expect(self, what: str, count: int) -> None:
        """Do nothing."""

    def done(self, what: str, count: int = 1) -> None:
        """Do nothing."""

    def doing(self, text: str) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def slowed(self, text: str) -> None:
        """Do nothing."""

    def watch(self, side: str, loads: Loads) -> None:
        """Do nothing."""

    def finished(self) -> None:
        """Do nothing."""


SILENT = Silent()
