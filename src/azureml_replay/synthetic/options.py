"""The options of a synthetic replay; the ledger remembers those with which a job was submitted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.cells import read_back
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import JobItem, Payload, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import IntegrityError
from azureml_replay.model import Json, RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import FILES, LEFT, Step, plan_unit, planned_units, shows
from azureml_replay.selection import Selection
from azureml_replay.synthetic.expected import planned_texts
from azureml_replay.synthetic.staging.paths import DEFAULT_ENVIRONMENT
from azureml_replay.synthetic.tree.grow import SyntheticOptions, grow
from azureml_replay.synthetic.tree.nodes import RUN, Tree
from azureml_replay.synthetic.tree.trials import TrialChoice
from azureml_replay.workspace.profile import TargetProfile

TRIALS, EDGES = "trials", "edges"
JOB, SENT, REFUSED = "job", "sent", "refused"
"""Keys of what the ledger says of a run, beside `FILES`: the job that stands for its unit; what that was sent of texts
that people can edit, as `planned_texts` gives them; and slot -> what its run was refused."""
ANY_LENGTH = sys.maxsize
"""The limit of a file's name in planning, none: a job has its files at other places, and `paths.py` checks those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The options that decide which nodes a tree has and what they hold."""

    tree: SyntheticOptions = field(default_factory=SyntheticOptions)
    files: FileChoice = field(default_factory=FileChoice)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticReplayOptions:
    """The shape of jobs, and where and how they run."""

    shape: Shape = field(default_factory=Shape)
    compute: str = "serverless"
    environment: str = DEFAULT_ENVIRONMENT
    """`original`: that of the original where the target has it, else the default one."""
    wait: bool = True
    """False: return once everything is submitted. A later call follows the jobs and verifies them."""
    resubmit: bool = False
    """True: a job whose plan changed since it was submitted is submitted anew, and the old one archived."""


def planned_trees(
    archive: Archive, ledger: TargetLedger, selection: Selection, given: Shape | None
) -> Iterator[tuple[Tree, Shape]]:
    """Tree and shape, unit by unit, as planned now: what earlier calls asked for and what `given` does.

    Without `given`, units that were never submitted are left out.
    """
    return trees_of(archive, ledger, planned_units(archive, selection), given)


def trees_of(
    archive: Archive, ledger: TargetLedger, roots: Iterable[RunId], given: Shape | None
) -> Iterator[tuple[Tree, Shape]]:
    """Tree and shape of the named units, as `planned_trees` gives them."""
    for root in roots:
        wished = wish_of(ledger, root)
        shape = joined(wished, given) if wished and given else wished or given
        if shape is not None and not archive.waited_for(root):
            yield tree_of(archive, root, shape), shape


def waiting_units(archive: Archive, roots: Iterable[RunId]) -> Iterator[tuple[RunId, RunId]]:
    """Roots of which nothing is planned yet, and a run that is to be extracted first: others stand below it.

    Without it those would get jobs of their own, or stand elsewhere in the job.
    """
    for root in roots:
        if above := archive.waited_for(root):
            yield root, min(above)


def former_roots(archive: Archive, ledger: TargetLedger) -> dict[RunId, list[RunId]]:
    """Root -> runs of its unit for which jobs were put when they were roots themselves."""
    found: dict[RunId, list[RunId]] = {}
    for run in ledger.runs_with(RunItem.SHAPE):
        unit = archive.unit_of(run)
        if unit is not None and unit != run:
            found.setdefault(unit, []).append(run)
    return found


def tree_of(archive: Archive, root: RunId, shape: Shape) -> Tree:
    """The tree of one unit."""
    files = FileChoice(artifacts=shape.files.artifacts)
    limits = replace(shape.tree.limits, artifact_path=ANY_LENGTH, blob_name=ANY_LENGTH)
    jobs = TargetProfile(limits=limits, written_once=True, own_contents=True)
    counts = [counted(archive, step, shape.files) for step in plan_unit(archive, root, files, jobs)]
    if not counts:
        raise IntegrityError(f"archive {archive.folder} is damaged: table run names a tree {root} without runs")
    return grow(counts, archive, shape.tree)


def joined(wished: Shape, given: Shape) -> Shape:
    """The shape that leaves out nothing of what either has; of two orders of steps the later one."""
    same = replace(wished.files, others=()) == given.files
    files = wished.files if same else wished.files.joined(given.files)
    trials = _joined_trials(wished.tree.trials, given.tree.trials)
    return Shape(tree=replace(given.tree, trials=trials), files=files)


def _joined_trials(wished: TrialChoice | None, given: TrialChoice | None) -> TrialChoice | None:
    """The larger number of the same kind of choice; of two kinds the later one."""
    if wished is None or given is None:
        return given or wished
    if replace(wished, most=given.most) != given:
        return given
    return replace(given, most=None if None in (wished.most, given.most) else max(wished.most or 0, given.most or 0))


def counted(archive: Archive, step: Step, choice: FileChoice) -> Step:
    """The step with the number and the bytes of the chosen files."""
    if not step.files or not choice.narrowed:
        return step
    chosen = (one for one, _, left_out in choice.of(archive.artifacts(step.contents)) if not left_out)
    sizes = [one.stored.size_bytes for one in chosen if one.stored]
    return replace(step, files=len(sizes), bytes=sum(sizes))


def shape_of(ledger: TargetLedger, root: RunId) -> Shape | None:
    """The shape with which a root run was submitted, None where it never was."""
    receipt = ledger.receipt(root, RunItem.SHAPE)
    if receipt is None or receipt.detail is None:
        return None
    with read_back(f"the shape of the job of run {root}"):
        return _read(json_text.loads(receipt.detail.encode()))


def wish_of(ledger: TargetLedger, root: RunId) -> Shape | None:
    """The shape that calls so far asked for, which its job may lack something of; None where none was submitted."""
    told: Any = ledger.carried([root], Way.JOB).get(root)
    with read_back(f"what was to be carried of run {root}"):
        return _read(told) if told is not None and TRIALS in told else shape_of(ledger, root)


def _read(document: Any) -> Shape:  # noqa: ANN401  # a document of `_written`
    trials = TrialChoice(**document[TRIALS]) if document[TRIALS] else None
    tree = SyntheticOptions(trials=trials, edges=document[EDGES])
    return Shape(tree=tree, files=FileChoice.from_json(document[FILES]))


def _written(shape: Shape) -> dict[str, Json]:
    trials = asdict(shape.tree.trials) if shape.tree.trials else None
    return {TRIALS: trials, EDGES: shape.tree.edges, FILES: shape.files.to_json()}


def job_of(ledger: TargetLedger, run: RunId) -> RunId | None:
    """The job or its run that stands for a source run, None where none does; for steps once they were found."""
    receipt = ledger.receipt(run, RunItem.JOB)
    sent = receipt is not None and receipt.state is State.SENT
    return RunId(receipt.detail) if receipt and sent and receipt.detail else None


def jobs_put(ledger: TargetLedger, root: RunId) -> list[RunId]:
    """Every job that this archive put for a root run, or was about to; not one that another archive put."""
    return [RunId(item.name) for item in ledger.receipts(root) if isinstance(item, JobItem)]


def remember(ledger: TargetLedger, root: RunId, shape: Shape, plan: bytes | None = None) -> None:
    """Keep the shape of a root run's job, and the digest of its plan as `plan_digest` makes it. Repeatable."""
    items = {RunItem.SHAPE: None if plan is None else Payload(plan)}
    ledger.mark(root, items, State.SENT, json_text.dumps(_written(shape)).decode())


def carry(ledger: TargetLedger, tree: Tree, shape: Shape, job: str, *, sending: bool) -> None:
    """Note what is to go of each run of a tree. Repeatable: what it says already stays.

    `sending`: the job is about to be put, with the values of now; otherwise it stands, and what was sent stays as it is
    known of that job.
    """
    runs = dict.fromkeys([tree.root, *(node.source for node in tree.walk())])
    told: dict[RunId, dict[str, Json]] = {run: {FILES: shape.files.to_json(), JOB: job} for run in runs}
    for node in tree.walk():
        if node.step is not None:
            told[node.source] |= shows(node.step)
    told[tree.root] |= _written(shape)
    known: Mapping[RunId, Any] = ledger.carried(list(told), Way.JOB)
    sent = planned_texts(tree) if sending else {run: one[SENT] for run, one in known.items() if _is_of(one, job)}
    for run, texts in sent.items():
        told[run][SENT] = texts
    for run, one in known.items():
        if one.get(JOB) == job and REFUSED in one:
            told[run][REFUSED] = one[REFUSED]
    told |= {one.run: {LEFT: one.reason} for one in tree.omissions if one.what == RUN}
    known = ledger.carried(list(told), Way.JOB)
    ledger.carry({run: what for run, what in told.items() if known.get(run) != what}, Way.JOB, anew=sending)


def _is_of(carried: Mapping[str, Json], job: str) -> bool:
    return carried.get(JOB) == job and SENT in carried
