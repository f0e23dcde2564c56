"""Models as azure-ai-ml and plain requests register them with ARM, read them back, archive and download them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from azure.ai.ml import MLClient
from azure.ai.ml.constants import ListViewType
from azure.ai.ml.entities import Model
from azure.core.exceptions import HttpResponseError

from azureml_sandbox.server.sandbox import Sandbox
from sandbox.jobs import API
from sandbox.plane import Plane
from sandbox.test_arm import chain
from sandbox.test_asset_lists import client, names

__all__ = ["client"]

MLMODEL = {"flavors": {"python_function": {"loader_module": "own", "python_version": "3.11.1"}}, "run_id": "r1"}
OLD = {"api-version": "2022-05-01"}


def flavoured(folder: Path) -> Path:
    """A folder with an MLmodel, as MLflow saves one."""
    folder.mkdir()
    (folder / "MLmodel").write_text(yaml.safe_dump(MLMODEL))
    (folder / "data.bin").write_bytes(b"weights")
    return folder


def of_run(plane: Plane, run_id: str, path: str = "model") -> str:
    """Give a run the files of a model, and say where they lie."""
    plane.put(run_id)
    for name, content in (("MLmodel", yaml.safe_dump(MLMODEL).encode()), ("data.bin", b"weights")):
        where = f"/artifacts/ExperimentRun/dcid.{run_id}/write"
        told = plane.document("artifact", "GET", where, {"path": f"{path}/{name}"})
        sent = plane.session.put(
            told["contentUri"], data=content, headers={"x-ms-blob-type": "BlockBlob", "Authorization": ""}, timeout=30
        )
        assert sent.status_code == 201, sent.text
    return f"azureml://jobs/{run_id}/outputs/artifacts/paths/{path}/"


def put(plane: Plane, path: str, asked: dict[str, str] = API, **properties: Any) -> Any:
    """The answer to a PUT below models."""
    return plane("arm", "PUT", f"/models/{path}", asked, {"properties": properties})


def test_models_from_disk(client: MLClient, plane: Plane, tmp_path: Path) -> None:
    """Three kinds; versions out of order, one archived; what is listed, what is latest, what comes down."""
    source = flavoured(tmp_path / "saved")
    for name, kind in (("own", "custom_model"), ("flow", "mlflow_model"), ("tri", "triton_model")):
        client.models.create_or_update(Model(name=name, version="3", path=str(source), type=kind, tags={"a": "1"}))
    for version in ("1", "2"):
        client.models.create_or_update(Model(name="own", version=version, path=str(source), stage="Production"))
    client.models.archive("own", version="1")
    client.models.download("own", version="3", download_path=str(tmp_path / "down"))

    whole = {model.name: model for model in client.models.list()}
    every = [model.version for model in client.models.list("own", list_view_type=ListViewType.ALL)]
    flow = plane.arm("/models/flow/versions/3")["properties"]
    assert list(whole) == ["own", "flow", "tri"]  # the oldest first: recorded
    assert (whole["own"].latest_version, plane.arm("/models/own")["properties"]["nextVersion"]) == ("2", "4")
    assert (every, [model.version for model in client.models.list("own")]) == (["2", "1", "3"], ["2", "3"])
    assert [model.version for model in client.models.list("own", stage="Production")] == ["2"]  # archive() drops it
    assert client.models.get("own", label="latest").version == "2"
    assert flow["flavors"] == {"python_function": {"data": MLMODEL["flavors"]["python_function"]}}
    assert (flow["jobName"], plane.arm("/models/own/versions/3")["properties"]["flavors"]) == (None, {})
    assert "/resourceGroups/" in flow["modelUri"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "down").rglob("*.bin")} == {"data.bin": b"weights"}
    with pytest.raises(HttpResponseError, match="Asset paths cannot be updated"):
        client.models.create_or_update(
            Model(name="own", version="3", path=str(flavoured(tmp_path / "other") / "MLmodel"))
        )


def test_models_of_runs(client: MLClient, plane: Plane) -> None:
    """Each form leads to the run's files and names it; not so a run of elsewhere, or a folder without MLmodel."""
    short = of_run(plane, "r1")
    ended = "/datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r1/model"
    forms = (short, "runs:/r1/model", "azureml://experiments/train/runs/r1/artifacts/model")

    made = [
        client.models.create_or_update(Model(name="own", version=str(at), path=form, type="mlflow_model"))
        for at, form in enumerate(forms, start=1)
    ]
    long = put(plane, "own/versions/4", modelType="mlflow_model", modelUri=made[0].path, jobName="r1")
    other = put(plane, "own/versions/5", modelType="mlflow_model", modelUri=made[0].path, jobName="r2")
    empty = put(plane, "own/versions/6", modelType="mlflow_model", modelUri="runs:/r1/nothing")

    assert [str(model.path).endswith(ended) for model in made] == [True] * 3
    assert {model.job_name for model in made} == {"r1"}
    assert (long.status_code, long.json()["properties"]["jobName"]) == (201, "r1")
    assert (other.status_code, empty.status_code) == (404, 400)
    assert "MLmodel" in empty.json()["error"]["message"]
    with pytest.raises(HttpResponseError, match="r9"):
        client.models.create_or_update(Model(name="own", version="7", path="runs:/r9/model"))


def test_job_names_may_be_dropped(plane: Plane, calm: Sandbox) -> None:
    """Declared: what is sent as `jobName` is not there in the answer, nor afterwards."""
    of_run(plane, "r1")
    uri = "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r1/model"
    calm.set_faults(strict=["drop-job-names"])

    made = put(plane, "own/versions/1", modelType="mlflow_model", modelUri=uri, jobName="r1")

    assert (made.status_code, made.json()["properties"]["jobName"]) == (201, None)
    assert plane.arm("/models/own/versions/1")["properties"]["jobName"] is None


@pytest.mark.parametrize(("asked", "variants"), [(OLD, []), (API, ["replicate-models"])])
def test_models_may_be_copied(
    client: MLClient, plane: Plane, calm: Sandbox, tmp_path: Path, asked: dict[str, str], variants: list[str]
) -> None:
    """Old versions of the interface copy an MLflow model when it is registered (recorded); declared, all do."""
    of_run(plane, "r1")
    calm.set_faults(strict=variants)
    uri = "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r1/model"

    flow = put(plane, "flow/versions/1", asked, modelType="mlflow_model", modelUri=uri).json()["properties"]
    own = put(plane, "own/versions/1", asked, modelType="custom_model", modelUri=uri).json()["properties"]
    client.models.download("flow", version="1", download_path=str(tmp_path))

    assert "/workspaceblobstore/paths/ServiceReplicated/" in flow["modelUri"]
    assert own["modelUri"].endswith("/workspaceartifactstore/paths/ExperimentRun/dcid.r1/model")
    assert next(tmp_path.rglob("data.bin")).read_bytes() == b"weights"
    assert ("stage" in own) == (asked is API)


def test_what_a_model_is_may_not_change(plane: Plane) -> None:
    """Nor may its properties, but that new ones come; tags, description and stage may."""
    uri = "azureml://datastores/workspaceblobstore/paths/a"
    first = put(plane, "own/versions/1", modelUri=uri, properties={"a": "1"}, stage="Staging")
    changed = put(plane, "own/versions/1", modelUri=uri, properties={"b": "2"}, tags={"t": "1"}, stage="Production")

    refused = [
        put(plane, "own/versions/1", modelUri=f"{uri}/b"),
        put(plane, "own/versions/1", modelUri=uri, modelType="triton_model"),
        put(plane, "own/versions/1", modelUri=uri, properties={"a": "2"}),
        put(plane, "own/versions/2", modelUri="nowhere"),
        put(plane, "own/versions/2", modelUri=uri, modelType="openai_model"),
        put(plane, "a b/versions/1", modelUri=uri),
    ]

    assert (first.status_code, changed.status_code) == (201, 200)
    told = changed.json()["properties"]
    assert (told["properties"], told["tags"], told["stage"]) == ({"a": "1", "b": "2"}, {"t": "1"}, "Production")
    assert [answer.status_code for answer in refused] == [400] * 6
    assert {answer.json()["error"]["message"] for answer in refused[:2]} == {"Asset paths cannot be updated."}


def test_a_list_of_models_has_twenty_to_a_page(plane: Plane) -> None:
    """Recorded: model-list-paging 0."""
    for number in range(21):
        put(plane, f"m{number}/versions/1", modelUri="azureml://datastores/workspaceblobstore/paths/a")
    page = plane.arm("/models")

    assert (len(page["value"]), names(plane.session.get(page["nextLink"], timeout=30).json())) == (20, ["m20"])


def test_what_is_deleted_still_counts(plane: Plane) -> None:
    """A version's number is not given again; a container goes when it is empty."""
    for version in ("1", "2"):
        put(plane, f"own/versions/{version}", modelUri="azureml://datastores/workspaceblobstore/paths/a")
    statuses = [
        plane("arm", "DELETE", f"/models/own{path}", API).status_code
        for path in ("", "/versions/2", "/versions/2", "/versions/1")
    ]
    left = plane.arm("/models/own")["properties"]

    assert statuses == [409, 200, 204, 200]
    assert (left["latestVersion"], left["nextVersion"]) == (None, "3")
    assert [plane("arm", "DELETE", "/models/own", API).status_code for _ in range(2)] == [200, 204]


def test_containers_take_a_description(client: MLClient, plane: Plane) -> None:
    """They keep it when a version comes, and are listed when they are archived only where that is asked for."""
    made = plane("arm", "PUT", "/models/own", API, {"properties": {"description": "d", "tags": {"a": "1"}}})
    put(plane, "own/versions/1", modelUri="azureml://datastores/workspaceblobstore/paths/a")
    client.models.archive("own")
    again = plane.arm("/models/own")["properties"]
    untyped = plane("arm", "PUT", "/data/own", API, {"properties": {"description": "d"}})
    typed = plane("arm", "PUT", "/data/own", API, {"properties": {"dataType": "uri_file"}})

    assert (made.status_code, made.json()["properties"]["latestVersion"]) == (201, None)
    assert (again["description"], again["tags"], again["latestVersion"]) == ("d", {"a": "1"}, "1")
    assert (names(plane.arm("/models")), names(plane.arm("/models", listViewType="All"))) == ([], ["own"])
    assert (untyped.status_code, chain(untyped)[-1], typed.status_code) == (400, "ArgumentInvalid", 201)
