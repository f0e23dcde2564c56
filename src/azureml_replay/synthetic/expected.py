"""What each run of a replayed tree should hold, and how a run differs from it (pure; FIDELITY, synthetic column)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from azureml_replay import redact
from azureml_replay.comparison.shown import shown
from azureml_replay.model import Finding, Json, Row, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.plan import Step
from azureml_replay.synthetic.found import ROOT
from azureml_replay.synthetic.staging.batches import TICKS_PER_MS, is_holdable
from azureml_replay.synthetic.staging.manifest import DESCRIPTION_TAG, parameters
from azureml_replay.synthetic.step.points import PROGRESS
from azureml_replay.synthetic.tree.fit import SELF_TAG, fits_a_tag
from azureml_replay.synthetic.tree.nodes import SELF, Node, Tree
from azureml_replay.workspace.mark import JOB_TAKEN_BACK, UNDO_TAG, is_taken_back

DISPLAY_NAME = "display name"
OWN_VALUES = "the run of its own values: "
"""Before the words of a finding about the second run of an original."""
PLATFORM_TAGS = ("_aml_system_", "azureml.", "mlflow.")
OWN_TAGS = frozenset({PROGRESS, *SELF_TAG, UNDO_TAG})
"""Tags of the step program and of `undo`, beside those that are expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRun:
    """One run of the target."""

    key: str
    source: RunId
    display_name: str
    description: str | None
    tags: Mapping[str, str]
    step: Step | None
    """Whose points and parameters it holds; None where the original logged none."""
    leaf: Node | None = None
    """Whose files it holds."""
    experiment: str | None = None
    """Of the job itself, as the next one is: what is below it is where it is."""
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def slot(self) -> str:
        """Tells the two runs of one original apart."""
        return SELF if self.leaf is not None and self.leaf.kind == SELF else ""

    @property
    def what(self) -> str:
        """Stands before a finding's words where one original has two runs."""
        return OWN_VALUES if self.slot else ""


def expected_of(tree: Tree) -> Iterator[ExpectedRun]:
    """Every run that a tree becomes, parents first."""
    selves = {leaf.key.rpartition("/")[0]: leaf.step for leaf in tree.leaves() if leaf.kind == "self"}
    if tree.kind == "pipeline":
        yield ExpectedRun(
            key=ROOT,
            source=tree.root,
            display_name=tree.display_name,
            description=tree.description,
            tags=tree.tags,
            step=selves.get(ROOT),
            experiment=tree.experiment,
            properties=tree.properties,
        )
    for node in tree.walk():
        step = selves.get(node.key) if node.kind == "group" else node.step
        is_job = tree.kind == "command"
        yield ExpectedRun(
            key=node.key,
            source=node.source,
            display_name=node.display_name,
            description=_told(step, with_job=is_job),
            tags=node.tags,
            step=step,
            leaf=None if node.kind == "group" else node,
            experiment=tree.experiment if is_job else None,
            properties=tree.properties if is_job else {},
        )


Texts: TypeAlias = "dict[str, str]"
"""Name -> value of what people can edit of a run: `display name`, `description`, `tag team`."""


def texts_wanted(wanted: ExpectedRun) -> Texts:
    """What of a run can be mended where it stands."""
    return _texts(wanted.display_name, wanted.description, wanted.tags)


def texts_of(run: Run) -> Texts:
    """The same of a run as it was found."""
    return _texts(run.display_name, _description(run), run.tags)


def _texts(display_name: str | None, description: str | None, tags: Mapping[str, str | None]) -> Texts:
    named = {DISPLAY_NAME: display_name, "description": description or None}
    named |= {f"tag {key}": value for key, value in tags.items()}
    return {name: value for name, value in named.items() if value is not None}


def planned_texts(tree: Tree) -> dict[RunId, dict[str, Json]]:
    """Original -> slot of each of its runs -> what that is sent."""
    found: dict[RunId, dict[str, Json]] = {}
    for wanted in expected_of(tree):
        found.setdefault(wanted.source, {})[wanted.slot] = texts_wanted(wanted)
    return found


def _told(step: Step | None, *, with_job: bool) -> str | None:
    """The description of a node's run: it came with the job, or as a tag."""
    text = step.run.description if step else None
    return text if text is None or with_job or fits_a_tag(text) else None


def differences(wanted: ExpectedRun, run: Run, parent: Run | None) -> Iterator[Finding]:
    """Of everything but points and files. What the platform adds to every run is no difference."""
    yield from _differ(wanted, "status", "Completed", run.status)
    if wanted.key != ROOT and parent is not None:
        yield from _differ(wanted, "parent", parent.id, run.parent)
    if wanted.experiment is not None:
        yield from _differ(wanted, "experiment", wanted.experiment, run.experiment)
    yield from _differ(wanted, DISPLAY_NAME, wanted.display_name, run.display_name)
    yield from _differ(wanted, "description", wanted.description or None, _description(run))
    for finding in _differ(wanted, "hidden", shown(False), shown(run.hidden)):
        yield replace(finding, kind=JOB_TAKEN_BACK) if is_taken_back(run) else finding
    yield from _pairs(wanted, "tag", wanted.tags, run.tags)
    yield from _extra(wanted, "tag", wanted.tags, (key for key in run.tags if not _is_of_platform(key)))
    yield from _pairs(wanted, "property", wanted.properties, run.properties)
    expected = parameters(wanted.step) if wanted.step is not None else {}
    actual = {key: value if isinstance(value, str) else str(value) for key, value in run.parameters.items()}
    yield from _pairs(wanted, "parameter", expected, actual)
    yield from _extra(wanted, "parameter", expected, actual)


def as_kept(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows as MLflow keeps them: no step is step 0, times are whole milliseconds, values are doubles."""
    for row in rows:
        step, ticks, (value, *_) = row
        if is_holdable(row) and ticks is not None and isinstance(value, int | float):
            yield step or 0, ticks // TICKS_PER_MS * TICKS_PER_MS, (float(value),)


def _is_of_platform(tag: str) -> bool:
    """True for tags that the service, MLflow or our own step program sets on a run of a job (responses.md 4.1)."""
    return tag.startswith(PLATFORM_TAGS) or tag in OWN_TAGS


def _description(run: Run) -> str | None:
    return run.description or run.tags.get(DESCRIPTION_TAG) or None


def _pairs(
    wanted: ExpectedRun, kind: str, expected: Mapping[str, str], actual: Mapping[str, str | None]
) -> Iterator[Finding]:
    for key, value in expected.items():
        yield from _differ(wanted, f"{kind} {key}", value, actual.get(key))


def _extra(wanted: ExpectedRun, kind: str, expected: Mapping[str, str], actual: Iterable[str]) -> Iterator[Finding]:
    for key in actual:
        if key not in expected:
            yield Finding(wanted.source, f"{wanted.what}{kind} {redact.text(key)}", "extra", "", key)


def is_alike(name: str, expected: str | None, actual: str | None) -> bool:
    """True for equal values; where the lineage is told, whichever version of this tool told it."""
    return expected == actual or (name.endswith(f" {lineage.PROPERTY}") and lineage.is_alike(expected, actual))


def _differ(wanted: ExpectedRun, what: str, expected: str | None, actual: str | None) -> Iterator[Finding]:
    if not is_alike(what, expected, actual):
        kind = "absent" if actual is None else "extra" if expected is None else "differs"
        told = redact.text(expected or ""), redact.text(actual or "")
        yield Finding(wanted.source, wanted.what + what, kind, *told)
