"""Finds which step waited for which, from the bindings of the original graph, for leaves of the new tree (pure).

ARM's document of a pipeline holds the graph as submitted, keyed by node name, without run ids (responses.md 3.2): the
node of a run is found by its display name and its component.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from azureml_replay.model import Json, Run, RunId
from azureml_replay.synthetic.tree.definitions import Document, pick, texts

_NODE_OUTPUT = re.compile(r"\$\{\{\s*parent\.jobs\.([^.}\s]+)\.outputs\.([^.}\s]+)\s*\}\}")
_PARENT_INPUT = re.compile(r"\$\{\{\s*parent\.inputs\.([^.}\s]+)\s*\}\}")
_PARENT_OUTPUT = re.compile(r"\$\{\{\s*parent\.outputs\.([^.}\s]+)\s*\}\}")
_BODY = re.compile(r"\$\{\{\s*parent\.jobs\.([^.}\s]+)\s*\}\}")
_COMPONENT = re.compile(r"(?:/components/|^azureml:)([^/:]+)(?:/versions/|:)([^/:]+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedGraph:
    """One level of a pipeline as it was submitted."""

    nodes: Mapping[str, Document]

    def producers(self, output: str) -> Iterator[tuple[str, str]]:
        """Node and output of each that gives the graph's own output."""
        for name, node in self.nodes.items():
            for port, value in _ports(node, "outputs"):
                if output in _found(_PARENT_OUTPUT, value):
                    yield name, port

    def consumers(self, given: str) -> Iterator[tuple[str, str]]:
        """Node and input of each that takes the graph's own input."""
        for name, node in self.nodes.items():
            for port, value in _ports(node, "inputs"):
                if given in _found(_PARENT_INPUT, value):
                    yield name, port

    def bindings(self) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
        """Pairs of node and output, node and input, that are bound to each other."""
        for name, node in self.nodes.items():
            for port, value in _ports(node, "inputs"):
                for text in texts(value):
                    yield from ((origin, (name, port)) for origin in _NODE_OUTPUT.findall(text))

    def body(self, name: str) -> str:
        """The body of a loop node, whose runs are those of the loop; for other nodes the node itself."""
        found = _BODY.findall(str(pick(self.nodes.get(name), "body") or ""))
        return found[0] if found else name


def graph_in(documents: Iterable[Document]) -> SubmittedGraph | None:
    """The graph of the first document that has one; None for batch endpoints and jobs made from a component."""
    for document in documents:
        jobs = pick(document, "jobs") or pick(document, "component_spec", "jobs")
        if isinstance(jobs, Mapping) and jobs:
            return SubmittedGraph(nodes={name: node for name, node in jobs.items() if isinstance(node, Mapping)})
    return None


def nodes_of(graph: SubmittedGraph, runs: Iterable[Run]) -> dict[RunId, str]:
    """Run -> name of its node. Runs that fit no node, or several, are left out."""
    signs: dict[str, set[str]] = {}
    for name, node in graph.nodes.items():
        for sign in _signs_of_node(name, node):
            signs.setdefault(sign, set()).add(name)
    found = {}
    for run in runs:
        fits: set[str] = set()
        for sign in _signs_of_run(run):
            known = signs.get(sign, set())
            fits = (fits & known or fits) if fits else known
        if len(fits) == 1:
            found[run.id] = next(iter(fits))
    return found


def _signs_of_node(name: str, node: Document) -> Iterator[str]:
    yield f"shown {pick(node, 'display_name') or name}"
    found = _COMPONENT.search(str(pick(node, "component_id") or pick(node, "component") or ""))
    if found:
        yield f"version {found[2]}"
        yield f"component {found[1]}"


def _signs_of_run(run: Run) -> Iterator[str]:
    """Texts by which a run is recognised as a node, best first.

    A node without a display name shows its key, and the module id of a step is the version of its anonymous component:
    both recorded in pipe-get-child-job.json and pipe-child-run-download.json.
    """
    yield f"shown {run.display_name}"
    yield f"version {run.properties.get('azureml.moduleid')}"
    yield f"component {run.properties.get('azureml.moduleName')}"


def _ports(node: Document, kind: str) -> Iterator[tuple[str, Json]]:
    ports = pick(node, kind)
    return iter(ports.items()) if isinstance(ports, Mapping) else iter(())


def _found(binding: re.Pattern[str], value: Json) -> list[str]:
    return [name for text in texts(value) for name in binding.findall(text)]


@dataclass(slots=True)
class Level:
    """A group of the tree, with its original graph."""

    face: str
    """The key of the group's `self`, the leaf that stands for the whole group where its graph is unknown."""
    graph: SubmittedGraph | None = None
    leaves: dict[str, list[str]] = field(default_factory=dict)
    """Node name -> keys of the leaves that are its runs."""
    groups: dict[str, list[Level]] = field(default_factory=dict)
    """Node name -> groups that are its runs."""

    def waits(self) -> Iterator[tuple[str, str]]:
        """Every pair of a leaf that gives and a leaf that waits for it, at this level and below."""
        for (origin, output), (name, given) in self.graph.bindings() if self.graph else ():
            takers = list(self.takers(name, given))
            for giver in self.givers(origin, output):
                yield from ((giver, taker) for taker in takers if taker != giver)
        for groups in self.groups.values():
            for group in groups:
                yield from group.waits()

    def givers(self, name: str, output: str) -> Iterator[str]:
        """The leaves that give a node's output."""
        name = self._ran(name)
        yield from self.leaves.get(name, ())
        for group in self.groups.get(name, ()):
            inside = group.graph.producers(output) if group.graph else ()
            yield from [key for node, port in inside for key in group.givers(node, port)] or [group.face]

    def takers(self, name: str, given: str) -> Iterator[str]:
        """The leaves that take a node's input."""
        name = self._ran(name)
        yield from self.leaves.get(name, ())
        for group in self.groups.get(name, ()):
            inside = group.graph.consumers(given) if group.graph else ()
            yield from [key for node, port in inside for key in group.takers(node, port)] or [group.face]

    def _ran(self, name: str) -> str:
        if name in self.leaves or name in self.groups or self.graph is None:
            return name
        return self.graph.body(name)


def turns(waits: Mapping[str, Iterable[str]]) -> bool:
    """True where `waits` has a cycle, between the tree's groups or its leaves.

    A nested pipeline starts as a whole: two that wait for each other's steps are a cycle for the service.
    """
    levels: dict[str, set[tuple[str, str]]] = {}
    for taker, givers in waits.items():
        for giver in givers:
            group, taking, giving = siblings(taker, giver)
            levels.setdefault(group, set()).add((giving, taking))
    return any(cyclic(edges) for edges in levels.values())


def siblings(one: str, other: str) -> tuple[str, str, str]:
    """The innermost group that holds both keys, and the keys of its children that lead to each."""
    first, second = one.split("/"), other.split("/")
    at = 0
    while at < min(len(first), len(second)) - 1 and first[at] == second[at]:
        at += 1
    return "/".join(first[:at]), "/".join(first[: at + 1]), "/".join(second[: at + 1])


def cyclic(edges: Iterable[tuple[str, str]]) -> bool:
    """True where the edges, pairs of giver and waiter, have a cycle."""
    ahead: dict[str, set[str]] = {}
    waiting: dict[str, int] = {}
    for giver, taker in edges:
        ahead.setdefault(giver, set()).add(taker)
        waiting[taker] = waiting.get(taker, 0) + 1
        waiting.setdefault(giver, 0)
    free = [node for node, count in waiting.items() if not count]
    seen = 0
    while free:
        seen += 1
        for taker in ahead.get(free.pop(), ()):
            waiting[taker] -= 1
            if not waiting[taker]:
                free.append(taker)
    return seen < len(waiting)
