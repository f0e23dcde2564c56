"""What was asked of a service, counted while a command works: for the report, and for whoever asks why it was slow."""

from __future__ import annotations

from dataclasses import dataclass, field

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
