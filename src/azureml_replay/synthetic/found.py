"""The runs of the target that stand for a tree's nodes: read back, and recognised by what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.synthetic.tree.fit import SELF_TAG
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.source import Source

ROOT = ""
"""The key of the root job's run."""


@dataclass(slots=True)
class Found:
    """What is there of a tree."""

    runs: dict[str, Run] = field(default_factory=dict)
    """By the key of a node: its run. A node whose run was not found has no entry."""
    extra: tuple[Run, ...] = ()
    """Runs below the job that stand for no node, or for one that has a run already."""

    def parent(self, key: str) -> Run | None:
        """Of the run below which a node's run should be."""
        return self.runs.get(key.rpartition("/")[0])


async def found(target: Source, tree: Tree, job: str) -> Found:
    """Everything below a job, whatever its shape. Raises Unavailable, Rejected."""
    whole = await _details(target, [RunId(job)])
    below = await _details(target, await _below(target, RunId(job)))
    top = tree.nodes[0].key if tree.kind == "command" else ROOT
    known = Found(dict.fromkeys([top], whole[RunId(job)]) if RunId(job) in whole else {})
    if tree.kind == "command":
        return replace(known, extra=tuple(below.values()))
    said: dict[tuple[str | None, bool], Run] = {}
    for one in below.values():
        said.setdefault(_says(one), one)
    for leaf in tree.leaves():
        run = said.get((leaf.source, leaf.kind == "self"))
        if run is not None:
            known.runs[leaf.key] = run
    for group in _groups(tree.nodes):
        own = known.runs.get(f"{group.key}/self")
        above = below.get(own.parent) if own is not None and own.parent else None
        if above is not None:
            known.runs[group.key] = above
    ours = {run.id for run in known.runs.values()}
    return replace(known, extra=tuple(run for run in below.values() if run.id not in ours))


def _says(run: Run) -> tuple[str | None, bool]:
    return run.tags.get(lineage.TAG), SELF_TAG.items() <= run.tags.items()


def _groups(nodes: Iterable[Node]) -> list[Node]:
    return [node for top in nodes for node in top.walk() if node.kind == "group"]


async def _below(target: Source, root: RunId) -> list[RunId]:
    found_ids: list[RunId] = []
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        children = [run.id async for page in target.children(parent) for run in page if run.parent == parent]
        found_ids += children
        waiting += children
    return found_ids


async def _details(target: Source, runs: Iterable[RunId]) -> Mapping[RunId, Run]:
    known: dict[RunId, Run] = {}
    waiting = iter(runs)
    while batch := list(islice(waiting, RUNS_PER_REQUEST)):
        known |= {run: details.run for run, details in (await target.details(batch)).items()}
    return known
