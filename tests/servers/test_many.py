"""Many runs, and many rows of one name, go to a server and come back, and memory does not grow with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from benchmarks.archive import fill as fill_archive

from azureml_replay.archive.archive import Archive
from azureml_replay.model import RunId
from azureml_sandbox.server.sandbox import Sandbox
from e2e.tampering import change
from e2e.test_a_million_points import FEW, MEASURED, ROWS
from e2e.test_a_million_points import fill as fill_with_rows
from mlflow_servers import MlflowServer
from servers.moving import bindings, named, prefix_of

RUNS = (300, 3_000)
"""Three requests each: a server makes some ten to twenty such runs a second."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600)]


def measured(folder: Path, *command: str | Path) -> tuple[Any, int]:
    """What a command printed as JSON, and the most memory that it took, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, command), "--json", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout), int(done.stderr.split()[-1])


def target_of(server: MlflowServer, folder: Path, name: str) -> Path:
    """A file that names the server, with a prefix of its own."""
    (folder / name).mkdir()
    return named(server, folder / name)


def test_ten_times_the_runs_take_the_same_memory(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    """To the server, read back, and from it."""
    memory: dict[tuple[str, int], int] = {}
    for count in RUNS:
        target, kept = target_of(mlflow_server, tmp_path, f"{count}"), tmp_path / f"archive-{count}"
        fill_archive(kept, count, series=0, files=0)
        done, memory["replay", count] = measured(tmp_path, "replay", kept, "--target", target)
        assert done["runs"] == count
        _, memory["verify", count] = measured(tmp_path, "verify", kept, "--target", target)
        chosen = ("--source", mlflow_server.url, "--experiment", f"{prefix_of(target)}[el]*")
        done, memory["extract", count] = measured(tmp_path, "extract", *chosen, "--archive", tmp_path / f"back-{count}")
        assert done["runs"] == count
    few, many = RUNS
    for verb in ("replay", "verify", "extract"):
        assert memory[verb, many] < memory[verb, few] * 1.2, memory


def test_a_million_rows_of_one_name_go_there_and_back(
    calm: Sandbox, azure_env: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """By batches and by pages: 20 times the rows take at most a quarter more memory, and all are there."""
    memory: dict[tuple[str, int], int] = {}
    for count in (FEW, ROWS):
        source, target = calm.add_workspace(), target_of(mlflow_server, tmp_path, f"{count}")
        change(calm, source, lambda held, count=count: fill_with_rows(held, count))
        here, back = tmp_path / f"archive-{count}", tmp_path / f"back-{count}"
        asked = ("migrate", "--source", source.path, "--target", target, "--archive", here)
        done, memory["there", count] = measured(tmp_path, *asked)
        assert (done["verdict"]["points"], done["verdict"]["findings"]) == (count, 0)

        chosen = ("--source", mlflow_server.url, "--experiment", f"{prefix_of(target)}[el]*")
        done, memory["back", count] = measured(tmp_path, "extract", *chosen, "--archive", back)

        assert done["points"] == count
        (there,) = bindings(here, target).values()
        assert rows_of(back, there) == rows_of(here, "r")
    for way in ("there", "back"):
        assert memory[way, ROWS] < memory[way, FEW] * 1.25, memory


def rows_of(folder: Path, run: str) -> int:
    """A digest of step and value of all rows."""
    with Archive.open(folder, write=False) as archive:
        ((series, _),) = archive.series(RunId(run))
        found = archive.points(RunId(run), series.key)
        return hash(frozenset((step, repr(cells[0])) for points in found for step, _, cells in points.rows()))
