"""Jobs of a synthetic replay that name the environments and the data of their originals."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from azure.ai.ml import Input
from azure.ai.ml.dsl import pipeline

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import run as run_command
from azureml_replay.selection import Selection
from azureml_replay.synthetic.options import SyntheticReplayOptions
from azureml_replay.synthetic.replay import SyntheticReplayed, replay_synthetic
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import client_of, filled
from e2e.library import migrated
from e2e.test_assets import EVERYTHING, token
from e2e.test_synthetic import opened
from sandbox.conftest import plane
from sandbox.jobs import CLUSTER, Jobs, jobs
from sandbox.plane import Plane

__all__ = ["jobs", "plane"]


def piped(jobs: Jobs) -> str:
    """A pipeline of one step, by the component whose environment is the workspace's own; its id."""
    train = jobs.client.components.get("train", "0.0.1")

    @pipeline(default_compute=CLUSTER)
    def whole(numbers) -> None:  # azure-ai-ml takes no annotation that is a text
        train()

    job = whole(numbers=Input(type="uri_file", path="azureml:numbers:1", mode="direct"))
    return str(jobs.run(job)["runId"])


async def as_jobs(
    source: WorkspaceFile, target: WorkspaceFile, folder: Path, selection: Selection, environment: str
) -> SyntheticReplayed:
    async with opened(source) as reading, opened(target) as writing:
        with Archive.open(folder) as archive:
            options = SyntheticReplayOptions(environment=environment)
            return await replay_synthetic(archive, reading, writing, selection, options=options, width=8)


def test_jobs_name_what_their_originals_named_where_that_is_asked(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command and a step of a pipeline, with data; else it is said that they do not. Before it is there, too."""
    told = filled(jobs, tmp_path)
    whole = piped(jobs)
    source, target, folder = jobs.plane.workspace, sandbox.add_workspace(), tmp_path / "archive"
    both = Selection(include=(told["run"], whole))
    asyncio.run(migrated(source, sandbox.add_workspace(), folder, options=EVERYTHING))
    chosen = ("--mode", "synthetic", "--dry-run", "--include", told["run"], "--include", whole, "--json")
    line = ["replay", str(folder), "--target", str(target.path), *chosen]

    said = [run_json([*line, *more], capsys) for more in ((), ("--environment", "original"))]
    assert run_command([*line[:-1], "--environment", "original"]) == 0
    lacking = capsys.readouterr().out
    asyncio.run(migrated(source, target, folder, selection=Selection(include=("trained",)), options=EVERYTHING))
    there = run_json([*line, "--environment", "original"], capsys)
    done = asyncio.run(as_jobs(source, target, folder, both, "original"))

    assert "none of these was brought into the target" in lacking
    assert "--environment original" not in lacking, "it was just given"
    assert said == [{"environment": 1, "data": 1}] * 2
    assert there == {}
    assert (done.failed, done.unnamed, done.original, done.verdict and done.verdict.findings) == ((), {}, True, 0)
    client, plane = client_of(target), Plane(target, token())
    command = plane.arm(f"/jobs/{told['run']}")["properties"]
    assert command["environmentId"].endswith("/environments/own-env/versions/2")
    assert command["environmentId"].startswith(plane.path)
    assert command["inputs"]["d"]["uri"] == client.data.get("numbers", "1").id
    assert command["inputs"]["d"]["mode"] == "Direct"
    (step,) = [one for one in plane.read(f"/runs/{whole}/children")["value"] if one["displayName"] == "train"]
    definition = plane.read(f"/runs/{step['runId']}/details")["runDefinition"]
    assert definition["environment"]["assetId"].endswith("/environments/own-env/versions/2")
    assert plane.arm(f"/jobs/{whole}")["properties"]["inputs"]["numbers"]["uri"] == client.data.get("numbers", "1").id


def run_json(line: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    assert run_command(line) == 0
    found: dict[str, int] = json.loads(capsys.readouterr().out)["unnamed"]
    return found
