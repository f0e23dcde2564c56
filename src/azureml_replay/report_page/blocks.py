"""Packs the details of some fifty runs into one text: JSON, then numbers in 12 bits, gzip, base64 (pure)."""

from __future__ import annotations

import base64
import gzip
import math
import struct
from array import array
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from itertools import pairwise
from typing import Any

from azureml_replay import json_text
from azureml_replay.comparison.excerpt import thin
from azureml_replay.report_page.facts import Detail, Line

RUNS_PER_BLOCK = 50
"""Runs of a block. A click decodes one block: 5 ms for 50 runs of 10 curves of 100 points."""
TOP = 4092
"""The largest value of 12 bits that is a number: 4 times the pixels of a chart's height."""
LOWEST, HIGHEST, NONE = 4093, 4094, 4095
"""Codes of -Infinity, Infinity, and no number."""


class Numbers:
    """Collects the values of the lines of one block."""

    def __init__(self) -> None:
        """Starts empty."""
        self._codes = array("H")

    def line(self, xs: Sequence[int], ys: Sequence[float], buckets: int) -> Line:
        """A line of the points, thinned and sorted by x. `xs` are whole numbers: steps, or milliseconds."""
        kept = sorted(thin(xs, ys, buckets), key=lambda at: xs[at])
        places, values = [xs[at] for at in kept], [ys[at] for at in kept]
        real = [value for value in values if math.isfinite(value)]
        low, high = min(real, default=0.0), max(real, default=0.0)
        at = len(self._codes)
        scale = TOP / (high - low) if high > low else math.inf
        if len(real) == len(values) and 0 < scale < math.inf:
            self._codes.extend([int((value - low) * scale + 0.5) for value in values])
        else:
            half = high / 2 - low / 2  # halves: the difference of two doubles may be infinite
            self._codes.extend(_code(value, low, half) for value in values)
        return Line(n=len(kept), of=len(xs), x=_shortened(places), at=at, low=low, high=high)

    def planes(self) -> bytes:
        """All upper bytes, then all lower ones: the upper four bits of neighbours are alike, which helps gzip."""
        return bytes(code >> 8 for code in self._codes) + bytes(code & 255 for code in self._codes)


def _code(value: float, low: float, half: float) -> int:
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return HIGHEST if value > 0 else LOWEST
    return round((value / 2 - low / 2) / half * TOP) if half else 0


def _shortened(places: Sequence[int]) -> tuple[int, ...]:
    deltas = tuple(b - a for a, b in pairwise(places))
    if len(deltas) > 1 and len(set(deltas)) == 1:
        return places[0], deltas[0]
    return (*places[:1], *deltas)


def block(details: Sequence[Detail], numbers: Numbers) -> str:
    """The text of one block."""
    text = to_json(details)
    return packed(struct.pack("<I", len(text)) + text + numbers.planes())


def packed(data: bytes) -> str:
    """The data as gzip in base64, which cannot end a script element."""
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def to_json(value: object) -> bytes:
    """JSON in which dataclasses become objects; a hostile name may hold half of a surrogate pair."""
    return json_text.dumps(value, plain=_plain)


def _plain(value: Any) -> Any:  # noqa: ANN401  # as json asks
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"no JSON: {type(value).__name__}")
