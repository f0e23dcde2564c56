"""Real MLflow servers, each in an environment of its own: what they store, and refuse, nobody here wrote."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from e2e import mlflow_window, own_environment
from e2e.mlflow_window import NEWEST, OLDER

__all__ = ("NEWEST", "OLDER", "MlflowServer", "serving", "shared")

START_S = 120
"""A server imports MLflow twice before it answers, on a machine where other tests run."""
LOG = "server.log"


@dataclass(frozen=True)
class MlflowServer:
    """A server on this machine."""

    url: str
    version: str
    python: Path
    """Of its environment: a client of the same version is there."""
    artifacts: Path
    """The folder behind its proxy."""
    pid: int = 0
    """Of the process that leads the session of its own."""

    @property
    def log(self) -> Path:
        """What the server says, each request among it from 3.17 on."""
        return self.artifacts.parent / "server.log"

    def environment(self) -> dict[str, str]:
        """For a client of its own version."""
        return own_environment.OUTSIDE | {"MLFLOW_TRACKING_URI": self.url, "PYTHONWARNINGS": "ignore"}

    def does(self, script: str) -> None:
        """Whatever a client of its own version can do there."""
        command = [str(self.python), "-c", script]
        subprocess.run(command, env=self.environment(), check=True, timeout=START_S, capture_output=True)


def beside() -> dict[str, str]:
    """Settings of a server on PostgreSQL, or with logins. Skips the test where what these need cannot be installed."""
    pins = Path(__file__).parent / "e2e" / "mlflow_servers" / "beside.txt"
    try:
        python = own_environment.installed("mlflow-beside", pins)
    except own_environment.NotInstallable as why:
        pytest.skip(str(why))
    (packages,) = python.parent.parent.glob("lib/python*/site-packages")
    return {"PYTHONPATH": str(packages)}


@contextmanager
def serving(
    folder: Path, version: str = NEWEST, *flags: str, store: str | None = None, workers: int = 1, **settings: str
) -> Iterator[MlflowServer]:
    """A server with a SQLite file of its own, or a `store`, and proxied artifacts; it ends with the context.

    Skips the test where the version cannot be installed.
    """
    server, process = _started(folder, version, *flags, store=store, workers=workers, **settings)
    with process:
        try:
            _until_it_answers(process, server.url, folder)
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def shared(folder: Path) -> Iterator[MlflowServer]:
    """The newest version's server, one for all test processes that name this folder: each test has names of its own.

    It ends with the last process that uses it, however that ends: the lock of a process goes with it, and a guardian
    waits until nobody has one.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "first").open("w") as first, (folder / "users").open("w") as users:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # a guardian that has it is about to end the server, and its note
        note = folder / "server.txt"
        if not note.exists():
            server, process = _started(Path(mkdtemp(dir=folder)), NEWEST)
            subprocess.Popen(
                [sys.executable, "-c", _GUARDIAN, users.name, str(note), str(process.pid)], start_new_session=True
            )
            _until_it_answers(process, server.url, server.artifacts.parent)
            note.write_text(f"{server.url}\n{server.artifacts}")
        url, artifacts = note.read_text().splitlines()
        fcntl.flock(first, fcntl.LOCK_UN)
        yield MlflowServer(url, NEWEST, mlflow_window.installed(NEWEST), Path(artifacts))


_GUARDIAN = """
import fcntl, os, pathlib, signal, sys
with open(sys.argv[1], "w") as users:
    fcntl.flock(users, fcntl.LOCK_EX)
    pathlib.Path(sys.argv[2]).unlink(missing_ok=True)
    os.killpg(int(sys.argv[3]), signal.SIGKILL)
"""


_ENVIRONMENT = {name: value for name, value in own_environment.OUTSIDE.items() if not name.startswith("MLFLOW_")} | {
    "PYTHONWARNINGS": "ignore",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""Without nine processes for jobs, each of which imports all of MLflow: 3.5 s of processor until it answers, not 7.5,
and as much again behind that. Migrations are not what takes time: a database that had them saved nothing."""


def _started(
    folder: Path, version: str, *flags: str, store: str | None = None, workers: int = 1, **settings: str
) -> tuple[MlflowServer, subprocess.Popen[bytes]]:
    """A server that does not answer yet."""
    try:
        python = mlflow_window.installed(version)
    except own_environment.NotInstallable as why:
        pytest.skip(str(why))
    port = _free_port()
    artifacts = folder / "artifacts"
    command = [
        *(str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
        *("--backend-store-uri", store or f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(artifacts)),
        *flags,
    ]
    with (folder / LOG).open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=_ENVIRONMENT | settings, stdout=said, stderr=said, start_new_session=True
        )
    return MlflowServer(f"http://127.0.0.1:{port}", version, python, artifacts, process.pid), process


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _until_it_answers(process: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    ends, log = time.monotonic() + START_S, folder / LOG
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text(errors="replace")
        with suppress(URLError, ConnectionError), urlopen(f"{url}/health", timeout=START_S):  # noqa: S310
            return
        time.sleep(0.1)
    raise AssertionError(f"no answer in {START_S} s: {log.read_text(errors='replace')}")
