"""A workspace under examination: each step of reaching it by itself, and the questions that only `doctor` asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from azureml_replay.azure import rights
from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.azure.place import resource_id
from azureml_replay.azure.services.arm import Arm
from azureml_replay.azure.wire import decode
from azureml_replay.azure.wire.naming import located
from azureml_replay.azure.wire.places import ARTIFACT_STORE, RUN_FILES
from azureml_replay.azure.wire.trial_assets import trial_assets
from azureml_replay.azure.workspace import AzureWorkspace, logger, sender
from azureml_replay.errors import Remedy
from azureml_replay.model import AssetReference, Experiment, RunId, StoredFile
from azureml_replay.sending.clock import WALL_CLOCK, Clock
from azureml_replay.sending.sender import Sender
from azureml_replay.sending.transport import way_to
from azureml_replay.workspace.asset import Asset, AssetKey
from azureml_replay.workspace.examined import JobSeen, StoreSeen, TrialAssets

WIDTH = 8
"""Requests in flight at most: an examination shall be no load."""


class ExaminedWorkspace(AzureWorkspace):
    """`workspace.examined.Examined` for Azure ML."""

    def jobs_seen(self) -> AsyncIterator[Sequence[JobSeen]]:
        """The jobs that ARM lists, by pages."""
        return self._arm.jobs_seen()

    async def small_pages(self, experiment: Experiment, size: int) -> AsyncIterator[Sequence[RunId]]:
        """The ids of an experiment's runs, by small pages."""
        async for page in self._history.runs(experiment, size):
            yield [run.id for run in page]

    async def answers_in_bulk(self, runs: Sequence[RunId]) -> bool:
        """False where the service has no `batchrundata`."""
        return await self._history.answers_in_bulk(runs)

    async def mlflow_metrics(self, run: RunId) -> Sequence[str]:
        """Names of the metrics that MLflow shows for a run."""
        return await self._tracking.metric_names(run)

    async def tells_when_settled(self, experiment: str, run: RunId) -> bool:
        """False where the service has no `metricsingest/wait`."""
        return await self._history.ingesting(experiment, run) is not None

    def datastores(self) -> AsyncIterator[Sequence[StoreSeen]]:
        """All datastores, by pages."""
        return self._arm.datastores()

    async def first_blob(self, datastore: str) -> bool:
        """True where the container holds any blob."""
        async for page in self._storage.listed(datastore, "", most=1):
            return bool(page)
        return False

    def stored_of_all(self) -> AsyncIterator[Sequence[StoredFile]]:
        """The files of runs in the artifact store, by pages."""
        return self._storage.listed(ARTIFACT_STORE, f"{RUN_FILES}/")

    def trial_assets(self, run: RunId, *, other: bool = False) -> TrialAssets:
        """What to make beside a throw-away run."""
        return trial_assets(run, self._assets.scope, other=other)

    def reference(self, asset: Asset) -> AssetReference:
        """How a run names an asset."""
        return AssetReference(located(asset.key, self._assets.scope), "UriFile")

    async def mlflow_shows(self, model: AssetKey) -> bool:
        """False where MLflow's registry has no such version."""
        return await self._tracking.shows_version(model.name, model.version)

    async def takes_alias(self, model: AssetKey, alias: str) -> bool:
        """Give a version an alias, and take it away again."""
        return await self._tracking.takes_alias(model.name, model.version, alias)

    async def opened_by(self, datastore: str) -> str:
        """The credential that opens the container."""
        return await self._storage.opened_by(datastore)


class AzureSubject:
    """`workspace.examined.Subject` for Azure ML."""

    def __init__(self, config: WorkspaceConfig, sender: Sender) -> None:
        """Asks nothing yet."""
        self.ref = config.ref
        self.host = ""
        self._who = self._account = ""
        self._config, self._sender = config, sender
        self._arm = Arm(sender, config.cloud, config.ref)

    def way(self) -> str:
        """The proxy for the cloud's resource manager, as the environment names it."""
        return way_to(self._config.cloud.arm)

    async def login(self) -> str:
        """Log in; the object id of the identity that is logged in."""
        self._who = decode.object_id((await self._sender.token(self._config.cloud.arm_scope)).token)
        return self._who

    async def workspace(self) -> str:
        """Ask ARM for the workspace; the resource id of its storage account."""
        self._account = decode.storage_account(await self._arm.workspace())
        return self._account

    async def enter(self) -> ExaminedWorkspace:
        """Enter the workspace by its discovery document."""
        places = await self._arm.places()
        self.host = places.api
        return ExaminedWorkspace(self._config, self._sender, self._arm, places)

    def command(self, remedy: Remedy, store: StoreSeen | None = None) -> str:
        """The `az role assignment create` that grants what lacked, with the ids that are known by now."""
        right = rights.Right(remedy.lacking)
        scope = self._account_of(store) if right.on_storage else resource_id(self.ref)
        return right.command(self._who or "OBJECT-ID-OF-THE-LOGIN", scope)

    def _account_of(self, store: StoreSeen | None) -> str:
        """The resource id of a storage account, known for the workspace's own only; in capitals what to fill in."""
        if self._account and (store is None or self._account.rpartition("/")[2] == store.account):
            return self._account
        return f"RESOURCE-ID-OF-STORAGE-ACCOUNT-{store.account}" if store else "RESOURCE-ID-OF-THE-STORAGE-ACCOUNT"


@asynccontextmanager
async def examined(
    config: WorkspaceConfig, *, clock: Clock = WALL_CLOCK, on_throttle: Callable[[str], None] = logger.warning
) -> AsyncIterator[AzureSubject]:
    """A workspace for `doctor`; asks nothing yet. Raises UserError where the chosen login lacks what it needs."""
    async with sender(config, parallel=WIDTH, clock=clock, on_throttle=on_throttle) as sending:
        yield AzureSubject(config, sending)
