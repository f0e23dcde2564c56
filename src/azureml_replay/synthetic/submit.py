"""Submits one job for one tree, never two that both run. May be killed and repeated at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import Item, JobItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import Uncertain
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.progress import Progress
from azureml_replay.synthetic.bodies.graph import JobPlace, submission
from azureml_replay.synthetic.bodies.known_graphs import Graphs, renamed
from azureml_replay.synthetic.options import Shape, carry, remember
from azureml_replay.synthetic.staging.stage import Stage, uri_of
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.target.lease import hold, is_held
from azureml_replay.workspace.jobs import JobState, Submitter
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.mark import is_taken_back
from azureml_replay.workspace.place import Place

Told: TypeAlias = "Callable[[RunId, RunId], None]"
"""Called with a root run and the name of its job."""
ENDED_BADLY = frozenset({"Failed", "Canceled"})


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
    submitted: int = 0
    taken_back: set[RunId] = field(default_factory=set)
    """Root runs whose job `undo` archived, of whichever archive."""

    async def job_of(self, tree: Tree, shape: Shape) -> str:
        """Submit the tree's job unless it is there; its name. Repeatable. Raises Unavailable, Rejected.

        A job that failed or was canceled is submitted anew under another name: the service keeps the old one.
        """
        for name in names(tree):
            found = await self._job(name)
            if found is None:
                remember(self.ledger, tree.root, shape)
                carry(self.ledger, tree, shape)
                await self.stage.fill(tree, shape.files)
                await self._put(tree, name)
                return name
            if is_ours(found, self.archive.source, tree.root) and found.status not in ENDED_BADLY:
                remember(self.ledger, tree.root, shape)  # another archive may have put it
                carry(self.ledger, tree, shape)
                self.ledger.mark(tree.root, [RunItem.JOB], State.SENT, name)
                if is_taken_back(_run_of(found)):
                    self.taken_back.add(tree.root)
                self.progress.done("jobs there already")
                return name
        raise AssertionError("names never end")

    async def _job(self, name: str) -> JobState | None:
        """Asked again where there is none and somebody else might have put it until the lease was held."""
        held = is_held(self.submitter)
        found = await self.submitter.job(name)
        if found is None and not held:
            await hold(self.submitter)
            found = await self.submitter.job(name)
        return found

    async def _put(self, tree: Tree, name: str) -> None:
        """Put the job, whose name was free; ask again after a lost answer. A PUT on a taken name is an update."""
        bodies = submission(tree, self.place, uri_of(self.archive, tree.root))
        known: dict[str, str] = {}
        for graph in bodies.graphs:
            known[graph.id] = await self.graphs.id_of(graph, known)
        items: list[Item] = [RunItem.JOB, JobItem(name)]
        self.ledger.mark(tree.root, items, State.SENDING, name)
        mark = lineage.job_mark(self.archive.source, tree.root)
        try:
            await self.submitter.put_job(name, marked(renamed(bodies.body, known), mark))
        except Uncertain:
            if await self.submitter.job(name) is None:
                raise
        self.ledger.mark(tree.root, items, State.SENT, name)
        self.submitted += 1
        self.told(tree.root, RunId(name))
        self.progress.done("jobs submitted")


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


def marked(body: Mapping[str, Any], mark: str) -> Mapping[str, Any]:
    """The body with the property by which the job is recognised: properties cannot be changed later."""
    properties = body["properties"]
    return {"properties": {**properties, "properties": {**properties["properties"], lineage.JOB_PROPERTY: mark}}}
