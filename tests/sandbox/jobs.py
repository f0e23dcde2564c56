"""Jobs as a user submits them: azure-ai-ml, unmodified, on a fresh workspace."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from azure.ai.ml import MLClient, command
from azure.ai.ml.entities import Command
from azure.identity import EnvironmentCredential

from sandbox.plane import Plane

CLUSTER = "cpu-cluster"
ENVIRONMENT = "azureml://registries/azureml/environments/sklearn-1.5/versions/26"
API = {"api-version": "2024-04-01"}
TERMINAL = {"Completed", "Failed", "Canceled"}


class Jobs:
    """One workspace's jobs."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        named = plane.workspace
        self.client = MLClient(
            EnvironmentCredential(), named.subscription_id, named.resource_group, named.workspace_name
        )

    def submit(self, job: Any, name: str | None = None) -> str:
        """The job's name."""
        if name is not None:
            job.name = name
        return str(self.client.jobs.create_or_update(job, experiment_name="compute").name)

    def ended(self, name: str) -> dict[str, Any]:
        """The run, once it has ended."""
        return self.when(name, TERMINAL)

    def when(self, name: str, statuses: set[str]) -> dict[str, Any]:
        """The run, once it is in one of these states."""
        while (run := self.plane.read(f"/runs/{name}"))["status"] not in statuses:
            assert run["status"] not in TERMINAL, run
            time.sleep(0.05)
        found: dict[str, Any] = run
        return found

    def run(self, job: Any) -> dict[str, Any]:
        """Submit and wait."""
        return self.ended(self.submit(job))

    def log(self, name: str) -> str:
        """What the job has said so far."""
        files = self.plane.read(f"/runs/{name}/details")["logFiles"]
        return requests.get(files["user_logs/std_log.txt"], timeout=30).text if files else ""

    def children(self, name: str) -> dict[str, dict[str, Any]]:
        """Direct child runs by display name."""
        return {run["displayName"]: run for run in self.plane.read(f"/runs/{name}/children")["value"]}

    def put(self, name: str, **properties: Any) -> requests.Response:
        """A submission by hand."""
        return self.plane("arm", "PUT", f"/jobs/{name}", API, {"properties": properties})

    def cancel(self, name: str) -> requests.Response:
        """A cancel by hand: azure-ai-ml would poll for 30 s."""
        return self.plane("arm", "POST", f"/jobs/{name}/cancel", API)


@pytest.fixture
def jobs(plane: Plane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Jobs:
    """Submitted from an empty folder: in a git work tree azure-ai-ml asks git, and tells the job."""
    monkeypatch.chdir(tmp_path)
    return Jobs(plane)


def shell(line: str, **settings: Any) -> Command:
    """A command job that needs no code."""
    return command(command=line, environment=ENVIRONMENT, compute=CLUSTER, **settings)


def python(folder: Path, script: str, *arguments: str, **settings: Any) -> Command:
    """A command job with this script as its code."""
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "main.py").write_text(script)
    return shell(" ".join(["python main.py", *arguments]), code=str(code), **settings)


def alive(pid: int) -> bool:
    """Whether a process computes: one that has ended may still wait to be reaped."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
