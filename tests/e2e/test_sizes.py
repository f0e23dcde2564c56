"""Histories larger than any page arrive whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azureml_replay.migrate import MigrateOptions
from azureml_sandbox.running import Sandbox
from azureml_sandbox.sample import sample
from azureml_sandbox.sample_shape import Wanted
from e2e.library import migrated
from e2e.witness import ml_client


def test_everything_arrives_whatever_the_page_sizes(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """300 children under one parent, 3,000 runs in one experiment, 40 experiments; the service's pages hold 100."""
    source, target = calm.add_workspace(), calm.add_workspace()
    for wanted in (
        Wanted(runs=301, children=300, experiments=1, seed=1, series=1, points=2, artifacts=0),
        Wanted(runs=3000, children=0, experiments=1, seed=2, series=0, points=0, artifacts=0),
        Wanted(runs=40, children=0, experiments=40, seed=3, series=1, points=1, artifacts=0),
    ):
        sample(calm.folder, source.workspace_name, wanted)

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=MigrateOptions(), width=16))

    assert (done.verdict.runs, done.verdict.points, done.verdict.findings) == (3341, 602 + 40, 0)
    # azure-ai-ml follows the pages of jobs, though not those of children: it sees every root.
    jobs = [job for job in ml_client(target).jobs.list() if job.experiment_name.startswith("sample-")]
    assert len({job.name for job in jobs}) == 1 + 3000 + 40
    assert len({job.experiment_name for job in jobs}) == 42
