"""What a worker and its driver say to each other: the worker asks, the driver answers. Nothing here is a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from azureml_replay.archive.merging.parts import Brought
from azureml_replay.connection import Config
from azureml_replay.crew.pool import Errand
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.parts import Briefing, PartSent
from azureml_replay.extraction.extract import ExtractOptions, PartExtracted
from azureml_replay.model import RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.verification.seen import SeenRuns
from azureml_replay.workspace.lease import LeaseHolder
from azureml_replay.workspace.profile import TargetProfile
from azureml_replay.workspace.traffic import Load, ServiceTraffic

PIECE_BYTES = 8 * 1024 * 1024
"""Of a part's archive, where it goes through messages: 35 ms each in Ray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What every worker of a command is told at its start."""

    source: Config | None
    target: Config | None
    width: int
    mbps: float | None
    """A worker's share."""
    log_level: int
    holder: LeaseHolder
    """Whoever holds the lease: a worker of the same machine lives for it too."""


# Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class ToExtract:
    """Bring runs that were listed and chosen."""

    options: ExtractOptions
    without: frozenset[RunId]
    shelved: bool
    brings: Brought = Brought.CONTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSend:
    """Send units."""

    options: ReplayOptions
    profile: TargetProfile
    briefing: Briefing
    brings: Brought = Brought.SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ToLookAt:
    """Compare units."""

    look: int
    deep: bool
    files: FileChoice
    shelved: bool
    brings: Brought = Brought.SEEN


Work: TypeAlias = ToExtract | ToSend | ToLookAt
Result: TypeAlias = PartExtracted | PartSent | SeenRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One part of the work, for the worker that asked."""

    errand: Errand
    units: tuple[RunId, ...]
    work: Work
    folder: Path | None
    """The part's archive; None: it is fetched, and put back, in pieces."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do yet: ask again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """There will be nothing to do: end."""


@dataclass(frozen=True, slots=True)
class Granted:
    """Go on; nobody else writes this part for so many seconds from when it was asked."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Over:
    """The attempt is not wanted any more: end without sending anything."""

    why: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a part's archive; the last one is empty."""

    data: bytes


Answer: TypeAlias = Order | Wait | Stop | Granted | Over | Piece


# Requests


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker without work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What happened since the last one."""

    done: Mapping[str, int] = field(default_factory=dict)
    expected: Mapping[str, int] = field(default_factory=dict)
    said: Sequence[str] = ()
    slowed: Sequence[str] = ()
    logged: Sequence[tuple[str, int, str]] = ()
    """Logger, level, line."""
    loads: Mapping[str, Mapping[str, Load]] = field(default_factory=dict)
    """Side -> service -> load right now."""
    traffic: Mapping[str, Mapping[str, ServiceTraffic]] = field(default_factory=dict)
    """Side -> service -> all requests so far."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A worker at work; with `wants` it is about to write, or has written."""

    errand: Errand
    wants: bool
    news: News


@dataclass(frozen=True, slots=True)
class Done:
    """An order was carried out: what it came to lies in the part's archive."""

    errand: Errand
    result: Result
    news: News


@dataclass(frozen=True, slots=True)
class GaveUp:
    """An order ended by an error that is no single run's: the command ends by it."""

    errand: Errand | None
    error: Exception
    news: News


@dataclass(frozen=True, slots=True)
class Fetch:
    """Asks for a piece of a part's archive."""

    errand: Errand
    number: int


@dataclass(frozen=True, slots=True)
class Put:
    """Brings one."""

    errand: Errand
    number: int
    data: bytes


Request: TypeAlias = Ready | Alive | Done | GaveUp | Fetch | Put
