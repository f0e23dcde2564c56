"""What runs refer to -> archive: assets that chosen runs lead to, or all of them.

`referenced` asks for each named asset once, and lists models, since no run names those that it made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.assets import GONE, NAME_TAKEN_OUT, AssetExtraction
from azureml_replay.errors import NotFound, Rejected, Remedy, ServiceError, UserError, noted
from azureml_replay.model import Location, RunDetails, RunId
from azureml_replay.planning.asset_names import names_of
from azureml_replay.planning.assets import AssetChoice, AssetName, AssetScope, wants_bytes
from azureml_replay.progress import Progress
from azureml_replay.redact import has_replacement
from azureml_replay.workers import for_each
from azureml_replay.workspace.asset import IN_ORDER, KEPT_ONLY, Asset, AssetContainer, AssetKey, AssetKind
from azureml_replay.workspace.assets import AssetSource, has_assets
from azureml_replay.workspace.source import Source

NAMES_AT_ONCE = 8
NOT_LISTED_YET = "its files were not listed: the extraction was interrupted"
_NEVER_CHANGES = frozenset({AssetKind.CODE})
"""Kinds that are read once."""


class ListedPlaces:
    """Some places of storage."""

    def __init__(self, places: Iterable[Location | None]) -> None:
        self._places = {_folder(one) for one in places if one is not None}
        self._above = {above for one in self._places for above in _above(one)}

    def touch(self, place: Location) -> bool:
        """True where one of them is, or lies above or below, a place."""
        folder = _folder(place)
        return folder in self._above or any(one in self._places for one in (folder, *_above(folder)))


def _folder(place: Location) -> Location:
    return Location(place.datastore, str(PurePosixPath(place.path)))


def _above(folder: Location) -> Iterator[Location]:
    return (Location(folder.datastore, str(one)) for one in PurePosixPath(folder.path).parents)


@dataclass(slots=True)
class AssetBringer:
    """Brings what the runs of the archive refer to. A workspace without assets is asked nothing."""

    source: Source
    archive: Archive
    progress: Progress
    choice: AssetChoice
    failed: list[tuple[RunId, str]] = field(default_factory=list)
    remedies: list[Remedy | None] = field(default_factory=list)
    brought: set[AssetKey] = field(default_factory=set)
    older: bool = field(init=False)
    """True where runs were extracted by a version that did not look at what they name."""
    _containers: set[AssetKey] = field(default_factory=set)
    """Names, without a version, of which a list told what their versions share."""
    _runs: frozenset[RunId] = frozenset()
    """The chosen runs: their own files are theirs."""
    _named: list[Asset] = field(default_factory=list)
    """Those that were chosen by name."""
    _listed: frozenset[AssetKey] = field(init=False)
    """Those of which files were listed before."""

    def __post_init__(self) -> None:
        told = self.archive.asset_extraction()
        lacks = told is None or self.choice.kinds & KEPT_ONLY - told.kinds
        self._listed = frozenset(self.archive.asset_listings())
        self.older = bool(lacks) and self.archive.totals().extracted > 0

    def note(self, details: RunDetails) -> None:
        """Keep what a run and its job name. Asks nothing. Repeatable."""
        if has_assets(self.source):
            run = details.run.id
            uses = self.source.asset_uses(details, self.archive.job(run))
            if uses or self.archive.asset_uses(run):
                self.archive.put_uses(run, uses)

    async def find_named(self) -> None:
        """Ask for the assets that were chosen by name, before anything is brought. Raises UserError for an unknown one.

        A name may be of any of the chosen kinds. From here on what runs name is missed where it does not come.
        """
        kinds = [kind for kind in self._kinds() if kind not in KEPT_ONLY]
        for name in self.choice.names:
            found = [one for kind in kinds for one in await self._of_name(kind, name)]
            if not found:
                raise UserError(f"--asset {name}: {self.source.ref} has no such asset: nothing was extracted")
            self._named += found
        if not self.choice.none and has_assets(self.source):
            for details in self._extracted() if self.older else ():
                self.note(details)
            self.archive.put_asset_extraction(AssetExtraction(self.choice.scope.value, self.choice.kinds))

    async def _of_name(self, kind: AssetKind, name: AssetName) -> list[Asset]:
        source = self._asking()
        try:
            if name.version is None:
                return [one async for page in source.asset_versions(kind, name.name) for one in page]
            found = await source.asset(AssetKey(kind, name.name, name.version))
        except NotFound:
            return []
        return [found] if found else []

    async def bring(self, width: int) -> None:
        """Bring the chosen assets, each as it is now. Repeatable."""
        if self.choice.none or not has_assets(self.source):
            return
        self._runs = frozenset(self.archive.extracted_ids())
        if self._named:
            self._keep(self._named)
        if self.choice.scope is AssetScope.ALL:
            for kind in self._kinds():
                await self._bring_kind(kind, None, width)
        elif AssetKind.MODEL in self._kinds():
            await self._bring_kind(AssetKind.MODEL, self._runs, width)
        await self._bring_named(width)
        await for_each(self._names(), self._bring_name, min(width, NAMES_AT_ONCE))
        await for_each(self._with_files(), self._list_files, width)

    def _kinds(self) -> list[AssetKind]:
        known = self.source.asset_kinds if has_assets(self.source) else frozenset()
        return [kind for kind in IN_ORDER if kind in self.choice.kinds & known]

    def _asking(self) -> AssetSource:
        assert has_assets(self.source)  # noqa: S101  # `bring` has looked
        return self.source

    def _extracted(self) -> Iterable[RunDetails]:
        for root in self.archive.units():
            for run in self.archive.unit(root):
                if details := self.archive.details(run.id):
                    yield details

    async def _bring_kind(self, kind: AssetKind, made_by: frozenset[RunId] | None, width: int) -> None:
        """All versions of all names; with `made_by` those that these runs made, and those that something names.

        Where documents that are only kept may not be listed, the rest is brought. A name without a version is told.
        """
        named, empty = frozenset(self.archive.named_assets()), list[str]()

        async def one(container: AssetContainer) -> None:
            found: list[Asset] = []
            async for page in self._asking().asset_versions(kind, container.name):
                found += [a for a in page if made_by is None or a.key in named or self._is_of(a, made_by)]
            if (found or made_by is None) and kind not in KEPT_ONLY:
                self.archive.put_asset_container(container)
                self._containers.add(container.key)
                empty.extend([] if found else [container.name])
            self._keep(found)

        async def names() -> list[AssetContainer]:
            return [one async for page in self._asking().asset_containers(kind) for one in page]

        try:
            await for_each(await names(), one, min(width, NAMES_AT_ONCE))
        except Rejected as error:
            if kind not in KEPT_ONLY:
                raise
            self._fail(AssetKey(kind, "", ""), error)
        if made_by is None:
            self.archive.put_empty_names(kind, empty)

    @staticmethod
    def _is_of(asset: Asset, runs: frozenset[RunId]) -> bool:
        return asset.run in runs or asset.files_of in runs

    async def _bring_named(self, width: int) -> None:
        """Each named asset, then what it names in turn."""
        asked: set[AssetKey] = set()
        while ahead := [key for key in self.archive.named_assets() if self._is_due(key) and key not in asked]:
            asked.update(ahead)
            await for_each(ahead, self._bring_one, width)

    def _is_due(self, key: AssetKey) -> bool:
        if key in self.brought or key.kind not in self.choice.kinds:
            return False
        return key.kind not in _NEVER_CHANGES or self.archive.asset(key) is None

    async def _bring_one(self, key: AssetKey) -> None:
        """One asset; an error is about this one only."""
        if has_replacement(key.label):
            self.archive.lack_asset(key, NAME_TAKEN_OUT)
            return
        try:
            asset = await self._asking().asset(key)
        except Rejected as error:
            self.archive.lack_asset(key, noted(error, str(key)))
            self.remedies.append(error.remedy)
        except ServiceError as error:
            self._fail(key, error)
        else:
            if asset is None:
                self.archive.lack_asset(key, GONE)
            else:
                self._keep([asset])

    def _keep(self, assets: list[Asset]) -> None:
        self.archive.put_assets(assets, {one.key: NOT_LISTED_YET for one in assets if self._is_to_be_listed(one)})
        self.brought.update(self.archive.known_as(asset.key) for asset in assets)
        self.progress.done("assets extracted", len(assets))

    def _names(self) -> list[AssetKey]:
        """Names of what was brought, whose container no list gave."""
        brought = [asset for key in self.brought if (asset := self.archive.asset(key))]
        return [key for key in names_of(brought) if key not in self._containers]

    async def _bring_name(self, key: AssetKey) -> None:
        try:
            container = await self._asking().asset_container(key.kind, key.name)
        except ServiceError as error:
            self._fail(key, error)
            return
        if container is not None:
            self.archive.put_asset_container(container)

    def _with_files(self) -> list[Asset]:
        """Assets whose bytes are to be carried with them: those in a run's own container are files of that run.

        Where one is listed, so is each that was listed before and shares its place: what is sent of one is sent of all.
        """
        wanted = [asset for asset in self.archive.assets() if self._is_to_be_listed(asset)]
        due = {one.key for one in wanted if one.key in self.brought or one.key not in self._listed}
        places = ListedPlaces(one.place for one in wanted if one.key in due)
        known = (asset for asset in self.archive.assets() if asset.key in self._listed and asset.key not in due)
        sharing = (one for one in known if one.place is not None and places.touch(one.place))
        return [*(one for one in wanted if one.key in due), *sharing]

    def _is_to_be_listed(self, asset: Asset) -> bool:
        """What was listed once stays so, though this call asks for less."""
        wanted = asset.owns_bytes or asset.key in self._listed or wants_bytes(asset, self.choice)
        return wanted and asset.place is not None and asset.files_of not in self._runs

    async def _list_files(self, asset: Asset) -> None:
        if asset.place is None:
            return
        try:
            files = [file async for page in self._asking().asset_files(asset.place) for file in page]
        except NotFound:
            files = []
        except ServiceError as error:
            self.archive.lack_asset(asset.key, noted(error, str(asset.key)))
            self._fail(asset.key, error)
            return
        self.archive.put_asset_files(asset.key, files)

    def _fail(self, key: AssetKey, error: ServiceError) -> None:
        why = noted(error, str(key))
        users = self.archive.runs_that_use(key)
        self.failed.append((users[0] if users else RunId(""), f"{key}: {why}"))
        self.remedies.append(error.remedy)
        self.progress.say(f"{key} not extracted: {why}")
