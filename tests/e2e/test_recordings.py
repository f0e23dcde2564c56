"""Recorded jobs of the real service, loaded into the sandbox, go through a whole migration."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.selection import Selection
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.fill.load import load
from azureml_sandbox.server.sandbox import Sandbox
from e2e.library import migrated

RECORDINGS = Path(
    os.environ.get("AZUREML_REPLAY_RECORDINGS", Path(__file__).parents[3] / "shared" / "service" / "recordings")
)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings of the real service at {RECORDINGS}")
def test_all_recordings_arrive_without_a_finding(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Those that had not ended are taken as they are; no wire key is unknown to us."""
    source, target = calm.add_workspace(), calm.add_workspace()
    load(calm.folder, source.workspace_name, [RECORDINGS])

    done = asyncio.run(
        migrated(
            source,
            target,
            tmp_path / "archive",
            selection=Selection(include_active=True),
            options=MigrateOptions(extract=ExtractOptions(), deep=True),
        )
    )

    assert (done.extracted.failed, done.replayed.failed, done.replayed.conflicts) == ((), (), ())
    assert (done.verdict.runs, done.verdict.findings) == (58, 0)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        assert list(archive.unknown_keys()) == []
