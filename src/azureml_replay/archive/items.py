"""What receipts are of: the items in which a run arrives in a target, as values and as texts on the disk (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from azureml_replay import json_text


class RunItem(Enum):
    """Items of which a run has at most one. The value is the text on the disk."""

    CREATE = "create"
    """While it is `sending` its detail is `mlflow` where the target chooses the id, which is known once it is bound."""
    FINISH = "finish"
    WHOLE = "whole"
    """All items of the run are sent. Its digest covers them all, so that a later call need not look at each; its detail
    stands for the content of the archive at that time, as `Evidence.content_of` makes it."""
    FAILED = "failed"
    """The run was not complete when a replay was done with it. Its detail is the error; dropped once it is."""
    CONTAINER = "container"
    """The run was created to show another run's files and points. One with a receipt of `CREATE` alone was not."""
    UNDONE = "undone"
    """`undo` took the run back; dropped before anything of it is sent anew."""
    JOB_UNDONE = "job undone"
    """`undo` archived the job that stands for a root run; dropped before the job is shown again. Of a run that has got
    a parent since its job was put: replay did, as it stands in another one's job."""
    DELETED = "deleted"
    """`undo` removed the run for good; while it is `sending`, it may have. Dropped once the run is created anew: until
    then it tells that points of an earlier run of that id may be there."""
    KEPT = "kept"
    """The service keeps the run when asked to delete it: it stays hidden. The detail says why."""
    JOB_DELETED = "job deleted"
    """The same as `DELETED` of the jobs that stand for a root run."""
    NAMES_GONE = "job names gone"
    """For root runs. The detail has the names of deleted jobs, with spaces between: a name may be final."""
    UNREAD = "unread"
    """Files of the run were sent over such as differed byte by byte: these are to be read back. The detail has a JSON
    list of tokens that stand for what the findings about them were called."""
    JOB = "job"
    """The receipt's detail is the name of the job, or of the run of a job, that stands for the run in the target."""
    PREFIX = "experiment prefix"
    """Under the empty run id. The detail is what stands before the names of experiments in the target."""
    THROWN = "throw-away runs"
    """Under the empty run id, while throw-away runs are shown. The detail has their ids in the target, with spaces
    between."""
    SHAPE = "job shape"
    """For root runs. The receipt's detail has the options, as JSON, with which the job was submitted."""


@dataclass(frozen=True, slots=True)
class ChunkItem:
    """The rows of one chunk of points."""

    seq: int
    """The chunk's number in its run."""


@dataclass(frozen=True, slots=True)
class FileItem:
    """One file of a run."""

    path: str
    """The file's path in the target."""


@dataclass(frozen=True, slots=True)
class ExperimentItem:
    """An experiment; its receipt stands under the empty run id."""

    name: str


@dataclass(frozen=True, slots=True)
class JobItem:
    """One job that was put for a root run; there are several where one failed and was put anew."""

    name: str


@dataclass(frozen=True, slots=True)
class StagedItem:
    """What is staged for the job that stands for a run; only a refusal has a receipt."""

    place: str
    """Where the job would put the file, `outputs/model.bin`; of points the name of the staged file."""


@dataclass(frozen=True, slots=True)
class GraphItem:
    """A nested graph that was registered in the target; its receipt stands under the empty run id."""

    key: str
    """The last part of the id that we gave to the graph."""


@dataclass(frozen=True, slots=True)
class SeriesItem:
    """All rows of one name: only a refusal has a receipt of its own, what is sent goes by chunks."""

    name: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ValueItem:
    """One value of a run, or, under the empty run id, of an experiment; only a refusal has a receipt of its own."""

    kind: str
    """`tag`, `property`, `parameter`, `input`, `output`, `text`, …"""
    name: str
    experiment: str | None = None
    """The experiment's name, where it is a value of an experiment."""


@dataclass(frozen=True, slots=True)
class UnknownItem:
    """A text that this version cannot read: its receipt is kept and has no effect."""

    text: str


Item: TypeAlias = (
    RunItem
    | ChunkItem
    | FileItem
    | ExperimentItem
    | JobItem
    | StagedItem
    | GraphItem
    | SeriesItem
    | ValueItem
    | UnknownItem
)


_OF_JOBS = frozenset({RunItem.JOB, RunItem.SHAPE, RunItem.JOB_UNDONE, RunItem.JOB_DELETED, RunItem.NAMES_GONE})


def is_of_job(item: Item) -> bool:
    """True for what is known of the jobs that stand for a run, not of a run that was written as it was."""
    return item in _OF_JOBS or isinstance(item, JobItem | StagedItem | GraphItem)


@dataclass(frozen=True, slots=True)
class Payload:
    """Digest and size of what was sent. Receipts keep them: the ledger is read without the archive's content."""

    digest: bytes
    """Equal for equal content; `digests.py` makes it."""
    rows: int | None = None
    """Rows of a chunk, None for other items."""
    size_bytes: int | None = None
    """Size of a file, None for other items."""
    detail: str | None = None
    """Of a whole run the content that was sent; of a file without a checksum the ETag that the target gave it."""


CHUNK_PREFIX, FILE_PREFIX, JOB_PREFIX = "points/", "file/", "job put/"
STAGED_PREFIX = "staged/"
_EXPERIMENT, _GRAPH, _SERIES, _VALUE = "experiment ", "graph/", "series/", "value/"
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_RUN_ITEMS = {item.value: item for item in RunItem}


_NAMED = (
    (FILE_PREFIX, FileItem),
    (_EXPERIMENT, ExperimentItem),
    (JOB_PREFIX, JobItem),
    (STAGED_PREFIX, StagedItem),
    (_GRAPH, GraphItem),
)
_PREFIXES: Mapping[type, str] = {kind: prefix for prefix, kind in _NAMED}


def written(item: Item) -> str:
    """The text that stands for an item on the disk."""
    match item:
        case RunItem():
            text = item.value
        case ChunkItem(seq):
            text = f"{CHUNK_PREFIX}{seq}"
        case FileItem(name) | ExperimentItem(name) | JobItem(name) | StagedItem(name) | GraphItem(name):
            text = _PREFIXES[type(item)] + name
        case SeriesItem(name, namespace):
            text = _SERIES + _list([name, namespace])
        case ValueItem(kind, name, experiment):
            text = _VALUE + _list([kind, name, experiment])
        case UnknownItem(text):
            pass
    return text


def read(text: str) -> Item:
    """The item that `written` gave this text."""
    if text in _RUN_ITEMS:
        return _RUN_ITEMS[text]
    if text.startswith(CHUNK_PREFIX):
        seq = text.removeprefix(CHUNK_PREFIX)
        return ChunkItem(int(seq)) if _NUMBER.fullmatch(seq) else UnknownItem(text)
    for prefix, kind in _NAMED:
        if text.startswith(prefix):
            return kind(text.removeprefix(prefix))
    for prefix, listed, cells in ((_SERIES, SeriesItem, 2), (_VALUE, ValueItem, 3)):
        if text.startswith(prefix):
            return _listed(text, text.removeprefix(prefix), listed, cells)
    return UnknownItem(text)


def _list(cells: list[str | None]) -> str:
    return json_text.dumps(cells).decode()


def _listed(text: str, cells: str, kind: type[SeriesItem | ValueItem], most: int) -> Item:
    try:
        given = json_text.loads(cells.encode())
    except ValueError:
        return UnknownItem(text)
    sound = (
        isinstance(given, list) and len(given) == most and all(cell is None or isinstance(cell, str) for cell in given)
    )
    item = kind(*given) if sound else None
    return item if item is not None and written(item) == text else UnknownItem(text)  # JSON may have space between
