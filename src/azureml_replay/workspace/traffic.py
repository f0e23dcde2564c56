"""What was asked of a service, counted while a command works: for the report, and for whoever asks why it was slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from azureml_replay.counting import counted

WIDTHS_KEPT = 120
"""Changes of width that one service keeps: twice what a chart of it shows. Beyond, every second one goes."""


@dataclass(slots=True)
class ServiceTraffic:
    """Of one service. Times are milliseconds since its first request."""

    requests: int = 0
    """Answered attempts, refused ones too."""
    refused: int = 0
    """429 and 503: the service asked for patience."""
    widths: list[tuple[int, int]] = field(default_factory=list)
    """When the number of requests at a time changed, and to what."""

    def answered(self, *, throttled: bool) -> None:
        """One attempt."""
        self.requests += 1
        self.refused += throttled

    def width(self, at_ms: int, width: int) -> None:
        """Keeps a change; the shape stays when every second one of a long history goes."""
        if self.widths and self.widths[-1][1] == width:
            return
        self.widths.append((at_ms, width))
        if len(self.widths) > WIDTHS_KEPT:
            del self.widths[1:-1:2]


@dataclass(frozen=True, slots=True)
class Load:
    """How one service is asked right now."""

    in_flight: int
    width: int
    """Requests that may be in flight; 0 while a refusal is being understood."""
    ceiling: int
    """`--parallel`."""
    per_s: float | None
    """Requests that may leave in a second; None: as they come."""
    wait_s: float
    """How long nothing is sent, because the service asked for it."""
    retries: int
    """Attempts that had to be made again, so far."""

    def words(self, service: str) -> str:
        """`history waits 14 s as it asks`, `metric 12 of 32 requests at a time`."""
        if self.wait_s >= 1:
            return f"{service} waits {self.wait_s:.0f} s as it asks"
        if not self.width:
            return f"{service} asks for patience"
        if self.per_s is not None:
            return f"{service} {counted(round(self.per_s), 'request')} a second"
        return f"{service} {self.width} of {self.ceiling} requests at a time"

    @property
    def troubled(self) -> bool:
        """It cannot be asked as fast as we could."""
        return self.wait_s >= 1 or not self.width or self.per_s is not None


def in_words(sides: Mapping[str, Callable[[], Mapping[str, Load]]]) -> Iterator[str]:
    """What holds the work up, the busiest service, and what had to be sent again; the side where there are two."""
    named = len(sides) > 1
    loads = {f"{side} {name}" if named else name: load for side, of in sides.items() for name, load in of().items()}
    busiest = max(loads, key=lambda name: loads[name].in_flight, default="")
    for name, load in loads.items():
        if load.troubled or (name == busiest and load.in_flight):
            yield load.words(name)
    retries = sum(load.retries for load in loads.values())
    if retries:
        yield counted(retries, "retry", "retries")
