"""What tests of the sandbox may ask for beside a workspace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.identity import EnvironmentCredential

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import Workspace, World
from sandbox.plane import Plane


@pytest.fixture
def plane(workspace: WorkspaceFile, azure_env: dict[str, str]) -> Plane:
    """Plain HTTP on a workspace that no other test has touched."""
    return Plane(workspace, EnvironmentCredential().get_token("https://management.azure.com/.default").token)


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[World]:
    """The server's own state, for what no request of ours could put there."""
    opened = World.open(sandbox.folder / "world.db")
    yield opened
    opened.close()


@pytest.fixture
def home(world: World, plane: Plane) -> Workspace:
    named = plane.workspace
    found = world.workspace(named.subscription_id, named.resource_group, named.workspace_name)
    assert found is not None
    return found
