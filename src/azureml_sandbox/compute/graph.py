"""Submitted pipelines as graphs, checked as the service checks them, level by level. Pure.

Recorded: the two refusals of bindings and the one of a component that is missing. Names of outputs are in lower case
here: a component's are kept so, and the service finds them whatever the case in which a node or binding names them
(Microsoft's live tests). A grouped input has a dotted name, `parent.inputs.group.x` (the same). Assumptions: a binding
that leads nowhere, a required input without a value and a cycle are refused with the same chains.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from azureml_sandbox.compute import expressions
from azureml_sandbox.protocol.errors import Refused
from azureml_sandbox.world import Document

_INVALID = ("UserError", "BadArgument", "ArgumentInvalid", "InvalidPipelineJob")
_INPUT = re.compile(r"parent\.inputs\.(.+)")
_OUTPUT = re.compile(r"parent\.jobs\.([^.]+)\.outputs\.([^.]+)")
_EXPORT = re.compile(r"parent\.outputs\.([^.]+)")

Find = Callable[[str], Document]
"""A component's ARM document by its id. Raises Refused (404) where there is none."""


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a pipeline."""

    name: str
    given: Document
    """The node as submitted, below `jobs`."""
    component: Document
    needs: frozenset[str]
    """The nodes whose outputs it takes."""
    graph: Graph | None
    """The graph inside the node, where it is a pipeline."""

    @property
    def spec(self) -> Document:
        """The specification of its component."""
        found: Document = self.component["properties"]["componentSpec"]
        return found

    @property
    def exports(self) -> dict[str, str]:
        """Outputs that are outputs of the pipeline around it too: the node's name of each to the pipeline's name."""
        found = {name: _export(port) for name, port in self.outputs.items()}
        return {name: exported for name, exported in found.items() if exported is not None}

    @property
    def outputs(self) -> dict[str, Document]:
        """What the node says of its outputs, by their names in lower case."""
        return {name.lower(): port or {} for name, port in (self.given.get("outputs") or {}).items()}


@dataclass(frozen=True, slots=True)
class Graph:
    """One level of a pipeline; every node comes after the nodes that it needs."""

    nodes: tuple[Node, ...]
    spelling: Mapping[str, str]
    """The names of its outputs as they were given, by those in lower case."""


def source(binding: str) -> tuple[str, str] | None:
    """The node and output that an expression names; None where it names an input of the parent."""
    found = _OUTPUT.fullmatch(binding)
    return (found[1], found[2].lower()) if found else None


def parent_input(binding: str) -> str | None:
    """The input of the parent that an expression names; None where it names none."""
    found = _INPUT.fullmatch(binding)
    return found[1] if found else None


def graph(jobs: Mapping[str, Document], inputs: Collection[str], outputs: Collection[str], find: Find) -> Graph:
    """The level made of these nodes, with all levels below it; `inputs` and `outputs` are the parent's names.

    Raises:
        Refused: 404 for a missing component, 400 for a graph that cannot run, 501 for a type of node that is not here.
    """
    nodes = {name: _node(name, given, find) for name, given in jobs.items()}
    spelling = {name.lower(): name for name in outputs}
    for node in nodes.values():
        _check_inputs(node)
        for binding in _bindings(node.given):
            _check_binding(binding, nodes, inputs)
        for exported in node.exports.values():
            if exported not in spelling:
                raise invalid_expression(f"Invalid expression parent.outputs.{exported}. It does not exist.")
    try:
        order = TopologicalSorter({node.name: node.needs for node in nodes.values()}).static_order()
        return Graph(tuple(nodes[name] for name in order), spelling)
    except CycleError as cycle:
        raise Refused(400, f"The pipeline has a cycle: {' -> '.join(cycle.args[1])}.", (*_INVALID, "Cycle")) from cycle


def invalid_expression(message: str) -> Refused:
    """400 with the recorded chain."""
    return Refused(400, message, (*_INVALID, "InvalidExpressionInJob"))


def _node(name: str, given: Document, find: Find) -> Node:
    kind = given.get("type") or "command"
    if kind not in {"command", "pipeline"}:
        raise Refused(501, f"The sandbox does not run nodes of type {kind}.", ("SandboxNotImplemented",))
    component = find(str(given.get("componentId") or ""))
    spec: Document = component["properties"]["componentSpec"]
    below = None
    if spec.get("type") == "pipeline":
        below = graph(spec.get("jobs") or {}, spec.get("inputs") or {}, spec.get("outputs") or {}, find)
    needs = {found[0] for binding in _bindings(given) if (found := source(binding)) is not None}
    return Node(name, given, component, frozenset(needs), below)


def _bindings(given: Document) -> Iterator[str]:
    for port in (given.get("inputs") or {}).values():
        yield from expressions.names(str((port or {}).get("value") or ""))


def _check_binding(binding: str, nodes: Mapping[str, Node], inputs: Collection[str]) -> None:
    if (name := parent_input(binding)) is not None:
        known = name in inputs
    elif (found := source(binding)) is not None:
        known = found[0] in nodes and found[1] in (nodes[found[0]].spec.get("outputs") or {})
    else:
        raise invalid_expression(
            f"Invalid expression {binding}. Only parent.inputs, parent.jobs.[source_job_name].outputs or parent.outputs"
            " can be used for binding."
        )
    if not known:
        raise invalid_expression(f"Invalid expression {binding}. It does not exist.")


def _check_inputs(node: Node) -> None:
    declared, given = node.spec.get("inputs") or {}, node.given.get("inputs") or {}
    for name in given:
        if name not in declared:
            raise _invalid_input(name, node, "does not exist")
    for name, port in declared.items():
        if not given.get(name) and "default" not in port and port.get("optional") != "True":
            raise _invalid_input(name, node, "is required")


def _invalid_input(name: str, node: Node, why: str) -> Refused:
    message = f"Invalid component job since input {name} for component job {node.name} {why}."
    return Refused(400, message, (*_INVALID, "InvalidComponentJobInput"))


def _export(port: Document | None) -> str | None:
    bound = expressions.only(str((port or {}).get("value") or ""))
    found = _EXPORT.fullmatch(bound) if bound is not None else None
    return found[1].lower() if found else None
