"""Files through azureml-mlflow: logged, listed, downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow import MlflowClient

pytest_plugins = ("sandbox.mlflow_client",)

FILES = {
    "model/weights.bin": bytes(range(256)) * 40,
    "model/conda.yaml": b"a: 1\n",
    "ä ö/結果 (1).txt": b"x",
    "empty": b"",
}


@pytest.fixture
def run_id(tracking: MlflowClient) -> str:
    """A run in an experiment whose name has a blank and is not ASCII."""
    return str(tracking.create_run(tracking.create_experiment("größere Versuche")).info.run_id)


def test_a_folder_comes_back_byte_by_byte(tracking: MlflowClient, run_id: str, tmp_path: Path) -> None:
    """Empty files and names in other scripts too."""
    sent, received = tmp_path / "sent", tmp_path / "received"
    _write(sent)
    received.mkdir()

    tracking.log_artifacts(run_id, str(sent), "outputs")
    tracking.download_artifacts(run_id, "outputs", str(received))

    found = {
        str(file.relative_to(received / "outputs")): file.read_bytes() for file in received.rglob("*") if file.is_file()
    }
    assert found == FILES


def test_folders_are_listed_level_by_level(tracking: MlflowClient, run_id: str, tmp_path: Path) -> None:
    """azureml-mlflow lists the index of the whole run, and MLflow 3 asks for models beside it."""
    _write(tmp_path)
    tracking.log_artifacts(run_id, str(tmp_path))

    top = {(file.path, file.is_dir) for file in tracking.list_artifacts(run_id)}
    below = {file.path for file in tracking.list_artifacts(run_id, "model")}

    assert top == {("model", True), ("ä ö", True), ("empty", False)}
    assert below == {"model/weights.bin", "model/conda.yaml"}


def test_mlflows_own_listing_says_the_same(
    tracking: MlflowClient, run_id: str, tmp_path: Path, ask: Callable[..., requests.Response]
) -> None:
    """artifacts/list, which azureml-mlflow does not ask."""
    _write(tmp_path)
    tracking.log_artifacts(run_id, str(tmp_path))

    top = ask("GET", "mlflow/artifacts/list", {"run_id": run_id}).json()
    below = ask("GET", "mlflow/artifacts/list", {"run_id": run_id, "path": "model"}).json()

    assert top["root_uri"] == tracking.get_run(run_id).info.artifact_uri
    assert [file["path"] for file in top["files"]] == [file.path for file in tracking.list_artifacts(run_id)]
    assert [file["path"] for file in below["files"]] == ["model/conda.yaml", "model/weights.bin"]


def test_a_run_in_experiment_0_takes_files(tracking: MlflowClient) -> None:
    """Its artifact URI says `experiments/0`, as recorded, and that leads to Default."""
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "notes/hello.txt")

    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/hello.txt") == "hello"


def test_a_file_is_not_overwritten(tracking: MlflowClient, run_id: str, tmp_path: Path) -> None:
    """The index has the path already; the client raises, and the first bytes stay."""
    file = tmp_path / "a.txt"
    file.write_text("first")
    tracking.log_artifact(run_id, str(file))
    file.write_text("second")

    with pytest.raises(Exception, match=r"a\.txt"):
        tracking.log_artifact(run_id, str(file))

    assert Path(tracking.download_artifacts(run_id, "a.txt")).read_text() == "first"


def test_a_file_that_is_not_there_is_named(tracking: MlflowClient, run_id: str) -> None:
    """404 of contentinfo, told by the client."""
    with pytest.raises(Exception, match=r"nothing\.txt"):
        tracking.download_artifacts(run_id, "nothing.txt")


def _write(folder: Path) -> None:
    for path, content in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
