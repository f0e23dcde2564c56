"""What came of parts whose workers were lost: the figures went with them, so they are read off the archive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem, FileItem, Item, RunItem
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.crew.messages import Result, ToExtract, ToSend, Work
from azureml_replay.crew.pool import Portion
from azureml_replay.direct.options import Replayed
from azureml_replay.direct.parts import PartSent
from azureml_replay.extraction.extract import PartExtracted
from azureml_replay.model import RunId
from azureml_replay.planning.files import is_made
from azureml_replay.workspace.place import Place

Receipted = Mapping[RunId, Sequence[Receipt]]
"""Run -> receipts of what arrived of it."""


@dataclass(frozen=True, slots=True)
class PartLosses:
    """Of one verb's work."""

    archive: Archive
    target: Place | None
    work: Work
    before: dict[str, Receipted] = field(default_factory=dict)
    """Part -> what had arrived of its runs before the first attempt at it."""

    def note(self, portion: Portion) -> None:
        """Its worker is lost; nothing of it has come home."""
        for part in portion.parts if isinstance(self.work, ToSend) else ():
            if part.name not in self.before:
                self.before[part.name] = self._arrived(part.units)

    def home(self, portion: Portion, bring: Callable[[], None]) -> Sequence[Result]:
        """Bring home what a lost worker left: what it came to, of which no later attempt at the part tells.

        A run is extracted whole or not at all. What was sent, the last attempt at the part finds out.
        """
        if not isinstance(self.work, ToExtract):
            bring()
            return ()
        runs = set(self.archive.runs_of_units(portion.units))
        pending, kept, held = self._pending(runs), self.archive.totals().files_kept, self.archive.bytes_held
        bring()
        done = pending - self._pending(runs)
        listed = done if self.work.options.artifacts else ()
        return [
            PartExtracted(
                runs=len(done),
                points=sum(rows for run in done for _, rows in self.archive.series(run)),
                files=sum(1 for run in listed for _ in self.archive.artifacts(run)),
                kept=self.archive.totals().files_kept - kept,
                kept_bytes=self.archive.bytes_held - held,
            )
        ]

    def done(self, portion: Portion, result: Result, bring: Callable[[], None]) -> Result:
        """Bring home what a worker did: what it came to, with what was sent by those that were lost before it."""
        lost = [part.name for part in portion.parts if part.name in self.before]
        if not lost or not isinstance(result, PartSent):
            bring()
            return result
        before = dict(self._arrived(portion.units))
        for name in lost:
            before |= self.before[name]
        bring()
        return replace(result, replayed=all_sent(result.replayed, before, self._arrived(portion.units)))

    def _pending(self, runs: Collection[RunId]) -> set[RunId]:
        return {run for run in self.archive.pending_ids() if run in runs}

    def _arrived(self, units: Sequence[RunId]) -> Receipted:
        if self.target is None:
            return {}
        ledger = self.archive.ledger(self.target)
        found = {run: ledger.receipts(run).values() for run in self.archive.runs_of_units(units)}
        return {run: [one for one in receipts if one.state is State.SENT] for run, receipts in found.items()}


def all_sent(last: Replayed, before: Receipted, after: Receipted) -> Replayed:
    """`last`, with the figures of everything that arrived between two looks at the receipts, whoever sent it (pure).

    Rows that were in the target before, without a receipt, are among them.
    """
    new = {run: list(_new(before.get(run, ()), receipts)) for run, receipts in after.items()}
    items = [one for found in new.values() for one in found]
    files = [(one.item.path, one.size_bytes or 0) for one in items if isinstance(one.item, FileItem)]
    return replace(
        last,
        runs=sum(map(bool, new.values())),
        points=sum(one.rows or 0 for one in items),
        files=len(files),
        own_files=sum(is_made(path) for path, _ in files),
        bytes=sum(size for _, size in files),
    )


def _new(before: Sequence[Receipt], after: Sequence[Receipt]) -> Iterator[Receipt]:
    known = {(_what(one.item), one.digest) for one in before}
    for one in after:
        counts = one.item in (RunItem.CREATE, RunItem.FINISH) or isinstance(one.item, ChunkItem | FileItem)
        if counts and (_what(one.item), one.digest) not in known:
            yield one


def _what(item: Item) -> object:
    """Chunks of a run that was extracted anew have other numbers, and the same rows."""
    return ChunkItem if isinstance(item, ChunkItem) else item
