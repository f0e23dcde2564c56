"""Pointing this process's clients at a sandbox."""

from __future__ import annotations

import pytest

from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox


def point_at(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set the variables that `azureml-sandbox env` prints."""
    for name in state.BYPASSES:
        monkeypatch.delenv(name, raising=False)
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    return sandbox.env
