"""The shape of one synthetic replay, as values (pure): a unit as the tree of jobs that stand for it.

`grow.py` makes a Tree from plan steps; `graph.py` makes request bodies from it; `stage.py` and `verify` walk it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from azureml_replay.model import Omission, RunId
from azureml_replay.planning.plan import Step

NodeKind = Literal["leaf", "self", "group"]
JobKind = Literal["pipeline", "command"]
Edges = Literal["none", "shape"]

SELF = "self"
"""The last part of the key of a run's own values: `self` for the root's, `inner/self` for a nested pipeline's."""
LONGEST_FOLDER = 600
"""Characters: a blob's name has 1,024, of which at most 320 are the folders above and the file's own name."""
RUN = "run"
"""`Omission.what` of a run that has no job at all in the replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One job of the replay, below the root job (or the root job itself, where that is a command job)."""

    key: str
    """The path in the tree, unique: slugs `[a-z_][a-z0-9_]{0,59}` joined by `/`."""
    kind: NodeKind
    """`leaf`: a run without children · `group`: a run with children, as a nested pipeline · `self`: the leaf in a
    group (or in the root pipeline) that logs what the group's own run holds, to itself and to its parent's run."""
    source: RunId
    """The original run. A group and its `self` name the same one."""
    display_name: str
    """The original's display name, unprefixed."""
    step: Step | None = None
    """The step that a leaf or self logs, fitted to this mode: `step.run.tags` is `tags`. None for a group."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The tags of the run, lineage included: at most as many as the service's limit leaves free.
    A group's are set on its run by its `self`."""
    children: tuple[Node, ...] = ()
    after: tuple[str, ...] = ()
    """Keys of the leaves, anywhere in the tree, whose output this leaf waits for. Always empty for a group."""

    @property
    def name(self) -> str:
        """The key within its own graph: the last part."""
        return self.key.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folder of its staged files: the key, unless that is too long for storage; then one that is no key."""
        if len(self.key) <= LONGEST_FOLDER:
            return self.key
        return f"0/{hashlib.sha256(self.key.encode()).hexdigest()[:32]}"

    def walk(self) -> Iterator[Node]:
        """The node itself and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One job to submit: a root run with everything that is replayed of its unit."""

    root: RunId
    job_name: str
    """The original's name, for the job where it is free in the target."""
    fallback_name: str
    """The name where that is taken: made from the source workspace and the run's id, so the same every time."""
    kind: JobKind
    """`command`: `nodes` is the one node with the key `self`, of kind `leaf`; it is the job."""
    experiment: str
    display_name: str
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """The root job's tags, at most as many as the service's limit leaves free; sent with the job."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """The root job's properties: the lineage (`lineage.is_ours` reads it), and the original's git properties."""
    nodes: tuple[Node, ...] = ()
    omissions: tuple[Omission, ...] = ()
    """Omissions of whole runs (`what` is RUN) and of edges. Omissions of a leaf's values are in its step."""

    remarks: tuple[str, ...] = ()
    """What people should know of how the tree was made, beside what it leaves out."""

    def walk(self) -> Iterator[Node]:
        """Every node, parents first."""
        for node in self.nodes:
            yield from node.walk()

    def leaves(self) -> Iterator[Node]:
        """Every node that starts a container, in the order of `walk`."""
        return (node for node in self.walk() if node.kind != "group")

    def all_omissions(self) -> Iterator[Omission]:
        """The tree's own omissions, then every leaf's."""
        yield from self.omissions
        for leaf in self.leaves():
            if leaf.step:
                yield from leaf.step.omissions


def originals(tree: Tree) -> list[RunId]:
    """Every run that the tree stands for, once."""
    return list(dict.fromkeys([tree.root, *(node.source for node in tree.walk())]))
