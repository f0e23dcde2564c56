"""Intents to send rows of metrics, on the disk before the wire: after a kill they say what to ask the target about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.ledger import points_item
from azureml_replay.model import RunId
from azureml_replay.workspace.place import WorkspaceRef


@dataclass(slots=True)
class Intents:
    """Intents of runs that are sent side by side: those that come while the disk is waited for go down together."""

    archive: Archive
    target: WorkspaceRef
    waiting: dict[tuple[RunId, str], bytes] = field(default_factory=dict)
    ahead: set[tuple[RunId, str]] = field(default_factory=set)
    """On the disk, and not sent by this process yet: the target need not be asked."""

    def mark_ahead(self, runs: Iterable[RunId]) -> None:
        """Those of runs whose rows are one chunk, of which nothing was ever sent, in one wait for the disk.

        Of a run of many chunks all would be unsettled after a kill, where a few were begun: those go down as they come.
        """
        items = {
            (run, points_item(seq)): digest
            for run in runs
            if len(digests := self.archive.chunk_digests(run)) == 1
            and not any(item.startswith(points_item("")) for item in self.archive.receipts(self.target, run))
            for seq, digest in digests.items()
        }
        if items:
            self.archive.mark_sending(self.target, items)
            self.ahead.update(items)

    async def mark(self, run: RunId, items: Mapping[str, bytes]) -> None:
        """On the disk when this returns."""
        due = {(run, item): digest for item, digest in items.items() if (run, item) not in self.ahead}
        self.ahead.difference_update((run, item) for item in items)
        if not due:
            return
        self.waiting.update(due)
        await asyncio.sleep(0)  # whoever is ready too adds theirs first
        if due.keys() & self.waiting.keys():
            self.archive.mark_sending(self.target, self.waiting)
            self.waiting.clear()
