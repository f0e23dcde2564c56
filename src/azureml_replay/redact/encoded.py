"""Text that is written for a URL (`password%3Dx`), and where each letter of what it says stands in it (pure)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from azureml_replay.redact.finders import Place

_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
TIMES = 3
"""How often a text is decoded: a URL within a URL within a URL."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a text says without its escapes, with the places of its letters in the text itself."""

    said: str
    here: tuple[int, ...]
    """Where in `said` the places below begin to count, ascending."""
    there: tuple[int, ...]
    """The places in the text that `said` was made of."""
    above: Layer | None = None
    """What that text was made of."""

    def place(self, found: Place) -> Place:
        """The place in the first text of what stands at a place of `said`."""
        place = self._at(found[0]), self._at(found[1])
        return self.above.place(place) if self.above else place

    def _at(self, here: int) -> int:
        known = bisect_right(self.here, here) - 1
        return self.there[known] + here - self.here[known]


def layers(value: str) -> Iterator[Layer]:
    """What a text says without its escapes, and what that says without its own; none where it has no escapes."""
    layer = _decoded(value, None) if "%" in value else None
    for _ in range(TIMES):
        if layer is None:
            return
        yield layer
        layer = _decoded(layer.said, layer)


def _decoded(value: str, above: Layer | None) -> Layer | None:
    """The text without its escapes; None where it has none. What is no UTF-8 stays as it is."""
    parts, here, there = list[str](), [0], [0]
    at = length = 0
    for run in _ESCAPES.finditer(value):
        try:
            said = bytes.fromhex(run.group().replace("%", "")).decode()
        except UnicodeDecodeError:
            continue
        parts += [value[at : run.start()], said]
        length, at = length + run.start() - at, run.start()
        for letter in said:
            here.append(length)
            there.append(at)
            length, at = length + 1, at + 3 * len(letter.encode())
        here.append(length)
        there.append(at)
    return Layer("".join((*parts, value[at:])), tuple(here), tuple(there), above) if parts else None
