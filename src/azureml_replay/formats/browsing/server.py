"""MLflow's own server on an archive: started on loopback, asked until it answers, ended with all that it started."""

from __future__ import annotations

import http
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from urllib.parse import quote

from azureml_replay.archive.archive import Archive
from azureml_replay.disk.handles import temporary_folder
from azureml_replay.errors import UserError
from azureml_replay.formats.browsing.live import SCHEME, uri_of
from azureml_replay.progress import SILENT, Progress

HOST = "127.0.0.1"
"""Whoever can reach the server reads the archive: nobody from elsewhere."""
INSTALL = "pip install 'azureml-job-replayer[mlflow]'"
_ASKED = "/api/2.0/mlflow/experiments/search?max_results=1"
"""The first answer takes the archive's runs in: it is not left to whoever opens the page."""
_START_S, _ASK_EVERY_S, _END_S = 120.0, 0.1, 10.0
_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Nothing is told to anybody, and nothing is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Where an archive can be looked at."""

    url: str
    """The page of the runs; of all experiments where there are no runs."""
    tracking_uri: str
    """For MLflow's clients, which need nothing of ours."""
    runs: int
    """Runs that are extracted."""
    experiments: int
    mlflow: str
    """MLflow's version."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that answers."""

    window: Window
    _process: subprocess.Popen[bytes]
    _log: Path

    def wait(self) -> None:
        """Wait until somebody interrupts, or the server ends by itself: raises UserError with its last words."""
        self._process.wait()
        raise _ended(self._process, self._log)


@contextmanager
def opened(folder: Path, port: int | None = None, progress: Progress = SILENT) -> Iterator[Opened]:
    """Start a server on an archive. It ends when the context does.

    Raises UserError where MLflow is not installed, the port is taken, or the server does not start.
    """
    mlflow = installed()
    home, runs, experiments = _entrance(folder)
    with _temporary() as own:
        log = Path(own) / "server.log"
        chosen = _free(port)
        progress.doing(f"starting MLflow {mlflow}")
        with log.open("wb") as said, _running(folder.resolve(), chosen, own, said.fileno()) as process:
            _until_it_answers(process, chosen, log)
            uri = f"http://{HOST}:{chosen}"
            window = Window(
                url=f"{uri}/#/experiments{home}", tracking_uri=uri, runs=runs, experiments=experiments, mlflow=mlflow
            )
            yield Opened(window, process, log)


def _temporary() -> tempfile.TemporaryDirectory[str]:
    prefix = "azureml-replay-browse-"
    return tempfile.TemporaryDirectory(prefix=prefix, dir=temporary_folder(), ignore_cleanup_errors=True)


def installed() -> str:
    """The version of MLflow. Raises UserError where it is not there, or does not know this package."""
    try:
        found = version("mlflow")  # mlflow-skinny, which others bring, has no server
    except PackageNotFoundError:
        raise UserError(f"browse shows archives in MLflow's window, and MLflow is not installed: {INSTALL}") from None
    if not entry_points(group="mlflow.tracking_store", name=SCHEME):
        raise UserError(f"MLflow {found} is not told of archives: install this package again, {INSTALL}")
    return found


def _entrance(folder: Path) -> tuple[str, int, int]:
    """The path of the experiment that was used last below `/#/experiments`, and how many runs and experiments."""
    with Archive.open(folder, write=False) as archive:
        archive.renew_timeline()
        spans = list(archive.spans())
        if not spans:
            return "", 0, 0
        newest = max(spans, key=lambda span: span.last).experiment
        known = archive.experiment(newest)
        home = f"/{quote(known.id if known else newest, safe='')}/runs"
        return home, sum(span.runs for span in spans), len(spans)


def _free(port: int | None) -> int:
    """The port that was asked for, or a free one. Raises UserError where somebody listens there."""
    with socket.socket() as trial:
        if sys.platform != "win32":  # there it would take a port that somebody has
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port or 0))
        except OSError as problem:
            raise UserError(f"--port {port}: {problem.strerror}: give another one, or none for a free one") from None
        return int(trial.getsockname()[1])


@contextmanager
def _running(folder: Path, port: int, own: str, said: int) -> Iterator[subprocess.Popen[bytes]]:
    """The server, in a group of its own: Ctrl-C comes to us, and we end it with what it started."""
    uri = uri_of(folder)
    command = [
        *(sys.executable, "-P", "-m", "mlflow", "server", "--backend-store-uri", uri, "--artifacts-destination", uri),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
    ]
    others = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows'
    with subprocess.Popen(  # noqa: S603  # our own words
        command,
        cwd=own,  # what it leaves behind goes with the folder
        env=others | _SETTINGS,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        creationflags=flags,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and its children: kindly, and at once where it takes too long or Ctrl-C comes again."""
    if process.poll() is None:
        _signal(process, kindly=True)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(_END_S)
    _signal(process, kindly=False)


def _signal(process: subprocess.Popen[bytes], *, kindly: bool) -> None:
    with suppress(OSError):  # nobody is left
        if sys.platform != "win32":
            os.killpg(process.pid, signal.SIGTERM if kindly else signal.SIGKILL)
        elif kindly:
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.kill()


def _until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Raises UserError where it ends before, or never answers."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _ended(process, log)
        status = _status(port)
        if status == http.HTTPStatus.OK:
            return
        if status is not None:
            raise UserError(f"MLflow's server answers {status} for the archive: {_last_words(log)}")
        time.sleep(_ASK_EVERY_S)
    raise UserError(f"MLflow's server did not answer within {_START_S:.0f} s: {_last_words(log)}")


def _status(port: int) -> int | None:
    """What it answers; None where nobody listens yet."""
    asking = http.client.HTTPConnection(HOST, port, timeout=_START_S)
    try:
        asking.request("GET", _ASKED)
        return asking.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        asking.close()


def _ended(process: subprocess.Popen[bytes], log: Path) -> UserError:
    return UserError(f"MLflow's server ended with {process.returncode}: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
