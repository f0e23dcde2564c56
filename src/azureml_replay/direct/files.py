"""Sends the files of one run: copied from storage to storage, with receipts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.digests import of_generation
from azureml_replay.archive.items import FileItem, Item, Payload
from azureml_replay.archive.receipts import Receipt, State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import finding_names, same_by_md5
from azureml_replay.comparison.three_way import Prefer
from azureml_replay.counting import files_in_words
from azureml_replay.direct.attach import attached
from azureml_replay.direct.due import Due
from azureml_replay.errors import Rejected, ServiceError
from azureml_replay.files.as_sent import AsSent
from azureml_replay.files.bytes import TAKEN_AGAIN, Supply
from azureml_replay.files.made import as_stored, made_files
from azureml_replay.files.of_run import RunFiles
from azureml_replay.files.receipts import payload_of, payload_of_made
from azureml_replay.model import Artifact, Run, RunId, StoredFile
from azureml_replay.planning.plan import Step
from azureml_replay.progress import Progress
from azureml_replay.workspace.limits import FILES_PER_REQUEST
from azureml_replay.workspace.put_files import FileWritten, PutFile, heard
from azureml_replay.workspace.target import Refused, Target

logger = logging.getLogger("azureml_replay")


@dataclass(frozen=True, slots=True)
class FilesSent:
    """How much one call sent."""

    files: int = 0
    bytes: int = 0
    made: int = 0
    """Those among the files that we make."""

    def and_then(self, more: FilesSent) -> FilesSent:
        """The sums with another call's."""
        return FilesSent(self.files + more.files, self.bytes + more.bytes, self.made + more.made)


Sending = Mapping[str, tuple[PutFile, Payload]]
"""Path in the target -> the file, and what its receipt will say of it."""


@dataclass(slots=True)
class FileSender:
    """Sends the files of one run at a time."""

    archive: Archive
    ledger: TargetLedger
    supply: Supply
    target: Target
    progress: Progress
    prefer: Prefer = Prefer.TARGET
    attach: bool = False
    """Files in a datastore that the target has too are registered there, not copied."""
    refused: set[RunId] = field(default_factory=set)
    """Runs of which the target refused a file in this call: they are to be planned anew."""
    kept: dict[RunId, list[str]] = field(default_factory=dict)
    """Run -> files that changed on both sides, of which the target's stayed."""

    @property
    def _as_sent(self) -> AsSent:
        return AsSent(self.ledger, self.target)

    @property
    def _due(self) -> Due:
        return Due(self.archive, self.ledger)

    async def send(self, step: Step, taken_back: Run | None = None, *, found: bool = False) -> FilesSent:
        """Send every planned file that has no receipt, or one of other content.

        `taken_back` is the target's run where `undo` hid it: a receipt of a file that it removed counts for nothing.
        `found`: the run was there before this call, so another may have put files into it.
        Repeatable. Raises Rejected, Unavailable, IntegrityError.
        """
        receipts: Mapping[Item, Receipt] = self.ledger.receipts(step.source)
        if taken_back is not None:
            standing = await self._standing(taken_back, receipts)
            self._give_up(step, receipts.keys() - standing.keys())
            receipts = standing
        files = size = 0
        left = self._due.files(step, receipts)
        self.kept.pop(step.source, None)
        made = self._due.made(step, receipts)
        # Made files go with the source's first: 1.0 requests for entries a run, not 1.28 (benchmarks/verbs.py, small).
        rest: Sending = {file.path: (file, payload_of_made(file)) for file in made}
        while (batch := dict(islice(left, FILES_PER_REQUEST - len(rest)))) or rest:
            there = await self._attached(step, batch) if self.attach else {}
            batch = {path: one for path, one in batch.items() if path not in there}
            going = {
                path: one for path, one in batch.items() if await self._goes(step, path, one, receipts, found=found)
            }
            files += len(there)
            fresh = frozenset() if found or self.prefer is Prefer.SOURCE else going.keys() - _known(receipts)
            for artifact in await self._bring(step, going, rest, fresh):
                files += 1
                size += artifact.stored.size_bytes if artifact.stored else 0
            rest = {}
        if files or made:
            logger.debug("run %s: %s sent", step.source, files_in_words(files + len(made), len(made)))
        return FilesSent(files + len(made), size + sum(as_stored(file).size_bytes for file in made), len(made))

    async def _standing(self, there: Run, receipts: Mapping[Item, Receipt]) -> Mapping[Item, Receipt]:
        """Without those of files that the target's run has no more: another archive's `undo` told only its own."""
        if not any(isinstance(item, FileItem) and one.state is State.SENT for item, one in receipts.items()):
            return receipts
        held = await self._held(there)
        return {item: one for item, one in receipts.items() if not isinstance(item, FileItem) or item.path in held}

    async def _held(self, there: Run) -> Set[str]:
        """Paths that the index lists, and whose bytes are there: a service may keep the entries of removed files.

        An entry that leads to another datastore was registered there, and has no bytes of the run's own.
        """
        home = self.target.place(there.id, "").datastore
        stored = {file.path async for page in self.target.stored(there.lender or there.id) for file in page}
        pages = RunFiles(self.target, self.archive, self.progress).indexed(there)
        listed = [file async for page in pages for file in page]
        return {file.path for file in listed if file.path in stored or file.location.datastore != home}

    def _give_up(self, step: Step, removed: Set[Item]) -> None:
        """What another archive's `undo` removed, and the source lost meanwhile: an omission tells it from now on."""
        coming = {path for path, _ in self._due.carried(step)} | {one.path for one in made_files(self.archive, step)}
        gone = [item for item in removed if isinstance(item, FileItem) and item.path not in coming]
        if gone:
            self.ledger.forget(step.source, gone)

    async def _attached(self, step: Step, batch: Mapping[str, Artifact]) -> dict[str, StoredFile]:
        """Attach the files that can be, and write their receipts; path -> file."""
        there: dict[str, StoredFile] = {}
        for path, artifact in batch.items():
            if artifact.stored is not None and await attached(self.target, step, path, artifact):
                there[path] = artifact.stored
        self.ledger.sent_over(step.source, finding_names(there))
        self._arrived(step, there, {FileItem(path): payload_of(stored) for path, stored in there.items()})
        self._tell(there.values(), len(there))
        return there

    async def _goes(
        self, step: Step, path: str, artifact: Artifact, receipts: Mapping[Item, Receipt], *, found: bool
    ) -> bool:
        """False where the target's file is neither what was sent last nor what the source has now (files/as_sent.py).

        Of a file that this archive never sent nobody knows what was sent last: what is there is taken for an edit. Nor
        does one go whose bytes are there, where only they could tell: each write gives the file another ETag.
        """
        receipt = receipts.get(FileItem(path))
        sent = self.ledger.sent_file(step.source, path) if found or receipt is not None else None
        unknown = found and receipt is None
        known = receipt is not None and receipt.state is State.SENT and sent is not None
        if self.prefer is Prefer.SOURCE or not (known or unknown):
            return True
        there = await self._there(step, path)
        if there is None:
            if unknown:
                return True
        elif sent and await self._as_sent.is_so(step.source, path, there, sent):
            return True
        elif await self._as_sent.is_of(artifact, there, self.supply):
            return self._is_told(step, path, artifact, there)
        self.kept.setdefault(step.source, []).append(f"file {path}")
        return False

    async def _there(self, step: Step, path: str) -> StoredFile | None:
        return await self.target.stored_file(self.target.place(step.run.id, path))

    async def _leave(self, step: Step, path: str, artifact: Artifact, there: StoredFile) -> None:
        """What lies in the container of a run that this call made: another run's that shows it, or a deleted one's."""
        if artifact.stored is not None and await self._as_sent.is_of(artifact, there, self.supply):
            self._note_there(step, path, artifact.stored, there)
        else:
            self.ledger.forget(step.source, [FileItem(path)])  # the intent: nothing of ours is there
            self.kept.setdefault(step.source, []).append(f"file {path}")

    def _is_told(self, step: Step, path: str, artifact: Artifact, there: StoredFile) -> bool:
        """True where checksums tell that the target's file is the source's; of another one there is a receipt now."""
        mine = artifact.stored
        if mine is None or same_by_md5(mine, there):
            return True
        self._note_there(step, path, mine, there)
        return False

    def _note_there(self, step: Step, path: str, mine: StoredFile, there: StoredFile) -> None:
        """The receipt of a file that has the source's bytes already."""
        self.ledger.sent_over(step.source, finding_names([path]))
        sent = {path: replace(mine, md5=mine.md5 or there.md5)}
        self._arrived(step, sent, {FileItem(path): replace(payload_of(mine), detail=there.etag)})

    def _arrived(self, step: Step, sent: Mapping[str, StoredFile], items: Mapping[Item, Payload]) -> None:
        with self.ledger.together():
            self.ledger.put_sent_files(step.source, sent)
            self.ledger.mark(step.source, items, State.SENT, durable=False)

    async def _bring(self, step: Step, batch: Mapping[str, Artifact], made: Sending, fresh: Set[str]) -> list[Artifact]:
        """Send files; those that went. A file that changed is begun anew, one that is gone is left to the omissions.

        `fresh`: nobody looked whether something lies at these paths.
        """
        sent: list[Artifact] = []
        for _ in range(TAKEN_AGAIN):
            again, lacking = await self._copy(step, batch, made, fresh)
            sent += [artifact for path, artifact in batch.items() if path not in lacking]
            places = {artifact.location for path, artifact in batch.items() if path in again}
            if not places:
                return sent
            made = {}
            batch = {path: artifact for path, artifact in self._due.carried(step) if artifact.location in places}
        raise Rejected(f"file {next(iter(batch), '')} of run {step.source} changes all the time")

    async def _copy(
        self, step: Step, batch: Mapping[str, Artifact], made: Sending, fresh: Set[str]
    ) -> tuple[Set[str], Set[str]]:
        """Ask for write URLs once, then copy each file.

        Answers the paths that the source has no more as listed, and all that did not go. Raises for a refusal that is
        not about the file alone.
        """
        if not batch and not made:
            return set(), set()
        files: dict[str, tuple[PutFile, Payload]] = dict(made)
        for path, artifact in batch.items():
            if artifact.stored is not None:
                file = await self.supply.file(artifact, path)
                files[path] = (replace(file, new=path in fresh), payload_of(artifact.stored))
        refused = await self._put(step, files)
        again: set[str] = set()
        for path, outcome in refused.items():
            if outcome.taken and (there := await self._there(step, path)) is not None:
                await self._leave(step, path, batch[path], there)
            elif path in batch and await self.supply.look_again(batch[path], outcome):
                again.add(path)
            elif outcome.of_item:
                self._refuse(step, path, outcome)
            else:
                raise _rejected(path, step, outcome)
        return again, refused.keys()

    async def _put(self, step: Step, files: Sending) -> dict[str, Refused]:
        """Put files; path -> refusal. Raises for what may go through later, once the others have their receipts."""
        items = {FileItem(path): payload for path, (_, payload) in files.items()}
        self.ledger.mark(step.source, items, State.SENDING, durable=False)
        self.ledger.sent_over(step.source, finding_names(files))
        home, run = (step.lender.experiment, step.lender.there) if step.lender else (step.run.experiment, step.run.id)
        told: dict[str, FileWritten] = {}
        outcomes = await self.target.put_files(home, run, [heard(file, told) for file, _ in files.values()])
        sent = {path: _as_written(file, told.get(path)) for path, (file, _) in files.items() if not outcomes.get(path)}
        arrived: dict[Item, Payload] = {
            item: replace(payload, detail=told[item.path].etag) if item.path in told else payload
            for item, payload in items.items()
            if outcomes.get(item.path) is None
        }
        self._arrived(step, sent, arrived)
        made = {planned.path for planned in step.made_files()}
        self._tell([stored for path, stored in sent.items() if path not in made], len(sent))
        refused: dict[str, Refused] = {}
        for path, outcome in outcomes.items():
            if isinstance(outcome, ServiceError):
                raise outcome
            if isinstance(outcome, Refused):
                refused[path] = outcome
        return refused

    def _tell(self, of_source: Collection[StoredFile], files: int) -> None:
        """So many files arrived; bytes are those of the source's alone, as no plan knows how long ours will be."""
        if files:
            self.progress.done("files sent", files)
        if of_source:
            self.progress.done("bytes sent", sum(one.size_bytes for one in of_source))

    def _refuse(self, step: Step, path: str, outcome: Refused) -> None:
        of = of_generation(self.archive.generation(step.source))
        self.ledger.refuse(step.source, {FileItem(path): outcome.reason}, of)
        self.refused.add(step.source)
        self.progress.say(f"file {path} of run {step.source} was refused: {outcome.reason}")


def _known(receipts: Mapping[Item, Receipt]) -> Set[str]:
    """Paths of files of which something was sent, or begun."""
    return {item.path for item in receipts if isinstance(item, FileItem)}


def _as_written(file: PutFile, told: FileWritten | None) -> StoredFile:
    stored = as_stored(file)
    return replace(stored, md5=told.md5) if told is not None and told.md5 is not None else stored


def _rejected(path: str, step: Step, outcome: Refused) -> Rejected:
    return outcome.error(f"file {path} of run {step.source}: ")
