"""Units -> parts for several workers: families that stay together, weighed, named and handed out (pure)."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from azureml_replay.model import RunId

LEAST = 64
"""Parts, where there are as many families: so the last of them keeps one of eight workers no longer than the others."""
HEAVY = 10_000.0
"""A part is about so heavy at most: 15 minutes of a worker at 14 requests a run, 50 ms and width 8."""
POINTS_PER_RUN, BYTES_PER_RUN = 250, 4 * 1024 * 1024
"""So many rows, or bytes, weigh as much as a run: what one request takes."""
ROUNDS = 2
"""An idle worker gets one of so many equal shares of what is left, so that few are handed out and the last ones end
together."""


@dataclass(frozen=True, slots=True)
class UnitPart:
    """Units that one worker works on, with all units that they share a reused step with."""

    name: str
    units: tuple[RunId, ...]
    weight: float


def weight_of(runs: int, points: int = 0, size_bytes: int = 0) -> float:
    """How much work something is, in runs."""
    return runs + points / POINTS_PER_RUN + size_bytes / BYTES_PER_RUN


def families(units: Iterable[RunId], links: Iterable[tuple[RunId, RunId]]) -> list[tuple[RunId, ...]]:
    """The units, those that are linked together; in the order of `units`, those named by links alone at the end."""
    above: dict[RunId, RunId] = {unit: unit for unit in units}

    def top(unit: RunId) -> RunId:
        while (one := above.setdefault(unit, unit)) != unit:
            above[unit] = above[one]
            unit = one
        return unit

    for one, other in links:
        above[top(other)] = top(one)
    found: dict[RunId, list[RunId]] = {}
    for unit in list(above):
        found.setdefault(top(unit), []).append(unit)
    return [tuple(family) for family in found.values()]


def cut(weights: Mapping[RunId, float], links: Iterable[tuple[RunId, RunId]], *, least: int = LEAST) -> list[UnitPart]:
    """Parts of all units, the heaviest first: the heaviest family goes into the lightest part.

    A unit that only links name comes along with its family, and weighs nothing; a family of such units is none.
    """
    together = [family for family in families(weights, links) if not weights.keys().isdisjoint(family)]
    weighed = [(sum(weights.get(unit, 0.0) for unit in family), family) for family in together]
    count = min(len(weighed), max(least, math.ceil(sum(weights.values()) / HEAVY)))
    bins: list[list[RunId]] = [[] for _ in range(count)]
    filling = [(0.0, at) for at in range(count)]
    for weight, family in sorted(weighed, key=lambda one: -one[0]):
        before, at = heapq.heappop(filling)
        bins[at] += family
        heapq.heappush(filling, (before + weight, at))
    parts = (UnitPart(name_of(bins[at]), tuple(bins[at]), weight) for weight, at in filling)
    return sorted(parts, key=lambda part: (-part.weight, part.name))


def name_of(units: Iterable[RunId]) -> str:
    """Of a part: by its smallest unit, so that it stays as others come."""
    return hashlib.blake2b(min(units).encode(), digest_size=6).hexdigest()


def handful(left: int, workers: int) -> int:
    """How many parts an idle worker gets at once."""
    return max(1, math.ceil(left / (ROUNDS * max(1, workers))))
