"""MLflow's routes for versions of registered models, which are ARM's.

From azureml-mlflow's source: models from disk come as `azureml://artifacts/…`. From learn.microsoft.com
(how-to-manage-models-mlflow): stages; that only models of this workspace's runs can be registered. Recorded: what a
run's model is registered with (`assets/models.py`). Assumptions: a source needs an MLmodel that can be read; its run is
the model's, whether `run_id` is sent or not; the server counts versions, and a deleted number is not given again.
"""

from __future__ import annotations

from mlflow.protos import model_registry_pb2 as mlflow

from azureml_sandbox.assets import models, store
from azureml_sandbox.assets.model_uris import located
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import registry
from azureml_sandbox.world import Document

_STAGES = {stage.lower(): stage for stage in (registry.NO_STAGE, "Staging", "Production", "Archived")}


async def create(call: Call, request: mlflow.CreateModelVersion) -> mlflow.CreateModelVersion.Response:
    """POST model-versions/create: a new number each time. Raises Refused: 404 for a model or run that is not here."""
    around = registry.container(call, request.name)
    where = located(call, request.source)
    run_id = request.run_id or where.run_id
    run = call.world.runs.get(call.workspace.guid, run_id) if run_id else None
    if run_id and run is None:
        raise errors.run_not_found(run_id)
    read = await models.read(call, where.uri)
    properties: Document = {
        "description": request.description or None,
        "tags": {tag.key: tag.value for tag in request.tags},
        "isArchived": False,
        "isAnonymous": False,
        "modelType": models.MLFLOW,
        "modelUri": where.uri,
        "flavors": read.flavors,
        "jobName": run_id or None,
        "stage": None,
        "provisioningState": "Succeeded",
    }
    plain = registry.source(call, properties)
    properties["properties"] = read.properties(where, plain) if where.run_id is not None else {}
    number = str(around["properties"].get("nextVersion") or "1")
    made = store.put(call, "models", request.name, number, properties)
    return mlflow.CreateModelVersion.Response(model_version=registry.version_message(call, request.name, made))


def update(call: Call, request: mlflow.UpdateModelVersion) -> mlflow.UpdateModelVersion.Response:
    """PATCH model-versions/update: another description."""
    made = _changed(call, request.name, request.version, description=request.description)
    return mlflow.UpdateModelVersion.Response(model_version=registry.version_message(call, request.name, made))


def transition(call: Call, request: mlflow.TransitionModelVersionStage) -> mlflow.TransitionModelVersionStage.Response:
    """POST model-versions/transition-stage. Raises Refused (400) for a stage that MLflow does not have."""
    stage = _STAGES.get(request.stage.lower())
    if stage is None:
        raise errors.invalid(f"Stage {request.stage} is none of {', '.join(_STAGES.values())}.")
    made = _changed(call, request.name, request.version, stage=stage)
    if request.archive_existing_versions:
        for other in registry.versions(call, request.name):
            if other["name"] != request.version and other["properties"].get("stage") == stage:
                registry.changed(call, request.name, other, other["name"], stage="Archived")
    message = registry.version_message(call, request.name, made)
    return mlflow.TransitionModelVersionStage.Response(model_version=message)


def delete(call: Call, request: mlflow.DeleteModelVersion) -> mlflow.DeleteModelVersion.Response:
    """DELETE model-versions/delete; its aliases go along."""
    registry.version(call, request.name, request.version)
    store.delete(call, "models", request.name, request.version)
    kept = {key: told for key, told in registry.aliases(call, request.name).items() if told != request.version}
    registry.put_aliases(call, request.name, kept)
    return mlflow.DeleteModelVersion.Response()


def get(call: Call, request: mlflow.GetModelVersion) -> mlflow.GetModelVersion.Response:
    """GET model-versions/get."""
    found = registry.version(call, request.name, request.version)
    message = registry.version_message(call, request.name, found, whole=True)
    return mlflow.GetModelVersion.Response(model_version=message)


def search(call: Call, request: mlflow.SearchModelVersions) -> mlflow.SearchModelVersions.Response:
    """GET model-versions/search, by an equal name or run; by name, the highest number first."""
    asked = registry.wanted(request.filter, "name", "run_id")
    names = [name for name in registry.names(call) if asked.get("name") in {None, name}]
    every = [(name, document) for name in names for document in registry.versions(call, name)]
    found = [each for each in every if asked.get("run_id") in {None, each[1]["properties"].get("jobName")}]
    page, token = registry.paged(found, request.max_results, request.page_token, request.order_by)
    told = [registry.version_message(call, name, document) for name, document in page]
    return mlflow.SearchModelVersions.Response(model_versions=told, next_page_token=token)


def download_uri(call: Call, request: mlflow.GetModelVersionDownloadUri) -> mlflow.GetModelVersionDownloadUri.Response:
    """GET model-versions/get-download-uri."""
    found = registry.version(call, request.name, request.version)
    uri = registry.source(call, found["properties"])
    return mlflow.GetModelVersionDownloadUri.Response(artifact_uri=uri)


def set_tag(call: Call, request: mlflow.SetModelVersionTag) -> mlflow.SetModelVersionTag.Response:
    """POST model-versions/set-tag."""
    found = registry.version(call, request.name, request.version)
    tags = (found["properties"].get("tags") or {}) | {request.key: request.value}
    registry.changed(call, request.name, found, request.version, tags=tags)
    return mlflow.SetModelVersionTag.Response()


def delete_tag(call: Call, request: mlflow.DeleteModelVersionTag) -> mlflow.DeleteModelVersionTag.Response:
    """DELETE model-versions/delete-tag."""
    found = registry.version(call, request.name, request.version)
    tags = {key: value for key, value in (found["properties"].get("tags") or {}).items() if key != request.key}
    registry.changed(call, request.name, found, request.version, tags=tags)
    return mlflow.DeleteModelVersionTag.Response()


def _changed(call: Call, name: str, given: str, **properties: object) -> Document:
    return registry.changed(call, name, registry.version(call, name, given), given, **properties)
