"""Writes intents to send rows of metrics to the disk before sending: after a kill the target is asked about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem, Item, Payload
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.planning.plan import Step


@dataclass(slots=True)
class Intents:
    """Intents of runs that are sent side by side: those that come while the disk is waited for are written together."""

    archive: Archive
    ledger: TargetLedger
    waiting: dict[tuple[RunId, Item], Payload] = field(default_factory=dict)
    ahead: set[tuple[RunId, Item]] = field(default_factory=set)
    """Intents on the disk whose rows this process has not sent yet: the target need not be asked about them."""

    def mark_ahead(self, steps: Iterable[Step]) -> None:
        """Write intents of runs with one chunk, of which nothing was ever sent, in one wait for the disk. Repeatable.

        A run of many chunks is left out: after a kill all of them would be doubtful, where only a few were begun.
        """
        items: dict[tuple[RunId, Item], Payload] = {
            (step.source, ChunkItem(seq)): payload
            for step in steps
            if len(payloads := self.archive.chunk_payloads(step.contents)) == 1
            and not any(isinstance(item, ChunkItem) for item in self.ledger.receipts(step.source))
            for seq, payload in payloads.items()
        }
        if items:
            self.ledger.mark_sending(items)
            self.ahead.update(items)

    async def mark(self, run: RunId, items: Mapping[ChunkItem, Payload]) -> None:
        """Write the intents of one run; on the disk when this returns. Repeatable."""
        due: dict[tuple[RunId, Item], Payload] = {
            (run, item): payload for item, payload in items.items() if (run, item) not in self.ahead
        }
        self.ahead.difference_update((run, item) for item in items)
        if not due:
            return
        self.waiting.update(due)
        await asyncio.sleep(0)  # other runs that are ready add theirs first
        if due.keys() & self.waiting.keys():
            self.ledger.mark_sending(self.waiting)
            self.waiting.clear()
