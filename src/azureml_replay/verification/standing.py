"""An item of a verdict, a run or an experiment, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from azureml_replay.archive.evidence import Aspect, Topic
from azureml_replay.instants import Instant


class Standing(Enum):
    """What is known of one item."""

    EQUAL = "equal"
    DIFFERS = "differs"
    LEFT = "left out as planned"
    """The item as a whole was not to be carried."""
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Part:
    """One way in which an item stands, or should, with what is known of each of its aspects."""

    subject: Topic
    open: Mapping[Aspect, str]
    """Aspect that has to be compared -> why it counts as not compared; nothing where it does."""
    counts: Mapping[Aspect, Mapping[str, int]] = field(default_factory=dict)
    """How much was compared of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A run or an experiment that was planned and chosen, and what is known of it."""

    subject: Topic
    standing: Standing
    reason: str = ""
    """Why the item is not compared, or was left out."""
    refused: bool = False
    """It was left out because the target would not have it, or what is above it."""
    findings: int = 0
    accepted: int = 0
    """Changes by somebody in the target that were accepted: they are no findings."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How much of it was compared: `points`; `files`, `own_files`, `bytes`, `unverifiable`, `read_before`."""
    read_at: Instant | None = None
    """When the bytes of those `read_before` were read."""
    parts: Sequence[Part] = ()


def earliest(moments: Iterable[Instant | None]) -> Instant | None:
    """The first of these moments; None where there is none."""
    return min((one for one in moments if one is not None), default=None)
