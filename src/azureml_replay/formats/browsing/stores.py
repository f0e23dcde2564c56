"""An archive as MLflow's stores: `mlflow.set_tracking_uri("azureml-replay:/path/to/history")`. Read-only.

The only module that imports MLflow, which loads it by the entry points of the extra `mlflow`. One source for MLflow 2.9
to 3.17: what differs between them is said where it is met. Runs and experiments have the source's own ids.
"""

# ruff: noqa: ANN401, ARG002 - signatures and meanings are MLflow's

from __future__ import annotations

import base64
import gc
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    FileInfo,
    InputTag,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    DATA_LOSS,
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry.abstract_store import AbstractStore as AbstractRegistry
from mlflow.store.tracking.abstract_store import AbstractStore as AbstractTracking
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils

from azureml_replay import json_text
from azureml_replay.archive.timeline import Begun
from azureml_replay.errors import IntegrityError, ReplayError
from azureml_replay.formats.browsing.live import LiveArchive, Recent, ShownExperiment, folder_of, live_archive, uri_of
from azureml_replay.formats.browsing.shown import ShownRun, sound
from azureml_replay.terminal.hints import hint

Found = TypeVar("Found")

READ_ONLY = "an archive is read-only: nothing can be written, changed or deleted in this window"
RUNS_KEPT = 20_000
"""Runs in memory, 8 KB each with ten curves: of an archive with more, a filter reads all runs each time."""
_WRITES = re.compile(
    r"(add|archive|copy|create|delete|finalize|get_or_create|link|log|record|register|remove|rename|restore|set|start|"
    r"transition|unlink|update|upsert)_(?!.*_async$)"
)
"""Names of methods that change something. Those that end in `_async` call the others."""
_INFO = frozenset(inspect.signature(RunInfo.__init__).parameters)
"""What this version's runs are made of."""
_BATCH = 1_000


def _refuse(*_: object, **__: object) -> NoReturn:
    raise MlflowException(READ_ONLY, error_code=PERMISSION_DENIED)


def _absent(*_: object, **__: object) -> NoReturn:
    raise MlflowException("an archive of runs holds no such thing", error_code=RESOURCE_DOES_NOT_EXIST)


def _none(*_: object, **__: object) -> Any:
    return PagedList([], None)


def _two_nones(*_: object, **__: object) -> Any:
    return [], None


_EMPTY: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            *("search_logged_models", "search_datasets", "search_issues", "search_registered_models"),
            *("search_model_versions", "query_trace_metrics", "list_scorers", "list_scorers_across_experiments"),
            *("list_label_schemas", "list_review_queues", "list_webhooks", "get_online_scoring_configs"),
            *("get_active_online_scorers", "get_latest_versions", "search_prompts"),
        ),
        _none,
    ),
    "search_traces": _two_nones,
}
"""What newer windows list, and no archive of Azure ML's runs holds."""


def _closed(store: type) -> type:
    """A base class: writing is refused, lists of what archives do not hold are empty, and nothing stays abstract."""
    names = {name for name in dir(store) if not name.startswith("_")}
    methods: dict[str, Any] = {name: _refuse for name in names if _WRITES.match(name)}
    left: set[str] = getattr(store, "__abstractmethods__", set()) - methods.keys()
    methods |= dict.fromkeys(left, _absent) | {name: empty for name, empty in _EMPTY.items() if name in names}
    return type(f"Closed{store.__name__}", (store,), methods)


class RegistryStore(_closed(AbstractRegistry)):  # type: ignore[misc]  # MLflow has no types here
    """An empty registry: archives hold models as files of runs."""


class TrackingStore(_closed(AbstractTracking)):  # type: ignore[misc]  # MLflow has no types here
    """The experiments and runs of one archive."""

    def __init__(self, store_uri: str, artifact_uri: str | None = None) -> None:
        """`artifact_uri` is where clients are to find files: a server's own proxy, else the archive itself."""
        super().__init__()
        folder = folder_of(store_uri)
        self._archive = live_archive(folder)
        self._root = (artifact_uri or uri_of(folder)).rstrip("/")
        self._kept = Recent(RUNS_KEPT)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1_000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        found = [self._experiment(one) for one in _told(self._archive.experiments)]
        found = [one for one in found if one.lifecycle_stage in LifecycleStage.view_type_to_stages(view_type)]
        found = SearchExperimentsUtils.filter(found, filter_string)
        found = SearchExperimentsUtils.sort(found, order_by or ["creation_time DESC", "experiment_id ASC"])
        return PagedList(*SearchExperimentsUtils.paginate(found, page_token, max_results))

    def get_experiment(self, experiment_id: str) -> Experiment:
        return self._experiment(self._known("id", str(experiment_id)))

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        named = (one for one in _told(self._archive.experiments) if one.name == experiment_name)
        return next(map(self._experiment, named), None)

    def get_run(self, run_id: str) -> Run:
        return next(iter(self._runs([self._place(run_id)])))

    def _search_runs(  # noqa: PLR0917 - as MLflow calls it
        self,
        experiment_ids: Sequence[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int,
        order_by: Sequence[str] | None,
        page_token: str | None,
    ) -> tuple[list[Run], str | None]:
        stages = LifecycleStage.view_type_to_stages(run_view_type)
        hidden = [stage == LifecycleStage.DELETED for stage in stages]
        descending = _by_start(order_by)
        if filter_string or descending is None:
            rows = self._filtered(experiment_ids, filter_string, hidden, order_by or [])
            ids, token = SearchUtils.paginate(rows, page_token, max_results)
            return self._runs([self._place(one.info.run_id) for one in ids]), token
        after = _read_token(page_token)
        found = self._page(experiment_ids, hidden, after, max_results + 1, newest_first=descending)
        page = found[:max_results]
        return self._runs(page), _token(page[-1]) if len(found) > max_results and page else None

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> Any:
        place = self._place(run_id)
        points = _told(lambda: self._archive.history(place, metric_key))
        page, token = SearchUtils.paginate(points, page_token, max_results or len(points))
        return PagedList([Metric(metric_key, value, ms, step) for ms, step, value in page], token)

    def _search_datasets(self, experiment_ids: Sequence[str]) -> list[Any]:
        return []  # what newer windows offer to filter by; the column of datasets is the runs' own

    def _page(
        self,
        experiments: Sequence[str],
        hidden: Sequence[bool],
        after: tuple[int, str] | None,
        most: int | None,
        *,
        newest_first: bool = True,
    ) -> list[Begun]:
        return _told(
            lambda: self._archive.page(
                map(str, experiments), hidden=hidden, newest_first=newest_first, after=after, most=most
            )
        )

    def _filtered(
        self, experiments: Sequence[str], filter_string: str | None, hidden: Sequence[bool], order_by: Sequence[str]
    ) -> list[Run]:
        """All runs that a filter lets through, sorted. Each is read, and of many runs only what sorts them is kept."""
        clauses = SearchUtils.parse_search_filter(filter_string) if filter_string else []
        columns = [SearchUtils.parse_order_by_for_search_runs(one)[:2] for one in order_by]
        curves = "metric" in {clause["type"] for clause in clauses} | {kind for kind, _ in columns}
        named = _named_runs(clauses)
        places = self._page(experiments, hidden, None, None)
        if named is not None:
            places = [one for one in places if one.run in named]
        found: list[Run] = []
        for at in range(0, len(places), _BATCH):
            batch = places[at : at + _BATCH]
            if len(places) <= RUNS_KEPT:
                found += SearchUtils.filter(self._runs(batch), filter_string)
            else:
                matching = SearchUtils.filter(self._read(batch, curves=curves), filter_string)
                found += [_only(run, columns) for run in matching]
        return list(SearchUtils.sort(found, order_by))

    def _runs(self, places: Sequence[Begun]) -> list[Run]:
        """The runs of some places, in their order; those that were asked for last are kept."""
        new = [place for place in places if place not in self._kept.values]
        made = dict(zip(new, self._read(new), strict=True))
        found = [self._kept.get(place, partial(made.__getitem__, place)) for place in places]
        if len(new) == _BATCH:
            gc.freeze()  # the collector would look at all that is kept again and again: 0.15 s of 10,000 runs
        return found

    def _read(self, places: Sequence[Begun], *, curves: bool = True) -> list[Run]:
        if not places:
            return []
        shown = _told(lambda: self._archive.shown([place.run for place in places], curves=curves))
        if len(shown) < len(places):
            gone = {place.run for place in places} - {one.id for one in shown}
            raise MlflowException(f"the archive has no run {min(gone)}", error_code=RESOURCE_DOES_NOT_EXIST)
        homes = {one.name: one.id for one in _told(self._archive.experiments)}
        return [self._run(one, homes.get(one.experiment, one.experiment)) for one in shown]

    def _run(self, shown: ShownRun, home: str) -> Run:
        fields = {
            "run_id": shown.id,
            "run_uuid": shown.id,  # up to 2.22
            "run_name": shown.name,
            "experiment_id": home,
            "user_id": shown.user,
            "status": shown.status,
            "start_time": shown.start_ms,
            "end_time": shown.end_ms,
            "lifecycle_stage": _stage(shown.hidden),
            "artifact_uri": f"{self._root}/{shown.id}",
        }
        data = RunData(
            metrics=[Metric(name, value, ms, step) for name, (ms, step, value) in shown.last.items()],
            params=[Param(*pair) for pair in shown.params.items()],
            tags=[RunTag(*pair) for pair in shown.tags.items()],
        )
        inputs = RunInputs(dataset_inputs=[*_datasets(shown)])
        return Run(RunInfo(**{name: value for name, value in fields.items() if name in _INFO}), data, inputs)

    def _experiment(self, shown: ShownExperiment) -> Experiment:
        # Newer windows look into an experiment without this tag to find out its kind, and want to write it then.
        tags = {"mlflow.experimentKind": "custom_model_development", **shown.tags}
        if shown.description:
            tags["mlflow.note.content"] = shown.description
        return Experiment(
            experiment_id=shown.id,
            name=sound(shown.name),
            artifact_location=f"{self._root}/",
            lifecycle_stage=_stage(shown.hidden),
            tags=[ExperimentTag(*pair) for pair in tags.items()],
            creation_time=shown.first_ms or 0,
            last_update_time=shown.last_ms or 0,
        )

    def _known(self, field: str, value: str) -> ShownExperiment:
        for one in _told(self._archive.experiments):
            if getattr(one, field) == value:
                return one
        raise MlflowException(f"the archive has no experiment {value}", error_code=RESOURCE_DOES_NOT_EXIST)

    def _place(self, run: str) -> Begun:
        place = _told(lambda: self._archive.run(run))
        if place is None:
            raise MlflowException(f"the archive has no run {run}", error_code=RESOURCE_DOES_NOT_EXIST)
        return place


class ArtifactRepo(ArtifactRepository):  # type: ignore[misc]  # MLflow has no types here
    """The files of an archive's runs: `azureml-replay:/abs/history/<run>/outputs`, or the whole archive."""

    def __init__(self, artifact_uri: str, *arguments: Any, **named: Any) -> None:
        """MLflow's own arguments came with the years; the first one stayed."""
        super().__init__(artifact_uri, *arguments, **named)
        whole = folder_of(artifact_uri)
        folder = next((one for one in (whole, *whole.parents) if (one / "archive.db").exists()), whole)
        self._archive: LiveArchive = live_archive(folder)
        self._below = whole.relative_to(folder).parts

    log_artifact = log_artifacts = delete_artifacts = _refuse

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        run, inside = self._split(path)
        found = _told(lambda: self._archive.files(run, inside)) if run else []
        here = len(self._below)
        names = ["/".join([run, *one.path.split("/")][here:]) for one in found]
        infos = [FileInfo(name, one.folder, one.size_bytes) for name, one in zip(names, found, strict=True)]
        return sorted(infos, key=lambda info: info.path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        run, path = self._split(remote_file_path)
        found = _told(lambda: self._archive.file(run, path))
        if found is None:
            raise MlflowException(f"run {run} has no file {path}", error_code=RESOURCE_DOES_NOT_EXIST)
        artifact, held = found
        if held is None:
            size = f" ({artifact.stored.size_bytes:,} bytes)" if artifact.stored else ""
            bring = hint(
                *("extract", "--source", "source.json", "--archive", self._archive.folder, "--artifacts", "download")
            )
            why = artifact.gone or f"`{bring}` brings it"
            text = f"the archive lists {path}{size} and does not keep its bytes: {why}"
            raise MlflowException(text, error_code=RESOURCE_DOES_NOT_EXIST)
        with Path(local_path).open("wb") as file:
            _told(lambda: file.writelines(held.pieces()))

    def _split(self, path: str | None) -> tuple[str, str]:
        """The run of a path below this repository's root, and the path in the run."""
        run, *inside = [*self._below, *(part for part in (path or "").split("/") if part not in ("", "."))] or [""]
        return run, "/".join(inside)


def _told(work: Callable[[], Found]) -> Found:
    """What is asked of the archive, with its errors in MLflow's form."""
    try:
        return work()
    except IntegrityError as problem:
        raise MlflowException(str(problem), error_code=DATA_LOSS) from problem
    except ReplayError as problem:
        raise MlflowException(str(problem), error_code=INTERNAL_ERROR) from problem


def _stage(hidden: bool) -> str:
    return str(LifecycleStage.DELETED if hidden else LifecycleStage.ACTIVE)


def _datasets(shown: ShownRun) -> Iterator[DatasetInput]:
    for one in shown.inputs:
        dataset = Dataset(name=one.name, digest=one.digest, source_type=one.kind, source=one.source)
        yield DatasetInput(dataset, [InputTag("mlflow.data.context", "input")])


def _only(run: Run, columns: Sequence[tuple[str, str]]) -> Run:
    """A run with nothing but what sorts it."""
    of = {kind: {key for one, key in columns if one == kind} for kind in ("metric", "parameter", "tag")}
    data = RunData(
        metrics=[Metric(key, value, 0, 0) for key, value in run.data.metrics.items() if key in of["metric"]],
        params=[Param(key, value) for key, value in run.data.params.items() if key in of["parameter"]],
        tags=[RunTag(key, value) for key, value in run.data.tags.items() if key in of["tag"]],
    )
    return Run(run.info, data)


def _named_runs(clauses: Sequence[Mapping[str, Any]]) -> frozenset[str] | None:
    """The runs that a filter names, as the page that compares runs does: only they are read. None: it names none."""
    for clause in clauses:
        if (clause["type"], SearchUtils.translate_key_alias(clause["key"])) == ("attribute", "run_id"):
            if clause["comparator"].upper() == "IN":
                return frozenset(clause["value"])
            if clause["comparator"] == "=":
                return frozenset([clause["value"]])
    return None


def _by_start(order_by: Sequence[str] | None) -> bool | None:
    """True for the newest run first, False for the oldest; None for any other order."""
    if not order_by:
        return True
    kind, key, ascending = SearchUtils.parse_order_by_for_search_runs(order_by[0])
    by_start = len(order_by) == 1 and (kind, SearchUtils.translate_key_alias(key)) == ("attribute", "start_time")
    return not ascending if by_start else None


def _token(place: Begun) -> str:
    return base64.b64encode(json_text.dumps([place.at, place.run])).decode()


def _read_token(token: str | None) -> tuple[int, str] | None:
    if not token:
        return None
    try:
        at, run = json_text.loads(base64.b64decode(token))
        return int(at), str(run)
    except (ValueError, TypeError) as problem:
        raise MlflowException("this page token is not one of ours", error_code=INVALID_PARAMETER_VALUE) from problem
