"""What runs refer to arrives: judged by azure-ai-ml on both sides."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect
from azureml_replay.direct.options import AssetsSent, ReplayOptions
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.planning.assets import AssetChoice, AssetScope
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, verify
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.assets import built, client_of, filled, told
from e2e.library import FastClock, configured, migrated
from sandbox.conftest import plane
from sandbox.jobs import Jobs, jobs

ALL = AssetChoice(scope=AssetScope.ALL)
EVERYTHING = MigrateOptions(deep=True, extract=ExtractOptions(assets=ALL), replay=ReplayOptions(assets=ALL))
__all__ = ["jobs", "plane"]


def test_assets_arrive_as_they_were(jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Models of a run and from disk, environments, data, components and code: both sides answer alike.

    Again: nothing is written. Verify finds what somebody changes; undo archives what is ours, replay brings it back.
    """
    filled(jobs, tmp_path)
    built(jobs.client, tmp_path)
    source, target, folder = jobs.plane.workspace, sandbox.add_workspace(), tmp_path / "archive"

    done = asyncio.run(migrated(source, target, folder, options=EVERYTHING))
    there = client_of(target)
    before, after = told(jobs.client), told(there)
    again = asyncio.run(migrated(source, target, folder, options=EVERYTHING))

    assert before == after
    assert (done.replayed.assets.made, done.replayed.assets.failed, done.replayed.assets.refused) == (9, (), ())
    assert (done.verdict.findings, done.verdict.assets, done.verdict.assets_equal) == (0, 9, 9)
    assert again.replayed.assets == AssetsSent()
    assert (again.verdict.findings, again.verdict.assets_equal) == (0, 9)
    there.models.download("disk", version="3", download_path=str(tmp_path / "down"))
    assert next((tmp_path / "down").rglob("data.bin")).read_bytes() == b"weights"
    changed_and_undone(source, target, folder, there)


def changed_and_undone(source: WorkspaceFile, target: WorkspaceFile, folder: Path, there: MLClient) -> None:
    """A tag that somebody adds is theirs: it is told, and keeps its asset from being archived."""
    model = there.models.get("disk", version="2")
    model.tags["mine"] = "yes"
    there.models.create_or_update(model)
    found = asyncio.run(called(target, folder, verify))
    gone = asyncio.run(called(target, folder, undo))
    left = {one.version for one in there.models.list("disk")}
    back = asyncio.run(migrated(source, target, folder, options=EVERYTHING)).replayed
    told_again = {one.version: one.tags for one in there.models.list("disk")}

    assert [(one.what, one.kind, one.actual) for one in found.first] == [
        ("model disk:2: tag mine", "edited in target", "yes")
    ]
    assert gone.assets == 6, "not the code of the job, and not what was archived already"
    assert left == {"2"}
    assert (back.assets.updated, back.assets.failed) == (6, ())
    assert told_again == {"2": {"v": "2", "mine": "yes"}, "3": {"v": "3"}}


async def called(target: WorkspaceFile, folder: Path, verb: Any) -> Any:
    """A verb on the archive and its target."""
    async with connect(configured(target), clock=FastClock()) as writing:
        with Archive.open(folder) as archive:
            return await verb(archive, writing)
