"""Plan steps -> the tree of jobs that stands for their unit (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from azureml_replay.model import Omission, Points, Run, RunId, Series, SeriesKey
from azureml_replay.planning import lineage
from azureml_replay.planning.history import Recorded
from azureml_replay.planning.plan import Step
from azureml_replay.synthetic.tree import trials
from azureml_replay.synthetic.tree.definitions import Document, definitions_of, nested_graphs, pick, plain
from azureml_replay.synthetic.tree.edges import Level, graph_in, nodes_of, turns
from azureml_replay.synthetic.tree.fit import SELF_TAG, fitted
from azureml_replay.synthetic.tree.names import fallback_name, job_name, unique
from azureml_replay.synthetic.tree.nodes import RUN, SELF, Edges, Node, Tree
from azureml_replay.synthetic.tree.ports import UP_PORTS
from azureml_replay.synthetic.tree.trials import Goal, TrialChoice
from azureml_replay.workspace.limits import DOCUMENTED, Limits

NO_FLAG = "a child of an AutoML or sweep job: --expand-automl-trials replays it"
NOT_CHOSEN = "a trial that --replay-automl-max-trials leaves out"
NO_NODE = "which node of the original graph it was cannot be told: it waits for nobody, and nobody for it"
UNRANKED = "{}: no trial logged a metric {}: its trials keep the order of their numbers"
BELOW = "below a run that is left out"
DEEPEST = 50
"""Levels of pipelines within pipelines: each is a folder in the places of its files, and all that looks at trees goes
down by calls."""
TOO_DEEP = f"more than {DEEPEST} levels below its root: jobs are not nested further"
Children: TypeAlias = "Mapping[RunId, tuple[Step, Mapping[str, str]]]"
"""Run -> step and the tags that say its role, in the plan's order."""
_GIT = ("mlflow.source.git.", "azureml.git.")


class RecordedWithPoints(Recorded, Protocol):
    """The archive as read here: what planning reads, and the points that rank trials."""

    def series(self, run: RunId) -> Sequence[tuple[Series, int]]:
        """The series of a run, each with its number of rows."""
        ...

    def points(self, run: RunId, key: SeriesKey) -> Iterator[Points]:
        """The rows of one name, piece by piece."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticOptions:
    """Which runs of a unit become jobs."""

    trials: TrialChoice | None = None
    """Which trials of AutoML and sweep parents become nodes; None: such a parent is one node, without children."""
    edges: Edges = "shape"
    limits: Limits = DOCUMENTED


def grow(steps: Iterable[Step], recorded: RecordedWithPoints, options: SyntheticOptions) -> Tree:
    """The tree of one unit. `steps` are those of one unit, parents first, as `plan.plan_unit` gives them.

    Raises ValueError where there is no step.
    """
    root, *others = steps
    growth = _Growth(recorded, options, nested_graphs(recorded, root.source))
    for step in others:
        growth.below.setdefault(step.run.parent or root.source, []).append(step)
    return growth.tree(root)


@dataclass(slots=True)
class _Growth:
    recorded: RecordedWithPoints
    options: SyntheticOptions
    graphs: Mapping[str, Document]
    """ARM id of a nested pipeline's component -> its graph."""
    below: dict[RunId, list[Step]] = field(default_factory=dict)
    """Parent -> children, in the plan's order."""
    omissions: list[Omission] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def tree(self, root: Step) -> Tree:
        whole, level = self.node(root, "", {})
        own = whole.step or whole.children[0].step
        assert own  # noqa: S101  # a group's first child is its self
        nodes = whole.children or (replace(whole, key=SELF),)
        if whole.children and not _logs(own):
            nodes = nodes[1:]
            self.omissions += own.omissions  # a `self` would have told them
        waits = self.waits(level, {leaf.key: leaf.source for node in nodes for leaf in node.walk()})
        return Tree(
            root=root.source,
            job_name=job_name(root.source, self.recorded.source),
            fallback_name=fallback_name(root.source, self.recorded.source),
            kind="pipeline" if whole.children else "command",
            experiment=root.run.experiment,
            display_name=whole.display_name,
            description=root.run.description,
            tags=whole.tags,
            properties=_properties(root.run),
            nodes=tuple(_waiting(node, waits) for node in nodes),
            omissions=tuple(self.omissions),
            remarks=tuple(self.remarks),
        )

    def node(
        self, step: Step, key: str, roles: Mapping[str, str], submitted: Sequence[Document] = ()
    ) -> tuple[Node, Level]:
        """The node of a run with all below it, without edges; and the level that edges are made from.

        `submitted`: what the graph above says of it: the node, and for a nested pipeline its component.
        """
        known = list(definitions_of(self.recorded, step.source))
        documents = [*known, *submitted]
        stated = known if self.wraps(step, known, submitted) else documents
        children, own_role = self.children(step, stated, depth=key.count("/") + bool(key))
        fit = self.fit(step, {**roles, **own_role})
        leaf = Node(
            key=key,
            kind="leaf",
            source=step.source,
            display_name=step.run.display_name or step.source,
            step=fit,
            tags=_set(fit.run.tags),
        )
        if not children:
            return leaf, Level(face=key)
        level = Level(face=f"{key}/{SELF}".lstrip("/"), graph=graph_in(documents))
        return replace(leaf, kind="group", step=None, children=self.inside(leaf, level, children)), level

    def inside(
        self, whole: Node, level: Level, children: Mapping[RunId, tuple[Step, Mapping[str, str]]]
    ) -> tuple[Node, ...]:
        """The `self` of a group, then its children."""
        known = nodes_of(level.graph, [child.run for child, _ in children.values()]) if level.graph else {}
        if level.graph is not None and self.options.edges == "shape" and any(level.graph.bindings()):
            self.omissions += [Omission(run, "edges", NO_NODE) for run in children if run not in known]
        shown = [known.get(run) or _called(child, whole.source) for run, (child, _) in children.items()]
        found = [_self(whole, level.face)]
        for name, (run, (child, roles)) in zip(unique(shown, taken=[SELF]), children.items(), strict=True):
            submitted = self.submitted(level, known.get(run))
            node, inner = self.node(child, f"{whole.key}/{name}".lstrip("/"), roles, submitted)
            found.append(node)
            if run in known:
                _place(level, known[run], node, inner)
        return tuple(found)

    def submitted(self, level: Level, name: str | None) -> Sequence[Document]:
        """A node as it was submitted, and the content of its component, where the extraction could read it."""
        node = level.graph.nodes.get(name) if level.graph is not None and name is not None else None
        graph = self.graphs.get(str(pick(node, "component_id")))
        return [document for document in (node, graph) if document is not None]

    def wraps(self, step: Step, known: list[Document], submitted: Sequence[Document]) -> bool:
        """True for the step of a sweep or AutoML node that only holds the run whose children the trials are."""
        if trials.parent_kind(step.run, known) or not trials.parent_kind(step.run, submitted):
            return False
        below = self.below.get(step.source, ())
        return any(trials.parent_kind(child.run, definitions_of(self.recorded, child.source)) for child in below)

    def children(self, step: Step, documents: list[Document], depth: int) -> tuple[Children, dict[str, str]]:
        """The children that are replayed, each with its role; and the role of the run itself."""
        children = self.below.get(step.source, [])
        if depth >= DEEPEST:
            for child in children:
                self.leave_out(child, TOO_DEEP)
            return {}, {}
        if not children or not trials.parent_kind(step.run, documents):
            return {child.source: (child, {}) for child in children}, {}
        if self.options.trials is None:
            for child in children:
                self.leave_out(child, NO_FLAG)
            return {}, {}
        return self.family(step, children, documents, self.options.trials), {"automl_role": "automl_parent"}

    def family(self, step: Step, children: list[Step], documents: list[Document], choice: TrialChoice) -> Children:
        """Auxiliary children and chosen trials, in the plan's order, with their tags."""
        goal = trials.goal(step.run, documents, choice.top_metric)
        known = trials.ranked(step.run, [child.run for child in children], goal, self.best_logged)
        if choice.top_metric and known and all(trial.score is None for trial in known):
            self.remarks.append(UNRANKED.format(step.source, choice.top_metric))
        chosen = {trial.run.id: trial.tags() for trial in trials.sampled(known, choice)}
        dropped = {trial.run.id for trial in known} - chosen.keys()
        for child in children:
            if child.source in dropped:
                self.leave_out(child, NOT_CHOSEN)
        auxiliary = {"automl_role": "automl_auxiliary"}
        return {
            child.source: (child, chosen.get(child.source, auxiliary))
            for child in children
            if child.source not in dropped
        }

    def leave_out(self, step: Step, reason: str) -> None:
        """Note a run and all runs below it as left out."""
        ahead = [(step, reason)]
        while ahead:
            one, why = ahead.pop()
            self.omissions.append(Omission(one.source, RUN, why))
            ahead += [(child, BELOW) for child in reversed(self.below.get(one.source, []))]

    def best_logged(self, run: Run, goal: Goal) -> float | None:
        """The best value that a run logged under the goal's metric, in any spelling; None where it logged none."""
        values = [
            value
            for series, _ in self.recorded.series(run.id)
            if plain(series.key.name) == plain(goal.metric or "")
            for value in self.numbers(run.id, series)
        ]
        return (min if goal.minimize else max)(values, default=None)

    def numbers(self, run: RunId, series: Series) -> Iterator[float]:
        """The finite values of the first column."""
        for points in self.recorded.points(run, series.key):
            yield from (
                float(value)
                for value in points.values[0]
                if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            )

    def fit(self, step: Step, roles: Mapping[str, str]) -> Step:
        details = self.recorded.details(step.source)
        parent = details.run.parent if details else step.run.parent
        return fitted(step, parent, roles, self.options.limits)

    def waits(self, level: Level, sources: Mapping[str, RunId]) -> dict[str, tuple[str, ...]]:
        """Leaf -> the leaves that it waits for, at most as many as there are ports."""
        if self.options.edges == "none":
            return {}
        found: dict[str, list[str]] = {}
        for giver, taker in level.waits():
            if giver not in found.setdefault(taker, []):
                found[taker].append(giver)
        if turns(found):
            self.omissions.append(Omission(sources[next(iter(found))], "edges", "the original's graph has a cycle"))
            return {}
        for taker, givers in found.items():
            for giver in givers[UP_PORTS:]:
                self.omissions.append(Omission(sources[taker], f"edge from {giver}", f"more than {UP_PORTS} of them"))
        return {taker: tuple(givers[:UP_PORTS]) for taker, givers in found.items()}


def _self(whole: Node, key: str) -> Node:
    tags = {name: value for name, value in whole.tags.items() if name != "automl_role"} | SELF_TAG
    assert whole.step  # noqa: S101  # `whole` is not a group yet
    step = replace(whole.step, run=replace(whole.step.run, tags=tags))
    return replace(whole, key=key, kind="self", step=step, tags=tags)


def _place(level: Level, name: str, node: Node, inner: Level) -> None:
    if node.kind == "group":
        level.groups.setdefault(name, []).append(inner)
    else:
        level.leaves.setdefault(name, []).append(node.key)


def _called(child: Step, parent: RunId) -> str:
    """The child's name, `trial 3` for `{parent}_3`: without the parent's id it is equal in all runs of a pipeline."""
    suffix = child.source.removeprefix(f"{parent}_")
    if suffix != child.source:
        return f"trial {suffix}" if suffix.isdigit() else suffix
    return child.run.display_name or child.source


def _logs(step: Step) -> bool:
    """False where a container would have nothing to log: the root's tags are sent with the job."""
    run = step.run
    return bool(step.series or run.parameters or step.files or step.own_files or step.overflow_series or run.error)


def _waiting(node: Node, waits: Mapping[str, tuple[str, ...]]) -> Node:
    children = tuple(_waiting(child, waits) for child in node.children)
    return replace(node, children=children, after=waits.get(node.key, ()))


def _properties(run: Run) -> dict[str, str]:
    """The root job's properties: the one that marks it as ours, and the original's commit, not the operator's."""
    kept = (key for key in run.properties if key == lineage.PROPERTY or key.startswith(_GIT))
    return _set({key: run.properties[key] for key in kept})


def _set(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
