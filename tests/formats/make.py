"""Writes `NN.tar.xz`: a small archive as one version of this tool wrote it. Run with the code of that version:

    git archive COMMIT src tests | tar x -C /tmp/version
    PYTHONPATH=/tmp/version/src:/tmp/version/tests python tests/formats/make.py 10 tests/formats

The files here are of the last commit of each format; three runs with 330 points and 3 files, brought into a target of
the local workspace service, where one tag was edited afterwards. All names and ids are made up.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

try:
    from azureml_sandbox.server import state
    from azureml_sandbox.server.sandbox import Sandbox
except ImportError:  # formats 1 to 10
    from azureml_sandbox.running import Sandbox

    from azureml_sandbox import state

CLI = [sys.executable, "-c", "import sys; from azureml_replay.cli import main; sys.exit(main())"]


def write(number: int, at: Path, sandbox: Sandbox) -> Path:
    """The archive's folder."""
    for name in state.BYPASSES:
        os.environ.pop(name, None)
    os.environ.update(sandbox.env)
    from mlflow import MlflowClient

    from e2e.histories import small
    from e2e.witness import tracking_uri

    source, target = sandbox.add_workspace("formats-source"), sandbox.add_workspace("formats-target")
    small(source)
    folder, ends = at / "archive", ["--source", str(source.path), "--target", str(target.path)]
    downloads = ["--artifacts", "download"] if number >= 4 else []
    subprocess.run([*CLI, "extract", *ends[:2], "--archive", str(folder), *downloads], check=True)
    subprocess.run([*CLI, "replay", str(folder), *ends], check=True)
    if number >= 17:  # else nobody knows that the tag is an edit
        subprocess.run([*CLI, "verify", str(folder), *ends], check=True)
    client = MlflowClient(tracking_uri(target))
    (held,) = [one for one in client.search_experiments() if one.name == "small"]
    (parent,) = [run for run in client.search_runs([held.experiment_id]) if run.info.run_name == "parent"]
    client.set_tag(parent.info.run_id, "team", "red")
    subprocess.run([*CLI, "verify", str(folder), *ends], check=False)
    return folder


def pack(folder: Path, made: Path) -> None:
    """The database, as small as it gets and without command lines, and the bytes of files."""
    with sqlite3.connect(folder / "archive.db") as db:
        db.execute("delete from command_log")
    db.execute("pragma journal_mode = delete")
    db.execute("pragma page_size = 1024")
    db.execute("vacuum")
    db.close()
    with tarfile.open(made, "w:xz", preset=9) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (path.name == "archive.db" or "artifacts" in path.parts):
                packed.add(path, str(path.relative_to(folder)), filter=plain)


def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without whose it was, and when."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as at:
        served = Sandbox.start(Path(at) / "sandbox")
        try:
            pack(write(int(sys.argv[1]), Path(at), served), Path(sys.argv[2]) / f"{int(sys.argv[1]):02}.tar.xz")
        finally:
            served.stop()
