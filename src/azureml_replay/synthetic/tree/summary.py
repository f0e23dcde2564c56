"""What a synthetic replay would do, before anybody logs in: trees, counts, and what it would cost (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from azureml_replay.model import Omission
from azureml_replay.synthetic.tree.nodes import RUN, Node, Tree
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.text import amount

SECONDS_PER_CONTAINER = 60
"""Of compute that one leaf takes: tens of seconds to start on a warm node, and the step itself (synthetic.md 8; a guess
that no live workspace has confirmed)."""


@dataclass(slots=True)
class DryRun:
    """A replay in figures; `add` takes its trees as they come."""

    jobs: int = 0
    runs: int = 0
    """Originals that have a counterpart."""
    containers: int = 0
    """How often a container starts: once a leaf, of which some are a parent's `self`."""
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
    """Values that the limits refuse: kept in files."""
    left_out: int = 0
    """Originals without a counterpart: trials, as a rule."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Omissions by reason, those that are kept in files too."""

    @property
    def compute_hours(self) -> float:
        """Of all nodes together."""
        return self.containers * SECONDS_PER_CONTAINER / 3600

    def cost(self, price_per_hour: float) -> float:
        """In the currency of the price, which is that of one node of the compute."""
        return self.compute_hours * price_per_hour

    def add(self, tree: Tree) -> None:
        """One more job."""
        self.jobs += 1
        self.tags += len(tree.tags)
        self.runs += len({tree.root, *(node.source for node in tree.walk())})
        self.graphs += sum(node.kind == "group" for node in tree.walk())
        for leaf in tree.leaves():
            self._add_leaf(leaf)
        self.omit(tree.all_omissions())

    def omit(self, omissions: Iterable[Omission]) -> None:
        """What jobs will not have; that a leaf's files and metrics are among them tells `stage.left_behind`."""
        for omission in dict.fromkeys(omissions):
            self.left_out += omission.what == RUN
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1

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


def drawn(tree: Tree) -> Branch:
    """The jobs to come: keys, names, what each logs and what it waits for."""
    return Branch(f"{tree.job_name} ({tree.kind} job in {tree.experiment})", tuple(map(_drawn, tree.nodes)))


def _drawn(node: Node) -> Branch:
    role = node.tags.get("automl_role")
    shown = [f"{node.name}: {node.display_name}", *([role] if role else []), *_contents(node)]
    if node.after:
        shown.append(f"after {', '.join(node.after)}")
    return Branch(", ".join(shown), tuple(map(_drawn, node.children)))


def _contents(node: Node) -> Iterator[str]:
    if node.step is None:
        return
    step = node.step
    counts = {"points": step.points, "parameters": len(step.run.parameters), "files": step.files}
    yield from (f"{count:,} {what}" for what, count in counts.items() if count)
    if step.bytes:
        yield amount("bytes", step.bytes)
    refused = len(step.overflow_series) + sum(map(len, step.overflow.values()))
    if refused:
        yield f"{refused:,} values without room"


def hierarchy(tree: Tree) -> Branch:
    """The originals: id, type and status, as `--debug-hierarchy` shows them. A parent's `self` is the parent."""
    originals = tuple(_original(node) for node in tree.nodes if node.source != tree.root)
    left_out = tuple(Branch(f"{one.run} (left out: {one.reason})") for one in tree.omissions if one.what == RUN)
    return Branch(_told(tree.root, tree.display_name, tree.tags), originals + left_out)


def _original(node: Node) -> Branch:
    below = tuple(_original(child) for child in node.children if child.kind != "self")
    return Branch(_told(node.source, node.display_name, node.tags), below)


def _told(run: str, name: str, tags: Mapping[str, str]) -> str:
    told = [tags[key] for key in ("original_type", "original_status", "automl_role") if key in tags]
    return f"{run} [{', '.join(told)}]" + (f" {name}" if name != run else "")
