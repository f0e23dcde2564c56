"""What a job is submitted with, as one digest: another one later says that its plan changed since.

Tags, descriptions and names of runs are not in it, nor what `MENDABLE` files say: they are mended where they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Json, Location, RunId, StoredFile
from azureml_replay.planning import lineage
from azureml_replay.planning.files import FileChoice
from azureml_replay.synthetic.options import shape_of, tree_of
from azureml_replay.synthetic.staging.documents import MADE_FOR_JOBS
from azureml_replay.synthetic.staging.manifest import MENDABLE, LaidFile, Layout, parameters
from azureml_replay.synthetic.staging.stage import layout_of
from azureml_replay.synthetic.tree.nodes import Node, Tree

PROPERTY = "azureml_replay_plan"
"""A property of jobs that synthetic replay submitted, with the digest in hex: every archive can read it there."""

HALF = 16


@dataclass(slots=True)
class PlanDigest:
    """Takes the files of a tree's leaves one after the other: those of a whole unit may not fit into memory."""

    archive: Archive
    tree: Tree
    files: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Key of a leaf -> digests of the source's files, and of those that are made."""
    made: dict[RunId, dict[str, StoredFile]] = field(default_factory=dict)
    """Original -> its files that can be mended, by path."""

    def add(self, leaf: Node, laid: Layout) -> None:
        """The files of one leaf. Repeatable."""
        ours = [file.told for file in laid.files if file.to in MADE_FOR_JOBS]
        theirs = [file.told for file in laid.files if file.to not in MADE_FOR_JOBS]
        self.files[leaf.key] = _of(theirs).hex(), _of(ours).hex()
        mendable = [file for file in laid.files if file.to in MENDABLE]
        self.made[leaf.source] = {file.to: as_laid(file) for file in mendable}

    def digest(self) -> bytes:
        """32 bytes, once every leaf was added; the first half without the files that are made.

        By originals, as keys of nodes are made of names that may change.
        """
        keys = {node.key: [str(node.kind), str(node.source)] for node in self.tree.walk()}
        nodes = [
            self._node(node, above, keys) for top in self.tree.nodes for node, above in _below(top, self.tree.root)
        ]
        kept = {key: value for key, value in self.tree.properties.items() if key != lineage.PROPERTY}
        made = [self.files[leaf.key][1] for leaf in self.tree.leaves() if leaf.key in self.files]
        return _of([self.tree.kind, self.tree.experiment, sorted(kept.items()), nodes]) + _of(made)

    def _node(self, node: Node, above: str, keys: dict[str, list[str]]) -> Json:
        told: list[Json] = [node.kind, node.source, above, sorted(keys[key] for key in node.after)]
        if node.step is None:
            return told
        points = self.archive.points_digest(node.step.contents).hex() if node.step.series else ""
        return [*told, sorted(parameters(node.step).items()), points, self.files[node.key][0]]


def planned(archive: Archive, ledger: TargetLedger, tree: Tree, choice: FileChoice) -> PlanDigest:
    """With every leaf of a tree."""
    told = PlanDigest(archive, tree)
    for leaf in tree.leaves():
        told.add(leaf, layout_of(archive, ledger, leaf, choice))
    return told


def plan_digest(archive: Archive, ledger: TargetLedger, tree: Tree, choice: FileChoice) -> bytes:
    """The digest of a tree."""
    return planned(archive, ledger, tree, choice).digest()


def as_submitted(archive: Archive, ledger: TargetLedger, tree: Tree) -> bytes | None:
    """The digest with which the job of a tree was submitted; None where there is none.

    Older versions kept no digest but the shape: then of what the archive has now, in that shape.
    """
    receipt, shape = ledger.receipt(tree.root, RunItem.SHAPE), shape_of(ledger, tree.root)
    if receipt is None or shape is None:
        return None
    return receipt.digest or plan_digest(archive, ledger, tree_of(archive, tree.root, shape), shape.files)


def is_same(before: bytes, now: bytes, *, theirs: bool) -> bool:
    """True where nothing changed. `theirs`: another archive put the job, and made files of what that one holds."""
    return before[:HALF] == now[:HALF] and (theirs or before == now)


def _below(node: Node, above: str) -> Sequence[tuple[Node, str]]:
    return [(node, above), *(pair for child in node.children for pair in _below(child, node.source))]


def as_laid(file: LaidFile) -> StoredFile:
    """As it should lie in the target."""
    return StoredFile(location=Location("", file.to), size_bytes=file.size_bytes, md5=file.md5)


def _of(told: Json) -> bytes:
    return blake2b(json_text.dumps(told), digest_size=HALF).digest()
