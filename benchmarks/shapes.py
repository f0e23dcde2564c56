"""Histories to measure with, written into a sandbox's workspace."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted, nodes
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN

MIB = 1024 * 1024
SMALL = Wanted(runs=0, series=3, points=10, artifacts=2)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a history is made of."""

    wanted: Wanted
    """Its `runs` are the default; 0 where the size must be given."""
    about: str
    large_files: int = 0
    """In the first run."""
    large_mib: int = 256


SHAPES = {
    "small": Shape(SMALL, "many small runs: 3 series of 10 points, 2 files, trees of up to 3 levels"),
    "curves": Shape(Wanted(runs=0, series=10, points=20, artifacts=0), "ten series of twenty points, no files"),
    "bare": Shape(Wanted(runs=0, children=0, series=3, points=10, artifacts=0), "roots only, no files"),
    "empty": Shape(Wanted(runs=0, series=0, points=0, artifacts=0), "runs alone: what their number costs in memory"),
    "long": Shape(Wanted(runs=10, children=0, series=2, points=50_000, artifacts=0), "a million points in 20 series"),
    "one": Shape(Wanted(runs=1, children=0, series=1, points=1_000_000, artifacts=0), "a million points in one series"),
    "deep": Shape(replace(SMALL, children=9), "wide trees of three levels: 91 runs each"),
    "files": Shape(Wanted(runs=40, children=0, series=0, points=0, artifacts=500), "20,000 files of about 1 KB"),
    "large": Shape(Wanted(runs=1, children=0, series=0, points=0, artifacts=0), "ten files of 256 MiB", large_files=10),
}


def fill(folder: Path, workspace: str, shape: Shape, runs: int | None) -> None:
    """Writes the history; the sandbox of `folder` must be running."""
    wanted = replace(shape.wanted, runs=runs or shape.wanted.runs)
    if not wanted.runs:
        raise SystemExit("say how many runs: --runs N")
    sample(folder, workspace, wanted)
    if shape.large_files:
        _large(folder, workspace, next(iter(nodes(wanted))).run_id, shape)


def _large(folder: Path, workspace: str, run: str, shape: Shape) -> None:
    """In storage only, not in the index: they are carried all the same."""
    content = os.urandom(MIB) * shape.large_mib
    with opened(folder, workspace) as (_, target), closing(Blobs.of(folder, target)) as blobs:
        for number in range(shape.large_files):
            blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.{run}/outputs/{number}.bin", content)
