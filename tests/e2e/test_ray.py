"""Workers as tasks of Ray, where it is installed."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.test_lease import migrating, until_it_appends
from e2e.test_workers import PACED, is_as_one_made_it, source, target, until_gone

__all__ = ("source", "target")
with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed here")


def listening(pids: set[int]) -> set[str]:
    """Addresses on which these processes listen."""
    said = subprocess.run(["ss", "-tlnpH"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    return {line.split()[3].rpartition(":")[0] for line in lines}


def below(pid: int) -> set[int]:
    """A process's children, theirs, and so on."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child, *below(child)}
    return found


@with_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ray_brings_what_one_process_brings(
    source: WorkspaceFile, target: WorkspaceFile, calm: Sandbox, tmp_path: Path
) -> None:
    """It listens on loopback alone, and begins and ends with the command."""
    more = ("--workers", "2", "--engine", "ray")
    with migrating(source, target, tmp_path / "a", *more, program=[PACED]) as migration:
        until_it_appends(calm, migration)
        family = below(migration.process.pid)
        addresses = listening(family)
        assert migration.ended() == 0, migration.said
        for pid in family:
            until_gone(pid)

    assert addresses <= {"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"}, addresses
    assert addresses
    is_as_one_made_it(source, target, calm, tmp_path / "a")
