"""Checks what azure-ai-ml does not before it sends a graph (synthetic.md 2.3): every level of every body (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from azureml_replay.redact import redact
from azureml_replay.synthetic.tree.edges import cyclic
from azureml_replay.synthetic.tree.names import SLUG
from azureml_replay.synthetic.tree.ports import OUT

Body: TypeAlias = "Mapping[str, Any]"

_BINDING = re.compile(r"\$\{\{(.*?)\}\}")


def problems_of(job: Body, graphs: Mapping[str, Body]) -> Iterator[str]:
    """Sentences on what the service would refuse, and on secrets that must not be sent. `graphs` by ARM id."""
    properties = job["properties"]
    yield from _secrets("job", properties["inputs"])
    yield from _level("job", properties.get("jobs", {}), properties["inputs"], {}, graphs)
    for name, graph in graphs.items():
        spec = graph["properties"]["componentSpec"]
        yield from _level(f"graph {name[-8:]}", spec["jobs"], spec["inputs"], spec["outputs"], graphs)


def _level(where: str, jobs: Body, inputs: Body, outputs: Body, graphs: Mapping[str, Body]) -> Iterator[str]:
    giving = {name: _outputs_of(node, graphs) for name, node in jobs.items()}
    edges: set[tuple[str, str]] = set()
    for name, node in jobs.items():
        if not SLUG.fullmatch(name) or node["name"] != name:
            yield f"{where}: {name!r} is no name for a node"
        if giving[name] is None:
            yield f"{where}: the graph of {name} is unknown"
        yield from _secrets(f"{where}, {name}", node["inputs"])
        for value in (port["value"] for kind in ("inputs", "outputs") for port in node.get(kind, {}).values()):
            for binding in _BINDING.findall(value):
                if not _resolves(binding, giving, inputs, outputs):
                    yield f"{where}: {name} is bound to {binding}, which is not there"
                edges |= {(origin, name) for origin in _origin(binding)}
    yield from _outputs_given(where, jobs, outputs)
    if cyclic(edges):
        yield f"{where}: its nodes wait for each other in a circle"


def _outputs_of(node: Body, graphs: Mapping[str, Body]) -> set[str] | None:
    if node["type"] != "pipeline":
        return {OUT}
    graph = graphs.get(node["componentId"])
    return set(graph["properties"]["componentSpec"]["outputs"]) if graph else None


def _resolves(binding: str, giving: Mapping[str, set[str] | None], inputs: Body, outputs: Body) -> bool:
    match binding.split("."):
        case ["parent", "inputs", name]:
            return name in inputs
        case ["parent", "outputs", name]:
            return name in outputs
        case ["parent", "jobs", node, "outputs", port]:
            return port in (giving.get(node) or ())
    return False


def _origin(binding: str) -> list[str]:
    parts = binding.split(".")
    return parts[2:3] if parts[1] == "jobs" else []


def _outputs_given(where: str, jobs: Body, outputs: Body) -> Iterator[str]:
    given = [port["value"] for node in jobs.values() for port in node.get("outputs", {}).values()]
    for name in outputs:
        if given.count(f"${{{{parent.outputs.{name}}}}}") != 1:
            yield f"{where}: its output {name} is not given by exactly one node"


def _secrets(where: str, inputs: Body) -> Iterator[str]:
    """Sentences on inputs that look like credentials: Studio shows inputs, and run history stores them."""
    for path in redact(inputs)[1]:
        yield f"{where}: input {path} looks like a credential"
