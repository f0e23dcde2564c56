"""What becomes of running jobs when their server goes, and of what it had when the next one comes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.identity import EnvironmentCredential

from azureml_sandbox.server.sandbox import Sandbox
from environment import point_at
from sandbox.jobs import CLUSTER, Jobs, alive
from sandbox.plane import Plane
from sandbox.test_compute_pipeline import component


class Served:
    """A server of its own, which may be stopped."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        self.start()

    def start(self) -> None:
        self.sandbox = Sandbox.start(self.folder, ["source"])
        point_at(self.sandbox, self._monkeypatch)
        token = EnvironmentCredential().get_token("https://management.azure.com/.default").token
        self.jobs = Jobs(Plane(self.sandbox.workspace("source"), token))


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Its folder has a blank in its name, and PYTHONPATH is set where it starts."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    found = Served(tmp_path / "a sandbox", monkeypatch)
    yield found
    found.sandbox.stop()


def running(served: Served, pids: Path) -> int:
    """A pipeline whose step runs: the step's process."""
    node = component(served.jobs, "c", command=f"echo $$ > {pids}; sleep 60; sleep 60")
    settings = {"default_compute": f"/x/computes/{CLUSTER}"}
    served.jobs.put("p", jobType="Pipeline", jobs={"a": {"componentId": node}}, settings=settings)
    while not pids.exists() or not pids.read_text():
        time.sleep(0.05)
    return int(pids.read_text())


@pytest.mark.parametrize("end", [pytest.param("stop", marks=pytest.mark.slow), "kill"])
def test_processes_end_with_their_server_and_their_jobs_have_failed(served: Served, tmp_path: Path, end: str) -> None:
    """However it ends; run history says why, and no folder is left."""
    pid = running(served, tmp_path / "pids")

    getattr(served.sandbox, end)()
    while alive(pid):
        time.sleep(0.05)
    served.start()

    runs = [served.jobs.plane.read("/runs/p"), *served.jobs.children("p").values()]
    assert [run["status"] for run in runs] == ["Failed", "Failed"]
    assert {run["error"]["error"]["message"] for run in runs} == {
        "The node was lost while the job ran: the sandbox was stopped."
    }
    assert [left for left in (served.folder / "jobs").glob("*/*") if left.exists()] == []


def test_finished_jobs_survive_a_restart_and_new_ones_run(served: Served) -> None:
    """In a folder whose name a shell would split, with nothing of the server's own surroundings."""
    served.jobs.put("first", jobType="Command", command="pwd; echo path=$PYTHONPATH")
    before = served.jobs.ended("first")

    served.sandbox.stop()
    served.start()
    served.jobs.put("second", jobType="Command", command="ls > ${{outputs.o}}/l", outputs={"o": {"mode": "Upload"}})

    assert served.jobs.plane.read("/runs/first") == before
    assert served.jobs.log("first").splitlines()[0].startswith(str(served.folder))
    assert served.jobs.log("first").endswith("path=\n")
    assert served.jobs.ended("second")["status"] == "Completed"
