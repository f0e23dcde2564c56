"""One run's files, target against archive: paths, sizes, checksums, index entries, and bytes where asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.archive.items import FileItem, Payload
from azureml_replay.archive.reading import FILES_LEFT_OUT
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import compare_files, finding_names
from azureml_replay.comparison.shown import shown
from azureml_replay.comparison.three_way import GONE_REASON, Fate
from azureml_replay.errors import Rejected
from azureml_replay.files.as_sent import AsSent
from azureml_replay.files.bytes import Supply
from azureml_replay.files.made import as_stored, made_files
from azureml_replay.files.of_run import RunFiles
from azureml_replay.files.receipts import payload_of, payload_of_made
from azureml_replay.model import Artifact, Finding, Location, Omission, Run, RunId, StoredFile
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.planning.made_files import MADE
from azureml_replay.planning.plan import Step
from azureml_replay.planning.reuse import FOLDER, own_path
from azureml_replay.verification.outdated import as_read, note_outdated
from azureml_replay.verification.proof import compare_bytes
from azureml_replay.workspace.asset_rule import ASSETS_FOLDER
from azureml_replay.workspace.put_files import HeldFile
from azureml_replay.workspace.target import Target

SENT_BEFORE = "sent before the archive left its files out (--no-artifacts): what was sent stays"
AS_SENT, WRITTEN_SINCE = "as it was sent", "written since: name the --source, and its bytes are compared"
AS_NOW = "as the source has it now"
SENT_BEFORE_IT_CHANGED = "sent before it changed at the source, as many bytes: replay sends it again"
MADE_BY_OTHERS = "another archive's replay made it: what it should hold is not known here"


@dataclass(frozen=True, slots=True)
class ExpectedFiles:
    """What a run's folder in the target should hold."""

    files: Mapping[str, StoredFile]
    """By path: size and MD5 as the source has them, or as we made them."""
    origins: Mapping[str, Artifact]
    """What it is in the source; ours have none."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Those among them that were sent and that the archive has no more -> what they are called there: they stay
    required as they were sent."""
    omitted: Mapping[str, Artifact | None] = field(default_factory=dict)
    """Paths that nothing of ours goes to: what it is in the source, None for a file that we would make.

    An omission says that nothing is there: what is there all the same is held against the source's.
    """
    left_out: frozenset[str] = frozenset()
    """Paths that are not looked at now."""
    payloads: Mapping[str, Payload] = field(default_factory=dict)
    """What the receipt of each file says that was sent as the archive has it now; none of those that were lost."""

    @property
    def own(self) -> frozenset[str]:
        """Those that we make, or made; a file that the source lost is none."""
        of_source = self.origins.keys() | (self.lost.keys() - set(MADE))
        return frozenset(self.files.keys() - of_source)

    @property
    def at_source(self) -> dict[str, Artifact]:
        """Those that the source has the bytes of, by path; of omissions too."""
        return {**self.origins, **{path: one for path, one in self.omitted.items() if one and one.stored}}

    def known(self, path: str) -> StoredFile | None:
        """What the source has under the path of an omission; None where that is not known."""
        artifact = self.omitted[path]
        return artifact.stored if artifact else None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Paths of files whose sizes are equal, and of which the ledger knows that this proves nothing."""

    touched: Set[str]
    """Somebody wrote there since they were sent."""
    stale: Set[str]
    """What lies there was sent before the archive's file changed; it may be alike all the same."""
    untold: Set[str] = frozenset()
    """Those of the stale ones of which nobody can tell what they should hold: the list of files has findings."""

    @classmethod
    def of(
        cls,
        as_sent: AsSent,
        owner: RunId,
        wanted: Mapping[str, StoredFile],
        there: Mapping[str, StoredFile],
        *,
        payloads: Mapping[str, Payload],
        tells: Callable[[str], bool],
    ) -> Doubtful:
        """By the ledger, where sizes and checksums tell nothing. Where nobody sent a file, nothing is known of it.

        `tells`: whether it is known, or can be read, which MD5 a file should have.
        """
        touched = as_sent.written_since(owner, wanted, there)
        stale = as_sent.sent_before(owner, wanted, there, payloads) - touched
        return cls(touched, stale, {path for path in stale if not tells(path)})

    @property
    def read(self) -> Set[str]:
        """Those whose bytes are looked at."""
        return self.touched | (self.stale - self.untold)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesChecked:
    """The outcome for one run."""

    outcomes: Mapping[Aspect, Looked] = field(default_factory=lambda: {Aspect.FILES: Looked(), Aspect.BYTES: Looked()})
    omissions: Sequence[Omission] = ()
    """Files that cannot be compared here."""
    wanted: Mapping[str, StoredFile] = field(default_factory=dict)
    """By path: as the plan has it."""
    there: Mapping[str, StoredFile] = field(default_factory=dict)


@dataclass(slots=True)
class FileCheck:
    """Compares the files of one run at a time."""

    archive: Archive
    ledger: TargetLedger
    target: Target
    files_of: RunFiles
    looked: FileChoice = ALL_FILES
    """Which files are looked at."""
    supply: Supply | None = field(default=None)
    """Gives checksums, from the source's bytes or the archive's where storage told none. None: no bytes are read."""
    deep: bool = False
    """Every byte is read; otherwise those of files that were sent over such as differed."""

    async def check(self, step: Step, actual: Run) -> FilesChecked:
        """Those that were planned, and that the index leads to nothing else. Raises Unavailable, Rejected."""
        if not self.looked.artifacts:
            return FilesChecked()
        there = await self.files_of.two_sides(replace(actual, lender=step.lender.there) if step.lender else actual)
        others = self._of_others(step, there.stored.keys() | there.indexed.keys())
        expected = self._expected(step, set(others))
        stored = {at: file for at, file in there.stored.items() if self._is_of(step, at, expected)}
        indexed = {at: place for at, place in there.indexed.items() if self._is_of(step, at, expected)}
        stored |= await self._attached(step, expected, indexed, stored)
        beside = {path: file for path, file in stored.items() if path in expected.omitted}
        planned = {path: file for path, file in stored.items() if path not in beside}
        findings, unverifiable = compare_files(step.source, expected.files.items(), planned)
        wanted = {path: known for path in beside if (known := expected.known(path)) is not None}
        findings += compare_files(step.source, wanted.items(), beside)[0]
        findings += _compare_index(step.source, expected, indexed, stored)
        findings += self._strange_entries(step, expected, indexed, stored)
        doubtful = self._doubtful(step.source, expected, stored)
        findings += [sent_before(step.source, path) for path in sorted(doubtful.untold)]
        read = await self._read(step.source, expected, stored, doubtful)
        counts = {
            "files": len(expected.files),
            "own_files": len(expected.own),
            "bytes": sum(file.size_bytes for file in expected.files.values()),
            "unverifiable": unverifiable - len(doubtful.untold),
        }
        names = finding_names(expected.files.keys() | stored.keys()) if self.looked.narrowed else frozenset()
        outcomes = {Aspect.FILES: Looked(findings, counts), Aspect.BYTES: read}
        return FilesChecked(
            outcomes={at: replace(one, names=one.names or names) for at, one in outcomes.items()},
            wanted={**expected.files, **wanted},
            there=stored,
            omissions=[
                *(Omission(step.source, f"file {path}", MADE_BY_OTHERS) for path in sorted(others)),
                *self._lost_since(step.source, expected),
            ],
        )

    def _is_of(self, step: Step, path: str, expected: ExpectedFiles) -> bool:
        """Among files that reused steps show too: theirs are a folder by their id, the rest is its own run's.

        A folder of no step that shows this run's files is the run's own: nobody else would look at it.
        """
        planned = path in expected.files or path in expected.omitted
        if path.startswith(ASSETS_FOLDER) and not planned:
            return False  # compared with the asset that they are
        if path in expected.left_out or (not planned and self._is_beside(path)):
            return False
        if step.lender:
            return path.startswith(own_path(step.run.id, ""))
        borrower = RunId(path.removeprefix(FOLDER).partition("/")[0])
        return not path.startswith(FOLDER) or not self._borrows(borrower, step.source)

    def _is_beside(self, path: str, known: StoredFile | None = None) -> bool:
        """True for a file that is not looked at now; whether its size is chosen is not known by its path alone."""
        if known is not None:
            return self.looked.refusal(path, known.size_bytes) is not None
        return self.looked.narrowed and (self.looked.most_bytes is not None or self.looked.refusal(path, 0) is not None)

    def _borrows(self, there: RunId, lender: RunId) -> bool:
        run = self.archive.run(self.ledger.source_id(there))
        return run is not None and run.lender == lender

    def _strange_entries(
        self, step: Step, expected: ExpectedFiles, indexed: Mapping[str, Location], stored: Mapping[str, StoredFile]
    ) -> Iterator[Finding]:
        """Entries under the names of omissions that no replay makes: they lead to bytes that nobody compares here.

        The entry of a file comes before its bytes, so one that was refused, or lost them on the way, may have its own.
        """
        for path in sorted(indexed.keys() & expected.omitted.keys()):
            artifact = expected.omitted[path]
            own = self.target.place(step.lender.there if step.lender else step.run.id, path)
            begun = path in step.refused_files or artifact is None or artifact.stored is None
            allowed = {stored[path].location} if path in stored else {own} if begun else set()
            if artifact and artifact.location.datastore != own.datastore:
                allowed.add(artifact.location)  # as `attach` makes them
            if indexed[path] not in allowed:
                yield Finding(step.source, f"file {path}: index entry", "extra", "", str(indexed[path]))

    async def _attached(
        self, step: Step, expected: ExpectedFiles, indexed: Mapping[str, Location], stored: Mapping[str, StoredFile]
    ) -> dict[str, StoredFile]:
        """Files whose entries lead to where the source's do (attach.py): as that datastore of the target shows them."""
        found: dict[str, StoredFile] = {}
        own = self.target.place(step.run.id, "").datastore
        for path, artifact in expected.origins.items():
            if path in stored or artifact.location.datastore == own or indexed.get(path) != artifact.location:
                continue
            try:
                there = await self.target.stored_file(artifact.location)
            except Rejected:
                there = None  # the target has no such datastore: the file is absent
            found |= {path: there} if there is not None else {}
        return found

    def _of_others(self, step: Step, there: Set[str]) -> set[str]:
        """Files that another archive's replay made for the run: this one never sent them, and expects them no less."""
        return {path for path in step.made_by_others() & there if not self.ledger.receipt(step.source, FileItem(path))}

    def _lost_since(self, run: RunId, expected: ExpectedFiles) -> Iterator[Omission]:
        """What the target has beyond the archive. Where nobody looked at the source, nothing disappeared there."""
        if expected.lost:
            reason = SENT_BEFORE if self.archive.lacks(run, FILES_LEFT_OUT) else GONE_REASON
            yield from (Omission(run, f"file {name}", reason) for name in sorted(expected.lost.values()))

    def _lost(self, step: Step, known: Set[str], names: Mapping[str, str]) -> dict[str, StoredFile]:
        """Files that were sent and that the archive does not know, or not with their bytes; as they were sent."""
        receipts = self.ledger.receipts(step.source)
        sent = {item.path for item, one in receipts.items() if isinstance(item, FileItem) and one.state is State.SENT}
        lost = {path: self.ledger.sent_file(step.source, path) for path in sent if path in names or path not in known}
        return {
            path: file
            for path, file in lost.items()
            if file is not None and not self.looked.refusal(names.get(path, path), file.size_bytes)
        }

    def _expected(self, step: Step, left_out: set[str]) -> ExpectedFiles:
        files: dict[str, StoredFile] = {}
        origins: dict[str, Artifact] = {}
        names: dict[str, str] = {}
        omitted: dict[str, Artifact | None] = dict.fromkeys(step.refused_files)
        for one in step.planned_files(self.archive):
            if one.artifact is None:
                continue
            stored = one.artifact.stored and self.archive.described(one.artifact.stored)
            if stored is None:
                names[one.path] = one.artifact.path
            if self._is_beside(one.artifact.path, stored):
                left_out.add(one.path)
            elif one.omission:
                omitted[one.path] = replace(one.artifact, stored=stored)
            elif stored:
                files[one.path], origins[one.path] = stored, one.artifact
        payloads = {path: payload_of(one.stored) for path, one in origins.items() if one.stored}
        for made in made_files(self.archive, step):
            files[made.path], payloads[made.path] = as_stored(made), payload_of_made(made)
            if self.deep and self.supply is not None and isinstance(made, HeldFile):
                self.supply.check(made)
        lost = self._lost(step, files.keys() | left_out | omitted.keys(), names)
        out = frozenset(left_out - files.keys() - lost.keys())
        beside = {path: one for path, one in omitted.items() if path and path not in out | files.keys() | lost.keys()}
        called = {path: names.get(path, path) for path in lost}
        return ExpectedFiles({**lost, **files}, origins, called, beside, out, payloads)

    def _doubtful(self, run: RunId, expected: ExpectedFiles, there: Mapping[str, StoredFile]) -> Doubtful:
        as_sent, tells = AsSent(self.ledger, self.target), partial(self._tells, expected)
        return Doubtful.of(as_sent, run, expected.files, there, payloads=expected.payloads, tells=tells)

    def _tells(self, expected: ExpectedFiles, path: str) -> bool:
        """True where it is known, or can be read, which MD5 a file should have."""
        origin = expected.at_source.get(path)
        if origin is None or self.supply is None:
            return expected.files[path].md5 is not None
        return self.supply.tells(origin)

    async def _read(
        self, run: RunId, expected: ExpectedFiles, stored: Mapping[str, StoredFile], doubtful: Doubtful
    ) -> Looked:
        """Bytes of all files, or of those that are to be read back: of some a part is found, which proves no more."""
        origins = expected.at_source
        paths = (expected.files.keys() | origins.keys()) & stored.keys()
        if self.supply is None:
            return Looked()
        paths -= doubtful.untold
        if not self.deep:
            unread = self.ledger.unread(run, (_of_bytes(path) for path in expected.files))
            paths = {path for path in paths if _of_bytes(path) in unread}
            paths -= {path for path in paths & origins.keys() if not self.supply.tells(origins[path])}
            paths |= doubtful.read
            gone = unread - {_of_bytes(path) for path in stored}  # the list of files has findings about these
            if not (paths or gone):
                return Looked()
            found = await self._bytes(run, expected, stored, sorted(paths), doubtful)
            return replace(found, part=True, names=gone | finding_names(paths))
        return await self._bytes(run, expected, stored, sorted(paths), doubtful)

    async def _bytes(
        self,
        run: RunId,
        expected: ExpectedFiles,
        stored: Mapping[str, StoredFile],
        paths: Sequence[str],
        doubtful: Doubtful,
    ) -> Looked:
        """Of a file that is in the source no more, and of whose bytes nobody kept a checksum, what was found stands.

        Unless somebody has written there since: then it is his until its bytes say otherwise.
        """
        found: list[Finding] = []
        unknown = 0
        for path in paths:
            md5 = await self._md5(expected, path, forced=path not in doubtful.touched)
            if md5 is None and path in doubtful.touched:
                found += [*self._known(run, path)] or [written_since(run, path)]
            elif md5 is None and path in expected.lost:
                unknown += 1
                found += self._known(run, path)
            else:
                differing = await compare_bytes(self.target, run, path, md5 or b"", stored[path].location)
                found += differing
                origin = expected.origins.get(path)
                if differing and origin and origin.stored:
                    note_outdated(self.ledger, run, path, origin.stored, as_read(stored[path], differing[0]))
                if not differing and md5 and path in doubtful.stale:
                    now = replace(expected.files[path], md5=md5)
                    self._keep_proven(run, path, expected.payloads[path], now, stored[path])
                elif not differing and md5:
                    self._keep_md5(run, path, md5)
        return Looked(found, {"unverifiable": unknown})

    async def _md5(self, expected: ExpectedFiles, path: str, *, forced: bool) -> bytes | None:
        """Of what should be there; `forced`: raises UserError where only the source could tell, and nobody named it."""
        origin = expected.at_source.get(path)
        if origin is None or self.supply is None:
            return expected.files[path].md5
        return await self.supply.md5(origin) if forced or self.supply.tells(origin) else None

    def _known(self, run: RunId, path: str) -> Iterator[Finding]:
        """What an earlier look found about a file's bytes."""
        names = finding_names([path])
        return (one for one in self.ledger.findings_of(Topic(Way.RUN, run), Aspect.BYTES) if one.what in names)

    def _keep_proven(self, run: RunId, path: str, payload: Payload, now: StoredFile, there: StoredFile) -> None:
        """What was sent before its source changed is what that has now: it need not be sent again, nor doubted."""
        self.ledger.put_sent_files(run, {path: now})
        self.ledger.mark(run, {FileItem(path): replace(payload, detail=there.etag)}, State.SENT, durable=False)

    def _keep_md5(self, run: RunId, path: str, md5: bytes) -> None:
        """Of a file without a checksum that was read on both sides: the source may lose it, and the target's not."""
        sent = self.ledger.sent_file(run, path)
        if sent is not None and sent.md5 is None and self.ledger.receipt(run, FileItem(path)):
            self.ledger.put_sent_files(run, {path: replace(sent, md5=md5)})


def written_since(run: RunId, path: str) -> Finding:
    """The finding about a file at whose place somebody wrote, where nobody can tell what it should hold."""
    return Finding(run, f"file {path}: bytes", Fate.EDITED.value, AS_SENT, WRITTEN_SINCE)


def sent_before(run: RunId, path: str) -> Finding:
    """The finding about a file that changed at the source since, where nobody can tell its bytes now."""
    return Finding(run, shown(f"file {path}"), "differs", AS_NOW, SENT_BEFORE_IT_CHANGED)


def _of_bytes(path: str) -> str:
    """What a finding about its bytes is called, as an archive keeps it."""
    return redact.text(f"file {path}: bytes")


def _compare_index(
    run: RunId, expected: ExpectedFiles, indexed: Mapping[str, Location], stored: Mapping[str, StoredFile]
) -> Iterator[Finding]:
    """An entry for every file, that leads to its bytes; and none that leads nowhere."""
    for path in sorted(expected.files):
        if path not in indexed:
            yield Finding(run, f"file {path}: index entry", "absent", path, "")
        elif path in stored and indexed[path] != stored[path].location:
            yield Finding(run, f"file {path}: index entry", "differs", str(stored[path].location), str(indexed[path]))
    for path in sorted(indexed.keys() - expected.files.keys() - expected.omitted.keys() - stored.keys()):
        yield Finding(run, f"file {path}: index entry", "extra", "", path)
