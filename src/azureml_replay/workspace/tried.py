"""What a workspace finds out about itself by a throw-away run of its own (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from azureml_replay.model import RunId


class Trait(StrEnum):
    """What one server does and another of its kind does not."""

    COLON = "names with a colon"
    UNICODE_PATHS = "files whose names are not Latin-1 can be read back"
    FILES = "files are served"
    REMOVES_FILES = "files are removed"
    NAN_AGAIN = "a NaN that is there already is no refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What the run showed."""

    run: RunId
    """It is hidden."""
    lost: tuple[str, ...]
    """Names of what was not kept, as `target/probe.py` has them."""
    server: str
    """The version that it names; empty where it names none."""
    traits: frozenset[Trait] = frozenset()
    lifted: Mapping[str, int] = field(default_factory=dict)
    """Name in `Limits` -> what it takes, where that is more than every server of its kind takes."""


@runtime_checkable
class TriesItself(Protocol):
    """A workspace whose throw-away run is of a kind of its own."""

    async def try_out(self) -> Tried:
        """Write a run, read it back, hide it. NOT repeatable: each call makes one. Raises Rejected, Unavailable."""
        ...
