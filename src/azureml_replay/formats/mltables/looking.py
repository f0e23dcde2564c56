"""What is to become of each table, before anything is written: its name, its place, its files, its references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from azureml_replay.azure.wire.mltables import (
    FILE,
    TableMove,
    paths_of,
    place_named,
    reads,
    table_asset,
    table_uri,
    with_paths,
)
from azureml_replay.azure.wire.naming import Scope
from azureml_replay.errors import UserError
from azureml_replay.formats.mltables.exporting import text_at
from azureml_replay.formats.mltables.files import ROOT, FileDue, TableFiles
from azureml_replay.formats.mltables.folder import TableFolder
from azureml_replay.formats.mltables.options import OnExists, OnMismatch, TableOptions
from azureml_replay.instants import Instant
from azureml_replay.model import Location
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind
from azureml_replay.workspace.assets import AssetTarget

MOST_SUFFIXES = 1_000
READ_BESIDE = "the table reads what lies in its folder of the target and is not its own, too"


@dataclass(slots=True)
class TableLook:
    """One table, and what is to become of it."""

    table: TableFolder
    key: AssetKey
    """In the source."""
    there: AssetKey
    """In the target."""
    asset: Asset
    """As it is to be in the target."""
    found: Asset | None = None
    """What the target has under that name and version, where it is equal."""
    conflict: bool = False
    """The target has something else under that name and version."""
    mismatch: str = ""
    """A place that is named with the source's workspace; empty where there is none."""
    place: Location | None = None
    """Its folder in the target; None where nothing is copied."""
    files: list[FileDue] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """Values of its MLTable, as it is to be there; empty where nothing is copied."""
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """As people name it, with its version in the target where that is another."""
        renamed = f" as {self.there.version}" if self.there != self.key else ""
        return f"{self.table.manifest.label}{renamed}"


@dataclass(slots=True)
class TableLooks:
    """Looks at tables one by one. `files` is None where none are copied."""

    target: AssetTarget
    source_scope: Scope
    target_scope: Scope
    options: TableOptions
    files: TableFiles | None
    taken: set[AssetKey] = field(default_factory=set)

    async def at(self, table: TableFolder) -> TableLook:
        """What is to become of one table. Raises UserError for one that cannot be brought; ServiceError."""
        manifest = table.manifest
        place = place_named(manifest.path, self.source_scope)
        if not manifest.path:
            raise UserError("its manifest has no path: export it again")
        if place is not None and not place.path.strip("/"):
            raise UserError(ROOT)
        key = AssetKey(AssetKind.DATA, manifest.name, manifest.version)
        if place is None:
            return await self._named(TableLook(table, key, key, self._asset(table, manifest.path, _own_paths(table))))
        if self.files is None:
            return await self._named(self._registered(table, key, place))
        there = Location(place.datastore, f"{self.options.prefix}/{place.path}" if self.options.prefix else place.path)
        return await self._named(await self._copied(table, key, place, there, self.files))

    def _registered(self, table: TableFolder, key: AssetKey, place: Location) -> TableLook:
        """Its files stay: the asset leads to the target's datastore of the same name."""
        uri = table_uri(place, self.target_scope)
        look = TableLook(table, key, key, self._asset(table, uri, _own_paths(table)))
        if self.source_scope != self.target_scope:
            look.mismatch = table.manifest.path
        return look

    async def _copied(
        self, table: TableFolder, key: AssetKey, place: Location, there: Location, files: TableFiles
    ) -> TableLook:
        """Its folder comes, with the MLTable as it has to be there."""
        listed = await files.listed(place, there)
        original = await text_at(files.source, Location(place.datastore, place.path + FILE))
        text = table.text if table.edited else original
        move = TableMove(source=self.source_scope, target=self.target_scope, folder=place, there=there)
        try:
            paths, moved = paths_of(text), with_paths(text, move.moved)
        except ValueError as error:
            raise UserError(f"its MLTable is not YAML: {error}") from None
        rewrites = self.options.on_mismatch is OnMismatch.REWRITE
        new = moved if rewrites else text
        look = TableLook(table, key, key, self._asset(table, table_uri(there, self.target_scope), paths_of(new)))
        look.mismatch = next((path for path in paths if move.names_source(path)), "")
        look.notes += _notes(move, paths)
        if await files.overlaps(place, there):
            if new != original:
                look.notes.append("both workspaces share its folder: its MLTable stays as it is")
            return look
        if new != original:
            files.make(there, new, original)
        look.place, look.files, look.paths = there, listed, paths_of(new)
        return look

    def _asset(self, table: TableFolder, uri: str, paths: list[str]) -> Asset:
        manifest = table.manifest
        told = {"description": manifest.description, "tags": manifest.tags, "properties": manifest.properties}
        return table_asset(manifest.name, manifest.version, manifest.type, uri, paths, self.target_scope, told)

    async def _named(self, look: TableLook) -> TableLook:
        """Under its own name and version, unless the target has something else there."""
        for version in self._versions(look.key.version):
            there = AssetKey(AssetKind.DATA, look.key.name, version)
            if there in self.taken:
                continue
            found = await self.target.asset(there)
            if found is None or found.content == look.asset.content:
                look.there, look.found, look.conflict = there, found, False
                break
            look.conflict = True
        self.taken.add(look.there)
        return look

    def _versions(self, version: str) -> Iterable[str]:
        yield version
        if self.options.on_exists is OnExists.SUFFIX:
            yield from (f"{version}_{number}" for number in range(1, MOST_SUFFIXES))


def read_beside(look: TableLook, strange: Sequence[Location], scope: Scope) -> list[str]:
    """What is to be said of files that lie in a table's folder of the target, and are none of the tables' own."""
    folder = look.place
    taken = sorted(at.path for at in strange if folder and any(reads(path, folder, at, scope) for path in look.paths))
    if not taken:
        return []
    more = f", and {len(taken) - 1:,} more" if len(taken) > 1 else ""
    return [f"{READ_BESIDE}: {taken[0]}{more}: --data-overwrite removes it, --target-prefix leads elsewhere"]


def created_of(table: TableFolder) -> Instant | None:
    """When a table was made in the source; None where its manifest does not say."""
    try:
        return Instant.parse(table.manifest.created) if table.manifest.created else None
    except ValueError:
        return None


def _own_paths(table: TableFolder) -> list[str]:
    """The paths of an MLTable that is the table's own: the original tool wrote one that is not."""
    try:
        return paths_of(table.text) if table.manifest.sha256 else []
    except ValueError:
        return []


def _notes(move: TableMove, paths: list[str]) -> list[str]:
    outside = [path for path in paths if move.stays_behind(path)]
    if not outside:
        return []
    more = f", and {len(outside) - 1:,} more" if len(outside) > 1 else ""
    return [f"it reads from outside its folder, which is not copied: {outside[0]}{more}"]
