"""What of a run is still to be sent, by the archive and the ledger alone: replay obeys it, a dry run counts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_ending, of_kept, of_left_below, of_run, of_whole
from azureml_replay.archive.items import ChunkItem, FileItem, Item, Payload, RunItem
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.files.made import made_files
from azureml_replay.files.receipts import payload_of, payload_of_made
from azureml_replay.model import Artifact, RunId
from azureml_replay.planning.files import ALL_FILES
from azureml_replay.planning.plan import Step, shows
from azureml_replay.planning.references import is_settled, references_document
from azureml_replay.workspace.put_files import HeldFile, NewFile

Receipts = Mapping[Item, Receipt]
"""Those of one run, by item."""


@dataclass(frozen=True, slots=True)
class Due:
    """Asks about one step at a time. All methods only read."""

    archive: Archive
    ledger: TargetLedger

    # The run as a whole

    def is_whole(self, step: Step) -> bool:
        """True where everything of the run was sent, or refused, as it is planned and in the archive now."""
        return self._stands(step, self.whole, self.left_below)

    def is_kept(self, step: Step) -> bool:
        """True where everything was sent but values that the target edited: every call looks at such a run again."""
        return self._stands(step, self.kept)

    def whole(self, step: Step) -> Payload:
        """What the receipt of the whole run says."""
        generation = self.archive.generation(step.source)
        choice = None if step.choice == ALL_FILES else step.choice.to_json()
        digest = of_whole(
            step.run,
            generation=generation,
            own_files=step.own_files,
            files=step.files,
            choice=choice,
            references=references_document(step.references) if is_settled(step.references) else None,
        )
        return Payload(digest, detail=self.ledger.content_carried(self.ledger.content_of(step.source), shows(step)))

    def kept(self, step: Step) -> Payload:
        """The same of a run of which values of the target's stay."""
        whole = self.whole(step)
        return replace(whole, digest=of_kept(whole.digest))

    def left_below(self, step: Step) -> Payload:
        """The same of a run that is left out with one above it: it is tried again once any of those has changed."""
        whole, above, run = self.whole(step), list[int](), step.source
        while (details := self.archive.details(run)) is not None and (parent := details.run.parent):
            above.append(self.archive.generation(parent))
            run = parent
        return replace(whole, digest=of_left_below(whole.digest, above))

    def _stands(self, step: Step, *payloads: Callable[[Step], Payload]) -> bool:
        """True where the receipt is of one of them. Without a receipt none is made: all that a run is goes into it."""
        receipt = self.ledger.receipt(step.source, RunItem.WHOLE)
        return receipt is not None and any(_is_whole_of(receipt, payload(step)) for payload in payloads)

    def has_unsent(self, step: Step) -> bool:
        """True for a run of which something never arrived, or may not have: it takes a write for sure, or nearly so."""
        receipts = self.ledger.receipts(step.source)
        sent = {one.digest for one in receipts.values() if one.state is State.SENT}
        begun = all(
            item in receipts and receipts[item].state is State.SENT for item in (RunItem.CREATE, RunItem.FINISH)
        )
        chunks = self.archive.chunk_payloads(step.contents) if step.series else {}
        return not begun or any(payload.digest not in sent for payload in chunks.values())

    def is_there(self, run: RunId) -> bool:
        """True for a run that was created."""
        receipt = self.ledger.receipt(run, RunItem.CREATE)
        return receipt is not None and receipt.state is State.SENT

    # What is in it

    def rows(self, step: Step, receipts: Receipts, ahead: Container[tuple[RunId, Item]] = ()) -> DueRows:
        """What of its rows is sent. Receipts in `ahead` are intents whose rows nobody has sent yet."""
        payloads = self._payloads(step) if step.series else {}
        known = {item: one for item, one in receipts.items() if (step.source, item) not in ahead}
        return DueRows(payloads, RowsSent.of(known, {seq: one.digest for seq, one in payloads.items()}))

    def _payloads(self, step: Step) -> Mapping[int, Payload]:
        """Chunk number -> digest, and the rows that are sent of it: those of unsent series stay in a file."""
        payloads = self.archive.chunk_payloads(step.contents)
        if not step.unsent and step.rows.there.same:
            return payloads
        return {
            seq: replace(
                payloads[seq],
                rows=sum(len(step.rows.there.of(one)) for one in some if one.series.key not in step.unsent),
            )
            for seq, some in self.archive.chunks(step.contents)
        }

    def files(self, step: Step, receipts: Receipts) -> Iterator[tuple[str, Artifact]]:
        """Path in the target and file, of the source's files that have no receipt, or one of other content."""
        return ((path, one) for path, one in self.carried(step) if not has_arrived(receipts, path, one))

    def carried(self, step: Step) -> Iterator[tuple[str, Artifact]]:
        """The same of all that are to be sent, as the archive knows them now."""
        for one in step.planned_files(self.archive) if step.files else ():
            if one.artifact and one.omission is None:
                yield one.path, one.artifact

    def made(self, step: Step, receipts: Receipts) -> list[NewFile | HeldFile]:
        """The files that we make and that were not sent as they are now."""
        files = made_files(self.archive, step)
        return [file for file in files if not _is(receipts.get(FileItem(file.path)), payload_of_made(file))]


def is_created(ledger: TargetLedger, step: Step) -> bool:
    """True where all that `create` sends of a run was sent."""
    return ledger.has_sent(step.source, RunItem.CREATE, of_run(step.run))


def is_finished(ledger: TargetLedger, step: Step) -> bool:
    """True where its end was sent, and whether it is archived."""
    return ledger.has_sent(step.source, RunItem.FINISH, of_ending(step.run))


def has_arrived(receipts: Receipts, path: str, artifact: Artifact) -> bool:
    """True where a file was sent as it is now, and for one without bytes."""
    return artifact.stored is None or _is(receipts.get(FileItem(path)), payload_of(artifact.stored))


def _is_whole_of(receipt: Receipt, payload: Payload) -> bool:
    return receipt.is_of(payload.digest) and receipt.detail in (None, payload.detail)  # none of an older version


def _is(receipt: Receipt | None, payload: Payload) -> bool:
    return receipt is not None and receipt.is_of(payload.digest)


@dataclass(frozen=True, slots=True)
class DueRows:
    """The chunks of a run, and what of them is sent."""

    payloads: Mapping[int, Payload]
    """By number."""
    sent: RowsSent


@dataclass(frozen=True, slots=True)
class RowsSent:
    """What of a run's rows is sent, and what is not."""

    moved: Sequence[int]
    """Sent under another number: another extraction has shifted them."""
    due: Sequence[int]
    begun: Sequence[int]
    """Of those due: rows of them may have arrived."""
    strange: bool
    """Rows went out, or may have, that are now in other chunks or in none: the run has changed."""
    left: tuple[int, ...] = ()
    """Numbers that no chunk has any more, of receipts whose rows are among those moved."""

    @classmethod
    def of(cls, receipts: Receipts, digests: Mapping[int, bytes]) -> RowsSent:
        """From the receipts of a run, by item, and the digests of its chunks."""
        points = {item.seq: one for item, one in receipts.items() if isinstance(item, ChunkItem)}
        sent = Counter(one.digest for one in points.values() if one.state is State.SENT)
        unsettled = {one.digest for one in points.values() if one.state is State.SENDING}
        moved, due = list[int](), list[int]()
        for seq, digest in digests.items():
            if not sent[digest]:
                due.append(seq)
                continue
            sent[digest] -= 1
            own = points.get(seq)
            if own is None or not own.is_of(digest):
                moved.append(seq)
        strange = any(sent.values()) or bool(unsettled - {digests[seq] for seq in due})
        begun = [seq for seq in due if digests[seq] in unsettled]
        return cls(moved, due, begun, strange, cls._left(points, [digests[seq] for seq in moved], digests))

    @staticmethod
    def _left(points: Mapping[int, Receipt], moved: Sequence[bytes], digests: Mapping[int, bytes]) -> tuple[int, ...]:
        """As many receipts as chunks have moved: those of rows that are in no chunk now stay."""
        waiting = Counter(moved)
        left = []
        for seq, one in points.items():
            if seq not in digests and one.state is State.SENT and one.digest is not None and waiting[one.digest] > 0:
                waiting[one.digest] -= 1
                left.append(seq)
        return tuple(left)
