"""An Azure ML workspace as `Source` and `Target`: only assembles; each service has its own module.

Hosts come from the workspace's own `discoveryUrl` and datastores, never from a pattern: private links and other clouds
have their own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Self

from azure.core.credentials_async import AsyncTokenCredential

from azureml_replay.azure.code import Code
from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.azure.credentials import credential_for
from azureml_replay.azure.jobs import AzureSubmitter
from azureml_replay.azure.leases import WorkspaceLeases
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.services.aliases import Aliases
from azureml_replay.azure.services.arm import Arm, DataPlane
from azureml_replay.azure.services.artifacts import ArtifactIndex
from azureml_replay.azure.services.assets import Assets
from azureml_replay.azure.services.history import RunHistory
from azureml_replay.azure.services.metrics import MetricService
from azureml_replay.azure.services.mlflow import MlflowService
from azureml_replay.azure.storage.files import Files
from azureml_replay.azure.storage.listing import StoredListing
from azureml_replay.azure.storage.storage import Storage
from azureml_replay.azure.tracked import TrackedRuns
from azureml_replay.azure.wire import encode
from azureml_replay.azure.wire.encode_assets import as_here
from azureml_replay.azure.wire.mltables import rewritten
from azureml_replay.azure.wire.places import ARTIFACT_STORE, place_of, stored_artifact
from azureml_replay.azure.words import AZURE_WORDS
from azureml_replay.errors import Rejected, Unavailable
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    CodeReference,
    Experiment,
    Job,
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
from azureml_replay.sending.sender import NOT_SPOKEN, Sender, Transport
from azureml_replay.sending.transport import open_transport
from azureml_replay.workspace.asset import UNVERSIONED, Asset, AssetContainer, AssetKey, AssetKind, AssetUse
from azureml_replay.workspace.asset_rule import AZURE_ML_ASSETS, AssetRule
from azureml_replay.workspace.assets import RegisteredPlace
from azureml_replay.workspace.lease import Check, LeaseHolder, LeaseSeen, Term, unchecked
from azureml_replay.workspace.profile import AZURE_ML, TargetProfile
from azureml_replay.workspace.put_files import PutFile, SecretUrl
from azureml_replay.workspace.source import Shelf
from azureml_replay.workspace.target import NO_TAGS, Outcome, Refused, TagsOfRuns
from azureml_replay.workspace.traffic import Load, ServiceTraffic

SETTLE_PAUSE_S = 5.0
"""Seconds to wait where the service cannot say whether it has settled: an assumption, so callers read twice."""
SETTLE_PATIENCE_S = 600.0
SETTLE_POLL_S = 1.0
ENDS_PATIENCE_S = 120.0
"""Seconds to wait for events that a service takes in late: how late is unknown, so this is an assumption."""

logger = logging.getLogger("azureml_replay")


@asynccontextmanager
async def connect(
    config: WorkspaceConfig,
    *,
    parallel: int = 32,
    transport: Transport | None = None,
    credential: AsyncTokenCredential | None = None,
    clock: Clock = WALL_CLOCK,
    on_throttle: Callable[[str], None] = logger.warning,
    cap: Cap | None = None,
) -> AsyncIterator[AzureWorkspace]:
    """Open a workspace; asks for the workspace itself and its discovery document, nothing else.

    `parallel` is the most requests in flight at one service; `on_throttle` gets a line when a service is throttling.
    `cap` limits the bytes of files; `transport` and `credential` are seams. Raises UserError (no such workspace, login,
    role), Unavailable.
    """
    opened = sender(
        config,
        parallel=parallel,
        transport=transport,
        credential=credential,
        clock=clock,
        on_throttle=on_throttle,
        cap=cap,
    )
    async with opened as sending:
        yield await AzureWorkspace.opened(config, sending)


@asynccontextmanager
async def sender(
    config: WorkspaceConfig,
    *,
    parallel: int = 32,
    transport: Transport | None = None,
    credential: AsyncTokenCredential | None = None,
    clock: Clock = WALL_CLOCK,
    on_throttle: Callable[[str], None] = logger.warning,
    cap: Cap | None = None,
) -> AsyncIterator[Sender]:
    """The sender of `connect`; asks nothing yet. Raises UserError where the login lacks what it needs."""
    async with AsyncExitStack() as stack:
        wire = transport if transport is not None else await stack.enter_async_context(open_transport())
        login = credential if credential is not None else credential_for(config, wire)
        if credential is None:
            await stack.enter_async_context(login)
        yield Sender(wire, login, AZURE_WORDS, parallel=parallel, clock=clock, on_throttle=on_throttle, cap=cap)


class AzureWorkspace:
    """A workspace that can be read and written. Made by `connect`."""

    def __init__(self, config: WorkspaceConfig, sender: Sender, arm: Arm, places: DataPlane) -> None:
        """`places` are the addresses from discovery."""
        self.ref = config.ref
        self.studio, api = places.studio, places.api
        self._sender = sender
        arm_id, scope = resource_id(config.ref), config.cloud.arm_scope
        self.named_by_mlflow = False
        self._clock = sender.clock
        self._arm = arm
        self._history = RunHistory(sender, api, arm, arm_id, scope)
        self._metrics = MetricService(sender, api, arm_id, scope)
        self._tracking = MlflowService(sender, api, arm_id, scope)
        self._artifacts = ArtifactIndex(sender, api, arm_id, scope)
        self._storage = Storage(sender, arm, config.cloud.storage_scope)
        self._files = Files(self._artifacts, self._storage)
        self._tracked = TrackedRuns(self._history, self._tracking)
        self._code = Code(arm, self._storage, api, arm_id, scope)
        self._assets = Assets(arm, config.ref, places, self._files, Aliases(self._tracking))
        self._leases = WorkspaceLeases(self._history, self._tracked, self._storage)
        self.submitter = AzureSubmitter(sender, config, api, storage=self._storage, files=self._files)

    @classmethod
    async def opened(cls, config: WorkspaceConfig, sender: Sender) -> Self:
        """Open a workspace by asking where its data plane is. Raises as `connect`."""
        arm = Arm(sender, config.cloud, config.ref)
        return cls(config, sender, arm, await arm.places())

    @property
    def profile(self) -> TargetProfile:
        """As the service documents itself; what a probe saw of this workspace completes it (target/profile.py)."""
        return replace(AZURE_ML, ref=self.ref, foreign_datasets=encode.FOREIGN_DATASETS)

    def traffic(self) -> Mapping[str, ServiceTraffic]:
        """The requests so far, by service."""
        return self._sender.traffic()

    def loads(self) -> Mapping[str, Load]:
        """The load of each service right now. May be called from any thread."""
        return self._sender.loads()

    def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        """All experiments, archived ones too, by pages."""
        return self._history.experiments()

    async def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name, archived or not; None where there is none."""
        return await self._history.experiment(name)

    def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        """All runs of an experiment, by pages; without inputs and outputs."""
        return self._history.runs(experiment)

    async def run(self, run: RunId) -> Run | None:
        """One run, None where there is none."""
        return await self._history.run(run)

    def children(self, run: RunId) -> AsyncIterator[Sequence[Run]]:
        """Direct children, by pages."""
        return self._history.children(run)

    def jobs(self) -> AsyncIterator[Sequence[Job]]:
        """ARM's job documents, by pages."""
        return self._arm.jobs()

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        """Inputs, outputs and definitions; a run that is gone is left out."""
        return await self._history.details(runs)

    async def series(self, run: RunId) -> Sequence[Series]:
        """The series of a run, without rows; where the metric service has no list, those that MLflow shows."""
        try:
            return await self._metrics.series(run)
        except Rejected as error:
            if error.status not in NOT_SPOKEN:
                raise
        self.named_by_mlflow = True
        return await self._tracking.series(run)

    def points(self, run: RunId, series: Series) -> AsyncIterator[Points]:
        """The rows of one series. Raises NotFound for an unknown one."""
        return self._metrics.points(run, series)

    def last_values(self, experiments: Sequence[Experiment]) -> AsyncIterator[Mapping[RunId, Sequence[Points]]]:
        """The last row of each metric that MLflow shows, for all runs of the experiments, by pages of runs."""
        return self._tracking.last_values([experiment.id for experiment in experiments])

    def artifacts(self, run: Run) -> AsyncIterator[Sequence[Artifact]]:
        """The index of a run's container, by pages."""
        return self._artifacts.listed(run)

    async def stored(self, run: RunId) -> AsyncIterator[Sequence[Artifact]]:
        """Blobs of a run's container in the artifact store, by pages."""
        async for page in self._storage.listed(ARTIFACT_STORE, place_of(run, "").path):
            yield [stored_artifact(run, file) for file in page]

    async def stored_files(self, wanted: int, total: int, shelf: Shelf, listed: Callable[[int], None]) -> StoredListing:
        """The artifact store, listed whole or container by container, whichever takes fewer requests."""
        return await StoredListing.begun(self._storage, self.ref, shelf, wanted=wanted, total=total, listed=listed)

    def place(self, run: RunId, path: str) -> Location:
        """The place of a file in a run's own container."""
        return place_of(run, path)

    async def stored_file(self, location: Location) -> StoredFile | None:
        """The properties of a blob, None where it is gone."""
        return await self._storage.properties(location)

    def read(
        self, location: Location, *, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes of a blob, at most 4 MiB at a time."""
        return self._storage.read(location, start=start, stop=stop, etag=etag)

    def code(self, reference: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of the files of a code snapshot."""
        return self._code.pieces(reference)

    async def readable_url(self, location: Location) -> SecretUrl:
        """A URL at which another storage can read a blob for some hours."""
        return await self._storage.readable_url(location)

    async def put_experiment(self, experiment: Experiment) -> None:
        """Write name, description, tags, archived. Repeatable."""
        await self._history.put_experiment(experiment)

    async def put_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Create runs or bring them up to date, as running ones. Repeatable."""
        return await self._history.put_runs(experiment, runs)

    async def update_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Bring existing runs up to date, all but their state. Repeatable."""
        return await self._history.update_runs(experiment, runs)

    async def hide_runs(
        self, experiment: str, runs: Sequence[RunId], *, hidden: bool, tags: TagsOfRuns = NO_TAGS
    ) -> Mapping[RunId, Outcome]:
        """Archive runs or show them again, with tags by the same request. Repeatable."""
        return await self._history.hide_runs(experiment, runs, hidden=hidden, tags=tags)

    async def remove_tags(self, experiment: str, run: RunId, tags: Sequence[str]) -> None:
        """Remove tags of one run. Repeatable."""
        await self._history.remove_tags(experiment, run, tags)

    async def append_points(
        self, run: RunId, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused]:
        """Append rows by one request. NOT repeatable. Raises Uncertain where the answer was lost."""
        return await self._metrics.append(run, batch, check)

    async def append_settled(
        self, run: RunId, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused] | None:
        """The same by a request that is answered once the rows are there; None where there is no such way."""
        return await self._metrics.append_settled(run, batch, check)

    async def settle(self, experiment: str, run: RunId) -> None:
        """Wait until appended rows can be read. Repeatable. Raises Unavailable after ten minutes."""
        waited_s, later = 0.0, await self._history.ingesting(experiment, run)
        while later and waited_s < SETTLE_PATIENCE_S:
            await self._clock.sleep(SETTLE_POLL_S)
            waited_s += SETTLE_POLL_S
            later = await self._history.ingesting(experiment, run, later)
        if later is None:
            await self._clock.sleep(SETTLE_PAUSE_S)
        if not later:
            return
        raise Unavailable(f"the metrics of run {run} are still being taken in")

    async def put_files(self, experiment: str, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:
        """Write index entries and bytes. Repeatable: a path holds what was put last."""
        return await self._files.put(experiment, run, files)

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:
        """Make an index entry that leads to `place`; False where the path is taken. Repeatable."""
        return await self._artifacts.register(run, path, place)

    async def remove_files(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Remove index entries and bytes. Repeatable: a file that is gone is no error."""
        return await self._files.remove(run, paths)

    async def finish_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write start, error and end by events, then `hidden`. Repeatable."""
        return await self._history.finish_runs(experiment, runs, Instant.of(self._clock.now()))

    async def make_run(self, experiment: str, run: Run, *, check: Check = unchecked) -> RunId | Refused:
        """Make a run by MLflow's routes. NOT repeatable. Raises Uncertain where the answer was lost."""
        return await self._tracked.make(experiment, run, check)

    async def tagged_runs(self, experiment: Experiment, tag: str, value: str) -> Mapping[RunId, Mapping[str, str]]:
        """The runs of an experiment that bear a tag, with all their tags."""
        return await self._tracked.tagged(experiment, tag, value)

    async def end_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Write error and end of runs that `make_run` made, then `hidden`. Repeatable."""
        return await self._tracked.end(experiment, runs, Instant.of(self._clock.now()))

    async def read_lease(self, name: str) -> LeaseSeen:
        """What the workspace shows of it."""
        return await self._leases.read(name)

    async def claim_term(
        self, name: str, term: Term, seconds: int, *, instead_of: Sequence[LeaseHolder] = ()
    ) -> Instant | None:
        """Takes or renews it; None where somebody else was first. Repeatable."""
        return await self._leases.claim(name, term, seconds, instead_of)

    async def give_back(self, name: str, term: Term) -> None:
        """A term that is over. Repeatable."""
        await self._leases.give_back(name, term)

    async def without_end(self, runs: Sequence[Run]) -> Sequence[RunId]:
        """Wait for runs to show their status; those that do not after two minutes."""
        waited_s, left = 0.0, await self._history.without_end(runs)
        while left and waited_s < ENDS_PATIENCE_S:
            await self._clock.sleep(SETTLE_POLL_S)
            waited_s += SETTLE_POLL_S
            left = await self._history.without_end([run for run in runs if run.id in left])
        return left

    asset_kinds, asset_rule = AZURE_ML_ASSETS.kinds, AZURE_ML_ASSETS

    def treat_assets_by(self, rule: AssetRule) -> None:
        """As this workspace was seen to keep them."""
        self.asset_rule, self._assets.aliases.carried = rule, rule.aliases

    def asset_uses(self, details: RunDetails, job: Job | None) -> Sequence[AssetUse]:
        """The assets that a run and its job name."""
        return self._assets.uses(details, job)

    def asset_containers(self, kind: AssetKind) -> AsyncIterator[Sequence[AssetContainer]]:
        """All names of a kind, by pages."""
        return self._assets.containers(kind)

    async def asset_container(self, kind: AssetKind, name: str) -> AssetContainer | None:
        """What all versions of a name share; None where there is no such name."""
        return await self._assets.container(kind, name)

    async def put_asset_container(self, container: AssetContainer) -> AssetContainer:
        """Bring what the versions of a name share up to date; as answered."""
        return await self._assets.put_container(container)

    def asset_versions(self, kind: AssetKind, name: str) -> AsyncIterator[Sequence[Asset]]:
        """All versions of a name, by pages."""
        return self._assets.versions(kind, name)

    async def registered_places(self) -> Sequence[RegisteredPlace]:
        """See `workspace.assets.KnowsRegistered`."""
        return await self._assets.registered()

    async def asset(self, key: AssetKey) -> Asset | None:
        """One version; None where there is none."""
        return await self._assets.find(key)

    def asset_files(self, place: Location) -> AsyncIterator[Sequence[StoredFile]]:
        """The files at a place, by pages."""
        return self._assets.files(place)

    def asset_there(self, asset: Asset, runs: Mapping[RunId, RunId]) -> Asset:
        """An asset of another workspace as this one tells of it; bytes of data stay."""
        return as_here(asset, runs)

    async def put_container(self, container: AssetContainer) -> bool:  # noqa: ARG002 - the seam's
        """A name comes with its first version; what its versions share is not written."""
        return False

    async def remove_asset(self, asset: Asset) -> Asset | None:
        """Archive one; as answered."""
        return await self._assets.put(replace(asset, archived=True), {})

    async def remove_container(self, container: AssetContainer) -> None:
        """Nothing: a name stays as long as the workspace does."""

    def table_there(self, asset: Asset, text: str) -> tuple[str, int]:
        """An MLTable as it is to be here."""
        return rewritten(asset, text, self._assets.scope)

    async def has_datastore(self, name: str) -> bool:
        """True where there is one, of any kind."""
        return await self._assets.find(AssetKey(AssetKind.DATASTORE, name, UNVERSIONED)) is not None

    async def put_asset(self, asset: Asset, names: Mapping[AssetKey, AssetKey], *, check: Check = unchecked) -> Asset:
        """Make an asset of another workspace; as answered."""
        return await self._assets.put(asset, names, check)

    @property
    def asset_naming(self) -> str:
        """How runs of the workspace name an asset."""
        return self._assets.naming

    async def put_linked_model(self, model: Asset, names: Mapping[AssetKey, AssetKey]) -> Asset:
        """Make a model of a run by a route that keeps the run; as answered."""
        return await self._assets.put_linked(model, names)

    async def put_asset_file(self, place: Location, file: PutFile) -> None:
        """Write one file of an asset's."""
        await self._assets.put_file(place, file)

    async def remove_asset_file(self, place: Location) -> None:
        """Remove one file."""
        await self._storage.remove(place)
