"""An archive that was restored from a copy knows less than the target holds: it asks before it appends."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import scalar
from e2e.library import migrated
from e2e.tampering import Held, change, fill, row


def logged_late(held: Held) -> None:
    """Three points of a new metric, in a run that has ended: nothing else of it changes."""
    held.world.metrics.append(held.guid, scalar("dcid.root", "late"), [row(at, at / 2, "late") for at in range(3)])


@pytest.mark.parametrize("restored", [True, False], ids=["restored", "another archive"])
def test_points_that_another_archive_sent_are_not_sent_again(
    workspace: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, restored: bool
) -> None:
    """Both archives saw the run before it had them; one brings them, then the other."""
    target, one, other = calm.add_workspace(), tmp_path / "one", tmp_path / "other"
    change(calm, workspace, fill)
    asyncio.run(migrated(workspace, target, one))
    if restored:
        shutil.copytree(one, other)
    else:
        asyncio.run(migrated(workspace, target, other))
    change(calm, workspace, logged_late)

    first = asyncio.run(migrated(workspace, target, one))
    second = asyncio.run(migrated(workspace, target, other))

    assert (first.replayed.points, first.verdict.findings) == (3, 0)
    assert (second.replayed.points, second.verdict.findings) == (0, 0)
