"""Units for tests of the synthetic replay: an archive's reading half in memory, and builders of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.azure.place import azure_place
from azureml_replay.model import (
    NESTED_COMPONENTS,
    Artifact,
    FileTotals,
    Job,
    Json,
    Listed,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
)
from azureml_replay.planning.code import code_of
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.planning.history import History
from azureml_replay.planning.plan import plan_unit
from azureml_replay.synthetic.tree.grow import SyntheticOptions, grow
from azureml_replay.synthetic.tree.nodes import Node, Tree
from azureml_replay.workspace.place import Place

SOURCE = azure_place("sub", "group", "old")


def scalar(name: str) -> Series:
    """One number a row."""
    return Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type="azureml.v1.scalar")


@dataclass
class Family:
    """One unit; the first run is its root."""

    runs: list[Run]
    source: Place = SOURCE
    graphs: dict[str, Json] = field(default_factory=dict)
    """ARM's `properties` by job name."""
    definitions: dict[str, Json] = field(default_factory=dict)
    components: dict[str, Json] = field(default_factory=dict)
    """Pipeline components that the root's nodes stand for, by ARM id."""
    logged: dict[tuple[str, str], Sequence[float]] = field(default_factory=dict)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)

    def listing(self) -> Iterator[Listed]:
        raise NotImplementedError("only needed where a selection narrows")

    def units(self) -> Iterator[RunId]:
        yield self.runs[0].id

    def unit_of(self, run: RunId) -> RunId | None:
        return self.runs[0].id if any(one.id == run for one in self.runs) else None

    def waited_for(self, root: RunId) -> frozenset[RunId]:
        return frozenset()

    def unit(self, root: RunId) -> Iterator[Run]:
        level = [run for run in self.runs if run.id == root]
        while level:
            yield from level
            above = {run.id for run in level}
            level = [run for run in self.runs if run.parent in above]

    def histories(self, roots: Iterable[RunId] | None = None, target: Place | None = None) -> Iterator[History]:
        return (self.history(run.id) for root in roots or self.units() for run in self.unit(root))

    def history(self, run: RunId, target: Place | None = None) -> History:
        details, job = self.details(run), self.job(run)
        return History(
            unit=self.runs[0].id,
            details=details,
            job=job,
            series=self.series(run),
            files=FileTotals(*self.files.get(run, (0, 0))),
            code=False if code_of(details.run, job) else None,
            lender_experiment=next((one.experiment for one in self.runs if one.id == details.run.lender), None),
        )

    def details(self, run: RunId) -> RunDetails:
        found = next(one for one in self.runs if one.id == run)
        return RunDetails(run=found, definition=self.definitions.get(run))

    def job(self, run: RunId) -> Job | None:
        if run not in self.graphs:
            return None
        return Job(run, {"name": run, "properties": self.graphs[run], NESTED_COMPONENTS: self.components})

    def series(self, run: RunId) -> list[tuple[Series, int]]:
        return [(scalar(name), len(rows)) for (owner, name), rows in self.logged.items() if owner == run]

    def points(self, run: RunId, key: SeriesKey) -> Iterator[Points]:
        yield Points.of(scalar(key.name), [(at, at, (value,)) for at, value in enumerate(self.logged[run, key.name])])

    def lost_files(self, run: RunId) -> Iterator[Artifact]:
        return iter(())

    def artifacts(self, run: RunId) -> Iterator[Artifact]:
        return iter(())

    def stored_twice(self, run: RunId) -> Iterator[str]:
        return iter(())

    def tree(self, options: SyntheticOptions | None = None, files: FileChoice = ALL_FILES) -> Tree:
        """The unit, planned and grown."""
        steps = plan_unit(self, self.runs[0].id, files)
        return grow(steps, self, options or SyntheticOptions())


def a_run(name: str, parent: str | None = None, **fields: object) -> Run:
    """A finished run; `fields` override."""
    above = RunId(parent) if parent else None
    plain = Run(id=RunId(name), parent=above, experiment="exp", status="Completed")
    return replace(plain, **fields)  # type: ignore[arg-type]


def a_pipeline(*names: str, bound: dict[str, dict[str, str]] | None = None, parent: str = "p") -> Family:
    """A root `p` whose children are named as their nodes; `bound`: node -> its inputs -> binding."""
    jobs = {name: {"type": "command", "inputs": _inputs((bound or {}).get(name, {}))} for name in names}
    children = [a_run(f"id-{name}", parent, display_name=name) for name in names]
    return Family(
        [a_run(parent, display_name="Whole"), *children], graphs={parent: {"jobType": "Pipeline", "jobs": jobs}}
    )


def _inputs(bound: dict[str, str]) -> Json:
    return {port: {"job_input_type": "literal", "value": value} for port, value in bound.items()}


def output(node: str, port: str = "data") -> str:
    """A binding to a sibling's output."""
    return f"${{{{parent.jobs.{node}.outputs.{port}}}}}"


def node(tree: Tree, key: str) -> Node:
    """The node with that key."""
    return next(one for one in tree.walk() if one.key == key)


def keys(tree: Tree) -> list[str]:
    """Of every node, parents first."""
    return [one.key for one in tree.walk()]


def two_steps_and_a_nested_one() -> Family:
    """A pipeline of two steps and a nested one; 5 points, 1 parameter, 3 files, 2 values beyond the limits."""
    family = a_pipeline("prepare", "inner", bound={"inner": {"x": output("prepare")}})
    family.runs[1] = a_run(
        "id-prepare", "p", display_name="prepare", parameters={"lr": 0.1}, tags={"none": None, "long": "x" * 1001}
    )
    family.runs.append(a_run("deep", "id-inner", display_name="Deep", status="Failed", kind="azureml.StepRun"))
    family.logged = {("id-prepare", "loss"): [1.0, 0.5], ("deep", "acc"): [0.1, 0.2, 0.3]}
    family.files = {"deep": (3, 2_000_000)}
    return family
