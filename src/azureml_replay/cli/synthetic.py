"""`--mode synthetic`: its flags, what they call, and its results as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from azureml_replay.cli.options import MOST, BudgetOption, FilesOption, MaxFileSizeOption, NoArtifactsOption, file_flags
from azureml_replay.cli.results import left_out, refused
from azureml_replay.counting import counted
from azureml_replay.errors import UserError
from azureml_replay.synthetic.staging.paths import DEFAULT_ENVIRONMENT
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount

if TYPE_CHECKING:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.azure.config import WorkspaceConfig
    from azureml_replay.direct.replay import ReplayOptions
    from azureml_replay.selection import Selection
    from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions
    from azureml_replay.synthetic.replay import SyntheticReplayed
    from azureml_replay.synthetic.tree.nodes import Tree
    from azureml_replay.synthetic.tree.summary import DryRun
    from azureml_replay.terminal.layout import Branch


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
    Mode, typer.Option(help="direct writes the runs as they were; synthetic submits jobs that log them again.")
]


ExpandOption: TypeAlias = Annotated[
    bool, typer.Option("--expand-automl-trials", help="synthetic: AutoML and sweep trials become jobs too.")
]
MostTrialsOption: TypeAlias = Annotated[
    int | None, typer.Option(min=1, max=MOST, metavar="N", help="synthetic: at most N trials of a parent.")
]
TopMetricOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="M", help="synthetic: what ranks them, not the job's own primary metric.")
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


def job_flags(
    *,
    compute: Annotated[
        str, typer.Option(metavar="NAME", help="synthetic: a cluster of the target, or serverless.")
    ] = "serverless",
    environment: Annotated[
        str, typer.Option(metavar="E", help="synthetic: what steps run in: NAME:VERSION, a registry's id, HOST/IMAGE.")
    ] = DEFAULT_ENVIRONMENT,
    edges: Annotated[Edges, typer.Option(help="synthetic: steps wait as they did, or not.")] = Edges.SHAPE,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="synthetic: leave once all is submitted; again to follow and verify.")
    ] = False,
    expand_automl_trials: ExpandOption = False,
    replay_automl_max_trials: MostTrialsOption = None,
    replay_automl_top_metric: TopMetricOption = None,
    replay_automl_trial_sampling: Annotated[Sampling, typer.Option(help="synthetic: which of them.")] = Sampling.BEST,
    seed: Annotated[
        int, typer.Option(min=-MOST, max=MOST, metavar="N", help="synthetic: of random; equal seeds take equal trials.")
    ] = 0,
    resubmit: Annotated[
        Resubmit, typer.Option(help="synthetic: jobs whose plan changed since stay as they are, or are submitted anew.")
    ] = Resubmit.NEVER,
    max_file_size: MaxFileSizeOption = None,
    artifact_budget: BudgetOption = None,
    files: FilesOption = None,
    no_artifacts: NoArtifactsOption = False,
) -> SyntheticReplayOptions:
    """The options of a synthetic replay: what the jobs are to be, and where they run."""
    from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions
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
    grown = SyntheticOptions(trials=trials if expand_automl_trials else None, edges=edges.value)
    shape = Shape(tree=grown, files=chosen)
    return SyntheticReplayOptions(
        shape=shape,
        compute=compute,
        environment=environment,
        wait=not no_wait,
        resubmit=resubmit is Resubmit.CHANGED,
    )


def only_direct(options: ReplayOptions) -> None:
    """Raises UserError where a flag was given that synthetic replay would not obey."""
    flags = {"--attach": options.attach, "--keep-run-type": options.keep_run_type, "--ids new": options.new_ids}
    for flag, given in flags.items():
        if given:
            raise UserError(f"{flag} is for direct replay: leave it out, or leave out --mode synthetic")


def only_synthetic(options: SyntheticReplayOptions) -> None:
    """Raises UserError where a flag was given that direct replay would not obey."""
    from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions

    if options != SyntheticReplayOptions(shape=Shape(files=options.shape.files)):
        raise UserError("a flag of --mode synthetic was given (compute, edges, trials …): add --mode synthetic")


def show(
    folder: Path,
    target: WorkspaceConfig | None,
    selection: Selection,
    shape: Shape,
    *,
    terminal: Terminal,
    originals: bool = False,
    price_per_hour: float | None = None,
) -> None:
    """Show the trees, then the sums. No login, no network, nothing written. `originals`: as `--debug-hierarchy` does.

    With `target`, jobs that were submitted there keep the shape they have.
    """
    from azureml_replay.archive.archive import Archive
    from azureml_replay.cli.job_trees import drawn, hierarchy
    from azureml_replay.synthetic.options import planned_trees

    with Archive.open(folder, write=False) as archive:
        ledger = archive.ledger(target.ref if target else archive.source)
        planned = planned_trees(archive, ledger, selection, shape)
        sums = summed(archive, planned, hierarchy if originals else drawn, terminal)
    terminal.result(sums, sum_lines(sums, price_per_hour))


def summed(
    archive: Archive, planned: Iterable[tuple[Tree, Shape]], draw: Callable[[Tree], Branch], terminal: Terminal
) -> DryRun:
    """Show tree by tree; the sums of all, with everything that the jobs will not have."""
    from azureml_replay.synthetic.staging.manifest import step_of
    from azureml_replay.synthetic.staging.stage import layout_of, left_behind
    from azureml_replay.synthetic.tree.summary import DryRun

    sums = DryRun()
    for one, as_submitted in planned:
        sums.add(one)
        for leaf in one.leaves():
            laid = layout_of(archive, leaf, as_submitted.files)
            sums.omit(left_behind(archive, step_of(leaf), laid, as_submitted.files))
        if not terminal.json:
            terminal.result(None, [draw(one)])
        for remark in one.remarks:
            terminal.say(remark)
    return sums


def replayed(done: SyntheticReplayed) -> Iterator[str]:
    """The lines of a synthetic `replay`: what was submitted, and what failed."""
    yield from submitted(done)
    yield from failures(done)


def failures(done: SyntheticReplayed) -> Iterator[str]:
    """One line for each run that failed."""
    return (f"failed: {run}: {why}" for run, why in done.failed)


def submitted(done: SyntheticReplayed) -> Iterator[str]:
    """Lines that say how many jobs were submitted, and how far they are."""
    ended = f"{done.completed:,} completed" if done.verdict else "not waited for: the same command follows them"
    yield f"{counted(done.jobs, 'job')}: {done.submitted:,} submitted now, {ended}"
    if done.parents:
        yield f"{counted(done.parents, 'parent run')} completed from here with values that no job could write to it"
    if done.mended:
        yield f"tags, description or name of {counted(done.mended, 'run')} brought up to date where they stand"
    yield from refused(done.refused)
    if done.changed:
        jobs, starts = counted(done.changed, "job"), counted(done.starts, "container start")
        yield f"the plan of {jobs} changed since: this command with --resubmit changed submits anew, {starts}"


def sum_lines(sums: DryRun, price_per_hour: float | None) -> Iterator[Line]:
    """The lines of a dry run: its counts, and the cost where a price is given."""
    containers = counted(sums.containers, "container start")
    yield f"{counted(sums.jobs, 'job')} to submit for {counted(sums.runs, 'run')}; {containers}"
    size = amount("bytes", sums.bytes)
    contents = f"{counted(sums.points, 'point')}, {counted(sums.parameters, 'parameter')}"
    yield f"{contents}, {counted(sums.files, 'file')} of the source with {size}"
    omissions = sum(sums.reasons.values())
    yield left_out(omissions, sums.reasons)
    if price_per_hour is not None:
        cost = sums.cost(price_per_hour)
        yield f"about {cost:,.2f} for {sums.compute_hours:,.1f} hours of one node (a guess: a minute a container)"
