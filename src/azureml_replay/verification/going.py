"""Which files of a run of ours `undo` may remove: those that are as they were sent, and that nobody else needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_replay.archive.items import FileItem
from azureml_replay.files.as_sent import AsSent
from azureml_replay.files.of_run import RunFiles
from azureml_replay.model import Run, RunId, StoredFile
from azureml_replay.planning.plan import plan_run
from azureml_replay.target.referred import Referred
from azureml_replay.verification.borrowers import Borrowers
from azureml_replay.verification.strangers import Ours
from azureml_replay.workspace.target import Target

LAST_COPY = "the source has it no more, and the archive does not keep it"


@dataclass(frozen=True, slots=True)
class FilesGoing:
    """The files of one run."""

    paths: tuple[str, ...] = ()
    """To be removed; one that is not there may have an entry in the index still."""
    left: tuple[str, ...] = ()
    """Why each of the others stays."""
    last_copies: int = 0
    """Those among the others that nobody else has."""


@dataclass(frozen=True, slots=True)
class FileJudge:
    """Asks about one run at a time. Only reads."""

    ours: Ours
    target: Target
    held: RunFiles
    referred: Referred
    borrowers: Borrowers

    async def going(self, run: RunId, there: Run) -> FilesGoing:
        """Of those that this archive sent. Raises Unavailable, Rejected."""
        asked = [item.path for item in self.ours.ledger.receipts(run) if isinstance(item, FileItem)]
        if not asked:
            return FilesGoing()
        holder = there.lender or there.id
        if (borrower := await self.borrowers.of(holder)) is not None:
            return FilesGoing(left=tuple(f"file {path} stays: run {borrower} of the target shows it" for path in asked))
        stored = {file.path: file.stored async for file in self.held.stored(holder)}
        attached = await self._attached(there) if any(path not in stored for path in asked) else frozenset()
        paths, left, last, again = list[str](), list[str](), 0, self._sent_again(run)
        for path in asked:
            found = stored.get(path)
            if asset := self.referred.by(self.target.place(holder, path)):
                left.append(f"file {path} stays: {asset} of the target lies there")
            elif path in attached:
                left.append(f"file {path} is registered where it lies: its entry stays with the hidden run")
            elif found is not None and path not in again:
                left.append(f"file {path} stays: {LAST_COPY}")
                last += 1
            elif found is None or await self._is_as_sent(run, path, found, again[path]):
                paths.append(path)
            else:
                left.append(f"file {path} was changed in the target since")
        return FilesGoing(tuple(paths), tuple(left), last)

    async def _is_as_sent(self, run: RunId, path: str, there: StoredFile, planned: StoredFile | None) -> bool:
        """Also of a file that was sent by halves, or by a version that kept no values; of ours there is none else."""
        sent = self.ours.ledger.sent_file(run, path)
        known = [one for one in (sent, planned) if one is not None]
        for one in known:
            if await AsSent(self.ours.ledger, self.target).is_so(run, path, there, one):
                return True
        return not known

    def _sent_again(self, run: RunId) -> Mapping[str, StoredFile | None]:
        """Path -> the file, of those that a replay can bring: as source or archive have it; None where we make it."""
        archive = self.ours.archive
        step = plan_run(archive, run, self.ours.profile, root=archive.unit_of(run) or run, depth=0)
        if step is None:
            return {}
        planned = step.planned_files(archive)
        again: dict[str, StoredFile | None] = dict.fromkeys(step.made_by_others())
        for one in planned:
            stored = one.artifact.stored if one.artifact else None
            if one.made or stored:
                again[one.path] = archive.described(stored) if stored else None
        return again

    async def _attached(self, there: Run) -> frozenset[str]:
        """Paths whose entries lead to other datastores: removing one for good would remove the source's own bytes."""
        own = self.target.place(there.id, "").datastore
        pages = [page async for page in self.held.indexed(there)]
        return frozenset(file.path for page in pages for file in page if file.location.datastore != own)
