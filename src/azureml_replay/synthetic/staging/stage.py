"""Stages what a tree's jobs will mount: files from storage to storage, and manifests and points.

Everything of one archive and one root run is below one folder of the target's own `workspaceblobstore`, so that a job's
only input is that folder: no signature of either side is in an input, a tag or an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_bytes
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.counting import counted
from azureml_replay.errors import Rejected
from azureml_replay.files.bytes import TAKEN_AGAIN, Supply
from azureml_replay.model import Omission, RunId, StoredFile
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step
from azureml_replay.progress import Progress
from azureml_replay.synthetic.staging.documents import documents, metric_omissions
from azureml_replay.synthetic.staging.manifest import (
    FILES_FILE,
    MANIFEST,
    LaidFile,
    Layout,
    NotStaged,
    StagedPoints,
    encoded,
    layout,
    manifest,
    parent_tags,
    point_parts,
    step_of,
)
from azureml_replay.synthetic.staging.not_staged import forget, not_staged, note
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.workers import for_each, map_bounded
from azureml_replay.workspace.jobs import STAGING_STORE, Submitter
from azureml_replay.workspace.put_files import NewFile, PutFile
from azureml_replay.workspace.target import Refused

FILES_AT_ONCE = 16


def folder_of(archive: Archive, root: RunId) -> str:
    """The folder of a root run below the staging store's container, ending in a slash."""
    return f"azureml-replay/{archive.id}/{quote(root, safe='')}/"


def uri_of(archive: Archive, root: RunId) -> str:
    """The URI of that folder, for a job's input."""
    return f"azureml://datastores/{STAGING_STORE}/paths/{folder_of(archive, root)}"


async def clear(archive: Archive, submitter: Submitter, root: RunId) -> None:
    """Remove everything that was staged for a root run. Repeatable."""
    async for page in submitter.staged(folder_of(archive, root)):
        await for_each([file.location.path for file in page], submitter.unstage, FILES_AT_ONCE)


def layout_of(archive: Archive, ledger: TargetLedger, node: Node, choice: FileChoice) -> Layout:
    """The files of one node's job; staging sends them, verifying expects them."""
    step = step_of(node)
    made = documents(archive, step) if choice.artifacts else ()
    return layout(archive, node, made, choice, not_staged(ledger, step.source))


def left_behind(archive: Archive, step: Step, laid: Layout, choice: FileChoice) -> Sequence[Omission]:
    """Omissions of a leaf's job: files that it cannot have, and metrics that MLflow cannot hold."""
    return [*laid.omissions, *metric_omissions(archive, step, artifacts=choice.artifacts)]


@dataclass(slots=True)
class Stage:
    """Writes the staged folders of trees. What storage refuses of one is noted, and everything else goes on."""

    archive: Archive
    ledger: TargetLedger
    supply: Supply
    submitter: Submitter
    progress: Progress
    files: int = field(default=0)
    bytes: int = field(default=0)
    refused: list[tuple[RunId, str]] = field(default_factory=list)
    """Original and what of it storage refused now."""

    async def fill(self, tree: Tree, choice: FileChoice) -> None:
        """Stage everything that the tree's jobs will read. Repeatable: whole files are not sent again."""
        for _ in range(TAKEN_AGAIN):
            if await self._fill_all(tree, choice):
                return
        raise Rejected(f"a file of run {tree.root} changes all the time")

    async def _fill_all(self, tree: Tree, choice: FileChoice) -> bool:
        """False where a file of the source had changed since it was listed: now the archive knows, so begin anew."""
        folder, parents = folder_of(self.archive, tree.root), parent_tags(tree)
        there = {file.location.path: file async for page in self.submitter.staged(folder) for file in page}
        for leaf in tree.leaves():
            filling = _Filling(self, leaf, choice, f"{folder}{leaf.folder}/", there)
            if not await filling.fill(parents.get(leaf.key)):
                return False
        return True

    async def put(self, path: str, file: PutFile, there: Mapping[str, StoredFile]) -> None:
        """Stage a file unless it is there. Raises Rejected, Unavailable."""
        size, md5 = _content(file)
        found = there.get(path)
        if found is not None and md5 is not None and (found.size_bytes, found.md5) == (size, md5):
            return
        await self.submitter.stage(path, file)
        self.files += 1
        self.bytes += size
        self.progress.done("files staged")

    def tell(self, source: RunId, what: str, words: str) -> None:
        """Of something that was refused now."""
        self.refused.append((source, what))
        self.progress.say(f"{what} of run {source} was refused: {words}")


@dataclass(slots=True)
class _Filling:
    """Stages one leaf."""

    stage: Stage
    leaf: Node
    choice: FileChoice
    folder: str
    there: Mapping[str, StoredFile]

    async def fill(self, parent: Mapping[str, str] | None) -> bool:
        """Stage the leaf, its manifest last: it says that the rest is whole. False as in `Stage._fill_all`."""
        points = await self._points()
        laid = await self._files()
        if laid is None:
            return False
        written = NewFile(path=MANIFEST, data=encoded(manifest(self.leaf, parent, laid, points)))
        await self.stage.put(self.folder + MANIFEST, written, self.there)
        return True

    @property
    def _source(self) -> RunId:
        return step_of(self.leaf).source

    async def _points(self) -> StagedPoints:
        names, rows, refused = list[str](), 0, dict[str, tuple[int, str]]()
        known = not_staged(self.stage.ledger, self._source)
        for data, held in point_parts(self.stage.archive, step_of(self.leaf)):
            file = NewFile(path=f"points-{len(names):04d}.jsonl", data=data, content_type="text/plain")
            names.append(file.path)
            rows += held
            lost = known.get(file.path)
            if lost is None or lost.digest != of_bytes(data):
                what = counted(held, "point")
                lost = await self._put(file.path, file, of_bytes(data), place=file.path, what=what, known=known)
            if lost is not None:
                refused[file.path] = held, lost.words
        return StagedPoints(names, rows, refused)

    async def _files(self) -> Layout | None:
        """Stage the files, last the list of them, which names what was refused. None: one changed at the source."""
        laid = self._layout()
        for is_list in (False, True):
            outcomes = await self._send([file for file in laid.files if (file.to == FILES_FILE) == is_list])
            if _Sent.CHANGED in outcomes:
                return None
            if _Sent.REFUSED in outcomes:
                laid = self._layout()
        return laid

    def _layout(self) -> Layout:
        return layout_of(self.stage.archive, self.stage.ledger, self.leaf, self.choice)

    async def _send(self, files: Sequence[LaidFile]) -> set[_Sent]:
        known = not_staged(self.stage.ledger, self._source)

        async def send(file: LaidFile) -> _Sent:
            put = await self._file(file)
            try:
                lost = await self._put(
                    file.staged, put, file.digest, place=file.to, what=f"file {file.to}", known=known
                )
            except Rejected as error:
                if file.artifact is None or not await self.stage.supply.look_again(file.artifact, Refused.of(error)):
                    raise
                return _Sent.CHANGED
            return _Sent.REFUSED if lost else _Sent.THERE

        return {*await map_bounded(files, send, FILES_AT_ONCE)}

    async def _put(
        self, staged: str, file: PutFile, digest: bytes, *, place: str, what: str, known: Mapping[str, NotStaged]
    ) -> NotStaged | None:
        """None where it is there, or what is noted of a refusal of this alone. Raises Unavailable, other Rejected."""
        ledger = self.stage.ledger
        try:
            await self.stage.put(self.folder + staged, file, self.there)
        except Rejected as error:
            refused = Refused.of(error)
            if not refused.of_item:
                raise
            lost = NotStaged(digest, redact.text(refused.reason))
            note(ledger, self._source, place, lost)
            self.stage.tell(self._source, what, lost.words)
            return lost
        if place in known:
            forget(ledger, self._source, place)
        return None

    async def _file(self, file: LaidFile) -> PutFile:
        if file.artifact is not None:
            return await self.stage.supply.file(file.artifact, file.staged)
        if file.made is None:
            raise LookupError(f"nobody makes {file.to}")
        return file.made


class _Sent(Enum):
    """What became of a file."""

    THERE = "it is there"
    CHANGED = "it changed at the source"
    REFUSED = "storage refused it"


def _content(file: PutFile) -> tuple[int, bytes | None]:
    if isinstance(file, NewFile):
        return len(file.data), hashlib.md5(file.data, usedforsecurity=False).digest()
    return file.stored.size_bytes, file.stored.md5
