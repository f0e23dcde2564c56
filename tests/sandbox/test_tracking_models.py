"""MLflow's model registry, through MLflow's own client: ARM's models in another form."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from azure.ai.ml import MLClient
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from azureml_sandbox.server.sandbox import Sandbox
from sandbox.jobs import API
from sandbox.mlflow_client import ask, tracking
from sandbox.plane import Plane
from sandbox.test_asset_lists import client
from sandbox.test_models import MLMODEL, flavoured

__all__ = ["ask", "client", "tracking"]

MODEL = """
import mlflow
class Own(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return "it works"
mlflow.models.set_model(Own())
"""


@pytest.fixture
def run_id(tracking: MlflowClient, tmp_path: Path) -> str:
    """A run with a model among its files."""
    run = tracking.create_run(tracking.create_experiment("train"))
    tracking.log_artifacts(run.info.run_id, str(flavoured(tmp_path / "saved")), "model")
    return str(run.info.run_id)


def register(tracking: MlflowClient, run_id: str, name: str = "own", **given: Any) -> Any:
    """A further version of a model of a run.

    By the client's two calls: `mlflow.register_model` looks for the file `MLmodel` first, and MLflow 3.15 does not know
    it by the path that azureml-mlflow lists.
    """
    with suppress(MlflowException):
        tracking.create_registered_model(name)
    return tracking.create_model_version(name, f"runs:/{run_id}/model", run_id, **given)


def refused(ask: Callable[..., requests.Response], method: str, path: str, **fields: Any) -> tuple[int, str]:
    """Status and code of an answer that says no."""
    answer = ask(method, f"mlflow/{path}", fields)
    return answer.status_code, str(answer.json()["error_code"])


def test_a_model_of_a_run(tracking: MlflowClient, run_id: str, client: MLClient, plane: Plane, tmp_path: Path) -> None:
    """Registered with its run, in forms that azureml-mlflow and azure-ai-ml read; its files come down."""
    made = [register(tracking, run_id, tags={"a": "1"}) for _ in range(2)]
    found = tracking.get_model_version("own", "2")
    down = Path(mlflow.artifacts.download_artifacts("models:/own/1", dst_path=str(tmp_path / "down")))
    client.models.download("own", version="1", download_path=str(tmp_path / "other"))

    whole = plane.arm("/models/own/versions/2")["properties"]
    source = f"azureml://experiments/train/runs/{run_id}/artifacts/model"
    assert [version.version for version in made] == ["1", "2"]
    assert (found.run_id, found.current_stage, found.source, found.status) == (run_id, "None", source, "READY")
    assert (found.tags, whole["jobName"], whole["modelType"]) == ({"a": "1"}, run_id, "mlflow_model")
    assert whole["modelUri"].endswith(f"/workspaceartifactstore/paths/ExperimentRun/dcid.{run_id}/model")
    assert whole["flavors"] == {"python_function": {"data": MLMODEL["flavors"]["python_function"]}}
    assert whole["properties"].keys() == {
        *("azureml.artifactPrefix", "mlflow.modelSourceUri", "model_json", "flavors", "flavors.python_function")
    }
    assert (whole["properties"]["azureml.artifactPrefix"], whole["properties"]["mlflow.modelSourceUri"]) == (
        "model",
        source,
    )
    for folder in (down, tmp_path / "other"):
        assert next(folder.rglob("data.bin")).read_bytes() == b"weights"


def test_a_model_is_loaded(
    tracking: MlflowClient, calm: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run, and from disk; by number and by alias."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(MODEL)
    mlflow.pyfunc.save_model("saved", python_model="own.py", pip_requirements=[])
    run = tracking.create_run(tracking.create_experiment("train"))
    tracking.log_artifacts(run.info.run_id, "saved", "model")
    register(tracking, run.info.run_id)
    tracking.create_registered_model("disk")
    disk = tracking.create_model_version("disk", f"file://{tmp_path}/saved")
    calm.set_faults(strict=["model-aliases"])
    tracking.set_registered_model_alias("own", "champion", "1")

    for uri in ("models:/own/1", "models:/own@champion", "models:/disk/1"):
        assert mlflow.pyfunc.load_model(uri).predict(None) == "it works"
    assert disk.source.startswith("azureml://artifacts/LocalUpload/")
    assert not disk.run_id


def test_what_is_found(tracking: MlflowClient, run_id: str, plane: Plane, ask: Callable[..., Any]) -> None:
    """By equal names and runs alone; what ARM archived, and what has no number, is in no search."""
    for name in ("a", "b", "b"):
        register(tracking, run_id, name)
    text = {"modelUri": "azureml://datastores/workspaceblobstore/paths/a"}
    for path, change in (("b/versions/text", {}), ("b/versions/7", {}), ("c/versions/1", {"isArchived": True})):
        plane.document("arm", "PUT", f"/models/{path}", API, {"properties": text | change})

    def searched(kind: str, **fields: Any) -> list[str]:
        answer = ask("GET", f"mlflow/{kind}/search", fields).json()
        return [f"{item['name']}:{item.get('version', '')}" for item in answer.get(kind.replace("-", "_"), [])]

    assert searched("registered-models") == ["a:", "b:", "c:"]
    assert searched("registered-models", filter="name = 'b'") == ["b:"]
    assert searched("model-versions") == ["a:1", "b:7", "b:2", "b:1"]
    assert searched("model-versions", filter=f"name='b' and run_id = '{run_id}'") == ["b:2", "b:1"]
    first = ask("GET", "mlflow/model-versions/search", {"max_results": 3}).json()
    assert searched("model-versions", page_token=first["next_page_token"]) == ["b:1"]
    for wrong in ({"filter": "name LIKE 'b%'"}, {"filter": "tags.a = '1'"}, {"order_by": "name DESC"}):
        assert refused(ask, "GET", "model-versions/search", **wrong) == (400, "INVALID_PARAMETER_VALUE")
    # MLflow adds a filter of its own, which Azure ML does not take: Azure/azure-sdk-for-python#42155.
    with pytest.raises(MlflowException, match="Currently unsupported filter string format"):
        tracking.search_registered_models()


def test_stages_tags_and_aliases(tracking: MlflowClient, run_id: str, plane: Plane, calm: Sandbox) -> None:
    """As MLflow has them; ARM shows stages and tags, too, and aliases nowhere."""
    for _ in range(2):
        register(tracking, run_id)
    tracking.update_registered_model("own", "a model")
    tracking.set_registered_model_tag("own", "t", "1")
    tracking.set_registered_model_tag("own", "u", "1")
    tracking.delete_registered_model_tag("own", "u")
    tracking.update_model_version("own", "1", "a version")
    tracking.set_model_version_tag("own", "1", "t", "2")
    tracking.set_model_version_tag("own", "1", "u", "2")
    tracking.delete_model_version_tag("own", "1", "u")
    tracking.transition_model_version_stage("own", "1", "Production")
    tracking.transition_model_version_stage("own", "2", "production", archive_existing_versions=True)
    calm.set_faults(strict=["model-aliases"])
    tracking.set_registered_model_alias("own", "first", "1")
    tracking.set_registered_model_alias("own", "gone", "1")
    tracking.delete_registered_model_alias("own", "gone")

    model, version = tracking.get_registered_model("own"), tracking.get_model_version_by_alias("own", "first")
    latest = {each.current_stage: each.version for each in tracking.get_latest_versions("own")}
    arm = plane.arm("/models/own/versions/1")["properties"]
    calm.set_faults()
    with pytest.raises(MlflowException, match="404"):
        tracking.get_model_version_by_alias("own", "first")

    assert (model.description, model.tags, model.aliases) == ("a model", {"t": "1"}, {"first": "1"})
    assert (version.description, version.tags, version.aliases) == ("a version", {"t": "2"}, ["first"])
    assert (latest, arm["stage"], arm["tags"]) == ({"Production": "2", "Archived": "1"}, "Archived", {"t": "2"})
    assert [each.version for each in tracking.get_latest_versions("own", ["Archived"])] == ["1"]
    assert (arm["properties"].keys() & {"first", "aliases"}, arm["description"]) == (set(), "a version")


def test_what_the_registry_refuses(tracking: MlflowClient, run_id: str, ask: Callable[..., Any], calm: Sandbox) -> None:
    """Another name, the end of a whole model, runs of elsewhere, folders without a model; no number is given again."""
    calm.set_faults(strict=["model-aliases"])
    register(tracking, run_id)
    uri = f"runs:/{run_id}/model"
    tracking.delete_model_version("own", "1")
    again = tracking.create_model_version("own", uri)

    assert (again.version, again.run_id) == ("2", run_id)
    bad, none, taken = (
        (400, "INVALID_PARAMETER_VALUE"),
        (404, "RESOURCE_DOES_NOT_EXIST"),
        (409, "RESOURCE_ALREADY_EXISTS"),
    )
    asked: list[tuple[str, str, dict[str, str], tuple[int, str]]] = [
        ("POST", "registered-models/create", {"name": "own"}, taken),
        ("POST", "registered-models/create", {"name": "a b"}, bad),
        ("POST", "registered-models/rename", {"name": "own", "new_name": "other"}, bad),
        ("DELETE", "registered-models/delete", {"name": "own"}, bad),
        ("GET", "registered-models/get", {"name": "other"}, none),
        ("GET", "registered-models/alias", {"name": "own", "alias": "x"}, none),
        ("POST", "registered-models/alias", {"name": "own", "alias": "x", "version": "9"}, none),
        ("GET", "model-versions/get", {"name": "own", "version": "1"}, none),
        ("POST", "model-versions/create", {"name": "other", "source": uri}, none),
        ("POST", "model-versions/create", {"name": "own", "source": "runs:/other/model"}, none),
        ("POST", "model-versions/create", {"name": "own", "source": uri, "run_id": "other"}, none),
        ("POST", "model-versions/create", {"name": "own", "source": f"runs:/{run_id}/nothing"}, (400, "BAD_REQUEST")),
        ("POST", "model-versions/create", {"name": "own", "source": "models:/m-1"}, (400, "BAD_REQUEST")),
        ("POST", "model-versions/transition-stage", {"name": "own", "version": "2", "stage": "Here"}, bad),
    ]
    for method, path, fields, expected in asked:
        assert refused(ask, method, path, **fields) == expected, (path, fields)


def test_a_run_tells_which_models_it_logged(tracking: MlflowClient, run_id: str, ask: Callable[..., Any]) -> None:
    """Each goes to the end of MLflow's own tag; other clients' `model_json` is refused where it is not JSON."""
    for path in ("a", "b"):
        sent = {"run_id": run_id, "model_json": json.dumps({"artifact_path": path, "run_id": run_id})}
        assert ask("POST", "mlflow/runs/log-model", sent).status_code == 200

    told = json.loads(tracking.get_run(run_id).data.tags["mlflow.log-model.history"])
    assert [each["artifact_path"] for each in told] == ["a", "b"]
    wrong = {"run_id": run_id, "model_json": "{"}
    assert refused(ask, "POST", "runs/log-model", **wrong) == (400, "INVALID_PARAMETER_VALUE")
