"""What azure-ai-ml downloads of jobs and models is the same from both sides, byte for byte."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azure.ai.ml import Output

from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import client_of, filled
from e2e.library import migrated
from e2e.test_assets import EVERYTHING
from sandbox.conftest import plane
from sandbox.jobs import Jobs, jobs, shell

__all__ = ["jobs", "plane"]


def files(folder: Path) -> dict[str, bytes]:
    """Path below a folder -> bytes."""
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_jobs_and_models_are_downloaded_alike(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """`jobs.download(all=True)`, with a named output; `models.download` of a run's model, and of one from disk."""
    filled(jobs, tmp_path)
    line = "echo 1 > ${{outputs.model}}/m.bin; mkdir outputs; echo 2 > outputs/o.txt"
    lone = jobs.run(shell(line, outputs={"model": Output(type="uri_folder")}))["runId"]
    source, target = jobs.plane.workspace, sandbox.add_workspace()

    asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))

    found = []
    for side in (source, target):
        client, into = client_of(side), tmp_path / side.workspace_name
        client.jobs.download(lone, all=True, download_path=str(into))
        client.jobs.download(lone, output_name="model", download_path=str(into))
        for name in ("flow", "disk"):
            client.models.download(name, version="1", download_path=str(into / name))
        found.append(files(into))
    there, here = found
    own = {path for path in here.keys() - there.keys() if "/replay/" in path}
    assert {path: data for path, data in here.items() if path not in own} == there
    assert {"named-outputs/model/m.bin", "artifacts/outputs/o.txt"} <= there.keys()
    assert {path.partition("/")[0] for path in there} == {"artifacts", "named-outputs", "flow", "disk"}
