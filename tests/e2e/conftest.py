"""Histories that real clients wrote, and migrations of them by the library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azureml_sandbox.running import Sandbox, WorkspaceFile
from e2e.histories import small
from environment import point_at


@pytest.fixture(scope="session")
def small_history(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """A source that no test changes: three runs, a few points and files, logged by MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source = sandbox.add_workspace()
        small(source)
        yield source
