"""A PostgreSQL of a test's own: a cluster on a free port, which nobody keeps. Debian's package brings the programs."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

START_S = 60
NAME = "mlflow"


def programs() -> Path:
    """The folder of `initdb` and `postgres`. Skips the test where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + [
        Path(there) for there in (shutil.which("initdb"),) if there
    ]
    if not found:
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    return found[-1].parent


@contextmanager
def cluster() -> Iterator[str]:
    """The address of an empty database, as SQLAlchemy takes it; the cluster ends with the context."""
    bin_folder, user = programs(), _user()
    home = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))  # pytest's folders are closed to other users
    try:
        if user is not None:
            shutil.chown(home, user)
        _run(user, home, bin_folder / "initdb", "-D", home / "data", "-U", NAME, "-A", "trust", "-E", "UTF8", "-N")
        port = _free_port()
        flags = ["-D", str(home / "data"), "-p", str(port), "-k", str(home), "-h", "127.0.0.1", "-F"]
        with (
            (home / "server.log").open("wb") as said,
            subprocess.Popen(
                [bin_folder / "postgres", *flags], cwd=home, user=user, stdout=said, stderr=said
            ) as process,
        ):
            try:
                _until_it_answers(process, port, home / "server.log")
                yield f"postgresql+psycopg2://{NAME}@127.0.0.1:{port}/postgres"
            finally:
                process.send_signal(2)  # at once, clients or not
                process.wait(START_S)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _user() -> str | None:
    """PostgreSQL never runs as root: then its package's own user does it, or nobody."""
    if os.geteuid():
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


def _run(user: str | None, home: Path, *command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), cwd=home, user=user, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text(errors="replace")
        if "ready to accept connections" in log.read_text(errors="replace"):
            return
        time.sleep(0.1)
    raise AssertionError(f"no answer on port {port} in {START_S} s: {log.read_text(errors='replace')}")
