"""Submits one job for one tree, never two that both run. May be killed and repeated at any moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import JobItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import Rejected, Uncertain
from azureml_replay.model import TERMINAL, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.progress import Progress
from azureml_replay.synthetic.bodies.graph import JobPlace, Submission, submission
from azureml_replay.synthetic.bodies.known_graphs import Graphs, renamed
from azureml_replay.synthetic.expected import DISPLAY_NAME, expected_of
from azureml_replay.synthetic.options import SENT, Shape, carry, jobs_put, remember, shape_of
from azureml_replay.synthetic.originals import Originals
from azureml_replay.synthetic.plan_digest import PROPERTY, is_same, plan_digest, planned
from azureml_replay.synthetic.refused import JobRefusals, RefusedValue
from azureml_replay.synthetic.staging.stage import Stage, uri_of
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.target.lease import hold, is_held
from azureml_replay.workspace.jobs import JobState, Submitter
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.mark import is_taken_back
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Refused

Told: TypeAlias = "Callable[[RunId, RunId], None]"
"""Called with a root run and the name of its job."""
ENDED_BADLY = frozenset({"Failed", "Canceled"})
CONFLICT = 409
"""The status with which a name is refused that nobody has: that of a deleted job, in the sandbox."""
NAMES_AT_ONCE = 10
"""Names of one job that are tried in one call before the refusal is taken for one of another kind."""


class NameGone(Exception):
    """Raised where a name is refused though the workspace has no job of it: `refusal` has the service's words."""

    def __init__(self, refusal: Rejected) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """The job that stands for a root run."""

    job: RunId
    older: tuple[RunId, ...] = ()
    """Jobs of ours that it was submitted in place of: they are archived once it has completed."""


@dataclass(frozen=True, slots=True)
class _There:
    ours: Sequence[JobState]
    """Jobs of ours that did not end badly, the newest last."""
    free: str | None
    """A name for the next one; None where nobody looked that far."""


@dataclass(slots=True)
class Submit:
    """Submits the jobs of trees to one workspace."""

    archive: Archive
    ledger: TargetLedger
    submitter: Submitter
    place: JobPlace
    stage: Stage
    graphs: Graphs
    progress: Progress
    told: Told
    """Hears of each job that is put."""
    refusals: JobRefusals
    originals: Originals | None = None
    """What the jobs are to name of the originals' environments and data; None: nothing."""
    anew: Collection[RunId] = ()
    """Root runs whose job is submitted anew unless it is as planned now."""
    submitted: int = 0
    taken_back: set[RunId] = field(default_factory=set)
    """Root runs whose job `undo` archived, of whichever archive."""

    async def job_of(self, tree: Tree, shape: Shape) -> SubmittedJob:
        """Submit the tree's job unless it is there. Repeatable. Raises Unavailable, Rejected.

        A job that failed or was canceled is submitted anew under another name: the service keeps the old one. So is one
        that was deleted, by whomever, where the service takes its name never again.
        """
        gone: list[str] = []
        while True:
            held = is_held(self.submitter)
            there = await self._look(tree, gone)
            names = [RunId(one.name) for one in there.ours]
            if there.ours and self._stays(tree, shape, there.ours[-1]):
                self._void(tree, gone)
                self._note(tree, shape, there.ours[-1])
                return SubmittedJob(names[-1], tuple(names[:-1]))
            if held and there.free is not None:
                if await self._submit_as(there.free, tree, shape, gone):
                    self._void(tree, gone)
                    return SubmittedJob(RunId(there.free), tuple(names))
                continue
            await hold(self.submitter)  # and look again: somebody else might have put it until then

    async def _submit_as(self, name: str, tree: Tree, shape: Shape, gone: list[str]) -> bool:
        """False for a name that is gone, which is added to those."""
        try:
            await self._submit(tree, shape, name)
        except NameGone as error:
            gone.append(name)
            if len(gone) == NAMES_AT_ONCE:
                raise error.refusal from error
            return False
        return True

    def _void(self, tree: Tree, gone: Collection[str]) -> None:
        """Only once a later name was taken it is sure that the refusal was about these."""
        if gone:
            self.ledger.void_names(tree.root, gone)

    async def _look(self, tree: Tree, refused: Collection[str]) -> _There:
        """Name by name. The first that stands is the newest, unless it was archived or the ledger has a later one."""
        gone = frozenset([*self.ledger.names_gone(tree.root), *refused])
        put, ours = set(jobs_put(self.ledger, tree.root)) - gone, list[JobState]()
        for name in names(tree):
            if name in gone:
                continue  # the service may take the name of a deleted job never again
            found = await self.submitter.job(name)
            if found is None:
                return _There(ours, name)
            put.discard(RunId(name))
            if is_ours(found, self.archive.source, tree.root) and found.status not in ENDED_BADLY:
                ours.append(found)
                if tree.root not in self.anew and not found.archived and not put:
                    break
        return _There(ours, None)

    def _stays(self, tree: Tree, shape: Shape, found: JobState) -> bool:
        """False for a job to be replaced; not while it runs, as it reads what would be staged anew."""
        if tree.root not in self.anew or found.status not in TERMINAL:
            return True
        theirs = RunId(found.name) not in jobs_put(self.ledger, tree.root)
        return is_same(plan_of(found) or b"", plan_digest(self.archive, self.ledger, tree, shape.files), theirs=theirs)

    def _note(self, tree: Tree, shape: Shape, found: JobState) -> None:
        """That a job stands, which another archive may have put; it says itself with which plan."""
        told, receipt = plan_of(found), self.ledger.receipt(tree.root, RunItem.SHAPE)
        if receipt is None or (told is not None and receipt.digest != told):
            remember(self.ledger, tree.root, shape_of(self.ledger, tree.root) or shape, told)
        self._leave_behind(tree, found.name)
        carry(self.ledger, tree, shape, found.name, sending=False)
        self.ledger.mark(tree.root, [RunItem.JOB], State.SENT, found.name)
        self.ledger.forget(tree.root, [RunItem.JOB_DELETED])
        if is_taken_back(_run_of(found)):
            self.taken_back.add(tree.root)
        self.progress.done("jobs there already")

    def _leave_behind(self, tree: Tree, name: str) -> None:
        """Where another job stood for the root run until now: its runs stand for nothing any more."""
        known = self.ledger.receipt(tree.root, RunItem.JOB)
        if known is not None and known.detail != name:
            for run in {node.source for node in tree.walk()} - {tree.root}:
                self.ledger.forget(run, [RunItem.JOB])

    async def _submit(self, tree: Tree, shape: Shape, name: str) -> None:
        if self.ledger.receipt(tree.root, RunItem.SHAPE) is None:
            remember(self.ledger, tree.root, shape)
        carry(self.ledger, tree, shape, name, sending=True)
        await self.stage.fill(tree, shape.files)
        told = planned(self.archive, self.ledger, tree, shape.files)  # as staged: a file may have changed at the source
        plan = told.digest()
        for run, files in told.made.items():
            self.ledger.put_sent_files(run, files)
        self._leave_behind(tree, name)
        await self._put(tree, name, plan)
        remember(self.ledger, tree.root, shape, plan)
        self.ledger.mark(tree.root, [RunItem.JOB, JobItem(name)], State.SENT, name)
        self.ledger.forget(tree.root, [RunItem.JOB_DELETED])
        self.submitted += 1
        self.told(tree.root, RunId(name))
        self.progress.done("jobs submitted")

    async def _put(self, tree: Tree, name: str, plan: bytes) -> None:
        """Put the job, whose name was free. One that is refused is put without what may be to blame.

        Texts are written to its runs once it has ended, where what is refused of them is told; properties cannot be.
        """
        refused = await self._put_tree(tree, name, plan)
        if refused is None:
            return
        for less, names_too in ((without_texts(tree), False), (without_names(tree, name), True)):
            self._tell_later(tree, name, names_too=names_too)
            if await self._put_tree(less, name, plan) is None:
                gone = [key for key in tree.properties if key not in less.properties]
                self._dropped(tree, name, [RefusedValue("property", key, refused.reason) for key in gone])
                return
        raise refused.error()

    async def _put_tree(self, tree: Tree, name: str, plan: bytes) -> Refused | None:
        """None, or the refusal where what was sent is to blame. Raises NameGone, Unavailable, Rejected for others.

        Asks again after a lost answer: a PUT on a taken name is an update.
        """
        bodies = await self._bodies(tree)
        marks = {lineage.JOB_PROPERTY: lineage.job_mark(self.archive.source, tree.root, name), PROPERTY: plan.hex()}
        known: dict[str, str] = {}
        try:
            for graph in bodies.graphs:
                known[graph.id] = await self.graphs.id_of(graph, known)
            self.ledger.mark(tree.root, [RunItem.JOB, JobItem(name)], State.SENDING, name)
            await self.submitter.put_job(name, marked(renamed(bodies.body, known), marks))
        except Uncertain:
            if await self.submitter.job(name) is None:
                raise
        except Rejected as error:
            if error.status == CONFLICT and await self.submitter.job(name) is None:
                raise NameGone(error) from error
            refused = Refused.of(error)
            if not refused.of_item:
                raise
            return refused
        return None

    async def _bodies(self, tree: Tree) -> Submission:
        root = uri_of(self.archive, tree.root)
        if self.originals is None:
            return submission(tree, self.place, root)
        places, inputs = await self.originals.places(tree), self.originals.inputs(tree)
        return submission(tree, self.place, root, places=places, inputs=inputs)

    def _tell_later(self, tree: Tree, name: str, *, names_too: bool) -> None:
        """Note that the job goes without these: what its runs then lack is written to them."""
        known: Mapping[RunId, Any] = self.ledger.carried(
            list({node.source for node in tree.walk()} | {tree.root}), Way.JOB
        )
        sent: dict[RunId, dict[str, Any]] = {run: {**one[SENT]} for run, one in known.items() if SENT in one}
        for at, wanted in enumerate(expected_of(tree)):
            texts = sent.get(wanted.source, {}).get(wanted.slot, {})
            if names_too:
                texts = {**texts, DISPLAY_NAME: name if at == 0 else wanted.key.rpartition("/")[2]}
            if at == 0:
                texts = {DISPLAY_NAME: texts.get(DISPLAY_NAME)}
            sent.setdefault(wanted.source, {})[wanted.slot] = texts
        self.ledger.carry({run: {**one, SENT: sent[run]} for run, one in known.items() if run in sent}, Way.JOB)

    def _dropped(self, tree: Tree, name: str, values: Sequence[RefusedValue]) -> None:
        if values:
            self.refusals.keep(next(expected_of(tree)), name, values)


def without_texts(tree: Tree) -> Tree:
    """The tree without what its job's own run can be told later; the tag that people search for stays."""
    return replace(tree, description=None, tags={key: tree.tags[key] for key in tree.tags if key == lineage.TAG})


def without_names(tree: Tree, job: str) -> Tree:
    """The tree with no word of the original's: what it is known by, and what it runs."""
    properties = {key: value for key, value in tree.properties.items() if key == lineage.PROPERTY}
    nodes = tuple(map(_nameless, tree.nodes))
    return replace(without_texts(tree), display_name=job, properties=properties, nodes=nodes)


def _nameless(node: Node) -> Node:
    return replace(node, display_name=node.name, children=tuple(map(_nameless, node.children)))


def plan_of(job: JobState) -> bytes | None:
    """The digest with which a job was submitted, as it says itself; None where an older version put it."""
    plan = job.properties.get(PROPERTY)
    return bytes.fromhex(plan) if plan else None


def names(tree: Tree) -> Iterator[str]:
    """Names to try for a job, the same every time: the original's, one made from it, then numbered ones."""
    yield tree.job_name
    yield tree.fallback_name
    for number in count(2):
        yield f"{tree.fallback_name[: DOCUMENTED.run_id - 6]}-{number}"


def is_ours(job: JobState, source: Place, root: RunId) -> bool:
    """True where synthetic replay put this job for this root run, whichever archive it came from."""
    return lineage.is_our_job(_run_of(job), source, root)


def _run_of(job: JobState) -> Run:
    return Run(id=RunId(job.name), properties=job.properties, tags=job.tags, hidden=job.archived)


def marked(body: Mapping[str, Any], marks: Mapping[str, str]) -> Mapping[str, Any]:
    """The body with the properties by which the job is recognised: properties cannot be changed later."""
    properties = body["properties"]
    return {"properties": {**properties, "properties": {**properties["properties"], **marks}}}
