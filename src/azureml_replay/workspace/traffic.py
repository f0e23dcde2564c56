"""Counts the requests to services while a command works: for the report, and to see why it is slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


def joined_loads(of_each: Iterable[Mapping[str, Load]]) -> dict[str, Load]:
    """The load of each service, of several processes that ask it."""
    found: dict[str, list[Load]] = {}
    for loads in of_each:
        for name, load in loads.items():
            found.setdefault(name, []).append(load)
    return {name: _together(loads) for name, loads in found.items()}


def _together(loads: Sequence[Load]) -> Load:
    paces = [load.per_s for load in loads]
    return Load(
        in_flight=sum(load.in_flight for load in loads),
        width=sum(load.width for load in loads),
        ceiling=sum(load.ceiling for load in loads),
        per_s=None if None in paces else sum(pace or 0.0 for pace in paces),
        wait_s=max(load.wait_s for load in loads),
        retries=sum(load.retries for load in loads),
    )


def joined_traffic(of_each: Iterable[Mapping[str, ServiceTraffic]]) -> dict[str, ServiceTraffic]:
    """The requests to each service, of several processes; changes of width are those of the busiest one."""
    found: dict[str, ServiceTraffic] = {}
    for told in of_each:
        for name, one in told.items():
            before = found.get(name, ServiceTraffic())
            widths = max(before, one, key=lambda traffic: traffic.requests).widths
            found[name] = ServiceTraffic(before.requests + one.requests, before.refused + one.refused, [*widths])
    return found


def settled_below(traffic: Mapping[str, ServiceTraffic], ceiling: int) -> Iterator[str]:
    """A line for each service that refused requests, and took fewer at a time in the end than might be sent."""
    for name, told in traffic.items():
        width = told.widths[-1][1] if told.widths else ceiling
        if told.refused and width < ceiling:
            at_a_time = f"{max(1, width)} of {counted(ceiling, 'request')} at a time"
            yield f"{name} took {at_a_time} in the end: the service is the limit, more workers will not help"


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
