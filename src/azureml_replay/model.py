"""The domain: what a workspace holds, as values. No I/O here, and nothing of ours is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, TypeAlias

from azureml_replay.instants import Instant

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Value: TypeAlias = "float | int | str | bool | None"
"""One cell of a metric row, in the type its column declares."""

RunId = NewType("RunId", str)
"""Also the job's name: the service uses one for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A named group of runs. A Run on the wire carries only the experiment's id (responses.md 4.1)."""

    id: str
    name: str
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    archived: Instant | None = None
    document: Json = None
    """The whole wire document; redacted once it comes out of an archive."""
    unknown: tuple[str, ...] = ()
    """Wire keys that decoding did not know: kept in `document`, counted in the archive."""


@dataclass(frozen=True, slots=True)
class AssetReference:
    """A named input or output of a run: `azureml://locations/…/data/…/versions/1`, type `UriFolder`."""

    asset_id: str
    type: str | None


UNREADABLE = "unreadable "
"""How a key begins among the unknown ones whose value has a form that nobody foresaw: its document is archived."""
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
"""States in which the service changes a run no more (clients.md 3.2; NotResponding and Paused may still move)."""


@dataclass(frozen=True, slots=True)
class Acting:
    """What of a run acts on the workspace that it ran in: no target is sent any of it."""

    values: tuple[str, ...] = ()
    """Parts of its document that have a value, by the service's names."""
    properties: tuple[str, ...] = ()
    """Keys of its properties."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A tag or property whose value is the id of another run, or names its container."""

    kind: str
    """`tag` or `property`."""
    key: str
    before: str = ""
    """What stands before the id in the value."""


@dataclass(frozen=True, slots=True)
class CodeReference:
    """The code that a run was submitted with; at least one of both."""

    asset: str | None = None
    """ARM id of a code version."""
    snapshot: str | None = None
    """Of the content service."""

    @property
    def key(self) -> str:
        """Equal for equal code, as far as ids tell."""
        return self.asset or self.snapshot or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What happened: one run of a workspace, or one that a target is to hold.

    Fields up to `error_origin` can be written to a target; those after it are the server's own or lineage.
    """

    id: RunId
    parent: RunId | None = None
    experiment: str = ""
    status: str = ""
    start: Instant | None = None
    end: Instant | None = None
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    parameters: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, AssetReference] = field(default_factory=dict)
    outputs: Mapping[str, AssetReference] = field(default_factory=dict)
    input_datasets: Json = None
    output_datasets: Json = None
    hidden: bool = False
    """Archived, in the words of Studio."""
    lender: RunId | None = None
    """The run whose points and files this one shows, as a reused step does; None where it has its own."""
    error: Json = None
    """The inner error object: `code`, `message`, …; written by an Error event only (clients.md 3.3)."""
    error_origin: Json = None
    """What stands beside it: `time`, `componentName`, `correlation`, `environment`, `location`; None without any."""

    created: Instant | None = None
    modified: Instant | None = None
    creator: str | None = None
    kind: str | None = None
    """`runType`: azureml.PipelineRun, azureml.StepRun, azureml.scriptrun, …; None for runs that MLflow made."""
    traits: tuple[str, ...] = ()
    """Of `runTypeV2`: with the type they choose Studio's pages."""
    typed: bool = False
    """A target is to take the run for what it was: `put_runs` writes type and traits too (`--keep-run-type`)."""
    warnings: Json = None
    """A list of `source`, `message`. Only an event writes them, and one told twice writes twice: carried by a file."""
    document: Json = None
    """The whole wire document; redacted once it comes out of an archive."""
    unknown: tuple[str, ...] = ()
    acting: Acting = Acting()
    code: CodeReference | None = None
    """As far as the run itself says; its job may know more."""
    references: tuple[Reference, ...] = ()
    """Where a run gets a new id, those of others that name it are rewritten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of an archive's list of runs: enough to choose by, small enough for a million of them."""

    id: RunId
    unit: RunId
    """The root run of its family; its own id for a root, and for a run whose parent is gone."""
    depth: int
    """0 for the unit's root."""
    parent: RunId | None = None
    experiment: str = ""
    status: str = ""
    kind: str | None = None
    created: Instant | None = None
    creator: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    extracted: bool = False
    """All that the source gives for it is in the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """What only `rundata` gives (responses.md 4.4): the run with its inputs and outputs, and how it was defined."""

    run: Run
    definition: Json = None
    specification: Json = None
    more: Mapping[str, Json] = field(default_factory=dict)
    """What the answer says beside these, under keys that decoding does not know."""


NESTED_COMPONENTS = "nestedComponents"
"""Our key in a job's document: ARM id -> component, for the nested pipelines of its graph."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as submitted: the ARM resource. Its name is its run's id."""

    name: RunId
    document: Json
    unknown: tuple[str, ...] = ()
    """Wire keys that decoding did not know: kept in `document`, counted in the archive."""
    code: str | None = None
    """ARM id of the code version that it was submitted with."""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """Under what name rows were logged."""

    name: str
    namespace: str | None = None


NUMBERS = frozenset({"Double", "Int"})
"""Types of columns that hold numbers: run-history.json, `MetricValueType`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All rows of one name, without the rows."""

    key: SeriesKey
    columns: tuple[tuple[str, str], ...]
    """Column name and wire type (`Double`, `Int`, `String`, `Bool`, `Artifact`), in the service's order."""
    ux_type: str | None = None
    """How Studio draws it: `azureml.v1.scalar`, `azureml.v1.table`, `azureml.v2.image`, …"""
    schema_id: str | None = None
    more: Mapping[str, Json] = field(default_factory=dict)
    """What else the service says of it, `labels` and `dataLocation` among it: no target takes that."""
    unknown: tuple[str, ...] = ()
    """Wire keys that decoding did not know; `row x` is one of a row, `cell x` a cell without a column: not read."""
    longest_text: int | None = field(default=None, compare=False)
    """Characters of the longest text in its rows, as an archive counts them; None where there is none."""


Row: TypeAlias = "tuple[int | None, int | None, tuple[Value, ...]]"
"""Step, ticks, one value per column."""


@dataclass(frozen=True, slots=True)
class Points:
    """Some rows of one series, by columns: at most `ROWS_PER_CHUNK` of them."""

    series: Series
    steps: Sequence[int | None]
    """None where the caller logged none: the service keeps the difference to 0."""
    times: Sequence[int | None]
    """`createdUtc` as ticks."""
    values: tuple[Sequence[Value], ...]
    """One sequence per column of the series, in its order."""

    def __len__(self) -> int:
        return len(self.times)

    def rows(self) -> Iterator[Row]:
        """Row by row."""
        cells: Iterable[tuple[Value, ...]] = zip(*self.values, strict=True) if self.values else [()] * len(self)
        return zip(self.steps, self.times, cells, strict=True)

    def slice(self, start: int, stop: int) -> Points:
        """Rows start to stop, as a new value."""
        return Points(
            self.series, self.steps[start:stop], self.times[start:stop], tuple(c[start:stop] for c in self.values)
        )

    def and_then(self, later: Points) -> Points:
        """These rows and then those, of the same series, as a new value."""
        return Points.of(self.series, [*self.rows(), *later.rows()])

    @classmethod
    def of(cls, series: Series, rows: Sequence[Row]) -> Points:
        """From rows, each as wide as the series has columns."""
        width = len(series.columns)
        columns = tuple([row[2][at] for row in rows] for at in range(width))
        return cls(series, [row[0] for row in rows], [row[1] for row in rows], columns)


ROWS_PER_CHUNK = 10_000
"""Where long series are split: from 1,000 rows on, larger chunks save no bytes (storage.md 3)."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where bytes lie: a datastore's name and the path below its container."""

    datastore: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One blob, as a listing of the storage shows it."""

    location: Location
    size_bytes: int
    md5: bytes | None = None
    """None for append blobs (logs) and for block lists written without one (storage.md 1)."""
    etag: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    """Names in the storage's listing that decoding did not know: not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file of a run. The index and the storage may disagree; both are kept (FIDELITY, Files)."""

    path: str
    """As the run shows it: `outputs/model.pkl`."""
    location: Location
    indexed: bool
    """The artifact service lists it."""
    stored: StoredFile | None
    """None where no blob was found at `location`, or its datastore could not be listed."""
    gone: str | None = None
    """Why there is none: what the storage answered, and when."""
    more: Mapping[str, Json] = field(default_factory=dict)
    """What else the index says of it, its `tags` among it: not carried."""
    unknown: tuple[str, ...] = ()
    """Wire keys of the index that decoding did not know: kept in `more` where they have a value."""


@dataclass(frozen=True, slots=True)
class FileTotals:
    """The files of a run in figures."""

    files: int = 0
    """That have bytes."""
    bytes: int = 0
    lost: int = 0
    """That the index lists and the storage does not hold."""
    twice: int = 0
    """More than one for a path: index and storage name different places, both with bytes."""
    longest: int = 0
    """UTF-8 bytes of the longest path of those that have bytes: at least as many as its characters for a storage."""


@dataclass(frozen=True, slots=True)
class Omission:
    """Something of the source that the target will not have."""

    run: RunId
    what: str
    """`file logs/azureml/stderr.txt`, `tag 51 others`, …"""
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that verify found."""

    run: RunId
    """The run's id in the source."""
    what: str
    """`status`, `tag owner`, `metric loss step 7`, `file outputs/model.pkl`, …"""
    kind: str
    """`differs`, `absent` (the target lacks it) or `extra` (the target has more).

    Where it is known what was sent last: `edited in target` (the source is as it was then), `conflict` (both changed).
    """
    expected: str
    actual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """What a target holds of a series that is not as expected, thinned to what can be drawn."""

    series: Series
    """As expected."""
    rows: int
    """That the target holds; `held` are those of them that were kept."""
    differing: int
    """Rows that differ, are absent or extra; of these, too, only those below were kept, the first one always."""
    held: Points
    expected: Points
    """One side of the rows that differ; `actual` is the other, row by row."""
    actual: Points
    absent: Points
    extra: Points


Editable: TypeAlias = Mapping[str, str | bool | None]
"""By the name that a finding shows: `tag owner`, `description`, …. A name that is not there has no value."""


Share: TypeAlias = tuple[int, int, int]
"""Of which series, by its place in the line, the first row and the one after the last."""
