"""Leads edges between leaves across the borders of nested graphs (pure).

Every group on the way gets a port of its own, as input or output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from azureml_replay.synthetic.tree.edges import siblings
from azureml_replay.synthetic.tree.nodes import Node, Tree

ROOT, KEY, OUT = "root", "key", "out"
"""Ports of the step component: the staged folder, the leaf's place in it, and the output that others wait for."""
UP_PORTS = 16
"""Optional inputs `up0` … of the step component: a step that waits for more loses the rest, which are omissions.
Each takes about 65 bytes of the component, none in a job (synthetic.md 6)."""


@dataclass(slots=True)
class Ports:
    """The bindings of each node, by its key, beside `root` and `key`."""

    _inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    _outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    _given: dict[str, list[str]] = field(default_factory=dict)
    _taken_by: dict[tuple[str, str], str] = field(default_factory=dict)
    """Group and leaf -> the port by which the group takes the leaf's output."""
    _given_by: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: Tree) -> Ports:
        """The ports for every leaf and what it waits for."""
        ports = cls()
        for leaf in tree.leaves():
            for giver in leaf.after:
                ports._join(giver, leaf.key)
        return ports

    def inputs(self, node: Node) -> Mapping[str, str]:
        """Port -> binding of a node's inputs: a leaf's are `up0` …; a group's are its graph's inputs, too."""
        return self._inputs.get(node.key, {})

    def outputs(self, node: Node) -> Mapping[str, str]:
        """Port of a node -> the output of the surrounding graph that it gives."""
        return self._outputs.get(node.key, {})

    def given(self, group: Node) -> tuple[str, ...]:
        """The outputs of a group's graph."""
        return tuple(self._given.get(group.key, ()))

    def _join(self, giver: str, taker: str) -> None:
        _, taking, giving = siblings(taker, giver)
        port = self._give(giver, giving)
        self._take(giver, taker, taking, f"${{{{parent.jobs.{_name(giving)}.outputs.{port}}}}}")

    def _give(self, giver: str, node: str) -> str:
        """The port with the giver's output at `node`, which is the giver or a group around it."""
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
        """Bring the binding into `node`, which is the taker or a group around it."""
        bindings = self._inputs.setdefault(node, {})
        if (node, giver) not in self._taken_by:
            port = self._taken_by[node, giver] = f"up{len(bindings)}"
            bindings[port] = binding
        if node != taker:
            inner = f"${{{{parent.inputs.{self._taken_by[node, giver]}}}}}"
            self._take(giver, taker, _towards(taker, node), inner)


def _towards(leaf: str, group: str) -> str:
    """The key of the child of `group` that is the leaf, or contains it."""
    return f"{group}/{leaf[len(group) + 1 :].partition('/')[0]}"


def _name(key: str) -> str:
    return key.rpartition("/")[2]
