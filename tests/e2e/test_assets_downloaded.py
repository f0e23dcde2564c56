"""What azure-ai-ml downloads of jobs and models is the same from both sides, byte for byte."""

from __future__ import annotations

import asyncio
from enum import Enum
from pathlib import Path

import pytest
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


class Recorded(Enum):
    """Types of data as run history spells them.

    azure-ai-ml 1.35 looks for those of ARM among them, and so takes no data for data
    (Azure/azure-sdk-for-python#48941): `all` brings no output, and fails where one is a model, since 1.35 names a field
    of the request otherwise than its own class does. Recorded clients knew this spelling (pipe-child-run-download 51).
    """

    FOLDER = "UriFolder"
    FILE = "UriFile"
    TABLE = "MLTable"


def test_jobs_and_models_are_downloaded_alike(
    jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jobs.download(all=True)`, with named outputs; `models.download` of a run's model, and of one from disk."""
    filled(jobs, tmp_path)
    line = "echo 1 > ${{outputs.model}}/m.bin; echo 3 > ${{outputs.more}}/n.csv; mkdir outputs; echo 2 > outputs/o"
    made = {"model": Output(type="uri_folder"), "more": Output(type="uri_folder")}
    lone = jobs.run(shell(line, outputs=made))["runId"]
    source, target = jobs.plane.workspace, sandbox.add_workspace()

    asyncio.run(migrated(source, target, tmp_path / "archive", options=EVERYTHING))

    found = []
    for side in (source, target):
        client, into = client_of(side), tmp_path / side.workspace_name
        client.jobs.download(lone, all=True, download_path=str(into))
        client.jobs.download(lone, output_name="model", download_path=str(into / "named"))
        with monkeypatch.context() as mended:
            mended.setattr("azure.ai.ml.operations._job_ops_helper.DataType", Recorded)
            client.jobs.download(lone, all=True, download_path=str(into / "all"))
        for name in ("flow", "disk"):
            client.models.download(name, version="1", download_path=str(into / name))
        found.append(files(into))
    there, here = found
    own = {path for path in here.keys() - there.keys() if "/replay/" in path}
    assert {path: data for path, data in here.items() if path not in own} == there
    outputs = {path: data for path, data in there.items() if "named-outputs/" in path}
    assert outputs == {
        "named/named-outputs/model/m.bin": b"1\n",
        "all/named-outputs/model/m.bin": b"1\n",
        "all/named-outputs/more/n.csv": b"3\n",
    }
    assert {"artifacts/outputs/o", "all/artifacts/outputs/o"} <= there.keys()
    assert {path.partition("/")[0] for path in there} == {"artifacts", "named", "all", "flow", "disk"}
