"""The options of a synthetic replay; the ledger remembers those with which a job was submitted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace

from azureml_replay import json_text
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.cells import read_back
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import JobItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import IntegrityError
from azureml_replay.model import Json, RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import FILES, LEFT, Step, plan_unit, planned_units, with_owners_contents
from azureml_replay.selection import Selection
from azureml_replay.synthetic.staging.paths import DEFAULT_ENVIRONMENT
from azureml_replay.synthetic.tree.grow import SyntheticOptions, grow
from azureml_replay.synthetic.tree.nodes import RUN, Tree
from azureml_replay.synthetic.tree.trials import TrialChoice
from azureml_replay.workspace.profile import TargetProfile

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
    wait: bool = True
    """False: return once everything is submitted. A later call follows the jobs and verifies them."""


def planned_trees(
    archive: Archive, ledger: TargetLedger, selection: Selection, given: Shape | None
) -> Iterator[tuple[Tree, Shape]]:
    """Tree and shape, unit by unit. A submitted unit keeps its shape; without `given`, other units are left out."""
    return trees_of(archive, ledger, planned_units(archive, selection), given)


def trees_of(
    archive: Archive, ledger: TargetLedger, roots: Iterable[RunId], given: Shape | None
) -> Iterator[tuple[Tree, Shape]]:
    """Tree and shape of the named units, as `planned_trees` gives them."""
    for root in roots:
        shape = shape_of(ledger, root) or given
        if shape is not None:
            files = FileChoice(artifacts=shape.files.artifacts)
            limits = replace(shape.tree.limits, artifact_path=ANY_LENGTH, blob_name=ANY_LENGTH)
            jobs = TargetProfile(limits=limits, written_once=True)
            planned = (
                with_owners_contents(archive, step, files, jobs) for step in plan_unit(archive, root, files, jobs)
            )
            steps = [counted(archive, step, shape.files) for step in planned]
            if not steps:
                raise IntegrityError(f"archive {archive.folder} is damaged: table run names a tree {root} without runs")
            yield grow(steps, archive, shape.tree), shape


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
        document = json_text.loads(receipt.detail.encode())
        trials = TrialChoice(**document["trials"]) if document["trials"] else None
        tree = SyntheticOptions(trials=trials, edges=document["edges"])
        return Shape(tree=tree, files=FileChoice.from_json(document["files"]))


def job_of(ledger: TargetLedger, run: RunId) -> RunId | None:
    """The job or its run that stands for a source run, None where none does; for steps once they were found."""
    receipt = ledger.receipt(run, RunItem.JOB)
    sent = receipt is not None and receipt.state is State.SENT
    return RunId(receipt.detail) if receipt and sent and receipt.detail else None


def jobs_put(ledger: TargetLedger, root: RunId) -> list[RunId]:
    """Every job that this archive put for a root run, or was about to; not one that another archive put."""
    return [RunId(item.name) for item in ledger.receipts(root) if isinstance(item, JobItem)]


def remember(ledger: TargetLedger, root: RunId, shape: Shape) -> None:
    """Keep the shape of a root run's job, before it is put. Repeatable."""
    trials = asdict(shape.tree.trials) if shape.tree.trials else None
    document = {"trials": trials, "edges": shape.tree.edges, "files": shape.files.to_json()}
    ledger.mark(root, [RunItem.SHAPE], State.SENT, json_text.dumps(document).decode())


def carry(ledger: TargetLedger, tree: Tree, shape: Shape) -> None:
    """Note, before the job is put, what is to go of each run of a tree. Repeatable: what it says already stays."""
    files: Json = {FILES: shape.files.to_json()}
    told: dict[RunId, Json] = {node.source: files for node in tree.walk()} | {tree.root: files}
    told |= {one.run: {LEFT: one.reason} for one in tree.omissions if one.what == RUN}
    known = ledger.carried(list(told), Way.JOB)
    ledger.carry({run: what for run, what in told.items() if known.get(run) != what}, Way.JOB)
