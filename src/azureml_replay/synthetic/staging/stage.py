"""Stages what a tree's jobs will mount: files from storage to storage, and manifests and points.

Everything of one archive and one root run is below one folder of the target's own `workspaceblobstore`, so that a job's
only input is that folder: no signature of either side is in an input, a tag or an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Rejected
from azureml_replay.files.bytes import TAKEN_AGAIN, Supply
from azureml_replay.model import Omission, RunId, StoredFile
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step
from azureml_replay.progress import Progress
from azureml_replay.synthetic.staging.documents import documents, metric_omissions
from azureml_replay.synthetic.staging.manifest import (
    MANIFEST,
    LaidFile,
    Layout,
    encoded,
    layout,
    manifest,
    parent_tags,
    point_parts,
    step_of,
)
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.workers import for_each
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


def layout_of(archive: Archive, node: Node, choice: FileChoice) -> Layout:
    """The files of one node's job; staging sends them, verifying expects them."""
    return layout(archive, node, documents(archive, step_of(node)) if choice.artifacts else (), choice)


def left_behind(archive: Archive, step: Step, laid: Layout, choice: FileChoice) -> Sequence[Omission]:
    """Omissions of a leaf's job: files that it cannot have, and metrics that MLflow cannot hold."""
    return [*laid.omissions, *metric_omissions(archive, step, artifacts=choice.artifacts)]


@dataclass(slots=True)
class Stage:
    """Writes the staged folders of trees."""

    archive: Archive
    supply: Supply
    submitter: Submitter
    progress: Progress
    files: int = field(default=0)
    bytes: int = field(default=0)

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
            laid = layout_of(self.archive, leaf, choice)
            if not await self._fill_leaf(leaf, laid, f"{folder}{leaf.key}/", parents.get(leaf.key), there):
                return False
        return True

    async def _fill_leaf(
        self,
        leaf: Node,
        laid: Layout,
        folder: str,
        parent: Mapping[str, str] | None,
        there: Mapping[str, StoredFile],
    ) -> bool:
        """Stage a leaf, its manifest last: it says that the rest is whole. False as in `_fill_all`."""
        names, rows = list[str](), 0
        for data, held in point_parts(self.archive, step_of(leaf)):
            names.append(f"points-{len(names):04d}.jsonl")
            await self._put(folder + names[-1], NewFile(path=names[-1], data=data, content_type="text/plain"), there)
            rows += held

        changed: list[LaidFile] = []

        async def send(file: LaidFile) -> None:
            try:
                await self._put(folder + file.staged, await self._file(file), there)
            except Rejected as error:
                if file.artifact is None or not await self.supply.look_again(file.artifact, Refused.of(error)):
                    raise
                changed.append(file)

        await for_each(laid.files, send, FILES_AT_ONCE)
        if changed:
            return False
        written = NewFile(path=MANIFEST, data=encoded(manifest(leaf, parent, laid, names, rows)))
        await self._put(folder + MANIFEST, written, there)
        return True

    async def _file(self, file: LaidFile) -> PutFile:
        if file.artifact is not None:
            return await self.supply.file(file.artifact, file.staged)
        if file.made is None:
            raise LookupError(f"nobody makes {file.to}")
        return file.made

    async def _put(self, path: str, file: PutFile, there: Mapping[str, StoredFile]) -> None:
        size, md5 = _content(file)
        found = there.get(path)
        if found is not None and md5 is not None and (found.size_bytes, found.md5) == (size, md5):
            return
        await self.submitter.stage(path, file)
        self.files += 1
        self.bytes += size
        self.progress.done("files staged")


def _content(file: PutFile) -> tuple[int, bytes | None]:
    if isinstance(file, NewFile):
        return len(file.data), hashlib.md5(file.data, usedforsecurity=False).digest()
    return file.stored.size_bytes, file.stored.md5
