"""The commands that fill a workspace, `load` and `sample`. `app.py` registers them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from azureml_sandbox.fill.load import load
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted

Dir = Annotated[Path, typer.Argument(metavar="DIR", help="The folder with the sandbox's state.")]
Name = Annotated[str, typer.Option("--workspace", metavar="W", help="The workspace to fill.")]

_USUAL = Wanted(runs=0)


def load_command(
    folder: Dir,
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDINGS", help="Files of recorded traffic, or folders of such *.json.")
    ],
    workspace: Name,
) -> None:
    """Load recorded answers of the service into a workspace. They become jobs, runs, metrics and files.

    The sandbox must be running. A run that had to be completed with made-up values has the property
    azureml_sandbox.made_up. Loading a file again changes nothing.
    """
    loaded = load(folder, workspace, recordings)
    typer.echo(f"Loaded {len(loaded.files)} recordings into {workspace}:")
    _show((kind, f"{len(came)}, {len(loaded.new.get(kind, ()))} of them new") for kind, came in loaded.came.items())
    _show_under("Made up to complete them:", {kind: len(names) for kind, names in loaded.made_up.items()})
    _show_under("Left out:", loaded.left_out)
    empty = [name for name, gave in loaded.files.items() if not gave]
    if empty:
        typer.echo(f"These recordings hold nothing that can be loaded: {', '.join(empty)}")


def sample_command(  # noqa: PLR0917 - typer names them all
    folder: Dir,
    workspace: Name,
    runs: Annotated[int, typer.Option(min=0, help="The number of runs in all, children included.")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal histories.")] = 0,
    experiments: Annotated[int, typer.Option(min=1, help="Experiments that the runs are spread over.")] = (
        _USUAL.experiments
    ),
    children: Annotated[int, typer.Option(min=0, help="Children of a run that has any; 0 makes root runs only.")] = (
        _USUAL.children
    ),
    series: Annotated[int, typer.Option(min=0, help="Metrics of a run.")] = _USUAL.series,
    points: Annotated[int, typer.Option(min=0, help="Rows of a metric.")] = _USUAL.points,
    artifacts: Annotated[
        int, typer.Option(min=0, help="Files of a run; to write files the sandbox must be running.")
    ] = _USUAL.artifacts,
    hostile: Annotated[
        bool, typer.Option("--hostile", help="Add a run for every known oddity and one of every kind.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: counts, and what is odd about each hostile run.")
    ] = False,
) -> None:
    """Write a made-up history of any size into a workspace. Runs that exist already are left alone.

    The service's limits do not apply. With --json, `hostile` lists each run, its oddity, and what a target with the
    documented limits cannot have of it.
    """
    wanted = Wanted(runs, seed, experiments, children, series, points, artifacts)
    done = sample(folder, workspace, wanted, hostile=hostile)
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=2, ensure_ascii=False))
        return
    typer.echo(f"Wrote {done.runs} runs, {done.points} metric rows and {done.files} files into {workspace}")
    if done.there:
        typer.echo(f"{done.there} runs existed already and were left alone")


def _show_under(title: str, counts: Mapping[str, int]) -> None:
    if counts:
        typer.echo(title)
        _show((kind, str(count)) for kind, count in counts.items())


def _show(rows: Iterable[tuple[str, str]]) -> None:
    for kind, count in sorted(rows):
        typer.echo(f"  {kind}: {count}")
