"""`--mode synthetic`: its flags, what they call, and its results as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from azureml_replay.cli.options import (
    MOST,
    BudgetOption,
    FilesOption,
    MaxFileSizeOption,
    NoArtifactsOption,
    file_flags,
    takes,
)
from azureml_replay.cli.results import left_out, refused
from azureml_replay.counting import counted, of_source
from azureml_replay.synthetic.staging.paths import DEFAULT_ENVIRONMENT
from azureml_replay.terminal.layout import Branch, prose
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount

if TYPE_CHECKING:
    from azureml_replay.connection import Config
    from azureml_replay.selection import Selection
    from azureml_replay.synthetic.foreseen import JobsForeseen
    from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions
    from azureml_replay.synthetic.replay import SyntheticReplayed
    from azureml_replay.synthetic.tree.nodes import Tree
    from azureml_replay.synthetic.tree.summary import DryRun, LeftJobs


class Mode(StrEnum):
    """The values of `--mode`: how the histories get there."""

    DIRECT = "direct"
    SYNTHETIC = "synthetic"


class Sampling(StrEnum):
    """The values of `--replay-automl-trial-sampling`: which trials come first."""

    BEST = "best"
    FIRST = "first"
    RANDOM = "random"


class Edges(StrEnum):
    """The values of `--edges`: what steps wait for."""

    SHAPE = "shape"
    NONE = "none"


class Resubmit(StrEnum):
    """The values of `--resubmit`: which jobs are submitted anew."""

    NEVER = "never"
    CHANGED = "changed"


ModeOption = Annotated[
    Mode,
    typer.Option(help="Write the runs as they were, or submit jobs that log them again: those have the next options."),
]


ExpandOption: TypeAlias = Annotated[
    bool, typer.Option("--expand-automl-trials", help="Make jobs of AutoML and sweep trials too.")
]
MostTrialsOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, max=MOST, metavar="N", help="Take at most N trials of a parent.")
]
TopMetricOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="M", help="Rank trials by this metric, not by the job's primary one.")
]


def flags_without_effect(
    *,
    expand_automl_trials: ExpandOption = False,
    replay_automl_max_trials: MostTrialsOption = None,
    replay_automl_top_metric: TopMetricOption = None,
) -> tuple[str, ...]:
    """Lines about flags of trials that were given where no trial becomes a job."""
    given = {
        "--replay-automl-max-trials": replay_automl_max_trials,
        "--replay-automl-top-metric": replay_automl_top_metric,
    }
    idle = () if expand_automl_trials else (flag for flag, value in given.items() if value is not None)
    return tuple(f"{flag} has no effect without --expand-automl-trials" for flag in idle)


def shape_flags(
    *,
    edges: Annotated[Edges, typer.Option(help="Let steps wait for each other as they did, or not.")] = Edges.SHAPE,
    expand_automl_trials: ExpandOption = False,
    replay_automl_max_trials: MostTrialsOption = None,
    replay_automl_top_metric: TopMetricOption = None,
    replay_automl_trial_sampling: Annotated[
        Sampling, typer.Option(help="Say which trials come first where not all are taken.")
    ] = Sampling.BEST,
    seed: Annotated[
        int,
        typer.Option(min=-MOST, max=MOST, metavar="N", help="Seed the random sampling; equal seeds take equal trials."),
    ] = 0,
    max_file_size: MaxFileSizeOption = None,
    artifact_budget: BudgetOption = None,
    files: FilesOption = None,
    no_artifacts: NoArtifactsOption = False,
) -> Shape:
    """What the jobs of a synthetic replay are to be, wherever they run."""
    from azureml_replay.synthetic.options import Shape
    from azureml_replay.synthetic.tree.grow import SyntheticOptions
    from azureml_replay.synthetic.tree.trials import TrialChoice

    trials = TrialChoice(
        sampling=replay_automl_trial_sampling.value,
        most=replay_automl_max_trials,
        top_metric=replay_automl_top_metric,
        seed=seed,
    )
    chosen = file_flags(
        files=files, max_file_size=max_file_size, artifact_budget=artifact_budget, no_artifacts=no_artifacts
    )
    return Shape(
        tree=SyntheticOptions(trials=trials if expand_automl_trials else None, edges=edges.value), files=chosen
    )


@takes(shape=shape_flags)
def job_flags(
    *,
    shape: Shape,
    compute: Annotated[
        str, typer.Option(metavar="NAME", help="Run on this cluster of the target, or serverless.")
    ] = "serverless",
    environment: Annotated[
        str,
        typer.Option(
            metavar="E",
            help="Run steps in this environment: NAME:VERSION, a registry's id, HOST/IMAGE; or original, to name those "
            "of the originals, and their data, where they were carried.",
        ),
    ] = DEFAULT_ENVIRONMENT,
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Leave once all is submitted; the same command then follows and verifies."),
    ] = False,
    resubmit: Annotated[
        Resubmit, typer.Option(help="Leave jobs whose plan changed as they are, or submit them anew.")
    ] = Resubmit.NEVER,
) -> SyntheticReplayOptions:
    """The options of a synthetic replay: what the jobs are to be, and where they run."""
    from azureml_replay.synthetic.options import SyntheticReplayOptions

    return SyntheticReplayOptions(
        shape=shape,
        compute=compute,
        environment=environment,
        wait=not no_wait,
        resubmit=resubmit is Resubmit.CHANGED,
    )


def show(
    folder: Path,
    target: Config | None,
    selection: Selection,
    options: SyntheticReplayOptions,
    *,
    terminal: Terminal,
    originals: bool = False,
    price_per_hour: float | None = None,
) -> None:
    """Show the trees, then the sums. No login, no network, nothing written. `originals`: as `--debug-hierarchy` does.

    With `target`, jobs that were submitted there keep the shape they have, and what is left to do is counted.
    """
    from azureml_replay.archive.archive import Archive
    from azureml_replay.cli.job_trees import drawn, hierarchy
    from azureml_replay.planning.plan import planned_units
    from azureml_replay.synthetic.foreseen import JobsForeseen
    from azureml_replay.synthetic.options import planned_trees, waiting_units
    from azureml_replay.synthetic.originals import ORIGINAL, unnamed

    with Archive.open(folder, write=False) as archive:
        ledger = archive.ledger(target.ref if target else archive.source)
        foreseen = JobsForeseen(archive, ledger, options.resubmit)
        planned = planned_trees(archive, ledger, selection, options.shape)
        waiting = sum(1 for _ in waiting_units(archive, planned_units(archive, selection)))
        sums = summed(foreseen, planned, hierarchy if originals else drawn, terminal, waiting=waiting)
        roots = planned_units(archive, selection)
        sums.original = options.environment == ORIGINAL
        sums.unnamed = unnamed(archive, ledger if target else None, roots, original=sums.original)
    sums.left = foreseen.left if target else None
    terminal.result(sums, prose(sum_lines(sums, price_per_hour, target.ref.short if target else "")))


def summed(
    foreseen: JobsForeseen,
    planned: Iterable[tuple[Tree, Shape]],
    draw: Callable[[Tree], Branch],
    terminal: Terminal,
    *,
    waiting: int,
) -> DryRun:
    """Show tree by tree; the sums of all, with everything that the jobs will not have. `foreseen` takes the trees.

    `waiting` are not among them.
    """
    from azureml_replay.synthetic.staging.manifest import step_of
    from azureml_replay.synthetic.staging.stage import layout_of, left_behind
    from azureml_replay.synthetic.tree.nodes import originals
    from azureml_replay.synthetic.tree.summary import DryRun

    archive, sums = foreseen.archive, DryRun(left=foreseen.left, waiting=waiting)
    for one, as_submitted in planned:
        sums.add(one)
        due = foreseen.add(one, as_submitted)
        for leaf in one.leaves():
            laid = layout_of(archive, foreseen.ledger, leaf, as_submitted.files)
            sums.lack(laid.lost)
            foreseen.left.lack(laid.lost if due else ())
            sums.omit(left_behind(archive, step_of(leaf), laid, as_submitted.files))
        sums.omit([] if due else foreseen.ledger.refused_by_job(originals(one)))
        if not terminal.json:
            terminal.result(None, [draw(one)])
        for remark in one.remarks:
            terminal.say(remark)
    return sums


def replayed(done: SyntheticReplayed) -> Iterator[Line]:
    """The lines of a synthetic `replay`: what was submitted, and what failed."""
    yield from submitted(done)
    yield from failures(done)


def failures(done: SyntheticReplayed) -> Iterator[str]:
    """One line for each run that failed."""
    return (f"failed: {run}: {why}" for run, why in done.failed)


def submitted(done: SyntheticReplayed) -> Iterator[Line]:
    """Lines that say how many jobs were submitted, and how far they are."""
    ended = f"{done.completed:,} completed" if done.verdict else "not waited for: the same command follows them"
    yield f"{counted(done.jobs, 'job')}: {done.submitted:,} submitted now, {ended}"
    if done.parents:
        yield f"{counted(done.parents, 'parent run')} completed from here with values that no job could write to it"
    if done.mended:
        yield f"tags, description or name of {counted(done.mended, 'run')} brought up to date where they stand"
    yield from refused(done.refused)
    yield from unnamed_lines(done.unnamed, original=done.original)
    if done.changed:
        jobs, starts = counted(done.changed, "job"), counted(done.starts, "container start")
        yield f"the plan of {jobs} changed since: this command with --resubmit changed submits anew, {starts}"


def unnamed_lines(kinds: Mapping[str, int], *, original: bool) -> Iterator[str]:
    """That jobs do not name what their originals named, and what to do about it; none where they do.

    `original`: they were to name what is there.
    """
    if kinds:
        told = ", ".join(f"{size:,} {kind}" for kind, size in kinds.items())
        lacking = "none of these was brought into the target: a replay without --mode synthetic brings what can be had"
        flag = "--environment original names what a replay without --mode synthetic brought into the target"
        yield f"named by the originals and not by their jobs: {told}; {lacking if original else flag}"


def sum_lines(sums: DryRun, price_per_hour: float | None, target: str = "") -> Iterator[Line]:
    """The lines of a dry run: its counts, and the cost where a price is given."""
    containers = counted(sums.containers, "container start")
    yield f"{counted(sums.jobs, 'job')} for {counted(sums.runs, 'run')}; {containers}"
    if sums.waiting:
        yield f"{counted(sums.waiting, 'further job')} once a run above others is extracted: extract again to continue"
    size = amount("bytes", sums.bytes)
    contents = f"{counted(sums.points, 'point')}, {counted(sums.parameters, 'parameter')}"
    yield f"{contents}, {of_source(sums.files)} with {size}"
    yield left_out(sums.reasons, target=target)
    yield from unnamed_lines(sums.unnamed, original=sums.original)
    if sums.left is not None:
        yield to_submit(sums.left, sums.jobs)
    if price_per_hour is not None:
        cost = sums.cost(price_per_hour)
        yield f"about {cost:,.2f} for {sums.compute_hours:,.1f} hours of one node (a guess: a minute a container)"


def to_submit(left: LeftJobs, jobs: int) -> Branch:
    """What is left to do of so many jobs, and what is not, so that the two add up."""
    goes = [
        counted(left.containers, "container start"),
        counted(left.points, "point"),
        f"{counted(left.files, 'file')} of the source with {amount('bytes', left.bytes)}",
        *([f"{left.unsettled:,} may have been submitted: the target is asked first"] if left.unsettled else []),
    ]
    stays = [
        (left.there, "there already"),
        (left.mend, "to mend where nobody edited it: tags, descriptions or names changed since"),
        (left.beside, "to archive: what they stand for is in another one by then"),
        (left.hidden, "archived by undo, to be shown again"),
        (left.changed, f"of another plan: --resubmit changed takes {counted(left.starts, 'container start')}"),
    ]
    rest = [f"{counted(count, 'job')} {what}" for count, what in stays if count]
    label = f"to submit: {left.jobs:,} of {counted(jobs, 'job')}" if left.jobs else "0 to submit"
    return Branch(label, tuple(map(Branch, [*(goes if left.jobs else []), *rest])))
