"""What a worker would show and log, gathered to be told with its next message: it prints nothing itself."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from azureml_replay.crew.messages import News
from azureml_replay.progress import Loads
from azureml_replay.workspace.opened import OpenedWorkspace
from azureml_replay.workspace.traffic import ServiceTraffic


@dataclass(slots=True)
class Relay:
    """A listener of verbs, on a worker's side."""

    finished_now: Counter[str] = field(default_factory=Counter)
    expected_now: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    logged: list[tuple[str, int, str]] = field(default_factory=list)
    sides: dict[str, Loads] = field(default_factory=dict)
    opened: dict[str, OpenedWorkspace] = field(default_factory=dict)

    def expect(self, what: str, count: int) -> None:
        """Count it."""
        self.expected_now[what] += count

    def done(self, what: str, count: int = 1) -> None:
        """Count it."""
        self.finished_now[what] += count

    def doing(self, text: str) -> None:
        """Nothing: the driver shows what is done."""

    def say(self, text: str) -> None:
        """Keep the line."""
        self.said.append(text)

    def slowed(self, text: str) -> None:
        """Keep the line."""
        self.slow.append(text)

    def watch(self, side: str, loads: Loads) -> None:
        """Tell the loads of this side too."""
        self.sides[side] = loads

    def finished(self) -> None:
        """Nothing: the driver knows."""

    def news(self) -> News:
        """All since the last call."""
        told = News(
            done=dict(self.finished_now),
            expected=dict(self.expected_now),
            said=tuple(self.said),
            slowed=tuple(self.slow),
            logged=tuple(self.logged),
            loads={side: dict(loads()) for side, loads in self.sides.items()},
            traffic={side: self._traffic(one) for side, one in self.opened.items()},
        )
        for one in (self.finished_now, self.expected_now, self.said, self.slow, self.logged):
            one.clear()
        return told

    @staticmethod
    def _traffic(opened: OpenedWorkspace) -> Mapping[str, ServiceTraffic]:
        return {
            name: ServiceTraffic(one.requests, one.refused, [*one.widths]) for name, one in opened.traffic().items()
        }


class RelayHandler(logging.Handler):
    """Gives what is logged to a relay."""

    def __init__(self, relay: Relay) -> None:
        """Of this relay."""
        super().__init__()
        self._relay = relay

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self._relay.logged.append((record.name, record.levelno, record.getMessage()))
