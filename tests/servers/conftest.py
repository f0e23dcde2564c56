"""An archive with every oddity, and a small one; both with their files, so that they need no source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from environment import point_at
from servers.moving import kept


@pytest.fixture(scope="session")
def hostile(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Never sent anywhere: tests copy it."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source = sandbox.add_workspace()
        shape = Wanted(runs=4, children=3, experiments=1, seed=0, series=1, points=3, artifacts=1)
        sample(sandbox.folder, source.workspace_name, shape, hostile=True)
        yield asyncio.run(kept(source, tmp_path_factory.mktemp("hostile") / "history"))


@pytest.fixture(scope="session")
def small(small_history: WorkspaceFile, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same of three runs."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        yield asyncio.run(kept(small_history, tmp_path_factory.mktemp("small") / "history"))
