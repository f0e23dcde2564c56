"""From an Azure ML workspace to a real MLflow server."""

from __future__ import annotations

from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.selection import Selection
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.server.sandbox import WorkspaceFile
from mlflow_servers import MlflowServer
from servers.moving import moved, named


async def test_a_small_history_arrives(
    small_history: WorkspaceFile, azure_env: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """No findings; a second run writes nothing."""
    target = named(mlflow_server, tmp_path)

    done = await moved(small_history, target, tmp_path / "history")

    with Archive.open(tmp_path / "history", write=False) as archive:
        (there,) = archive.targets()
        ledger = archive.ledger(there)
        for finding in ledger.findings():
            print(finding)
        for one in ledger.planned_omissions():
            print(one.run, one.what, "|", one.reason)
    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    again = await moved(small_history, target, tmp_path / "history")
    assert (again.replayed.runs, again.replayed.points, again.replayed.files, again.verdict.findings) == (0, 0, 0, 0)


async def test_hostile(
    calm: Sandbox, azure_env: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    source = calm.add_workspace()
    shape = Wanted(runs=4, children=3, experiments=1, seed=0, series=1, points=3, artifacts=1)
    sample(calm.folder, source.workspace_name, shape, hostile=True)
    target = named(mlflow_server, tmp_path)
    done = await moved(source, target, tmp_path / "history", selection=Selection(include_active=True))
    with Archive.open(tmp_path / "history", write=False) as archive:
        (there,) = archive.targets()
        ledger = archive.ledger(there)
        for finding in ledger.findings():
            print("F", finding)
        for one in ledger.planned_omissions():
            print("O", one.run, one.what, "|", one.reason)
    print(done)
    again = await moved(source, target, tmp_path / "history", selection=Selection(include_active=True))
    print(again.replayed)
    with Archive.open(tmp_path / "history", write=False) as archive:
        for finding in archive.ledger(there).findings():
            print("F", finding)
    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    assert (again.replayed.runs, again.replayed.points, again.replayed.files, again.verdict.findings) == (0, 0, 0, 0)
