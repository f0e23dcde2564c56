"""The domain: what a workspace holds, as values (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType, TypeAlias

from azureml_replay.instants import Instant

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Value: TypeAlias = "float | int | str | bool | None"
"""One cell of a metric row, in the type that its column declares."""

RunId = NewType("RunId", str)
"""The id of a run; also its job's name: the service uses one for both."""


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
"""The beginning of an unknown key whose value has an unforeseen form; its document is archived."""
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
"""Statuses after which the service changes a run no more (clients.md 3.2; NotResponding and Paused may change)."""


@dataclass(frozen=True, slots=True)
class Acting:
    """The parts of a run that act on the workspace that it ran in: none of them is sent to a target."""

    values: tuple[str, ...] = ()
    """Parts of its document that have a value, by the service's names."""
    properties: tuple[str, ...] = ()
    """Keys of such properties."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A tag or property whose value is the id of another run, or names its container."""

    kind: str
    """`tag` or `property`."""
    key: str
    before: str = ""
    """The part of the value before the id."""


@dataclass(frozen=True, slots=True)
class CodeReference:
    """The code that a run was submitted with; at least one of the fields is set."""

    asset: str | None = None
    """The ARM id of a code version."""
    snapshot: str | None = None
    """The id of a snapshot of the content service."""

    @property
    def key(self) -> str:
        """A text that is equal for equal code, as far as ids tell."""
        return self.asset or self.snapshot or ""


class RunForm(Enum):
    """As what a run is written: the type may tell a service whether its client may end it."""

    NEUTRAL = "no type"
    EXTERNAL = "External"
    """As runs that ran elsewhere: azureml-core's word for those that it makes."""
    KEPT = "the source's type"
    """With type and traits (`--keep-run-type`)."""


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
    """The error's envelope: `time`, `componentName`, `correlation`, `environment`, `location`; None without any."""

    created: Instant | None = None
    modified: Instant | None = None
    creator: str | None = None
    kind: str | None = None
    """`runType`: azureml.PipelineRun, azureml.StepRun, azureml.scriptrun, …; None for runs that MLflow made."""
    traits: tuple[str, ...] = ()
    """Traits of `runTypeV2`, which together with the type choose Studio's pages."""
    form: RunForm = RunForm.NEUTRAL
    """The type that `put_runs` shall write."""
    warnings: Json = None
    """A list of `source`, `message`. Only an event writes them, twice if it is sent twice: carried by a file."""
    document: Json = None
    """The whole wire document; redacted once it comes out of an archive."""
    unknown: tuple[str, ...] = ()
    acting: Acting = Acting()
    code: CodeReference | None = None
    """The code as far as the run itself names it; its job may know more."""
    references: tuple[Reference, ...] = ()
    """Tags and properties that name other runs; rewritten where those get a new id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of an archive's list of runs: enough for selections, small enough for a million of them."""

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
    """True where everything that the source gives for the run is in the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """A run with its inputs, outputs and definition, which only `rundata` gives (responses.md 4.4)."""

    run: Run
    definition: Json = None
    specification: Json = None
    more: Mapping[str, Json] = field(default_factory=dict)
    """Other values of the answer, under keys that decoding does not know."""


LOGGED_MODELS = "logged models"
"""Our key in `RunDetails.more`, for id -> document of the models that a run of MLflow 3 read or made."""

NESTED_COMPONENTS = "nestedComponents"
"""Our key in a job's document, for ARM id -> component of the nested pipelines of its graph."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as submitted: the ARM resource. Its name is its run's id."""

    name: RunId
    document: Json
    unknown: tuple[str, ...] = ()
    """Wire keys that decoding did not know: kept in `document`, counted in the archive."""
    code: str | None = None
    """The ARM id of the code version that the job was submitted with."""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """The name under which rows were logged."""

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
    """The way in which Studio draws it: `azureml.v1.scalar`, `azureml.v1.table`, `azureml.v2.image`, …"""
    schema_id: str | None = None
    more: Mapping[str, Json] = field(default_factory=dict)
    """Other values of the service for it, `labels` and `dataLocation` among them: no target takes them."""
    unknown: tuple[str, ...] = ()
    """Wire keys that decoding did not know; `row x` is a row's, `cell x` a cell without a column: both are not read."""
    longest_text: int | None = field(default=None, compare=False)
    """Characters of the longest text in its rows, as an archive counts them; None where there is none."""


Row: TypeAlias = "tuple[int | None, int | None, tuple[Value, ...]]"
"""One row: step, ticks, one value for each column."""


@dataclass(frozen=True, slots=True)
class Points:
    """Some rows of one series, by columns: at most `ROWS_PER_CHUNK` of them."""

    series: Series
    steps: Sequence[int | None]
    """Steps; None where none was logged, which the service keeps apart from 0."""
    times: Sequence[int | None]
    """`createdUtc` as ticks."""
    values: tuple[Sequence[Value], ...]
    """One sequence per column of the series, in its order."""

    def __len__(self) -> int:
        return len(self.times)

    def rows(self) -> Iterator[Row]:
        """The same rows, row by row."""
        cells: Iterable[tuple[Value, ...]] = zip(*self.values, strict=True) if self.values else [()] * len(self)
        return zip(self.steps, self.times, cells, strict=True)

    def slice(self, start: int, stop: int) -> Points:
        """The rows from `start` up to, not including, `stop`, as a new value."""
        return Points(
            self.series, self.steps[start:stop], self.times[start:stop], tuple(c[start:stop] for c in self.values)
        )

    def and_then(self, later: Points) -> Points:
        """These rows followed by `later` ones of the same series, as a new value."""
        return Points.of(self.series, [*self.rows(), *later.rows()])

    @classmethod
    def of(cls, series: Series, rows: Sequence[Row]) -> Points:
        """Points made of rows, each with a value for each column of the series."""
        width = len(series.columns)
        columns = tuple([row[2][at] for row in rows] for at in range(width))
        return cls(series, [row[0] for row in rows], [row[1] for row in rows], columns)


ROWS_PER_CHUNK = 10_000
"""Rows of a chunk: from 1,000 rows on, larger chunks save no bytes (storage.md 3)."""


@dataclass(frozen=True, slots=True)
class Location:
    """The place of a blob: a datastore's name and the path below its container."""

    datastore: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One blob as a listing of the storage shows it."""

    location: Location
    size_bytes: int
    md5: bytes | None = None
    """None for append blobs (logs) and for block lists written without one (storage.md 1)."""
    etag: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    """Names in the storage's listing that decoding did not know: not read."""
    blob_type: str | None = None
    """`AppendBlob` (logs), `PageBlob`: storage copies them in blocks only. None for block blobs, and where unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file of a run. The index and the storage may disagree; both are kept (FIDELITY, Files)."""

    path: str
    """The path that the run shows: `outputs/model.pkl`."""
    location: Location
    indexed: bool
    """True where the artifact service lists the file."""
    stored: StoredFile | None
    """None where no blob was found at `location`, or its datastore could not be listed."""
    gone: str | None = None
    """The reason why there is no blob: what the storage answered, and when. With `stored`: the archive keeps bytes that
    the source has no more."""
    more: Mapping[str, Json] = field(default_factory=dict)
    """Other values of the index for it, its `tags` among them: not carried."""
    unknown: tuple[str, ...] = ()
    """Wire keys of the index that decoding did not know: kept in `more` where they have a value."""

    @classmethod
    def alone(cls, stored: StoredFile) -> Artifact:
        """A file that is no run's, under its path in the storage."""
        return cls(path=stored.location.path, location=stored.location, indexed=False, stored=stored)


@dataclass(frozen=True, slots=True)
class FileTotals:
    """The files of a run in figures."""

    files: int = 0
    """Files that have bytes."""
    bytes: int = 0
    lost: int = 0
    """Files that the index lists and the storage does not hold."""
    twice: int = 0
    """Files beyond the first of their path: index and storage name different places, both with bytes."""
    longest: int = 0
    """UTF-8 bytes of the longest path of a file with bytes: at least as many as a storage counts characters."""
    unnamed: int = 0
    """Entries without a path below the run: the mark that some tools leave of a folder."""


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

    Where it is known what was sent last: `edited in target` (the source is as it was then), `conflict` (both changed),
    `sent by another archive from …` (its replay brought it).
    What our own `undo` hid or removed: `taken back by undo: replay brings it back`. What somebody accepted: `accepted`.
    """
    expected: str
    actual: str
    since: Instant | None = None
    """Of an edit: when the target was last seen to have what was sent. None where nobody looked in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A target's series that differs from the expected one, thinned to what can be drawn."""

    series: Series
    """The expected series, without rows."""
    rows: int
    """Rows that the target holds, of which `held` were kept."""
    differing: int
    """Rows that differ, are absent or extra; only those below were kept, the first one always."""
    held: Points
    expected: Points
    """The expected side of rows that differ; `actual` is the other side, row by row."""
    actual: Points
    absent: Points
    extra: Points


Editable: TypeAlias = Mapping[str, str | bool | int | None]
"""Name -> value, by the names that findings show: `tag owner`, `description`, …. A missing name has no value.

Of a metric the number of its rows; True where an older version sent it.
"""


Share: TypeAlias = tuple[int, int, int]
"""Some rows of a series: its place among the series, the first row, and the one after the last."""
