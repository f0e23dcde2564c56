"""Registers nested graphs in a workspace: each shape once, remembered in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from azureml_replay import json_text
from azureml_replay.archive.items import GraphItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.azure.place import resource_id
from azureml_replay.model import RunId
from azureml_replay.synthetic.bodies.graph import Body, Graph
from azureml_replay.workspace.jobs import Submitter

OWNER = RunId("")
"""The run id under which receipts of graphs are kept, which belong to no run."""


@dataclass(slots=True)
class Graphs:
    """The graphs of a workspace. The service gives anonymous components ids of its own; ours are the ledger's keys."""

    ledger: TargetLedger
    submitter: Submitter
    _known: dict[str, str] = field(default_factory=dict)
    """Our id -> the workspace's id, as far as this process has asked."""
    _asking: dict[str, asyncio.Lock] = field(default_factory=dict)
    """Our id -> lock: trees that are submitted side by side may hold the same graph."""

    async def id_of(self, graph: Graph, inner: Mapping[str, str]) -> str:
        """The workspace's id of a graph, registered where it is not. `inner`: ids of the graphs in it. Repeatable."""
        async with self._asking.setdefault(graph.id, asyncio.Lock()):
            if graph.id not in self._known:
                self._known[graph.id] = await self._remembered(graph) or await self._register(graph, inner)
        return self._known[graph.id]

    async def _remembered(self, graph: Graph) -> str | None:
        receipt = self.ledger.receipt(OWNER, _item(graph))
        found = receipt.detail if receipt else None
        return found if found and await self.submitter.registered(self._path(found)) is not None else None

    async def _register(self, graph: Graph, inner: Mapping[str, str]) -> str:
        found = await self.submitter.register(self._path(graph.id), renamed(graph.body, inner))
        self.ledger.mark(OWNER, [_item(graph)], State.SENT, found)
        return found

    def _path(self, arm_id: str) -> str:
        """An id's path below the workspace. ARM does not promise to keep the case of the id's first part."""
        return arm_id[len(resource_id(self.ledger.target)) + 1 :]


def renamed(body: Body, known: Mapping[str, str]) -> Body:
    """The body with the workspace's ids of nested graphs in place of ours."""
    text = json_text.dumps(body).decode()
    for ours, theirs in known.items():
        text = text.replace(f'"{ours}"', f'"{theirs}"')
    found: Body = json_text.loads(text.encode())
    return found


def _item(graph: Graph) -> GraphItem:
    return GraphItem(graph.id.rpartition("/")[2])
