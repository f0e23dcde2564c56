"""Histories that were recorded of the real service, on a real MLflow server: no findings, and nothing twice."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from azureml_sandbox.fill.load import load
from azureml_sandbox.server.sandbox import Sandbox
from mlflow_servers import MlflowServer
from servers.moving import findings, kept, named, sent_again, sent_now

RECORDINGS = Path(
    os.environ.get("AZUREML_REPLAY_RECORDINGS", Path(__file__).parents[3] / "shared" / "service" / "recordings")
)


@pytest.mark.slow
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings of the real service at {RECORDINGS}")
def test_all_recordings_arrive_on_a_server(
    calm: Sandbox, azure_env: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Every kind of run that was recorded."""
    source = calm.add_workspace()
    load(calm.folder, source.workspace_name, [RECORDINGS])
    history, target = asyncio.run(kept(source, tmp_path / "history")), named(mlflow_server, tmp_path)

    done = sent_now(history, target)

    assert done.figures[0] > 20
    assert (done.replayed.failed, done.replayed.refused, findings(history, target)) == ((), (), [])
    again = sent_again(history, target)
    assert (again.runs, again.points, again.files) == (0, 0, 0)
