"""Histories larger than any page arrive whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox
from e2e.library import migrated
from e2e.witness import ml_client


@pytest.mark.parametrize(
    ("children", "runs", "experiments"),
    [(105, 120, 6), pytest.param(300, 3000, 40, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_everything_arrives_whatever_the_page_sizes(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, children: int, runs: int, experiments: int
) -> None:
    """Many children under one parent, many runs in one experiment, many experiments; the service's pages hold 100."""
    source, target = calm.add_workspace(), calm.add_workspace()
    for wanted in (
        Wanted(runs=1 + children, children=children, experiments=1, seed=1, series=1, points=2, artifacts=0),
        Wanted(runs=runs, children=0, experiments=1, seed=2, series=0, points=0, artifacts=0),
        Wanted(runs=experiments, children=0, experiments=experiments, seed=3, series=1, points=1, artifacts=0),
    ):
        sample(calm.folder, source.workspace_name, wanted)

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=MigrateOptions(), width=16))

    assert done.verdict.runs == 1 + children + runs + experiments
    assert (done.verdict.points, done.verdict.findings) == (2 * (1 + children) + experiments, 0)
    # azure-ai-ml follows the pages of jobs, though not those of children: it sees every root.
    jobs = [job for job in ml_client(target).jobs.list() if job.experiment_name.startswith("sample-")]
    assert len({job.name for job in jobs}) == 1 + runs + experiments
    assert len({job.experiment_name for job in jobs}) == 2 + experiments
