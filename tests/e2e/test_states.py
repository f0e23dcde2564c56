"""What is still under way, and what is not: each state of the interface files, by default and with --include-active."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azureml_replay.model import TERMINAL
from azureml_replay.selection import STATUSES, Selection
from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import migrated
from e2e.tampering import BEGIN, HOME, Held, change

STATES = tuple(status for status in STATUSES if status != "Unknown")
"""Those of run history (clients.md 3.2)."""


def one_of_each(held: Held) -> None:
    home = experiment(HOME)
    held.world.experiments.put(held.guid, home)
    for status in STATES:
        held.world.runs.put(held.guid, empty_run(status, home["experimentId"], BEGIN) | {"status": status})


def statuses(held: Held) -> dict[str, str]:
    return {name: run["status"] for name in STATES if (run := held.world.runs.get(held.guid, name))}


def test_only_what_has_ended_goes_unless_told_otherwise(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The others are counted and left to a later call; --include-active brings each as it stands, and it may end."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, one_of_each)

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))
    assert (done.verdict.runs, done.verdict.findings) == (3, 0)
    assert (done.extracted.active, _held(calm, target)) == (10, {state: state for state in TERMINAL})

    every = asyncio.run(migrated(source, target, tmp_path / "archive", selection=Selection(include_active=True)))
    assert (every.replayed.failed, every.verdict.runs, every.verdict.findings) == ((), 13, 0)
    assert _held(calm, target) == {state: state for state in STATES}

    change(calm, source, started_since)
    later = asyncio.run(migrated(source, target, tmp_path / "archive", selection=Selection(include_active=True)))
    assert (later.verdict.runs, later.verdict.findings) == (13, 0), "made without a start, it was created when sent"


def started_since(held: Held) -> None:
    """The run that had no start has one now."""
    run = held.world.runs.get(held.guid, "NotStarted")
    assert run is not None
    assert run["startTimeUtc"] is None
    held.world.runs.put(held.guid, run | {"startTimeUtc": instants.text(BEGIN), "status": "Running"})


def _held(sandbox: Sandbox, workspace: WorkspaceFile) -> dict[str, str]:
    told: dict[str, str] = {}
    change(sandbox, workspace, lambda held: told.update(statuses(held)))
    return told
