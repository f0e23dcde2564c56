"""How edges between leaves cross the borders of nested graphs (pure).

Every group on the way takes and gives by a port of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from azureml_replay.synthetic.tree.edges import siblings
from azureml_replay.synthetic.tree.nodes import Node, Tree

ROOT, KEY, OUT = "root", "key", "out"
"""Ports of the step component: the staged folder, the leaf's place in it, and what the next ones wait for."""
UP_PORTS = 16
"""Optional inputs `up0` … of the step component: steps that wait for more lose the rest, and say so.
About 65 bytes of the component each, none in a job (synthetic.md 6)."""


@dataclass(slots=True)
class Ports:
    """Bindings by the key of a node, beside `root` and `key`."""

    _inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    _outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    _given: dict[str, list[str]] = field(default_factory=dict)
    _taken_by: dict[tuple[str, str], str] = field(default_factory=dict)
    """The port by which a group takes a leaf's output in."""
    _given_by: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: Tree) -> Ports:
        """For every leaf and what it waits for."""
        ports = cls()
        for leaf in tree.leaves():
            for giver in leaf.after:
                ports._join(giver, leaf.key)
        return ports

    def inputs(self, node: Node) -> Mapping[str, str]:
        """Port -> binding: of a leaf `up0` …; those of a group are its graph's inputs, too."""
        return self._inputs.get(node.key, {})

    def outputs(self, node: Node) -> Mapping[str, str]:
        """Port -> the output of the surrounding graph that it becomes."""
        return self._outputs.get(node.key, {})

    def given(self, group: Node) -> tuple[str, ...]:
        """The outputs of a group's graph."""
        return tuple(self._given.get(group.key, ()))

    def _join(self, giver: str, taker: str) -> None:
        _, taking, giving = siblings(taker, giver)
        port = self._give(giver, giving)
        self._take(giver, taker, taking, f"${{{{parent.jobs.{_name(giving)}.outputs.{port}}}}}")

    def _give(self, giver: str, node: str) -> str:
        """The port of `node`, the giver or a group around it, with the giver's output."""
        if node == giver:
            return OUT
        if (node, giver) not in self._given_by:
            inner = _towards(giver, node)
            inside, outside = self._give(giver, inner), f"{OUT}{len(self._given.get(node, ()))}"
            self._outputs.setdefault(inner, {})[inside] = f"${{{{parent.outputs.{outside}}}}}"
            self._given.setdefault(node, []).append(outside)
            self._given_by[node, giver] = outside
        return self._given_by[node, giver]

    def _take(self, giver: str, taker: str, node: str, binding: str) -> None:
        """Brings the binding into `node`, the taker or a group around it."""
        bindings = self._inputs.setdefault(node, {})
        if (node, giver) not in self._taken_by:
            port = self._taken_by[node, giver] = f"up{len(bindings)}"
            bindings[port] = binding
        if node != taker:
            inner = f"${{{{parent.inputs.{self._taken_by[node, giver]}}}}}"
            self._take(giver, taker, _towards(taker, node), inner)


def _towards(leaf: str, group: str) -> str:
    """The child of `group` that is the leaf, or leads to it."""
    return f"{group}/{leaf[len(group) + 1 :].partition('/')[0]}"


def _name(key: str) -> str:
    return key.rpartition("/")[2]
