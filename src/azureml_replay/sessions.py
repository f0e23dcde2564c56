"""One run of a command, as the archive remembers it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_replay.instants import Instant
from azureml_replay.workspace.traffic import ServiceTraffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One verb: `extract`, `replay`, `verify`; `migrate` has them all."""

    verb: str
    seconds: float
    counts: Mapping[str, int]
    """What it moved or compared: `runs`, `points`, `files`, `bytes`, `findings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """From its start to its end, however that came."""

    command: str
    began: Instant
    ended: Instant
    outcome: str
    """`done`, `interrupted`, or the kind of error that ended it."""
    parts: tuple[Part, ...]
    traffic: Mapping[str, ServiceTraffic]
    """By `source SERVICE` and `target SERVICE`."""
