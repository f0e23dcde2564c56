"""What runs refer to arrives: judged by azure-ai-ml on both sides."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.planning.assets import AssetChoice, AssetScope
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import built, client_of, filled, told
from e2e.library import migrated
from sandbox.conftest import plane
from sandbox.jobs import Jobs, jobs

ALL = AssetChoice(scope=AssetScope.ALL)
EVERYTHING = MigrateOptions(deep=True, extract=ExtractOptions(assets=ALL), replay=ReplayOptions(assets=ALL))
__all__ = ["jobs", "plane"]


def test_assets_arrive_as_they_were(jobs: Jobs, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Models of a run and from disk, environments, data, components and code: both sides answer alike."""
    made = filled(jobs, tmp_path)
    built(jobs.client, tmp_path)
    target = sandbox.add_workspace()

    done = asyncio.run(migrated(jobs.plane.workspace, target, tmp_path / "archive", options=EVERYTHING))

    there = client_of(target)
    print(done.extracted, done.replayed.assets)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        print(archive.lacking_assets(), [str(a.key) for a in archive.assets()], archive.outside_uses())
    assert done.replayed.assets.failed == ()
    before, after = told(jobs.client), told(there)
    for n in before:
        print(n, before[n] == after.get(n), before[n], after.get(n))
    assert before == after
