"""Which workspace, of whatever kind (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace as the archive stores it. Equal where kind and key are; the name is for people."""

    kind: str
    """`azureml`, or whatever else can be read and written."""
    key: str
    """Canonical: equal for equal workspaces, however their names were spelt."""
    name: str = field(compare=False)
    """As somebody spelt it."""

    def __str__(self) -> str:
        return self.name

    @property
    def short(self) -> str:
        """The last part of the name, which is enough where only one target of an archive has it."""
        return self.name.rpartition("/")[2]


def called(places: Sequence[Place]) -> list[str]:
    """What is enough to name each among them: its short name where no other one bears it, in any case of letters."""
    short = [place.short.casefold() for place in places]
    return [place.short if short.count(name) == 1 else str(place) for place, name in zip(places, short, strict=True)]
