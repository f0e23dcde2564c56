"""An MLflow server as `Target`: only assembles; how it is read stands in `workspace`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from azureml_replay.errors import Rejected
from azureml_replay.instants import Instant
from azureml_replay.mlflow.appending import RowAppender
from azureml_replay.mlflow.config import ServerConfig
from azureml_replay.mlflow.experiments import Experiments
from azureml_replay.mlflow.files import split
from azureml_replay.mlflow.leases import ServerLeases
from azureml_replay.mlflow.putting import Putting
from azureml_replay.mlflow.registering import Registering
from azureml_replay.mlflow.trial import ServerTrial
from azureml_replay.mlflow.wire import ask
from azureml_replay.mlflow.wire.decode import ListedRun
from azureml_replay.mlflow.wire.ours import as_written
from azureml_replay.mlflow.wire.registry import in_run
from azureml_replay.mlflow.workspace import EXPERIMENTS_PER_SEARCH, MlflowWorkspace
from azureml_replay.mlflow.workspace import connect as open_server
from azureml_replay.mlflow.writing import Writing
from azureml_replay.model import Experiment, Location, Points, Run, RunId
from azureml_replay.sending.sender import Sender
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey
from azureml_replay.workspace.asset_rule import MLFLOW_ASSETS, AssetRule, asset_folder
from azureml_replay.workspace.assets import RegisteredPlace
from azureml_replay.workspace.lease import Check, LeaseHolder, LeaseSeen, Term, unchecked
from azureml_replay.workspace.profile import MLFLOW, TargetProfile
from azureml_replay.workspace.put_files import PutFile
from azureml_replay.workspace.target import NO_TAGS, Outcome, Refused, TagsOfRuns
from azureml_replay.workspace.tried import Tried


class MlflowTarget(MlflowWorkspace):
    """A server that can be written, too. Made by `connect`."""

    def __init__(self, config: ServerConfig, sender: Sender, version: str) -> None:
        """Nothing is asked."""
        super().__init__(config, sender, version)
        rest = self._rest
        self.experiment_prefix = config.experiment_prefix
        """What stands before the names of experiments."""
        self._closed: set[str] = set()
        """Names of experiments that are deleted, and their runs with them."""
        self._listed = False
        self._served = config.artifacts != "none"
        self._written = Experiments(rest, config.experiment_prefix)
        self._appending, self._putting = RowAppender(rest), Putting(rest)
        self._writing = Writing(rest, self._written, self._putting.note)
        self._leases = ServerLeases(rest, self._writing)
        self._registering = Registering(rest, self._registry)

    @property
    def profile(self) -> TargetProfile:
        """What every server takes; its throw-away run tells more."""
        return replace(MLFLOW, ref=self.ref)

    async def experiments(self) -> AsyncIterator[Sequence[Experiment]]:
        """Those that bear the prefix, without it, by pages."""
        async for page in super().experiments():
            ours = [self._written.as_asked(one) for one in page if self._is_ours(one)]
            self._note(ours)
            yield ours

    async def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name, deleted or not; None where there is none."""
        found = await self._written.found(name)
        self._note([found] if found else [])
        return found

    async def runs(self, experiment: Experiment) -> AsyncIterator[Sequence[Run]]:
        """All runs of an experiment, by pages, as they were planned where replay wrote them."""
        async for page in super().runs(experiment):
            yield [self._as_written(run) for run in page]

    def _as_told(self, found: ListedRun) -> ListedRun:
        return replace(found, run=self._as_written(found.run))

    def _is_ours(self, experiment: Experiment) -> bool:
        return experiment.name.startswith(self.experiment_prefix)

    def _note(self, experiments: Sequence[Experiment]) -> None:
        self._names.update({one.id: one.name for one in experiments})
        archived = {one.name for one in experiments if one.archived is not None}
        self._closed = (self._closed - {one.name for one in experiments}) | archived

    def _as_written(self, run: Run) -> Run:
        return as_written(run, archived=run.experiment in self._closed)

    async def _one(self, run: RunId) -> ListedRun | None:
        found = await super()._one(run)
        return replace(found, run=self._as_written(found.run)) if found else None

    async def _search(self, runs: Sequence[RunId]) -> AsyncIterator[Sequence[ListedRun]]:
        """All experiments are asked for once; those that were made since are known by their making."""
        if not self._listed:
            async for _ in self.experiments():
                pass
            self._listed = True
        async for page in super()._search(runs):
            yield [self._as_told(one) for one in page]

    def _forget(self, run: RunId) -> None:
        self._known.pop(run, None)
        self._histories.forget(run)

    async def put_experiment(self, experiment: Experiment) -> None:
        """Write description and tags, then whether it is deleted. Repeatable."""
        await self._written.put(experiment)
        await self.experiment(experiment.name)  # its runs are shown by what it is now

    async def put_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """Make runs, each under an id of the server's. NOT repeatable."""
        outcomes: dict[RunId, Outcome] = {}
        for run in runs:
            made = await self.make_run(experiment, run)
            written = made if isinstance(made, Refused) else (await self._writing.update([replace(run, id=made)]))[made]
            outcomes[run.id] = written
        return outcomes

    async def update_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:  # noqa: ARG002
        """Bring runs up to date, all but their state. Repeatable."""
        return await self._writing.update(runs)

    async def hide_runs(
        self,
        experiment: str,  # noqa: ARG002 - the seam's
        runs: Sequence[RunId],
        *,
        hidden: bool,
        tags: TagsOfRuns = NO_TAGS,
    ) -> Mapping[RunId, Outcome]:
        """Delete runs or restore them, with tags before or after. Repeatable."""
        return await self._writing.hide(runs, hidden=hidden, tags=tags)

    async def remove_tags(self, experiment: str, run: RunId, tags: Sequence[str]) -> None:  # noqa: ARG002
        """Remove tags of one run. Repeatable."""
        await self._writing.remove_tags(run, tags)

    async def append_points(
        self, run: RunId, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused]:
        """Append rows: a row that is there stays one. Raises Uncertain where the answer was lost."""
        self._forget(run)
        return await self._appending.append(run, batch, check)

    async def append_settled(
        self, run: RunId, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused] | None:
        """The same: a server answers once the rows are there."""
        return await self.append_points(run, batch, check=check)

    async def append_with_values(
        self, run: Run, batch: Sequence[Points], *, check: Check = unchecked
    ) -> Mapping[int, Refused]:
        """Append rows with the run's tags and parameters. Raises Uncertain, Rejected."""
        self._forget(run.id)
        return await self._appending.append(run.id, batch, check, run)

    async def settle(self, experiment: str, run: RunId) -> None:  # noqa: ARG002
        """Nothing is on its way. What is asked from now on is asked anew."""
        self._forget(run)

    async def put_files(self, experiment: str, run: RunId, files: Sequence[PutFile]) -> Mapping[str, Outcome]:  # noqa: ARG002
        """Write files through the server. Repeatable: a path holds what was put last."""
        return await self._putting.put(run, files)

    async def attach_file(self, run: RunId, path: str, place: Location) -> bool:  # noqa: ARG002
        """Never: a server's files are all its own."""
        return False

    async def remove_files(self, run: RunId, paths: Sequence[str]) -> Mapping[str, Outcome]:
        """Remove files. Repeatable. Old servers cannot."""
        return await self._putting.remove(run, paths)

    async def registered_places(self) -> Sequence[RegisteredPlace]:
        """See `workspace.assets.KnowsRegistered`."""
        found = [one async for page in self._rest.model_versions() for one in page]
        return [RegisteredPlace(place=self.place(one.run, one.path), key=one.key, properties=one.tags) for one in found]

    async def finish_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:
        """As `end_runs`."""
        return await self.end_runs(experiment, runs)

    async def make_run(self, experiment: str, run: Run, *, check: Check = unchecked) -> RunId | Refused:
        """Make a run under an id of the server's. NOT repeatable. Raises Uncertain where the answer was lost."""
        made = await self._writing.make(experiment, run, check)
        place = await self._written.id_of(experiment)
        self._names |= {place: experiment} if place else {}
        return made

    async def tagged_runs(self, experiment: Experiment, tag: str, value: str) -> Mapping[RunId, Mapping[str, str]]:
        """The runs of an experiment that bear a tag, deleted ones too, with all their tags."""
        place = experiment.id
        pages = self._rest.runs([place], {place: experiment.name}, filtered=ask.tag_filter(tag, value))
        return {one.run.id: _texts(one.run) async for page in pages for one in page}

    async def tagged_elsewhere(self, known: Collection[str], tag: str, value: str) -> Mapping[RunId, Mapping[str, str]]:
        """See `workspace.target.FindsElsewhere`."""
        moved = {
            one.id: one.name
            async for page in self._rest.experiments()
            for one in page
            if self._written.may_be_renamed(one, known)
        }
        ids, found = list(moved), dict[RunId, Mapping[str, str]]()
        for start in range(0, len(ids), EXPERIMENTS_PER_SEARCH):
            some = ids[start : start + EXPERIMENTS_PER_SEARCH]
            async for runs in self._rest.runs(some, moved, filtered=ask.tag_filter(tag, value)):
                found |= {one.run.id: _texts(one.run) for one in runs}
        return found

    async def end_runs(self, experiment: str, runs: Sequence[Run]) -> Mapping[RunId, Outcome]:  # noqa: ARG002
        """Write error, status and end, then delete what is hidden. Repeatable."""
        return await self._writing.end(runs)

    async def without_end(self, runs: Sequence[Run]) -> Sequence[RunId]:  # noqa: ARG002
        """None: ends show at once."""
        return []

    asset_rule = MLFLOW_ASSETS

    def treat_assets_by(self, rule: AssetRule) -> None:
        """All servers keep the same of models."""

    def asset_there(self, asset: Asset, runs: Mapping[RunId, RunId]) -> Asset:
        """Its bytes among the files of its run: where they are there already, or in a folder of its own."""
        if asset.files_of is not None:
            run = runs.get(asset.files_of, asset.files_of)
            return in_run(asset, run, asset.run_path or "")
        if asset.run is None or not asset.owns_bytes:
            return replace(asset, place=None)
        return in_run(asset, runs.get(asset.run, asset.run), asset_folder(asset))

    async def put_container(self, container: AssetContainer) -> bool:
        """Make a registered model, where there is none of that name. Repeatable."""
        return await self._registering.put_container(container)

    async def put_asset_container(self, container: AssetContainer) -> AssetContainer:
        """Bring description and tags of a registered model up to date. Repeatable."""
        return await self._registering.update_container(container)

    @property
    def asset_naming(self) -> str:
        """Nothing: runs of a server name no asset."""
        return ""

    async def remove_asset_file(self, place: Location) -> None:
        """Remove one file among those of a run. Repeatable."""
        run, path = split(place)
        outcome = (await self._putting.remove(run, [path]))[path]
        if isinstance(outcome, Refused):
            raise outcome.error(f"file {path}: ")
        if outcome is not None:
            raise outcome

    async def put_asset(self, asset: Asset, names: Mapping[AssetKey, AssetKey], *, check: Check = unchecked) -> Asset:
        """Make a version, or bring one up to date, as `names` has none for it. NOT repeatable."""
        if not names:
            return await self._registering.update(asset)
        return await self._registering.put(asset, names.get(asset.key, asset.key), check)

    async def put_linked_model(self, model: Asset, names: Mapping[AssetKey, AssetKey]) -> Asset:  # noqa: ARG002
        """No other way: a version has the run whose files it is."""
        raise Rejected(f"an MLflow server has one way to make {model.key}")

    async def remove_asset(self, asset: Asset) -> Asset | None:
        """Delete a version. Repeatable."""
        await self._registering.remove(asset)
        return None

    async def remove_container(self, container: AssetContainer) -> None:
        """Delete a name, where replay made it and no version is left. Repeatable."""
        await self._registering.remove_container(container)

    async def put_asset_file(self, place: Location, file: PutFile) -> None:
        """Write one file among those of a run. Repeatable."""
        run, path = split(place)
        outcome = (await self._putting.put(run, [replace(file, path=path)]))[path]
        if isinstance(outcome, Refused):
            raise outcome.error(f"file {path}: ")
        if outcome is not None:
            raise outcome

    async def try_out(self) -> Tried:
        """One throw-away run."""
        return await ServerTrial(self._rest, self._writing, self._appending, self._putting, served=self._served).run()

    async def read_lease(self, name: str) -> LeaseSeen:
        """See `workspace.lease.Leasable`."""
        return await self._leases.read(name)

    async def claim_term(
        self, name: str, term: Term, seconds: int, *, instead_of: Sequence[LeaseHolder] = ()
    ) -> Instant | None:
        """See `workspace.lease.Leasable`."""
        return await self._leases.claim(name, term, seconds, instead_of)

    async def give_back(self, name: str, term: Term) -> None:
        """See `workspace.lease.Leasable`."""
        await self._leases.give_back(name, term)


def _texts(run: Run) -> Mapping[str, str]:
    return {key: value for key, value in run.tags.items() if value is not None}


connect = partial(open_server, kind=MlflowTarget)
"""Open a server for reading and writing. Raises as `workspace.connect`."""
