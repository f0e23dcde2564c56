"""Real MLflow servers, each in an environment of its own: what they store, and refuse, nobody here wrote."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from e2e import mlflow_window, own_environment
from e2e.mlflow_window import NEWEST, OLDER

__all__ = ("NEWEST", "OLDER", "MlflowServer", "serving")

START_S = 120
"""A server makes 67 migrations of its database before it answers, on a machine where other tests run."""


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
    try:
        python = mlflow_window.installed(version)
    except own_environment.NotInstallable as why:
        pytest.skip(str(why))
    port = _free_port()
    artifacts, log = folder / "artifacts", folder / "server.log"
    command = [
        *(str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
        *("--backend-store-uri", store or f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(artifacts)),
        *flags,
    ]
    others = {name: value for name, value in own_environment.OUTSIDE.items() if not name.startswith("MLFLOW_")}
    with (
        log.open("wb") as said,
        subprocess.Popen(
            command,
            cwd=folder,
            env=others | {"PYTHONWARNINGS": "ignore", "MLFLOW_DISABLE_TELEMETRY": "true"} | settings,
            stdout=said,
            stderr=said,
            start_new_session=True,
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _until_it_answers(process, url, log)
            yield MlflowServer(url, version, python, artifacts, process.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text(errors="replace")
        with suppress(URLError, ConnectionError), urlopen(f"{url}/health", timeout=START_S):  # noqa: S310
            return
        time.sleep(0.1)
    raise AssertionError(f"no answer in {START_S} s: {log.read_text(errors='replace')}")
