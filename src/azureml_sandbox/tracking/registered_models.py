"""MLflow's routes for registered models, which are ARM's containers of models, and for their aliases.

From learn.microsoft.com (how-to-manage-models-mlflow): models are neither renamed nor deleted. Whether Azure ML has
aliases is not known (assumption, the unkind way: it has none; with the variant `model-aliases` it has). Words of
refusals are ours.
"""

from __future__ import annotations

import re

from mlflow.protos import model_registry_pb2 as mlflow

from azureml_sandbox.assets import store
from azureml_sandbox.assets.documents import container
from azureml_sandbox.protocol import errors
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import registry

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}")
"""As ARM's (assumption: MLflow's route refuses what ARM could not address)."""


def create(call: Call, request: mlflow.CreateRegisteredModel) -> mlflow.CreateRegisteredModel.Response:
    """POST registered-models/create. Raises Refused: 409 for a name that is taken, 400 for one of another form."""
    if not _NAME.fullmatch(request.name):
        raise errors.invalid(f"The name {request.name} is not valid: {_NAME.pattern}.")
    guid = call.workspace.guid
    if call.world.assets.get(guid, "models", request.name) is not None:
        raise errors.conflict(f"Registered model {request.name} already exists.")
    tags = {tag.key: tag.value for tag in request.tags}
    told = {"description": request.description or None, "tags": tags}
    made = container(call.workspace, "models", request.name, store.system_data(call, None), **told)
    call.world.assets.put(guid, "models", request.name, made)
    return mlflow.CreateRegisteredModel.Response(registered_model=registry.model_message(call, made, whole=True))


def rename(call: Call, request: mlflow.RenameRegisteredModel) -> mlflow.RenameRegisteredModel.Response:
    """POST registered-models/rename: refused (400)."""
    registry.container(call, request.name)
    raise errors.invalid(f"Registered model {request.name} cannot be renamed.")


def update(call: Call, request: mlflow.UpdateRegisteredModel) -> mlflow.UpdateRegisteredModel.Response:
    """PATCH registered-models/update: another description."""
    found = registry.container(call, request.name)
    made = registry.changed(call, request.name, found, description=request.description)
    return mlflow.UpdateRegisteredModel.Response(registered_model=registry.model_message(call, made, whole=True))


def delete(call: Call, request: mlflow.DeleteRegisteredModel) -> mlflow.DeleteRegisteredModel.Response:
    """DELETE registered-models/delete: refused (400)."""
    registry.container(call, request.name)
    raise errors.invalid(f"Registered model {request.name} cannot be deleted, only its versions.")


def get(call: Call, request: mlflow.GetRegisteredModel) -> mlflow.GetRegisteredModel.Response:
    """GET registered-models/get."""
    found = registry.model_message(call, registry.container(call, request.name), whole=True)
    return mlflow.GetRegisteredModel.Response(registered_model=found)


def search(call: Call, request: mlflow.SearchRegisteredModels) -> mlflow.SearchRegisteredModels.Response:
    """GET registered-models/search, by an equal name alone."""
    asked = registry.wanted(request.filter, "name")
    found = [name for name in registry.names(call) if asked.get("name") in {None, name}]
    page, token = registry.paged(found, request.max_results, request.page_token, request.order_by)
    models = [registry.model_message(call, registry.container(call, name), whole=False) for name in page]
    return mlflow.SearchRegisteredModels.Response(registered_models=models, next_page_token=token)


def latest(call: Call, request: mlflow.GetLatestVersions) -> mlflow.GetLatestVersions.Response:
    """POST and GET registered-models/get-latest-versions: one of each stage."""
    registry.container(call, request.name)
    found = registry.latest(call, request.name, request.stages)
    told = [registry.version_message(call, request.name, each) for each in found]
    return mlflow.GetLatestVersions.Response(model_versions=told)


def set_tag(call: Call, request: mlflow.SetRegisteredModelTag) -> mlflow.SetRegisteredModelTag.Response:
    """POST registered-models/set-tag."""
    found = registry.container(call, request.name)
    tags = (found["properties"].get("tags") or {}) | {request.key: request.value}
    registry.changed(call, request.name, found, tags=tags)
    return mlflow.SetRegisteredModelTag.Response()


def delete_tag(call: Call, request: mlflow.DeleteRegisteredModelTag) -> mlflow.DeleteRegisteredModelTag.Response:
    """DELETE registered-models/delete-tag."""
    found = registry.container(call, request.name)
    tags = {key: value for key, value in (found["properties"].get("tags") or {}).items() if key != request.key}
    registry.changed(call, request.name, found, tags=tags)
    return mlflow.DeleteRegisteredModelTag.Response()


def set_alias(call: Call, request: mlflow.SetRegisteredModelAlias) -> mlflow.SetRegisteredModelAlias.Response:
    """POST registered-models/alias."""
    registry.version(call, request.name, request.version)
    registry.put_aliases(call, request.name, {**registry.aliases(call, request.name), request.alias: request.version})
    return mlflow.SetRegisteredModelAlias.Response()


def delete_alias(call: Call, request: mlflow.DeleteRegisteredModelAlias) -> mlflow.DeleteRegisteredModelAlias.Response:
    """DELETE registered-models/alias; one that is not there is no error."""
    registry.container(call, request.name)
    kept = {key: value for key, value in registry.aliases(call, request.name).items() if key != request.alias}
    registry.put_aliases(call, request.name, kept)
    return mlflow.DeleteRegisteredModelAlias.Response()


def by_alias(call: Call, request: mlflow.GetModelVersionByAlias) -> mlflow.GetModelVersionByAlias.Response:
    """GET registered-models/alias. Raises Refused (404)."""
    told = registry.aliases(call, request.name).get(request.alias)
    if told is None:
        raise errors.not_found("Alias", f"{request.name}@{request.alias}")
    found = registry.version(call, request.name, told)
    message = registry.version_message(call, request.name, found, whole=True)
    return mlflow.GetModelVersionByAlias.Response(model_version=message)
