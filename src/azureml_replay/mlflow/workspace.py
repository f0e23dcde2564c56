"""An MLflow server as a workspace: only assembles; what is asked stands in `rest`, what is meant in `wire/`."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from azureml_replay.errors import Forbidden, NotFound, Rejected, Unavailable, UserError
from azureml_replay.mlflow.config import LOGIN_HELP, ServerConfig
from azureml_replay.mlflow.experiments import without_home
from azureml_replay.mlflow.files import ServerFiles, location_of
from azureml_replay.mlflow.histories import MetricHistories
from azureml_replay.mlflow.registry import Registry, model_of
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import decode
from azureml_replay.mlflow.wire.decode import ListedRun
from azureml_replay.mlflow.wire.registry import MODELS_STORE
from azureml_replay.mlflow.words import MLFLOW_WORDS
from azureml_replay.model import (
    LOGGED_MODELS,
    Artifact,
    CodeReference,
    Experiment,
    Job,
    Json,
    Location,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    StoredFile,
)
from azureml_replay.sending.cap import Cap
from azureml_replay.sending.clock import WALL_CLOCK, Clock
from azureml_replay.sending.sender import Sender, Transport
from azureml_replay.sending.transport import open_transport
from azureml_replay.workers import map_bounded
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, AssetUse
from azureml_replay.workspace.asset_rule import MLFLOW_ASSETS
from azureml_replay.workspace.source import Shelf
from azureml_replay.workspace.traffic import Load, ServiceTraffic

WIDTH = 4
"""Requests in flight at most: with 16, a server of one worker on SQLite took 13 runs a second instead of 19."""
EXPERIMENTS_PER_SEARCH = 500
"""Ids of experiments in one search: databases bound the values of a statement, the oldest SQLite at 999."""
TRACES_KEPT = 10_000
"""Traces that are read with a page of experiments: a kilobyte each, and no run has them."""
RUNS_KNOWN = 512
"""Runs whose last values are remembered, between their details and the question for their series."""

LISTED_KEPT = 1_000
"""Runs whose list is their details, too: 10 to 20 KB each."""

logger = logging.getLogger("azureml_replay")


@asynccontextmanager
async def connect(
    config: ServerConfig,
    *,
    parallel: int = WIDTH,
    transport: Transport | None = None,
    clock: Clock = WALL_CLOCK,
    on_throttle: Callable[[str], None] = logger.warning,
    cap: Cap | None = None,
    kind: type[MlflowWorkspace] | None = None,
) -> AsyncIterator[MlflowWorkspace]:
    """Open a server; asks for one experiment, and for its version.

    `parallel` is the most requests in flight, as far as a server is the faster for it; `on_throttle` gets a line when
    it throttles. `cap` limits the bytes of files; `transport` is a seam. Raises UserError (login), Unavailable.
    """
    opening = sending(config, parallel=parallel, transport=transport, clock=clock, on_throttle=on_throttle, cap=cap)
    async with opening as sender:
        yield await (kind or MlflowWorkspace).opened(config, sender)


@asynccontextmanager
async def sending(
    config: ServerConfig,
    *,
    parallel: int = WIDTH,
    transport: Transport | None = None,
    clock: Clock = WALL_CLOCK,
    on_throttle: Callable[[str], None] = logger.warning,
    cap: Cap | None = None,
) -> AsyncIterator[Sender]:
    """The sender of `connect`; asks nothing yet."""
    async with AsyncExitStack() as stack:
        opening = open_transport(config.trust)
        wire = transport if transport is not None else await stack.enter_async_context(opening)
        yield Sender(
            wire, None, MLFLOW_WORDS, parallel=min(parallel, WIDTH), clock=clock, on_throttle=on_throttle, cap=cap
        )


class MlflowWorkspace:
    """A server that can be read. Made by `connect`."""

    def __init__(self, config: ServerConfig, sender: Sender, version: str) -> None:
        """`version` is the server's, as it says it; empty where it does not."""
        self.ref = config.ref
        self.studio: str | None = None
        self.version = version
        self.named_by_mlflow = False
        self._sender = sender
        self._rest = Rest(sender, config)
        self._files = ServerFiles(self._rest)
        self._histories = MetricHistories(self._rest)
        self._registry = Registry(self._rest)
        self._names: dict[str, str] = {}
        """Id -> name of each experiment; by ids alone runs name theirs."""
        self._known: OrderedDict[RunId, ListedRun] = OrderedDict()
        self._kept_details: dict[RunId, ListedRun] | None = {}
        """Runs of a list whose details nobody has asked for; None where there are too many. Nobody reads it once
        anything was written."""

    @classmethod
    async def opened(cls, config: ServerConfig, sender: Sender) -> Self:
        """Open a server by asking it. Raises as `connect`."""
        rest = Rest(sender, config)
        try:
            async for _ in rest.experiments(1):
                break
        except Forbidden as error:
            raise UserError(f"{config.ref} does not let this login in: {error.in_words}: {LOGIN_HELP}") from error
        except (Rejected, Unavailable) as error:
            if isinstance(error, Unavailable) and error.status != 200:
                raise
            raise UserError(f"{config.ref} does not answer as an MLflow server: {error.in_words}") from error
        return cls(config, sender, await rest.version())

    def traffic(self) -> Mapping[str, ServiceTraffic]:
        """The requests so far, by service."""
        return self._sender.traffic()

    def loads(self) -> Mapping[str, Load]:
        """The load of each service right now. May be called from any thread."""
        return self._sender.loads()

    async def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        """All experiments, deleted ones too, by pages."""
        async for page in self._rest.experiments():
            self._names.update({one.id: one.name for one in page})
            traces = await self._traces([one.id for one in page])
            yield [decode.with_traces(without_home(one), traces.get(one.id, ())) for one in page]

    async def _traces(self, experiments: Sequence[str]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Those that this login may see."""
        try:
            return await self._rest.traces(experiments, TRACES_KEPT)
        except Forbidden:
            return {}

    async def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name, deleted or not; None where there is none."""
        found = await self._rest.experiment(name)
        if found is not None:
            self._names[found.id] = found.name
        return found and without_home(found)

    async def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        """All runs of an experiment, deleted ones too, by pages."""
        self._names.setdefault(experiment.id, experiment.name)
        async for page in self._rest.runs([experiment.id], self._names):
            self._keep(page)
            yield [one.run for one in page]

    async def run(self, run: RunId) -> Run | None:
        """One run, None where there is none."""
        found = await self._one(run)
        return found.run if found else None

    async def children(self, run: RunId) -> AsyncIterator[Sequence[Run]]:  # noqa: ARG002 - the seam's
        """Direct children, by pages: every run is listed with its experiment, so nobody has to look for them here."""
        return
        yield []  # what makes this a generator

    async def jobs(self) -> AsyncIterator[Sequence[Job]]:
        """None: a server has runs alone."""
        return
        yield []

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        """The runs as they are listed; a run that is gone is left out."""
        listed = self._kept_details if self._rest.writes == 0 else None
        kept = [self._as_told(one) for run in runs if (one := (listed or {}).pop(run, None)) is not None]
        known = {one.run.id for one in kept}
        left = [run for run in runs if run not in known]
        found = [*kept, *[one async for page in self._search(left) for one in page]]
        for one in found:
            self._remember(one)
        self._histories.expect(found)
        models = await map_bounded(found, self._models, WIDTH)
        return {one.run.id: RunDetails(run=one.run, more=more) for one, more in zip(found, models, strict=True)}

    async def series(self, run: RunId) -> Sequence[Series]:
        """The metrics of a run, without rows; none where there is no such run."""
        found = self._known.get(run) or await self._one(run)
        return [decode.series(last) for last in found.last] if found else []

    async def points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        """The rows of one metric, by time, step and value; none for an unknown one."""
        async for rows in self._histories.rows(run, series.key.name):
            yield Points.of(decode.as_read(series, rows), rows)

    async def last_values(self, experiments: Sequence[Experiment]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """The last row of each metric, for all runs of the experiments, by pages of runs."""
        for start in range(0, len(experiments), EXPERIMENTS_PER_SEARCH):
            ids = [one.id for one in experiments[start : start + EXPERIMENTS_PER_SEARCH]]
            async for page in self._rest.runs(ids, self._names):
                yield {one.run.id: [decode.last_points(last) for last in one.last] for one in page}

    def artifacts(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """The files of a run."""
        return self._files.indexed(run.id)

    def stored(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """The same with their sizes."""
        return self._files.stored(run)

    async def stored_files(
        self,
        wanted: int,  # noqa: ARG002 - the seam's
        total: int,  # noqa: ARG002
        shelf: Shelf,  # noqa: ARG002
        listed: Callable[[int], None],
    ) -> FilesByRun:
        """Run by run: a server has no list of them all."""
        return FilesByRun(self._files, listed)

    def place(self, run: RunId, path: str) -> Location:
        """The place of a run's file."""
        return location_of(run, path)

    async def stored_file(self, location: Location) -> StoredFile | None:
        """A file as its folder lists it, None where it is gone."""
        return await self._files.stored_file(location)

    def read(
        self,
        location: Location,
        *,
        start: int = 0,
        stop: int | None = None,
        etag: str | None = None,  # noqa: ARG002 - servers list none
    ) -> AsyncIterator[bytes]:
        """The bytes of a file, piece by piece."""
        if location.datastore == MODELS_STORE:
            return self._rest.read_logged(*model_of(location), start, stop)
        return self._files.read(location, start, stop)

    async def code(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """Raises NotFound: a server keeps no code but as files of runs."""
        raise NotFound(f"an MLflow server keeps no code: {reference.key}")
        yield "", b""  # what makes this a generator

    asset_kinds = MLFLOW_ASSETS.kinds

    def asset_uses(self, details: RunDetails, job: Job | None) -> Sequence[AssetUse]:  # noqa: ARG002 - the seam's
        """None: a version names its run, no run a version."""
        return ()

    async def asset_containers(self, kind: AssetKind) -> AsyncIterator[Sequence[AssetContainer]]:  # noqa: ARG002
        """All registered models, by pages."""
        async for page in self._registry.containers():
            yield page

    async def asset_container(self, kind: AssetKind, name: str) -> AssetContainer | None:
        """One registered model; None where there is none."""
        return await self._registry.container(name) if kind is AssetKind.MODEL else None

    async def asset_versions(self, kind: AssetKind, name: str) -> AsyncIterator[Sequence[Asset]]:  # noqa: ARG002
        """All versions of a name, by pages."""
        async for page in self._registry.versions(name):
            yield page

    async def asset(self, key: AssetKey) -> Asset | None:
        """One version; None where there is none."""
        return await self._registry.find(key)

    async def asset_files(self, place: Location) -> AsyncIterator[Sequence[StoredFile]]:
        """The files at a place: of a run, or of a logged model."""
        if place.datastore == MODELS_STORE:
            async for page in self._registry.logged_files(model_of(place)[0]):
                yield page
            return
        async for page in self._files.below(place):
            yield page

    async def _models(self, found: ListedRun) -> Mapping[str, Json]:
        """The documents of a run's logged models; none where it has none, or they are gone."""
        documents = {model: await self._rest.logged_model(model) for model in dict.fromkeys(found.models)}
        told = {model: document for model, document in documents.items() if document is not None}
        return {LOGGED_MODELS: told} if told else {}

    async def _one(self, run: RunId) -> ListedRun | None:
        document = await self._rest.run_document(run)
        if document is None:
            return None
        if decode.experiment_id(document) not in self._names:
            await self._learn_names()
        return decode.run(document, self._names)

    async def _learn_names(self) -> None:
        async for page in self._rest.experiments():
            self._names.update({one.id: one.name for one in page})

    async def _search(self, runs: Sequence[RunId]) -> AsyncIterator[Sequence[ListedRun]]:
        if not self._names:
            await self._learn_names()
        ids, sought = list(self._names), [run for run in runs if decode.is_id(run)]
        for start in range(0, len(ids) if sought else 0, EXPERIMENTS_PER_SEARCH):
            async for page in self._rest.runs(ids[start : start + EXPERIMENTS_PER_SEARCH], self._names, only=sought):
                yield page

    def _as_told(self, found: ListedRun) -> ListedRun:
        return found

    def _keep(self, page: Sequence[ListedRun]) -> None:
        """What is listed says all that `details` would ask for again; of many runs that is too much for memory."""
        if self._kept_details is not None:
            self._kept_details |= {one.run.id: one for one in page}
            if len(self._kept_details) > LISTED_KEPT:
                self._kept_details = None

    def _remember(self, found: ListedRun) -> None:
        self._known[found.run.id] = found
        while len(self._known) > RUNS_KNOWN:
            self._known.popitem(last=False)


class FilesByRun:
    """`source.StoredFiles` for a server."""

    whole = False

    def __init__(self, files: ServerFiles, listed: Callable[[int], None]) -> None:
        """`listed` gets the numbers of files."""
        self._files, self._listed = files, listed

    def shelved(self, run: RunId) -> str:
        """Nothing is listed as a whole."""
        return run

    async def of(self, run: RunId) -> AsyncIterator[Artifact]:
        """The run's files."""
        async for page in self._files.stored(run):
            self._listed(len(page))
            for artifact in page:
                yield artifact
