"""The page's data as values: `web/src/types.ts` mirrors them field by field (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

Pair = tuple[str, str]


class RunVerdict(IntEnum):
    """The verdict on one run; the worst first, as the page lists them."""

    DIFFERS = 0
    UNVERIFIED = 1
    MISSING = 2
    """The run was chosen and never extracted."""
    OMISSIONS = 3
    """Everything is equal but what was left out as planned, and not by the user's choice alone."""
    EQUAL = 4
    ARCHIVED = 5
    """The run is archived, and there is no target yet."""


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
    """Start in seconds since 1970."""
    seconds: float | None
    series: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    findings: int = 0
    omissions: int = 0
    quiet: int = 0
    """Those of the omissions that change no verdict."""
    accepted: int = 0
    """Changes by somebody that were accepted: no findings."""
    verdict: RunVerdict = RunVerdict.ARCHIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A drawn curve: `n` points whose values lie at `at` in the block's numbers, as 12 bits between low and high."""

    n: int
    of: int
    """Rows in all, of which `n` are drawn."""
    x: tuple[int, int] | tuple[int, ...]
    """Two numbers with `n` > 2: the first x and the constant step; else the first x and every difference."""
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
    """For `time`: seconds since 1970 at x = 0."""
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
    """The first differing row: where, expected, actual, all exact."""


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
    state: str = ""
    """`equal`, `size` (equal, no checksum was compared), `differs`, `left` out as planned, or `unverified`."""
    image: str = ""
    """A `data:` URL where the file is a picture, its bytes are in the archive, and the page has room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable:
    """The beginning of a table that a run keeps as a file."""

    path: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    of: int
    """Rows that the file holds."""
    of_columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetEntry:
    """One asset, what became of it, and its lineage."""

    id: str
    """Kind, name and version: `model own:1`."""
    verdict: RunVerdict
    became: str
    """What the target has for it, in words."""
    notes: tuple[str, ...] = ()
    """What differs, and what the target lacks of it."""
    archived: bool = False
    made: str = ""
    """The run that made it."""
    used: tuple[str, ...] = ()
    """Some of the runs that name it."""
    used_of: int = 0
    needs: tuple[str, ...] = ()
    """Assets that it names."""
    links: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """What a run names or made, and what became of that."""

    where: str
    """The places of the run's documents that name it."""
    what: str
    became: str
    asset: str = ""
    """Its id among the assets of the page; nothing where it is none of them."""
    verdict: int = -1
    """As of an asset; -1 for what is none of the source's."""
    links: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """The details of one run, as the page shows them."""

    id: str
    facts: tuple[Pair, ...]
    links: tuple[Pair, ...]
    description: str = ""
    error: str = ""
    parameters: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()
    properties: tuple[Pair, ...] = ()
    assets: tuple[Pair, ...] = ()
    references: tuple[ReferenceRow, ...] = ()
    lineage: tuple[Pair, ...] = ()
    curves: tuple[Curve, ...] = ()
    singles: tuple[Single, ...] = ()
    tables: tuple[Table, ...] = ()
    sheets: tuple[FileTable, ...] = ()
    """Tables among the files."""
    files: tuple[File, ...] = ()
    files_of: int = 0
    findings: tuple[tuple[str, str, str, str], ...] = ()
    """Findings: what, kind, expected, actual."""
    omissions: tuple[tuple[str, str, bool], ...] = ()
    """Omissions: what, why, and whether the user asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All rows of the tree, column by column; parents stand right before their children."""

    experiments: list[str]
    statuses: list[str]
    kinds: list[str]
    id: list[str]
    name: list[str]
    """Display names, empty where equal to the id."""
    parent: list[int]
    """The parent's place in these columns, -1 for a root."""
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
    quiet: list[int]
    accepted: list[int]
    verdict: list[int]
    place: list[int] = field(default_factory=list)
    """Where the detail is: block * 64 + place in the block; -1 where it was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How one command went."""

    command: str
    began: str
    outcome: str
    seconds: float
    parts: tuple[tuple[str, float, dict[str, int]], ...]
    """The verbs: name, seconds, how much each moved or compared."""
    requests: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The top of the page."""

    version: str
    made: str
    proved: str
    """When the newest verification of the target ended; nothing where none did."""
    source: Pair
    """The workspace's name, and the address of its page or nothing."""
    target: Pair | None
    roots: tuple[str, str]
    """Of the content and of the proof, as the archive keeps them; the second is nothing without a target."""
    good: str
    """Whether all is equal: `yes`, `no`, or `open`."""
    sentence: str
    figures: tuple[tuple[str, float, str], ...]
    """Figures: what, how much, and what qualifies it."""
    counts: tuple[int, ...]
    """Number of runs by verdict."""
    reasons: tuple[tuple[str, int, bool], ...]
    """Omissions by reason: why, how many, and whether the user asked for it."""
    loose_findings: tuple[tuple[str, str, str, str], ...]
    loose_omissions: tuple[tuple[str, str, str], ...]
    """Omissions of no run: whose, what, why."""
    loose_of: tuple[int, int]
    printed_findings: tuple[tuple[str, str, str, str, str], ...]
    """Findings for paper: whose, what, kind, expected, actual."""
    accepted: tuple[tuple[str, str, str, str, str, str], ...]
    """Changes in the target that somebody accepted: whose, what, expected, actual, by whom, when."""
    unknown: tuple[tuple[str, str, int], ...]
    commands: tuple[Command, ...]
    widths: tuple[tuple[str, int, int, tuple[tuple[int, int], ...]], ...]
    """For the newest command that used a service: service, requests, refused, changes of width."""
    widths_of: str
    assets: tuple[AssetEntry, ...]
    """What runs refer to, what differs first; as many as the page shows."""
    assets_of: int
    elsewhere: tuple[tuple[str, str, int], ...]
    """What is named and is none of the source's: where it is, its name, and how many name it."""
    left_out: int
    """Number of runs without detail in this file."""
    max_bytes: int
    sharded: bool
    blocks: int
