"""What an extraction was told to leave out is said, and comes with a later one that wants it."""

from __future__ import annotations

from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import connect
from azureml_replay.config import workspace_config
from azureml_replay.extract import Extracted, ExtractOptions, extract
from azureml_replay.selection import Selection
from azureml_sandbox.running import WorkspaceFile


async def extracted(source: WorkspaceFile, folder: Path, options: ExtractOptions) -> tuple[Extracted, Archive]:
    config = workspace_config(str(source.path))
    async with connect(config) as workspace:
        with Archive.create(folder, config.ref) as archive:
            done = await extract(workspace, archive, Selection(limit=9), options=options)
    return done, Archive.open(folder, write=False)


async def test_files_and_points_left_out_come_later(small_history: WorkspaceFile, azure_env, tmp_path: Path) -> None:
    """First an omission for each run and kind, then everything, then nothing more to do."""
    bare = ExtractOptions(metrics=False, artifacts=False)

    first, archive = await extracted(small_history, tmp_path / "archive", bare)
    reasons = [omission.reason for omission in archive.omissions()]
    assert (first.listed, first.units, first.runs, first.points, first.files) == (1, 1, 3, 0, 0)
    assert sorted(set(reasons)) == ["left out by --metrics none", "left out by --no-artifacts"]
    assert len(reasons) == 6

    second, archive = await extracted(small_history, tmp_path / "archive", ExtractOptions())
    assert (second.runs, second.points, second.files) == (3, 330, 3)
    assert list(archive.omissions()) == []

    third, _ = await extracted(small_history, tmp_path / "archive", ExtractOptions())
    assert third.runs == 0
