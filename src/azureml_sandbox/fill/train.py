"""`azureml-sandbox train`: submits jobs as a user would, waits for their end, writes an AutoML job beside them."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import SampledRun, index_entry, user
from azureml_sandbox.fill.training.automl import EXPERIMENT, automl
from azureml_sandbox.pki import private
from azureml_sandbox.problem import Problem
from azureml_sandbox.server import state
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.own import python
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import Workspace, World

Say = Callable[[str], None]


def train(folder: Path, name: str, say: Say) -> None:
    """Submit jobs, wait, say how each ended. Not repeatable: each call adds new jobs.

    Raises:
        Problem: no server runs, or the jobs could not be submitted.
    """
    state.running(folder)
    with opened(folder, name) as (world, workspace):
        say("Submitting jobs with azure-ai-ml; they run here (about a minute)")
        _submit(Sandbox(folder), name)
        job = f"automl_{secrets.token_hex(4)}"
        experiment = world.experiments.obtain(workspace.guid, EXPERIMENT)
        with closing(Blobs.of(folder, workspace)) as blobs:
            _write(world, workspace, automl(workspace, job, experiment["experimentId"], instants.now()), blobs)
        say(f"{job} Completed (its documents were written, nothing was computed)")


def _submit(sandbox: Sandbox, name: str) -> None:
    """Submit in another process, because environment variables lead clients to the sandbox."""
    inherited = {key: value for key, value in os.environ.items() if key not in state.BYPASSES}
    log = sandbox.folder / "train.log"
    command = python("azureml_sandbox.fill.training.submit", str(sandbox.workspace(name).path))
    with open(log, "wb", opener=private) as errors:
        done = subprocess.run(command, env=inherited | sandbox.env, stderr=errors, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise Problem(f"the jobs could not be submitted to workspace {name}: see {log}, then run train again")


def _write(world: World, workspace: Workspace, runs: Iterable[SampledRun], blobs: Blobs) -> None:
    by = user(workspace)
    for sampled in runs:
        run = sampled.run | {"createdBy": by, "lastModifiedBy": by, "userId": by["userObjectId"]}
        for file in sampled.files:
            place = index_entry(run, file)["dataPath"]["relativePath"]
            blobs.put(file.datastore, place, file.data or b"", append=file.append)
        with world.transaction():
            world.runs.put(workspace.guid, run)
            if sampled.job is not None:
                world.jobs.put(workspace.guid, sampled.job, instants.parse(run["createdUtc"]))
            for series, rows in sampled.series:
                world.metrics.append(workspace.guid, series, rows)
            for file in sampled.files:
                world.artifacts.put(workspace.guid, index_entry(run, file))
