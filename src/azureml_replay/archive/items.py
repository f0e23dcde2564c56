"""What receipts are of: the items in which a run arrives in a target, as values and as texts on the disk (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class RunItem(Enum):
    """Items of which a run has at most one. The value is the text on the disk."""

    CREATE = "create"
    FINISH = "finish"
    WHOLE = "whole"
    """All items of the run are sent: its digest says what it was, so that a later call need not look at each."""
    CONTAINER = "container"
    """The run was created to show another one's files and points; a run with a receipt of `CREATE` alone was not."""
    UNDONE = "undone"
    """`undo` took the run back; dropped before anything of it is sent anew."""
    JOB_UNDONE = "job undone"
    """The same of the job that stands for a root run."""
    JOB = "job"
    """The receipt's detail names the job, or the run of a job, that stands for the run in the target."""
    SHAPE = "job shape"
    """Of a root run: the receipt's detail says with which options its job was submitted."""


@dataclass(frozen=True, slots=True)
class ChunkItem:
    """The rows of one chunk of points."""

    seq: int
    """The chunk's number in its run."""


@dataclass(frozen=True, slots=True)
class FileItem:
    """One file of a run."""

    path: str
    """In the target."""


@dataclass(frozen=True, slots=True)
class ExperimentItem:
    """An experiment; its receipt stands under the empty run id."""

    name: str


@dataclass(frozen=True, slots=True)
class JobItem:
    """One job that was put for a root run; there are several where one failed and was put anew."""

    name: str


@dataclass(frozen=True, slots=True)
class GraphItem:
    """A nested graph that was registered in the target; its receipt stands under the empty run id."""

    key: str
    """The last part of the id that we gave it."""


@dataclass(frozen=True, slots=True)
class UnknownItem:
    """A text that this version cannot read: its receipt is kept and means nothing."""

    text: str


Item: TypeAlias = RunItem | ChunkItem | FileItem | ExperimentItem | JobItem | GraphItem | UnknownItem


@dataclass(frozen=True, slots=True)
class Payload:
    """What of an item was sent. A receipt keeps it, so that the ledger is read without the archive's content."""

    digest: bytes
    """Equal for equal content; `digests.py` makes it."""
    rows: int | None = None
    """Of a chunk."""
    size_bytes: int | None = None
    """Of a file."""


CHUNK_PREFIX, FILE_PREFIX, JOB_PREFIX = "points/", "file/", "job put/"
_EXPERIMENT, _GRAPH = "experiment ", "graph/"
_NUMBER = re.compile(r"0|[1-9][0-9]*")
_RUN_ITEMS = {item.value: item for item in RunItem}


_NAMED = ((FILE_PREFIX, FileItem), (_EXPERIMENT, ExperimentItem), (JOB_PREFIX, JobItem), (_GRAPH, GraphItem))


def written(item: Item) -> str:
    """The text on the disk."""
    match item:
        case RunItem():
            text = item.value
        case ChunkItem(seq):
            text = f"{CHUNK_PREFIX}{seq}"
        case FileItem(path):
            text = FILE_PREFIX + path
        case ExperimentItem(name):
            text = _EXPERIMENT + name
        case JobItem(name):
            text = JOB_PREFIX + name
        case GraphItem(key):
            text = _GRAPH + key
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
    return UnknownItem(text)
