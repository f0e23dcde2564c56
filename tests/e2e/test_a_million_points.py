"""One name with as many rows as the service holds goes both ways, and memory does not grow with it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson
import pytest

from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import Document, scalar
from e2e.tampering import BEGIN, Held, change

ROWS = 1_000_000
"""Of one metric name: the documented limit."""
FEW = 50_000
MEASURED = """
import resource, sys
from azureml_replay.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def rows(count: int) -> Iterator[Document]:
    """A curve of random-looking doubles at every step; each thousandth is not a number."""
    for step in range(count):
        value = "NaN" if step % 1_000 == 7 else 1 / (step + 3)
        yield {"metricId": str(step), "createdUtc": instants.text(BEGIN + step), "step": step, "data": {"loss": value}}


def fill(held: Held, count: int) -> None:
    """One run with that many rows."""
    home = experiment("long")
    held.world.experiments.put(held.guid, home)
    held.world.runs.put(held.guid, finished(empty_run("r", home["experimentId"], BEGIN), "Completed", BEGIN, BEGIN + 9))
    left = rows(count)
    while some := list(islice(left, 10_000)):
        held.world.metrics.append(held.guid, scalar("dcid.r", "loss"), some)


def migrated(source: WorkspaceFile, target: WorkspaceFile, folder: Path) -> tuple[Document, int]:
    """The verdict of the command, and the most memory that it took, in KiB."""
    command = ["migrate", "--source", source.path, "--target", target.path, "--archive", folder, "--json", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, command)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder.parent,
        env=os.environ,
    )
    return orjson.loads(done.stdout)["verdict"], int(done.stderr.split()[-1])


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_million_rows_of_one_name_arrive_in_the_memory_of_a_few(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Read and written by pages, compared as they stream: 20 times the rows take at most a quarter more memory."""
    memory = {}
    for count in (FEW, ROWS):
        source, target = calm.add_workspace(), calm.add_workspace()
        change(calm, source, lambda held, count=count: fill(held, count))

        verdict, memory[count] = migrated(source, target, tmp_path / str(count))

        assert (verdict["points"], verdict["findings"], verdict["omissions"]) == (count, 0, 0)
    assert memory[ROWS] < memory[FEW] * 1.25, memory
