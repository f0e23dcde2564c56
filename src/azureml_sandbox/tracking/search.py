"""MLflow's route runs/search: MLflow's own parser of filters, orders and page tokens, over the service's documents."""

from __future__ import annotations

from mlflow.entities import Run as Entity
from mlflow.protos import service_pb2 as mlflow
from mlflow.utils.search_utils import SearchUtils

from azureml_sandbox.protocol.route import Call
from azureml_sandbox.tracking import documents, experiments, runs
from azureml_sandbox.world import Document

PAGE = 1_000

_HIDDEN = {mlflow.ACTIVE_ONLY: {False}, mlflow.DELETED_ONLY: {True}, mlflow.ALL: {False, True}}


def search(call: Call, request: mlflow.SearchRuns) -> mlflow.SearchRuns.Response:
    """POST runs/search: newest first unless `order_by` says otherwise; children too."""
    names, found = _candidates(call, request)
    entities = [_entity(call, names, document, request) for document in found.values()]
    ordered = SearchUtils.sort(SearchUtils.filter(entities, request.filter), list(request.order_by))
    page, token = SearchUtils.paginate(ordered, request.page_token, min(request.max_results or PAGE, PAGE))
    shown = [_shown(call, names, found[entity.info.run_id]) for entity in page]
    return mlflow.SearchRuns.Response(runs=shown, next_page_token=token)


def _candidates(call: Call, request: mlflow.SearchRuns) -> tuple[dict[str, str], dict[str, Document]]:
    """Names of the experiments by id, and their runs that the view shows by run id."""
    hidden = _HIDDEN[request.run_view_type or mlflow.ACTIVE_ONLY]
    places = [experiments.meant(call, experiment_id) for experiment_id in dict.fromkeys(request.experiment_ids)]
    found = {
        document["runId"]: document
        for place in places
        for document in call.world.runs.of_experiment(call.workspace.guid, place["experimentId"])
        if bool(document.get("hidden")) in hidden
    }
    return {place["experimentId"].lower(): place["name"] for place in places}, found


def _shown(call: Call, names: dict[str, str], document: Document) -> mlflow.Run:
    """As `runs.shown`; the experiment's name is known."""
    name = names[document["experimentId"].lower()]
    return documents.run(call.workspace, name, document, runs.last_values(call, document))


def _entity(call: Call, names: dict[str, str], document: Document, request: mlflow.SearchRuns) -> Entity:
    """A run as MLflow's parser compares it: with what filter and order need. Metrics cost a query."""
    wanted = "metric" in " ".join([request.filter, *request.order_by]).lower()
    metrics = runs.last_values(call, document) if wanted else ()
    if request.filter or request.order_by:
        run = documents.run(call.workspace, names[document["experimentId"].lower()], document, metrics)
    else:
        run = mlflow.Run(info=documents.run_info(document))
    if not run.info.HasField("start_time"):
        run.info.start_time = 0  # the parser's sort negates it
    return Entity.from_proto(run)
