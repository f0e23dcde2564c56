"""MLflow's routes for experiments. An archived one is what MLflow calls deleted; its runs stay (assumption)."""

from __future__ import annotations

from mlflow.entities import Experiment as Entity
from mlflow.protos import service_pb2 as mlflow
from mlflow.utils.search_utils import SearchExperimentsUtils

from azureml_sandbox import instants
from azureml_sandbox.history import run_document
from azureml_sandbox.history.access import experiment_name
from azureml_sandbox.protocol import errors, limits
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import documents
from azureml_sandbox.world import Document, View

DEFAULT_ID = "0"
"""Stands for the experiment `Default` (recorded: sent as "0", answered with its guid)."""
PAGE = 1_000
_ALL = 1_000_000

_VIEWS: dict[int, View] = {mlflow.ACTIVE_ONLY: "ActiveOnly", mlflow.DELETED_ONLY: "ArchivedOnly", mlflow.ALL: "All"}
_NEWEST_FIRST = ["creation_time DESC", "experiment_id ASC"]


def meant(call: Call, experiment_id: str) -> Document:
    """The experiment of this id. Raises Refused (404) where there is none."""
    guid, experiments = call.workspace.guid, call.world.experiments
    found = experiments.named(guid, "Default") if experiment_id == DEFAULT_ID else experiments.get(guid, experiment_id)
    if found is None:
        raise errors.not_found("Experiment", experiment_id)
    return found


def create(call: Call, request: mlflow.CreateExperiment) -> mlflow.CreateExperiment.Response:
    """POST experiments/create. Raises Refused (409, RESOURCE_ALREADY_EXISTS) for a name that is taken."""
    name = experiment_name(request.name)
    _untaken(call, name)
    made = call.world.experiments.create(call.workspace.guid, name)
    made |= {
        "artifactLocation": request.artifact_location or None,
        "tags": run_document.tagged({}, {tag.key: tag.value for tag in request.tags}, limits.EXPERIMENT_KEY),
    }
    call.world.experiments.put(call.workspace.guid, made)
    return mlflow.CreateExperiment.Response(experiment_id=made["experimentId"])


def get(call: Call, request: mlflow.GetExperiment) -> mlflow.GetExperiment.Response:
    """GET experiments/get, archived ones too."""
    return mlflow.GetExperiment.Response(experiment=documents.experiment(meant(call, request.experiment_id)))


def get_by_name(call: Call, request: mlflow.GetExperimentByName) -> mlflow.GetExperimentByName.Response:
    """GET experiments/get-by-name, archived ones too: MLflow's client tells its users to restore them."""
    found = call.world.experiments.named(call.workspace.guid, request.experiment_name)
    if found is None:
        raise errors.not_found("Experiment", request.experiment_name)
    return mlflow.GetExperimentByName.Response(experiment=documents.experiment(found))


def search(call: Call, request: mlflow.SearchExperiments) -> mlflow.SearchExperiments.Response:
    """POST experiments/search, with MLflow's own filters and orders."""
    view = _VIEWS[request.view_type or mlflow.ACTIVE_ONLY]
    known = {
        document["experimentId"]: documents.experiment(document)
        for _, document in call.world.experiments.page(call.workspace.guid, view, limit=_ALL)
    }
    entities = [Entity.from_proto(experiment) for experiment in known.values()]
    matching = SearchExperimentsUtils.filter(entities, request.filter)
    ordered = SearchExperimentsUtils.sort(matching, list(request.order_by) or _NEWEST_FIRST)
    size = min(request.max_results or PAGE, PAGE)
    page, token = SearchExperimentsUtils.paginate(ordered, request.page_token, size)
    found = [known[entity.experiment_id] for entity in page]
    return mlflow.SearchExperiments.Response(experiments=found, next_page_token=token)


def update(call: Call, request: mlflow.UpdateExperiment) -> mlflow.UpdateExperiment.Response:
    """POST experiments/update: refused (400), as Azure ML documents that it renames none; words are not recorded."""
    experiment = meant(call, request.experiment_id)
    raise errors.invalid(f"Experiment {experiment['name']} cannot be renamed.")


def delete(call: Call, request: mlflow.DeleteExperiment) -> mlflow.DeleteExperiment.Response:
    """POST experiments/delete: archive the experiment."""
    _archived(call, request.experiment_id, instants.text(instants.now()))
    return mlflow.DeleteExperiment.Response()


def restore(call: Call, request: mlflow.RestoreExperiment) -> mlflow.RestoreExperiment.Response:
    """POST experiments/restore: the experiment is no longer archived."""
    _archived(call, request.experiment_id, None)
    return mlflow.RestoreExperiment.Response()


def set_tag(call: Call, request: mlflow.SetExperimentTag) -> mlflow.SetExperimentTag.Response:
    """POST experiments/set-experiment-tag."""
    experiment = meant(call, request.experiment_id)
    tags = run_document.tagged(experiment["tags"], {request.key: request.value}, limits.EXPERIMENT_KEY)
    call.world.experiments.put(call.workspace.guid, experiment | {"tags": tags})
    return mlflow.SetExperimentTag.Response()


def _untaken(call: Call, name: str) -> None:
    if call.world.experiments.named(call.workspace.guid, name) is not None:
        raise errors.conflict(f"Experiment {name} already exists.")


def _archived(call: Call, experiment_id: str, when: str | None) -> None:
    experiment = meant(call, experiment_id)
    call.world.experiments.put(call.workspace.guid, experiment | {"archivedTime": when})
