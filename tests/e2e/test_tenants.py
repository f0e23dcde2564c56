"""Two tenants at once: each workspace is logged in to by its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import migrated


def test_source_and_target_in_two_tenants(
    small_history: WorkspaceFile, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The target's file names another tenant; a token of the source's is refused there, so none may be shared."""
    target = calm.add_workspace(tenant_id=str(uuid4()))
    assert target.tenant_id != small_history.tenant_id

    done = asyncio.run(migrated(small_history, target, tmp_path / "archive"))

    assert (done.verdict.runs, done.verdict.findings) == (3, 0)
