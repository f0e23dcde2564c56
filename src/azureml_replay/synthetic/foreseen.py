"""What a synthetic replay will do, by what it will itself go by: the ledger, and the digest of each plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.synthetic.mend import lacks
from azureml_replay.synthetic.options import Shape, former_roots, job_of, jobs_put
from azureml_replay.synthetic.plan_digest import as_submitted, is_same, plan_digest
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.tree.summary import LeftJobs


def plan_changed(archive: Archive, ledger: TargetLedger, tree: Tree, shape: Shape) -> bool:
    """True for a tree whose job was submitted with another plan than this one."""
    before = as_submitted(archive, ledger, tree)
    job = job_of(ledger, tree.root)
    theirs = job is not None and job not in jobs_put(ledger, tree.root)
    return before is not None and not is_same(before, plan_digest(archive, ledger, tree, shape.files), theirs=theirs)


@dataclass(slots=True)
class JobsForeseen:
    """Counts trees as they come. Asks nobody, writes nothing."""

    archive: Archive
    ledger: TargetLedger
    resubmit: bool
    """Jobs whose plan changed are submitted anew."""
    left: LeftJobs = field(default_factory=LeftJobs)
    former: Mapping[RunId, Sequence[RunId]] = field(init=False)

    def __post_init__(self) -> None:
        self.former = former_roots(self.archive, self.ledger)

    def add(self, tree: Tree, shape: Shape) -> bool:
        """One more; True where its job is to be submitted. NOT repeatable."""
        left, job = self.left, job_of(self.ledger, tree.root)
        runs = self.former.get(tree.root, ())
        left.beside += sum(self.ledger.receipt(run, RunItem.JOB_UNDONE) is None for run in runs)
        if job is None:
            self._submit(tree)
            return True
        if self.ledger.receipt(tree.root, RunItem.JOB_UNDONE) is not None:
            left.hidden += 1
        changed = plan_changed(self.archive, self.ledger, tree, shape)
        if changed and self.resubmit:
            self._submit(tree)
            return True
        if changed:
            left.changed += 1
            left.starts += sum(1 for _ in tree.leaves())
        left.mend += self._lacks(tree, shape, job)
        left.there += 1
        return False

    def _submit(self, tree: Tree) -> None:
        receipt = self.ledger.receipt(tree.root, RunItem.JOB)
        self.left.unsettled += receipt is not None and receipt.state is State.SENDING
        self.left.add(tree)

    def _lacks(self, tree: Tree, shape: Shape, job: RunId) -> bool:
        return lacks(self.archive, self.ledger, tree, shape.files, job)
