"""Jobs that have ended, read back and compared with the trees that were submitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.comparison.files import compare_files
from azureml_replay.comparison.rows import compare_points
from azureml_replay.errors import NotFound
from azureml_replay.files.bytes import Supply
from azureml_replay.model import Finding, Location, Omission, Points, Run, RunId, Series, SeriesKey, StoredFile
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step
from azureml_replay.progress import SILENT, Progress
from azureml_replay.synthetic.expected import ExpectedRun, as_kept, differences, expected_of
from azureml_replay.synthetic.found import Found, found
from azureml_replay.synthetic.options import Shape, job_of, jobs_put, trees_of
from azureml_replay.synthetic.staging.documents import MADE_FOR_JOBS
from azureml_replay.synthetic.staging.manifest import WRITTEN_BY_STEP, LaidFile, Layout, scalars
from azureml_replay.synthetic.staging.stage import laid_out, left_behind
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.verification.proof import Proof, compare_bytes, once_settled
from azureml_replay.workers import for_each
from azureml_replay.workspace.put_files import HeldFile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target


async def verify_jobs(
    proof: Proof,
    target: Target,
    roots: Iterable[RunId],
    *,
    source: Source | None = None,
    deep: bool = False,
    width: int = 32,
    progress: Progress = SILENT,
) -> None:
    """Compare each job that was submitted for one of `roots` with its originals, as it was planned then.

    Adds to `proof`, and writes to its archive only. `deep` reads the bytes of every file; where storage told no MD5,
    those of the archive or of the `source` too. Raises Unavailable, Rejected, IntegrityError.
    """
    check = JobCheck(proof, target, Supply(proof.archive, source) if deep else None)

    async def one(planned: tuple[Tree, Shape]) -> None:
        job = job_of(proof.ledger, planned[0].root)
        await check.check(planned[0], job, planned[1].files)
        progress.done("jobs verified")

    await for_each(trees_of(proof.archive, proof.ledger, roots, None), one, width)


@dataclass(slots=True)
class JobCheck:
    """Compares one tree at a time."""

    proof: Proof
    target: Target
    deep: Supply | None = None
    """Given: read every byte, the archive's or the source's too where storage told no MD5."""

    @property
    def archive(self) -> Archive:
        """Whose histories the jobs are to hold."""
        return self.proof.archive

    async def check(self, tree: Tree, job: str | None, choice: FileChoice) -> int:
        """The number of findings, which are recorded. `job` None: nothing was submitted. Raises Unavailable."""
        held = await found(self.target, tree, job) if job else Found()
        findings: dict[RunId, list[Finding]] = {}
        omissions: dict[RunId, list[Omission]] = {}
        counts: dict[RunId, Counter[str]] = {}
        theirs = job is not None and job not in jobs_put(self.proof.ledger, tree.root)
        for omission in tree.all_omissions():
            omissions.setdefault(omission.run, []).append(omission)
        for wanted in expected_of(tree):
            self._remember(wanted, held.runs.get(wanted.key))
            counted = counts.setdefault(wanted.source, Counter())
            laid = laid_out(self.archive, wanted.laid, choice) if wanted.laid is not None else None
            compared = _without_made(laid) if laid is not None and theirs else laid
            findings.setdefault(wanted.source, []).extend(await self._of_run(wanted, held, compared, counted))
            if laid is not None and wanted.step is not None:
                omitted = left_behind(self.archive, wanted.step, laid, choice)
                omissions.setdefault(wanted.source, []).extend(omitted)
        for run in {*findings, *omissions}:
            self._record(run, findings.get(run, []), omissions.get(run, []), counts.get(run, Counter()))
        return sum(map(len, findings.values()))

    def _remember(self, wanted: ExpectedRun, run: Run | None) -> None:
        """Which run stands for which original. A `self` stands for nobody."""
        known = job_of(self.proof.ledger, wanted.source)
        if run is not None and known != run.id and (wanted.laid is None or wanted.laid.kind == "leaf"):
            self.proof.ledger.mark(wanted.source, [RunItem.JOB], State.SENT, run.id)

    def _record(
        self, run: RunId, findings: list[Finding], omissions: list[Omission], counted: Mapping[str, int]
    ) -> None:
        self.proof.points += counted.get("points", 0)
        self.proof.files += counted.get("files", 0)
        self.proof.unverifiable += counted.get("unverifiable", 0)
        self.proof.record(run, findings, omissions, counted)

    async def _of_run(
        self, wanted: ExpectedRun, held: Found, laid: Layout | None, counted: Counter[str]
    ) -> list[Finding]:
        """`counted` takes what was compared."""
        run = held.runs.get(wanted.key)
        if run is None:
            return [Finding(wanted.source, f"{wanted.what}run", "absent", wanted.display_name, "")]
        self.proof.runs += 1
        differing = list(differences(wanted, run, held.parent(wanted.key)))
        if wanted.step is not None:
            differing += await self._points(wanted, wanted.step, run, counted)
        if laid is not None:
            differing += await self._files(wanted, laid.files, run, counted)
        return differing

    # Points

    async def _points(self, wanted: ExpectedRun, step: Step, run: Run, counted: Counter[str]) -> list[Finding]:
        differing, sent = await once_settled(self.target, run.id, lambda: self._points_now(wanted, step, run))
        counted["points"] += 0 if differing else sent
        return differing

    async def _points_now(self, wanted: ExpectedRun, step: Step, run: Run) -> tuple[list[Finding], int]:
        there = {series.key.name: series for series in await self.target.series(run.id)}
        differing, sent = list[Finding](), 0
        for name, pieces in scalars(self.archive, step):
            mine = list(as_kept(row for points in pieces for row in points.rows()))
            actual = there.pop(name, None)
            theirs = [row for points in await self._rows(run, actual) for row in points.rows()] if actual else []
            shape = Series(key=SeriesKey(wanted.what + name), columns=((name, "Double"),))
            differing += compare_points(mine, as_kept(theirs), shape, run=wanted.source)
            sent += len(mine)
        differing += [Finding(wanted.source, f"{wanted.what}metric {name}", "extra", "", "rows") for name in there]
        return differing, sent

    async def _rows(self, run: Run, series: Series) -> list[Points]:
        try:
            return [points async for points in self.target.points(run.id, series)]
        except NotFound:
            return []

    # Files

    async def _files(
        self, wanted: ExpectedRun, laid: Sequence[LaidFile], run: Run, counted: Counter[str]
    ) -> list[Finding]:
        """What lies below `outputs/` of the run; its logs are the replaying job's own."""
        stored: dict[str, StoredFile] = {}
        async for page in self.target.stored(run.lender or run.id):
            stored |= {one.path: one.stored for one in page if one.stored}
        mine = {path: file for path, file in stored.items() if path.startswith("outputs/")}
        ours = {path: file for path, file in mine.items() if path not in WRITTEN_BY_STEP}
        if not any(file.to in MADE_FOR_JOBS for file in laid):  # made by another archive, which may hold other things
            ours = {path: file for path, file in ours.items() if path not in MADE_FOR_JOBS}
        differing, unverifiable = compare_files(wanted.source, ((file.to, _stored(file)) for file in laid), ours)
        if self.deep is not None:
            differing += await self._bytes(wanted, laid, ours, self.deep)
        counted["files"] += len(laid)
        counted["unverifiable"] += 0 if self.deep is not None else unverifiable
        self.proof.own_files += sum(file.made is not None for file in laid)
        self.proof.bytes += sum(file.size_bytes for file in laid)
        return [replace(finding, what=wanted.what + finding.what) for finding in differing]

    async def _bytes(
        self, wanted: ExpectedRun, laid: Iterable[LaidFile], there: Mapping[str, StoredFile], supply: Supply
    ) -> list[Finding]:
        differing: list[Finding] = []
        for file in laid:
            if file.to not in there:
                continue
            if isinstance(file.made, HeldFile):
                supply.check(file.made)
            mine = await supply.md5(file.artifact) if file.artifact else file.md5 or b""
            differing += await compare_bytes(self.target, wanted.source, file.to, mine, there[file.to].location)
        return differing


def _without_made(laid: Layout) -> Layout:
    """The layout of a job that another archive put: which files are made for it depends on what that one holds."""
    return replace(laid, files=tuple(file for file in laid.files if file.to not in MADE_FOR_JOBS))


def _stored(file: LaidFile) -> StoredFile:
    """As it should lie there."""
    return StoredFile(location=Location("", file.to), size_bytes=file.size_bytes, md5=file.md5)
