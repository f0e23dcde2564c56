"""Jobs that have ended, read back and compared with the trees that were submitted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.comparison.files import compare_files, finding_names
from azureml_replay.comparison.rows import compare_points
from azureml_replay.comparison.runs import compare_visibility
from azureml_replay.comparison.three_way import GONE_REASON
from azureml_replay.counting import counted
from azureml_replay.errors import NotFound
from azureml_replay.files.bytes import Supply
from azureml_replay.model import Experiment, Finding, Omission, Points, Run, RunId, Series, SeriesKey, StoredFile
from azureml_replay.planning import lineage
from azureml_replay.progress import SILENT, Progress
from azureml_replay.synthetic.expected import ExpectedRun, as_kept, differences, expected_of
from azureml_replay.synthetic.found import Found, found
from azureml_replay.synthetic.mend import gone, sent_texts
from azureml_replay.synthetic.options import Shape, former_roots, job_of, jobs_put, trees_of
from azureml_replay.synthetic.plan_digest import PlanDigest, as_laid, as_submitted, is_same
from azureml_replay.synthetic.refused import JobRefusals, RefusedRows, RefusedValues, omission_of
from azureml_replay.synthetic.staging.documents import MADE_FOR_JOBS
from azureml_replay.synthetic.staging.manifest import WRITTEN_BY_STEP, LaidFile, Layout, scalars
from azureml_replay.synthetic.staging.stage import layout_of, left_behind
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.verification.proof import Proof, compare_bytes, once_settled
from azureml_replay.verification.wording import PLAN_CHANGED
from azureml_replay.workers import for_each
from azureml_replay.workspace.limits import LISTED_AT_ONCE
from azureml_replay.workspace.put_files import HeldFile
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target


async def verify_jobs(
    proof: Proof,
    target: Target,
    roots: Iterable[RunId],
    *,
    source: Source | None = None,
    width: int = 32,
    progress: Progress = SILENT,
) -> None:
    """Compare each job that was submitted for one of `roots` with its originals, as it is planned now.

    Writes to the archive of `proof` only. Where the bytes of files are looked at and storage told no MD5, those of the
    archive or of the `source` are read too. Raises Unavailable, Rejected, IntegrityError.
    """
    refusals = JobRefusals(proof.archive, proof.ledger, target)
    deep = Supply(proof.archive, source) if proof.deep else None
    check = JobCheck(proof, target, refusals, deep, former_roots(proof.archive, proof.ledger))

    async def one(planned: tuple[Tree, Shape]) -> None:
        job = job_of(proof.ledger, planned[0].root)
        await check.check(planned[0], job, planned[1])
        progress.done("jobs verified")

    await for_each(trees_of(proof.archive, proof.ledger, roots, None), one, width)
    await check.verify_homes(width)


@dataclass(slots=True)
class _Gathered:
    """What was found of one original, which may have two runs: its own and the one of its own values."""

    outcomes: dict[Aspect, Looked] = field(default_factory=dict)
    omissions: list[Omission] = field(default_factory=list)

    def add(self, aspect: Aspect, outcome: Looked) -> None:
        known = self.outcomes.get(aspect, Looked())
        counts = Counter(known.counts)
        counts.update(outcome.counts)
        findings = [*known.findings, *outcome.findings]
        self.outcomes[aspect] = Looked(findings, dict(counts), names=known.names | outcome.names)


@dataclass(slots=True)
class JobCheck:
    """Compares one tree at a time."""

    proof: Proof
    target: Target
    refusals: JobRefusals
    deep: Supply | None = None
    """Given: read every byte, the archive's or the source's too where storage told no MD5."""
    former: Mapping[RunId, Sequence[RunId]] = field(default_factory=dict)
    """As `former_roots` gives them: no job that was put for one may be seen beside its root's."""
    changed: dict[RunId, int] = field(default_factory=dict)
    """Root runs whose job was submitted with another plan -> container starts that it takes to submit it anew."""
    standing: dict[str, dict[RunId, str]] = field(default_factory=dict)
    """Experiment -> root run -> its job, of those that were checked."""

    @property
    def archive(self) -> Archive:
        """Whose histories the jobs are to hold."""
        return self.proof.archive

    async def verify_homes(self, width: int) -> None:
        """Look at the experiments of the jobs that were checked: none may hide them, nor have one of them twice.

        A job makes its experiment and carries nothing of it: whose runs stand there too is compared with those.
        """
        await for_each(sorted(self.standing), self._home, min(width, LISTED_AT_ONCE))

    async def _home(self, name: str) -> None:
        jobs = self.standing[name]
        there, planned = await self.target.experiment(name), self.archive.experiment(name)
        hidden = list(compare_visibility(planned, there)) if there is not None and planned is not None else []
        twice = [one async for one in self._twice(there, jobs)] if there is not None else []
        self.proof.record(Topic(Way.HOME, name), {Aspect.FIELDS: Looked(hidden), Aspect.CHILDREN: Looked(twice)})

    async def _twice(self, home: Experiment, jobs: Mapping[RunId, str]) -> AsyncIterator[Finding]:
        """Jobs beside those that stand for a run: others that do, and copies, which take what the job says along."""
        stand = set(jobs.values())
        async for page in self.target.runs(home):
            for run in page:
                root = lineage.origin(run)
                if root is None or run.hidden or run.parent or run.id in stand:
                    continue
                unit = root if root in jobs else self.archive.unit_of(root)
                put = jobs_put(self.proof.ledger, root)
                standing = {*put, jobs[root]} if root in jobs else {*put}
                if unit in jobs and run.id not in put and (words := self._beside(run, root, standing)):
                    yield Finding(RunId(""), f"job {run.id}", "extra", "", words)

    def _beside(self, run: Run, root: RunId, jobs: Collection[str]) -> str | None:
        """What a job has to do with a root and its `jobs`, in words; None for nothing."""
        if lineage.is_our_job(run, self.archive.source, root):
            return f"stands for {root} too"
        copied = (replace(run, id=RunId(name)) for name in sorted(jobs))
        name = next((one.id for one in copied if lineage.is_our_job(one, self.archive.source, root)), None)
        return name and f"a copy of {name}, the job that stands for {root}"

    async def check(self, tree: Tree, job: str | None, shape: Shape) -> int:
        """The number of findings, which are recorded. `job` None: nothing was submitted. Raises Unavailable."""
        if job is not None:
            self.standing.setdefault(tree.experiment, {})[tree.root] = job
        held = await found(self.target, tree, job) if job else Found()
        for planned in expected_of(tree):
            self._remember(planned, held.runs.get(planned.key))
        gathered = await self._compared(tree, held, job, shape)
        beside = [
            Finding(tree.root, f"job {one.id}", "extra", "", f"stands for {run} too")
            for run, jobs in (await self.of_former(tree.root)).items()
            for one in jobs
        ]
        gathered[tree.root].add(Aspect.CHILDREN, Looked(beside))
        for original, one in gathered.items():
            self.proof.record(Topic(Way.JOB, original), one.outcomes, one.omissions)
        return sum(len(outcome.findings) for one in gathered.values() for outcome in one.outcomes.values())

    async def look(self, tree: Tree, job: str, shape: Shape) -> tuple[Found, dict[Aspect, list[Finding]]]:
        """What is there of a job, and every finding about it; none is recorded. Raises Unavailable, Rejected."""
        held, findings = await found(self.target, tree, job), dict[Aspect, list[Finding]]()
        for one in (await self._compared(tree, held, job, shape)).values():
            for aspect, outcome in one.outcomes.items():
                findings.setdefault(aspect, []).extend(outcome.findings)
        return held, findings

    async def _compared(self, tree: Tree, held: Found, job: str | None, shape: Shape) -> Mapping[RunId, _Gathered]:
        """Of each original what differs of its runs."""
        gathered: defaultdict[RunId, _Gathered] = defaultdict(_Gathered)
        theirs = job is not None and job not in jobs_put(self.proof.ledger, tree.root)
        for omission in tree.all_omissions():
            gathered[omission.run].omissions.append(omission)
        plan, sent = PlanDigest(self.archive, tree), sent_texts(self.proof.ledger, tree, job or "")
        refused = await self.refusals.learn(tree, held, job, shape.files) if job is not None else {}
        for planned in expected_of(tree):
            run, values = held.runs.get(planned.key), refused.get(planned.key, RefusedValues())
            wanted, lost = values.without(planned, run) if run is not None else (planned, [])
            gathered[wanted.source].omissions += lost
            laid = (
                layout_of(self.archive, self.proof.ledger, wanted.leaf, shape.files)
                if wanted.leaf is not None
                else None
            )
            compared = _without_made(laid) if laid is not None and theirs else laid
            await self._gather(wanted, values, held, compared, gathered[wanted.source], theirs=theirs)
            if run is not None:
                texts = sent.get(wanted.source, {}).get(wanted.slot, {})
                _leave_gone(wanted, gone(wanted, run, texts), gathered[wanted.source])
            if laid is not None and wanted.leaf is not None and wanted.step is not None:
                plan.add(wanted.leaf, laid)
                gathered[wanted.source].omissions += left_behind(self.archive, wanted.step, laid, shape.files)
        if held.runs:
            gathered[tree.root].add(Aspect.FIELDS, Looked(self._changed(tree, plan.digest(), theirs=theirs)))
        extra = [Finding(tree.root, f"run {run.id}", "extra", "", _told(run)) for run in held.extra]
        gathered[tree.root].add(Aspect.CHILDREN, Looked(extra))
        return gathered

    async def of_former(self, root: RunId) -> Mapping[RunId, Sequence[Run]]:
        """Run -> jobs that stand for it beside its root's: they were put while it was a root, and people see them."""
        found: dict[RunId, list[Run]] = {}
        for run in self.former.get(root, ()):
            details = await self.target.details(jobs_put(self.proof.ledger, run))
            runs = [one.run for one in details.values() if not one.run.hidden]
            found[run] = [one for one in runs if lineage.is_our_job(one, self.archive.source, run)]
        return found

    def _changed(self, tree: Tree, plan: bytes, *, theirs: bool) -> list[Finding]:
        before = as_submitted(self.archive, self.proof.ledger, tree)
        if before is None or is_same(before, plan, theirs=theirs):
            return []
        starts = sum(1 for _ in tree.leaves())
        self.changed[tree.root] = starts
        expected = f"as planned now, {counted(starts, 'container start')}"
        return [Finding(tree.root, "plan of the job", PLAN_CHANGED, expected, "as it was submitted")]

    def _remember(self, wanted: ExpectedRun, run: Run | None) -> None:
        """Which run stands for which original. A `self` stands for nobody."""
        known = job_of(self.proof.ledger, wanted.source)
        if run is not None and known != run.id and (wanted.leaf is None or wanted.leaf.kind == "leaf"):
            self.proof.ledger.mark(wanted.source, [RunItem.JOB], State.SENT, run.id)

    async def _gather(
        self,
        wanted: ExpectedRun,
        refused: RefusedValues,
        held: Found,
        laid: Layout | None,
        into: _Gathered,
        *,
        theirs: bool,
    ) -> None:
        """`theirs`: another archive put the job, and made files for it that this one may not know."""
        for aspect in (Aspect.FIELDS, Aspect.POINTS, Aspect.FILES, Aspect.BYTES):
            into.add(aspect, Looked())
        run = held.runs.get(wanted.key)
        if run is None:
            absent = Finding(wanted.source, f"{wanted.what}run", "absent", wanted.display_name, "")
            into.add(Aspect.FIELDS, Looked([absent]))
            return
        into.add(Aspect.FIELDS, Looked([*differences(wanted, run, held.parent(wanted.key))]))
        into.add(Aspect.POINTS, await self._points(wanted, refused, run, into))
        if self.proof.files.artifacts:
            # The original's files are in its leaf, or in the run of its own values: a parent's run has none.
            await self._files(wanted, laid.files if laid is not None else (), run, into, theirs=theirs)

    # Points

    async def _points(self, wanted: ExpectedRun, refused: RefusedValues, run: Run, into: _Gathered) -> Looked:
        differing, (sent, lost) = await once_settled(self.target, run, lambda: self._points_now(wanted, refused, run))
        into.omissions += lost
        return Looked(differing, {"points": sent})

    async def _points_now(
        self, wanted: ExpectedRun, refused: RefusedValues, run: Run
    ) -> tuple[list[Finding], tuple[int, list[Omission]]]:
        """Where the original logged nothing, its step is None, and so should the run have."""
        step, rows = wanted.step, RefusedRows(refused)
        there = {series.key.name: series for series in await self.target.series(run.id)}
        differing, sent = list[Finding](), 0
        for name, pieces in scalars(self.archive, step) if step is not None else ():
            mine = list(as_kept(row for points in pieces for row in points.rows()))
            actual = there.pop(name, None)
            theirs = [row for points in await self._rows(run, actual) for row in points.rows()] if actual else []
            mine = rows.left(name, mine, list(as_kept(theirs)))
            shape = Series(key=SeriesKey(wanted.what + name), columns=((name, "Double"),))
            differing += compare_points(mine, as_kept(theirs), shape, run=wanted.source)
            sent += len(mine)
        differing += [Finding(wanted.source, f"{wanted.what}metric {name}", "extra", "", "rows") for name in there]
        return differing, (sent, [omission_of(wanted, *one) for one in rows.omissions])

    async def _rows(self, run: Run, series: Series) -> list[Points]:
        try:
            return [points async for points in self.target.points(run.id, series)]
        except NotFound:
            return []

    # Files

    async def _files(
        self, wanted: ExpectedRun, laid: Sequence[LaidFile], run: Run, into: _Gathered, *, theirs: bool
    ) -> None:
        """What lies below `outputs/` of the run; its logs are the replaying job's own."""
        laid = [file for file in laid if not self._is_beside(file)]
        stored: dict[str, StoredFile] = {}
        async for page in self.target.stored(run.lender or run.id):
            stored |= {one.path: one.stored for one in page if one.stored}
        expected = {file.to for file in laid}
        made = (*WRITTEN_BY_STEP, *(MADE_FOR_JOBS if theirs else ()))
        ours = {
            path: file
            for path, file in stored.items()
            if path in expected or (path.startswith("outputs/") and path not in made and not self._narrowed)
        }
        differing, unverifiable = compare_files(wanted.source, ((file.to, as_laid(file)) for file in laid), ours)
        counts = {
            "files": len(laid),
            "own_files": sum(file.made is not None for file in laid),
            "bytes": sum(file.size_bytes for file in laid),
            "unverifiable": unverifiable,
        }
        names = finding_names(expected | ours.keys(), wanted.what) if self._narrowed else frozenset()
        into.add(Aspect.FILES, Looked([_named(finding, wanted) for finding in differing], counts, names=names))
        if self.deep is not None:
            read = await self._bytes(wanted, laid, ours, self.deep)
            into.add(Aspect.BYTES, Looked([_named(finding, wanted) for finding in read], names=names))

    @property
    def _narrowed(self) -> bool:
        return self.proof.files.narrowed

    def _is_beside(self, file: LaidFile) -> bool:
        """True for a file of the source's that is not looked at now."""
        return file.artifact is not None and self.proof.files.refusal(file.artifact.path, file.size_bytes) is not None

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


def _leave_gone(wanted: ExpectedRun, names: Iterable[str], into: _Gathered) -> None:
    """What the source lost since it was sent is an omission, not a finding: nothing is ever removed."""
    whats, fields = {wanted.what + redact.text(name) for name in names}, into.outcomes[Aspect.FIELDS]
    left = [one for one in fields.findings if one.kind == "extra" and one.what in whats]
    into.outcomes[Aspect.FIELDS] = replace(fields, findings=[one for one in fields.findings if one not in left])
    into.omissions += [Omission(wanted.source, one.what, GONE_REASON) for one in left]


def _named(finding: Finding, wanted: ExpectedRun) -> Finding:
    return replace(finding, what=wanted.what + finding.what)


def _told(run: Run) -> str:
    """What a run that nobody sent says of itself."""
    return f"child of {run.parent}, {run.display_name or 'without a name'}"


def _without_made(laid: Layout) -> Layout:
    """The layout of a job that another archive put: which files are made for it depends on what that one holds."""
    return replace(laid, files=tuple(file for file in laid.files if file.to not in MADE_FOR_JOBS))
