"""What the page is told, as values: `web/src/types.ts` mirrors them field by field (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

Pair = tuple[str, str]


class RunVerdict(IntEnum):
    """Of one run; the worst first, as the page lists them."""

    DIFFERS = 0
    UNVERIFIED = 1
    MISSING = 2
    """Chosen, and never extracted."""
    OMISSIONS = 3
    """All equal but for what was left out as planned."""
    EQUAL = 4
    ARCHIVED = 5
    """There is no target yet."""


@dataclass(slots=True, kw_only=True)
class TreeRow:
    """One run in the tree."""

    id: str
    name: str
    parent: str | None
    experiment: str
    status: str
    kind: str
    start: float | None
    """Seconds since 1970."""
    seconds: float | None
    series: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    findings: int = 0
    omissions: int = 0
    verdict: RunVerdict = RunVerdict.ARCHIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A drawn curve: `n` points whose values lie at `at` in the block's numbers, as 12 bits between low and high."""

    n: int
    of: int
    """Rows that there are; `n` of them are drawn."""
    x: tuple[int, int] | tuple[int, ...]
    """First and constant step where there are two numbers and `n` > 2, else the first and every difference."""
    at: int
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One metric with a number in each row."""

    name: str
    axis: str
    """`step`, `time` (milliseconds since `zero`) or `row`."""
    zero: float | None
    """Seconds since 1970, with `time`."""
    state: str
    """`equal`, `differs`, `lost` (differs, and the target's rows were not kept) or `unverified`."""
    source: Line
    last: str
    low: str
    high: str
    target: Line | None = None
    difference: Line | None = None
    differing: int = 0
    target_rows: int = 0
    first: tuple[str, str, str] | None = None
    """Where, expected, actual: exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """A metric with one row."""

    name: str
    where: str
    value: str
    state: str
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A metric of several columns, or of words."""

    name: str
    kind: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    of: int
    state: str
    images: tuple[str, ...] = ()
    """`data:` URLs of the pictures whose bytes are in the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a run."""

    path: str
    bytes: int | None
    md5: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Everything that the page shows of one run."""

    id: str
    facts: tuple[Pair, ...]
    links: tuple[Pair, ...]
    description: str = ""
    error: str = ""
    parameters: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()
    properties: tuple[Pair, ...] = ()
    assets: tuple[Pair, ...] = ()
    lineage: tuple[Pair, ...] = ()
    curves: tuple[Curve, ...] = ()
    singles: tuple[Single, ...] = ()
    tables: tuple[Table, ...] = ()
    files: tuple[File, ...] = ()
    files_of: int = 0
    findings: tuple[tuple[str, str, str, str], ...] = ()
    """What, kind, expected, actual."""
    omissions: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All rows of the tree by columns, parents right before their children."""

    experiments: list[str]
    statuses: list[str]
    kinds: list[str]
    id: list[str]
    name: list[str]
    """Empty where it is the id."""
    parent: list[int]
    """Its place in these columns, -1 for a root."""
    experiment: list[int]
    status: list[int]
    kind: list[int]
    start: list[float | None]
    seconds: list[float | None]
    series: list[int]
    points: list[int]
    files: list[int]
    findings: list[int]
    omissions: list[int]
    verdict: list[int]
    place: list[int] = field(default_factory=list)
    """Block and place in it, as block * 64 + place; -1 where the detail was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How one command went."""

    command: str
    began: str
    outcome: str
    seconds: float
    parts: tuple[tuple[str, float, dict[str, int]], ...]
    """Verb, seconds, what it moved or compared."""
    requests: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands on top."""

    version: str
    made: str
    source: Pair
    """Name, and its page in Studio or nothing."""
    target: Pair | None
    good: str
    """`yes`, `no`, or `open`."""
    sentence: str
    figures: tuple[tuple[str, float, str], ...]
    """What, how much, and what qualifies it."""
    counts: tuple[int, ...]
    """Runs by verdict."""
    reasons: tuple[tuple[str, int], ...]
    loose_findings: tuple[tuple[str, str, str, str], ...]
    loose_omissions: tuple[tuple[str, str, str], ...]
    """Of no run: whose, what, why."""
    loose_of: tuple[int, int]
    unknown: tuple[tuple[str, str, int], ...]
    commands: tuple[Command, ...]
    widths: tuple[tuple[str, int, int, tuple[tuple[int, int], ...]], ...]
    """Of the newest command that used a service: service, requests, refused, changes of width."""
    widths_of: str
    left_out: int
    """Runs without detail in this file."""
    max_bytes: int
    sharded: bool
    blocks: int
