"""The protocol of a workspace whose assets can be read, and of one in which they can be made (pure)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

from azureml_replay.model import Job, Location, RunDetails, RunId, StoredFile
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, AssetUse
from azureml_replay.workspace.asset_rule import AssetRule
from azureml_replay.workspace.lease import Check, unchecked
from azureml_replay.workspace.put_files import PutFile


class AssetSource(Protocol):
    """A workspace with assets. Every method raises as `Source` does."""

    asset_kinds: frozenset[AssetKind]
    """Those that a workspace of its kind knows."""

    def asset_uses(self, details: RunDetails, job: Job | None) -> Sequence[AssetUse]:
        """The assets that a run and its job name. Asks nothing."""
        ...

    def asset_containers(self, kind: AssetKind) -> AsyncIterator[Sequence[AssetContainer]]:
        """All names of a kind, archived ones too, by pages."""
        ...

    async def asset_container(self, kind: AssetKind, name: str) -> AssetContainer | None:
        """What all versions of a name share, archived or not; None where there is no such name."""
        ...

    def asset_versions(self, kind: AssetKind, name: str) -> AsyncIterator[Sequence[Asset]]:
        """All versions of a name, archived ones too, by pages."""
        ...

    async def asset(self, key: AssetKey) -> Asset | None:
        """One version, archived or not; None where there is none."""
        ...

    def asset_files(self, place: Location) -> AsyncIterator[Sequence[StoredFile]]:
        """The files at a place in the workspace's own storage, by pages; of a folder, those below it."""
        ...


class AssetTarget(AssetSource, Protocol):
    """A workspace in which assets can be made."""

    asset_rule: AssetRule
    """What this workspace keeps of assets."""

    def treat_assets_by(self, rule: AssetRule) -> None:
        """From now on: what somebody saw that this workspace keeps. Asks nothing."""
        ...

    def asset_there(self, asset: Asset, runs: Mapping[RunId, RunId]) -> Asset:
        """An asset of another workspace, fitted by the rule, as this one tells of it: where it lies. Asks nothing.

        `runs`: those of the source -> those that stand for them here.
        """
        ...

    async def put_container(self, container: AssetContainer) -> bool:
        """Make what the versions of a name share, where there is none of that name; True where it was made."""
        ...

    async def remove_asset(self, asset: Asset) -> Asset | None:
        """Take one back: archived where a workspace knows that, as it is then; else it is deleted. Repeatable."""
        ...

    async def remove_container(self, container: AssetContainer) -> None:
        """Take back a name that replay made, and of which no version is left; any other one stays. Repeatable."""
        ...

    def table_there(self, asset: Asset, text: str) -> tuple[str, int]:
        """The MLTable of an asset of another workspace with what came with it led here, and how many paths did not."""
        ...

    async def has_datastore(self, name: str) -> bool:
        """True where the workspace has a datastore of this name, of any kind."""
        ...

    async def put_asset(self, asset: Asset, names: Mapping[AssetKey, AssetKey], *, check: Check = unchecked) -> Asset:
        """Make an asset of another workspace, or bring its changeable values up to date; as it was answered.

        `names`: other assets' names here, where they differ. Repeatable, but for one that is anonymous, whose name is
        the service's, and where the workspace counts versions: then Uncertain is raised where the answer was lost.
        What is there may be another thing than what was sent, and no answer says so: compare.
        """
        ...

    async def put_asset_container(self, container: AssetContainer) -> AssetContainer:
        """Bring what the versions of a name share up to date, as it was answered. Repeatable."""
        ...

    @property
    def asset_naming(self) -> str:
        """How runs here name an asset, at the example of one: only its name and version change."""
        ...

    async def put_linked_model(self, model: Asset, names: Mapping[AssetKey, AssetKey]) -> Asset:
        """Make a model of a run, by a way that keeps the run where `put_asset` loses it; as answered.

        Raises Rejected where there is no such way for it, or the version is there: then `put_asset` makes it.
        """
        ...

    async def put_asset_file(self, place: Location, file: PutFile) -> None:
        """Write one file of an asset's. Repeatable: a place holds what was put last."""
        ...

    async def remove_asset_file(self, place: Location) -> None:
        """Remove one file. Repeatable: one that is gone is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPlace:
    """Where the bytes of a registered asset lie: whoever removes them there takes them from it."""

    place: Location
    """Of one file, or of the folder of all."""
    key: AssetKey
    archived: bool = False
    properties: Mapping[str, str | None] = field(default_factory=dict)
    """Among which is the lineage of one that a replay made."""

    def holds(self, at: Location) -> bool:
        """True for a place in it."""
        path = self.place.path.strip("/")
        here = not path or at.path == path or at.path.startswith(f"{path}/")
        return at.datastore == self.place.datastore and here


class KnowsRegistered(Protocol):
    """A workspace that says what its registered assets lie at."""

    async def registered_places(self) -> Sequence[RegisteredPlace]:
        """Those of models and data that lie in its own storage, all versions, archived ones too."""
        ...


def knows_registered(workspace: object) -> TypeGuard[KnowsRegistered]:
    """True for a workspace that says it. Not by `isinstance`: a guarded target is seen through."""
    return hasattr(workspace, "registered_places")


def has_assets(workspace: object) -> TypeGuard[AssetSource]:
    """True for a workspace that knows assets. Not by `isinstance`: a guarded target is seen through."""
    return hasattr(workspace, "asset_kinds")


def takes_assets(workspace: object) -> TypeGuard[AssetTarget]:
    """True for a workspace in which assets can be made."""
    return hasattr(workspace, "put_asset")
