"""The figures of a synthetic replay before it is done: counts, and what it would cost (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from azureml_replay.model import Omission, StoredFile
from azureml_replay.planning.refused import REFUSED
from azureml_replay.synthetic.tree.nodes import RUN, Node, Tree

SECONDS_PER_CONTAINER = 60
"""Seconds of compute of one leaf: tens of seconds to start on a warm node, and the step itself (synthetic.md 8; a guess
that no live workspace has confirmed)."""


@dataclass(slots=True)
class LeftJobs:
    """What is left to do in a target, by what the ledger says was done there; jobs that failed since are not known."""

    jobs: int = 0
    """To submit; the figures of them follow."""
    containers: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    unsettled: int = 0
    """Of these: jobs that may have been submitted: the target is asked first."""
    there: int = 0
    """Jobs that stand; those to mend and those whose plan changed are among them."""
    mend: int = 0
    """Jobs whose tags, descriptions or names changed since: they are mended where nobody edited them in the target."""
    changed: int = 0
    """Jobs whose plan changed since they were submitted."""
    starts: int = 0
    """Container starts that it takes to submit those anew."""
    beside: int = 0
    """Jobs of runs that have got a parent since: they are archived once the job of that one is complete."""
    hidden: int = 0
    """Jobs that `undo` archived: they are shown again."""

    def add(self, tree: Tree) -> None:
        """Count one more job to submit. NOT repeatable."""
        self.jobs += 1
        for leaf in tree.leaves():
            self.containers += 1
            if leaf.step is not None:
                self.points += leaf.step.points
                self.files += leaf.step.files
                self.bytes += leaf.step.bytes

    def lack(self, files: Collection[StoredFile]) -> None:
        """Take back what was counted of files that a job cannot have. NOT repeatable."""
        self.files -= len(files)
        self.bytes -= sum(one.size_bytes for one in files)


@dataclass(slots=True)
class DryRun:
    """The figures of a synthetic replay; `add` takes its trees as they come."""

    unnamed: dict[str, int] = field(default_factory=dict)
    """Kind of asset (environment, data, model) -> how many the originals name, and their jobs do not."""
    original: bool = False
    """True where jobs were to name what the originals name, as far as it is in the target."""

    jobs: int = 0
    runs: int = 0
    """Originals that have a counterpart."""
    containers: int = 0
    """Starts of containers: one for each leaf, of which some are a parent's `self`."""
    graphs: int = 0
    """Nested pipelines; each shape is registered once."""
    edges: int = 0
    points: int = 0
    parameters: int = 0
    tags: int = 0
    files: int = 0
    bytes: int = 0
    own_files: int = 0
    overflows: int = 0
    """Values that the limits refuse, kept in files."""
    left_out: int = 0
    """Originals without a counterpart: trials, as a rule."""
    items_refused: int = 0
    """Omissions of what the target refused."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Reason -> number of omissions, those kept in files too."""
    waiting: int = 0
    """Jobs that are not among these: a run of theirs, which others stand below, is to be extracted first."""
    left: LeftJobs | None = None
    """What of all this is left to do in the target that was named; None: none was."""

    @property
    def compute_hours(self) -> float:
        """Hours of compute of what is to be submitted, of all nodes together."""
        containers = self.containers if self.left is None else self.left.containers
        return containers * SECONDS_PER_CONTAINER / 3600

    def cost(self, price_per_hour: float) -> float:
        """The cost, in the currency of the price, which is that of one node of the compute for an hour."""
        return self.compute_hours * price_per_hour

    def add(self, tree: Tree) -> None:
        """Count one more job. NOT repeatable."""
        self.jobs += 1
        self.tags += len(tree.tags)
        self.runs += len({tree.root, *(node.source for node in tree.walk())})
        self.graphs += sum(node.kind == "group" for node in tree.walk())
        for leaf in tree.leaves():
            self._add_leaf(leaf)
        self.omit(tree.all_omissions())

    def omit(self, omissions: Iterable[Omission]) -> None:
        """Count what jobs will not have; `stage.left_behind` has a leaf's files and metrics. NOT repeatable."""
        for omission in dict.fromkeys(omissions):
            self.left_out += omission.what == RUN
            self.items_refused += omission.reason.startswith(REFUSED)
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1

    def lack(self, files: Collection[StoredFile]) -> None:
        """As `LeftJobs.lack`. NOT repeatable."""
        self.files -= len(files)
        self.bytes -= sum(one.size_bytes for one in files)

    def _add_leaf(self, leaf: Node) -> None:
        self.containers += 1
        self.edges += len(leaf.after)
        self.tags += len(leaf.tags)
        if leaf.step is None:
            return
        self.points += leaf.step.points
        self.parameters += len(leaf.step.run.parameters)
        self.files += leaf.step.files
        self.bytes += leaf.step.bytes
        self.own_files += len(leaf.step.own_files)
        self.overflows += len(leaf.step.overflow_series) + sum(map(len, leaf.step.overflow.values()))
