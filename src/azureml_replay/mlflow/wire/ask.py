"""What is asked of a server: queries and bodies of requests that change nothing (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azureml_replay.model import Json, RunId

API = "/api/2.0/mlflow"
FILES_API = "/api/2.0/mlflow-artifacts/artifacts"
"""Where a server serves files itself."""
PAGES_API = "/ajax-api/2.0/mlflow"
"""What MLflow's own pages ask; some calls are there alone."""
WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"
EXPERIMENTS_PER_PAGE = 1_000
RUNS_PER_PAGE = 500
"""50,000 are taken: of runs with 10 metrics, 10 params and 3 tags 500 are 1.5 MB, and 2 s of the server's."""
MODELS_PER_PAGE = 1_000
VERSIONS_PER_PAGE = 1_000
RUNS_IN_BULK = 100
TRACES_PER_PAGE = 500
"""More are refused."""
EXPERIMENTS_OF_TRACES = 100
ROWS_IN_BULK = 25_000
"""So many rows are answered at most, and what is cut is not said."""
ROWS_PER_PAGE = 20_000
"""25,000 are taken: two chunks of an archive. Without the number some servers answer an empty page that never ends."""


def experiments(most: int, token: str | None) -> Mapping[str, Json]:
    """Body of `experiments/search`."""
    body: dict[str, Json] = {"max_results": most, "view_type": "ALL"}
    return body | _page(token)


def by_name(name: str) -> Mapping[str, str]:
    """Query of `experiments/get-by-name`."""
    return {"experiment_name": name}


def runs(
    experiments: Sequence[str], token: str | None, *, only: Sequence[RunId] = (), filtered: str = ""
) -> Mapping[str, Json]:
    """Body of `runs/search`; without ids of experiments the answer is empty. `only` has ids, `filtered` a filter."""
    quoted = ", ".join(f"'{run}'" for run in only)
    chosen = f"attributes.run_id IN ({quoted})" if only else filtered
    body: dict[str, Json] = {
        "experiment_ids": list(experiments),
        "run_view_type": "ALL",
        "max_results": RUNS_PER_PAGE,
    }
    return body | ({"filter": chosen} if chosen else {}) | _page(token)


def registered(token: str | None) -> Mapping[str, str]:
    """Query of `registered-models/search`."""
    return {"max_results": str(MODELS_PER_PAGE), **({"page_token": token} if token else {})}


def versions(name: str | None, token: str | None) -> Mapping[str, str]:
    """Query of `model-versions/search`: of one name; of all without one, or where no filter can hold it."""
    chosen = {"filter": f"name = '{name}'"} if name is not None and is_quotable(name) else {}
    return {"max_results": str(VERSIONS_PER_PAGE), **chosen, **({"page_token": token} if token else {})}


def version_named(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Query of `model-versions/get-download-uri`, for a version as `model-versions/search` tells it."""
    return {"name": str(document["name"]), "version": str(document["version"])}


def is_quotable(text: str) -> bool:
    """True for a text that can stand in a filter: servers know no way to escape a quote."""
    return "'" not in text and '"' not in text and "\\" not in text


def tag_filter(tag: str, value: str) -> str:
    """A filter for runs that bear a tag; `is_quotable` of both is true."""
    return f"tags.`{tag}` = '{value}'"


def traces(experiments: Sequence[str], token: str | None) -> Sequence[tuple[str, str]]:
    """Query of `traces`."""
    query = [("max_results", str(TRACES_PER_PAGE)), *(("experiment_ids", one) for one in experiments)]
    return [*query, ("page_token", token)] if token else query


@dataclass(frozen=True, slots=True)
class InExperiment:
    """How what an experiment holds beside runs and traces is asked for."""

    path: str
    key: str
    """Of the answer, under which it is listed."""
    is_search: bool = True
    """False where it is asked by GET for one experiment."""


BESIDE_RUNS: Mapping[str, InExperiment] = {
    "logged models": InExperiment("/api/2.0/mlflow/logged-models/search", "models"),
    "evaluation datasets": InExperiment("/api/3.0/mlflow/datasets/search", "datasets"),
    "scorers": InExperiment("/api/3.0/mlflow/scorers/list", "scorers", is_search=False),
}
"""By what people call it."""


def in_experiment(experiment: str) -> Mapping[str, Json]:
    """Body of a search in `BESIDE_RUNS`: whether there is any."""
    return {"experiment_ids": [experiment], "max_results": 1}


def one_run(run: RunId) -> Mapping[str, str]:
    """Query of `runs/get`."""
    return {"run_id": run}


def history(run: RunId, name: str, token: str | None) -> Mapping[str, str]:
    """Query of `metrics/get-history`."""
    query = {"run_id": run, "metric_key": name, "max_results": str(ROWS_PER_PAGE)}
    return query | ({"page_token": token} if token else {})


def histories(runs: Sequence[RunId], name: str) -> Sequence[tuple[str, str]]:
    """Query of `metrics/get-history-bulk`."""
    return [("metric_key", name), ("max_results", str(ROWS_IN_BULK)), *(("run_id", run) for run in runs)]


def files(run: RunId, folder: str, token: str | None) -> Mapping[str, str]:
    """Query of `artifacts/list`."""
    return {"run_id": run} | ({"path": folder} if folder else {}) | ({"page_token": token} if token else {})


def file(run: RunId, path: str) -> Mapping[str, str]:
    """Query of `get-artifact`."""
    return {"run_uuid": run, "path": path}


def logged_files(folder: str, token: str | None) -> Mapping[str, str]:
    """Query of `logged-models/{id}/artifacts/directories`."""
    query = {"artifact_directory_path": folder} if folder else {}
    return query | ({"page_token": token} if token else {})


def _page(token: str | None) -> dict[str, Json]:
    return {"page_token": token} if token else {}
