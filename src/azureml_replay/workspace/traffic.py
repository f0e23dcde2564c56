"""Counts the requests to services while a command works: for the report, and to see why it is slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from azureml_replay.counting import counted

WIDTHS_KEPT = 120
"""Changes of width kept for one service: twice as many as its chart shows. Beyond, every second one is dropped."""


@dataclass(slots=True)
class ServiceTraffic:
    """The traffic of one service. Times are milliseconds since its first request."""

    requests: int = 0
    """Answered attempts, refused ones too."""
    refused: int = 0
    """Attempts answered by 429 or 503: the service was throttling."""
    widths: list[tuple[int, int]] = field(default_factory=list)
    """Changes of the number of requests at a time: when, and to what."""

    def answered(self, *, throttled: bool) -> None:
        """Count one attempt."""
        self.requests += 1
        self.refused += throttled

    def width(self, at_ms: int, width: int) -> None:
        """Note a change of width; a long history keeps its shape when every second change is dropped."""
        if self.widths and self.widths[-1][1] == width:
            return
        self.widths.append((at_ms, width))
        if len(self.widths) > WIDTHS_KEPT:
            del self.widths[1:-1:2]


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one service right now."""

    in_flight: int
    width: int
    """Requests that may be in flight; 0 after a refusal until those in flight have come back."""
    ceiling: int
    """The greatest width: `--parallel`."""
    per_s: float | None
    """Requests that may be sent in a second; None: no bound."""
    wait_s: float
    """Seconds for which nothing is sent, because the service asked for it."""
    retries: int
    """Attempts so far that had to be made again."""

    def words(self, service: str) -> str:
        """The load in words: `history waits 14 s as it asks`, `metric 12 of 32 requests at a time`."""
        if self.wait_s >= 1:
            return f"{service} waits {self.wait_s:.0f} s as it asks"
        if not self.width:
            return f"{service} asks for patience"
        if self.per_s is not None:
            return f"{service} {counted(round(self.per_s), 'request')} a second"
        return f"{service} {self.width} of {self.ceiling} requests at a time"

    @property
    def troubled(self) -> bool:
        """True where the service takes fewer requests than we could send."""
        return self.wait_s >= 1 or not self.width or self.per_s is not None


def in_words(sides: Mapping[str, Callable[[], Mapping[str, Load]]]) -> Iterator[str]:
    """Words on services that slow the work down, the busiest one, and retries; with the side where there are two."""
    named = len(sides) > 1
    loads = {f"{side} {name}" if named else name: load for side, of in sides.items() for name, load in of().items()}
    busiest = max(loads, key=lambda name: loads[name].in_flight, default="")
    for name, load in loads.items():
        if load.troubled or (name == busiest and load.in_flight):
            yield load.words(name)
    retries = sum(load.retries for load in loads.values())
    if retries:
        yield counted(retries, "retry", "retries")
