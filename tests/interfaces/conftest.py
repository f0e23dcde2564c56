"""What tests of the wire may ask for beside a workspace."""

from __future__ import annotations

import pytest
from azure.identity import EnvironmentCredential

from azureml_sandbox.server.sandbox import WorkspaceFile
from sandbox.plane import Plane


@pytest.fixture
def plane(workspace: WorkspaceFile, azure_env: dict[str, str]) -> Plane:
    """Plain HTTP on a workspace that no other test has touched."""
    return Plane(workspace, EnvironmentCredential().get_token("https://management.azure.com/.default").token)
