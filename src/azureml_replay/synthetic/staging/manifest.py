"""The manifest of a node's folder: what the step logs, and which staged file goes where (pure).

`stage.py` writes it, the step obeys it, `synthetic/verify.py` expects what it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import count
from typing import Protocol

from azureml_replay import json_text
from azureml_replay.model import Artifact, Json, Omission, Points, RunId, SeriesKey, StoredFile
from azureml_replay.planning.files import FileChoice, room_of
from azureml_replay.planning.fit import JOB_FILE
from azureml_replay.planning.plan import Step
from azureml_replay.planning.refused import refused_by
from azureml_replay.synthetic.staging.batches import Metric, holdable, is_scalar, parts, requests
from azureml_replay.synthetic.staging.paths import Places, place_of, refusal
from azureml_replay.synthetic.tree.fit import fits_a_tag, parameter_text
from azureml_replay.synthetic.tree.nodes import SELF, Node, Tree
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.put_files import HeldFile, NewFile

REPORTS = "outputs/replay/"
FILES_FILE = REPORTS + "files.json"
MENDABLE = frozenset({f"outputs/{JOB_FILE}", FILES_FILE})
"""Files of ours that tell of the original's job, its tags too, and of its files: they are mended where they stand."""
REFUSED_REPORT, PARENT_REPORT = REPORTS + "refused.json", REPORTS + "parent.json"
"""What a step was refused, and what the run of its parent was."""
WRITTEN_BY_STEP = (REFUSED_REPORT, PARENT_REPORT)
DESCRIPTION_TAG = "mlflow.note.content"
MANIFEST = "manifest.json"
RUN_ID_OF_A_STEP = 64
"""Characters of a step's run id at most: the service chooses 36 (recorded)."""


class Contents(Protocol):
    """The part of an archive that is read here."""

    def points(self, run: RunId, key: SeriesKey) -> Iterator[Points]:
        """The rows of one name, piece by piece."""
        ...

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        """A run's files, by path."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidFile:
    """One file of a job's `./outputs`."""

    staged: str
    """The path below the node's folder: a number, because a mounted folder cannot hold every blob's name."""
    to: str
    size_bytes: int
    md5: bytes | None
    artifact: Artifact | None = None
    """The source's file; None for a file that we make."""
    made: NewFile | HeldFile | None = None
    """The file that we make, as it is staged; None for the source's files."""

    @property
    def told(self) -> list[Json]:
        """What of it is part of a plan: what `MENDABLE` files say is not. Without an MD5 the ETag tells of a change."""
        if self.to in MENDABLE:
            return [self.to]
        stored = self.artifact.stored if self.artifact else None
        unsummed = f"etag {stored.etag}" if stored and stored.etag else None
        return [self.to, self.size_bytes, self.md5.hex() if self.md5 else unsummed]

    @property
    def digest(self) -> bytes:
        """Equal as long as the plan has the same file."""
        return blake2b(json_text.dumps(self.told), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class NotStaged:
    """Something that storage refused to take for a job."""

    digest: bytes
    """Of what it was then: something else is tried again."""
    words: str


NONE_REFUSED: Mapping[str, NotStaged] = {}
"""By the place in the job, of points by the name of the staged file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The files of one node's job, and the omissions: files that a job cannot have."""

    files: tuple[LaidFile, ...]
    omissions: tuple[Omission, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Place -> words with which storage refused to take the file; each is an omission too."""
    lost: tuple[StoredFile, ...] = ()
    """Of files of the source's that are carried by choice, and that this job cannot have."""


@dataclass(frozen=True, slots=True)
class StagedPoints:
    """The points of one node, as they were staged."""

    names: Sequence[str] = ()
    """Of the files, in the order of the points."""
    rows: int = 0
    refused: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Name of one that storage took not -> its points, and the words."""


@dataclass(slots=True)
class _Laying:
    run: RunId
    room: int
    not_staged: Mapping[str, NotStaged]
    places: Places = field(default_factory=Places)
    files: list[LaidFile] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    lost: list[StoredFile] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def make(self, document: NewFile | HeldFile) -> None:
        """Add a file that we make; bytes in the archive stay there until they are staged."""
        to = self.places.take(f"outputs/{document.path}")
        if isinstance(document, NewFile):
            self._made(to, document.data)
            return
        staged, stored = self._next(), document.stored
        made = replace(document, path=staged)
        self._add(LaidFile(staged=staged, to=to, size_bytes=stored.size_bytes, md5=stored.md5, made=made))

    def lay(self, artifact: Artifact, left_out: str | None) -> None:
        """Add a file of the source's; `left_out` is the choice's reason against it."""
        if artifact.stored is None:
            return  # the plan's own omission
        stored = artifact.stored
        reason = left_out or refusal(artifact.path, self.room)
        if reason:
            self.omissions.append(Omission(self.run, f"file {artifact.path}", reason))
            self.lost += [] if left_out else [stored]
            return
        to = self.places.take(place_of(artifact.path))
        file = LaidFile(staged=self._next(), to=to, size_bytes=stored.size_bytes, md5=stored.md5, artifact=artifact)
        self._add(file)

    def list_all(self) -> None:
        """Add the table, for people, that says which original became which file."""
        files: list[Json] = [
            {"original": file.artifact.path if file.artifact else None, **_entry(file)} for file in self.files
        ]
        left = [{"what": one.what, "reason": one.reason} for one in self.omissions]
        self._made(FILES_FILE, encoded({"run": self.run, "files": files, "omitted": left}))

    def _made(self, to: str, data: bytes) -> None:
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        staged = self._next()
        made = NewFile(path=staged, data=data)
        self._add(LaidFile(staged=staged, to=to, size_bytes=len(data), md5=md5, made=made))

    def _add(self, file: LaidFile) -> None:
        """The file, or the omission of one that storage refused as it is: then the others keep place and number."""
        known = self.not_staged.get(file.to)
        if known is None or known.digest != file.digest:
            self.files.append(file)
            return
        path = file.artifact.path if file.artifact else file.to
        self.omissions.append(Omission(self.run, f"file {path}", refused_by(known.words)))
        self.refused[file.to] = known.words
        self.lost += [file.artifact.stored] if file.artifact and file.artifact.stored else []

    def _next(self) -> str:
        return f"files/{next(self._numbers):06d}"


def layout(
    contents: Contents,
    node: Node,
    documents: Iterable[NewFile | HeldFile],
    choice: FileChoice,
    not_staged: Mapping[str, NotStaged] = NONE_REFUSED,
) -> Layout:
    """The files in the outputs of a leaf's job. `documents` are the files that we make, below `replay/`."""
    step = step_of(node)
    laying = _Laying(step.source, room_in(node), not_staged)
    if not choice.artifacts:
        return Layout(files=(), omissions=())
    for name in (FILES_FILE, *WRITTEN_BY_STEP):
        laying.places.take(name)
    for document in documents:
        laying.make(document)
    for artifact, _, left_out in choice.of(contents.artifacts(step.contents)):
        laying.lay(artifact, left_out)
    laying.list_all()
    return Layout(
        files=tuple(laying.files),
        omissions=tuple(laying.omissions),
        refused=laying.refused,
        lost=tuple(laying.lost),
    )


def scalars(contents: Contents, step: Step) -> Iterator[tuple[str, Iterator[Points]]]:
    """Each name under which MLflow can hold something, once, with its rows.

    Rows that were logged under the same name with other columns are left out: `documents.py` puts them into a file.
    """
    for name in dict.fromkeys(series.key.name for series, _ in step.series if is_scalar(series)):
        pieces = contents.points(step.contents, SeriesKey(name))
        yield name, (points for points in pieces if is_scalar(points.series))


def point_requests(contents: Contents, step: Step) -> Iterator[Sequence[Metric]]:
    """A run's points as requests, the same every time, so that the number of points says how far a run is."""
    return requests(holdable(name, pieces) for name, pieces in scalars(contents, step))


def point_parts(contents: Contents, step: Step) -> Iterator[tuple[bytes, int]]:
    """The staged files of a run's points, each with their number."""
    return parts(point_requests(contents, step))


def manifest(node: Node, parent: Mapping[str, str] | None, laid: Layout, points: StagedPoints) -> Json:
    """The document that the step reads first. `parent`: the tags of the run to which a `self` logs besides its own."""
    step = step_of(node)
    text = step.run.description
    told = {DESCRIPTION_TAG: text} if text and fits_a_tag(text) else {}
    return {
        "run": step.source,
        "rows": points.rows,
        "points": list(points.names),
        "points_refused": {name: {"count": count, "reason": words} for name, (count, words) in points.refused.items()},
        "parameters": parameters(step),
        "tags": {**node.tags, **told},
        "files": [_entry(file) for file in laid.files],
        "parent": None if parent is None else {**parent, **told},
        "files_refused": dict(laid.refused),
    }


def parameters(step: Step) -> dict[str, str]:
    """The parameters as MLflow shows them: a text stays as it is, other values become JSON."""
    return {key: parameter_text(value) for key, value in step.run.parameters.items()}


def step_of(node: Node) -> Step:
    """The step of a leaf or a `self`. Raises LookupError for a group, which logs nothing itself."""
    if node.step is None:
        raise LookupError(f"node {node.key} is a group")
    return node.step


def parent_tags(tree: Tree) -> dict[str, Mapping[str, str]]:
    """Key of every `self` -> the tags of its parent's run."""
    groups = {node.key: node.tags for node in tree.walk() if node.kind == "group"}
    selves = (node.key for node in tree.leaves() if node.kind == "self")
    return {key: groups.get(key.rpartition("/")[0], tree.tags) for key in selves}


def encoded(document: Json) -> bytes:
    """A document as the bytes that are staged."""
    return json_text.dumps(document, indent=True)


def _entry(file: LaidFile) -> dict[str, Json]:
    md5 = file.md5.hex() if file.md5 else None
    return {"from": file.staged, "to": file.to, "size": file.size_bytes, "md5": md5}


def room_in(node: Node) -> int:
    """Characters that a path may have below a leaf's run, whose id is, for a command job, made of the original's.

    `submit.names` adds 10 characters where that is taken, and a number where jobs failed.
    """
    is_job = node.kind == "leaf" and node.key == SELF
    longest = min(DOCUMENTED.run_id, len(node.source) + 16) if is_job else RUN_ID_OF_A_STEP
    return room_of(RunId("x" * longest))
