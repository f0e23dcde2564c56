"""Workspace -> folder: the MLTables that a selection names, as they lie in the source's storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from azureml_replay.azure.wire.mltables import FILE, table_uri
from azureml_replay.errors import NotFound, ServiceError, UserError, noted
from azureml_replay.formats.mltables.choice import ChosenTable
from azureml_replay.formats.mltables.folder import MOST_BYTES, Manifest, write_table
from azureml_replay.formats.mltables.scopes import scope_named
from azureml_replay.model import Location
from azureml_replay.progress import SILENT, Progress
from azureml_replay.workspace.asset import Asset, AssetKind
from azureml_replay.workspace.assets import AssetSource, has_assets
from azureml_replay.workspace.source import Source

MLTABLE = "mltable"
NO_ASSETS = "is no Azure ML workspace: MLTables are data assets of one"


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesExported:
    """What one export wrote."""

    folder: Path
    tables: tuple[str, ...] = ()
    """Name and version of each."""
    left: tuple[tuple[str, str], ...] = ()
    """What was named and is not there, or is no MLTable, with the reason."""
    failed: tuple[tuple[str, str], ...] = ()
    """What a service failed to give, with its words."""


@dataclass(slots=True)
class TableExporter:
    """Exports the tables of one selection."""

    source: Source
    assets: AssetSource
    folder: Path
    write: bool
    progress: Progress
    done: TablesExported = field(init=False)

    def __post_init__(self) -> None:
        self.done = TablesExported(folder=self.folder)

    async def export(self, chosen: ChosenTable) -> None:
        """All wanted versions of one name; an error is about one version only."""
        found = list[Asset]()
        try:
            found += [one async for one in self._versions(chosen.name)]
        except NotFound:
            pass
        except ServiceError as error:
            self._fail(chosen.name, noted(error, chosen.name))
            return
        for version in chosen.versions:
            if version not in {one.key.version for one in found}:
                self._leave(f"{chosen.name}:{version}", "the workspace has none of that name and version")
        if not found and not chosen.versions:
            self._leave(chosen.name, "the workspace has no data asset of that name")
        for asset in sorted(found, key=lambda one: one.created.ticks if one.created else 0):
            if chosen.takes(asset.key.version):
                await self._export_version(asset)

    async def _versions(self, name: str) -> AsyncIterator[Asset]:
        async for page in self.assets.asset_versions(AssetKind.DATA, name):
            for asset in page:
                yield asset

    async def _export_version(self, asset: Asset) -> None:
        label = f"{asset.key.name}:{asset.key.version}"
        manifest = manifest_of(asset, self.source.ref.name)
        if manifest.type != MLTABLE:
            self._leave(label, f"it is a {manifest.type}, no MLTable")
            return
        if asset.place is None:
            self._leave(label, f"it lies at {manifest.path}, which is no storage of the workspace's own")
            return
        try:
            text = await text_at(self.source, Location(asset.place.datastore, asset.place.path + FILE))
        except NotFound:
            self._leave(label, f"no file {FILE} lies at {asset.place.datastore}: {asset.place.path}")
        except (UserError, ServiceError) as error:
            self._fail(label, noted(error, label))
        else:
            if self.write:
                write_table(self.folder, manifest, text)
            self.done = replace(self.done, tables=(*self.done.tables, label))
            self.progress.done("tables exported")

    def _leave(self, label: str, why: str) -> None:
        self.done = replace(self.done, left=(*self.done.left, (label, why)))

    def _fail(self, label: str, why: str) -> None:
        self.done = replace(self.done, failed=(*self.done.failed, (label, why)))


async def export_tables(
    source: Source,
    tables: tuple[ChosenTable, ...],
    folder: Path,
    *,
    write: bool = True,
    progress: Progress = SILENT,
) -> TablesExported:
    """Write each chosen version, archived ones too, into a folder; with `write` false only say which. Repeatable.

    Raises UserError for a workspace without data assets, and where the folder cannot be written.
    """
    exporter = TableExporter(source, with_assets(source), folder, write, progress)
    for chosen in tables:
        await exporter.export(chosen)
    return exporter.done


def with_assets(workspace: Source) -> AssetSource:
    """The same as a workspace whose assets can be read. Raises UserError for one without."""
    if not has_assets(workspace):
        raise UserError(f"{workspace.ref} {NO_ASSETS}")
    return workspace


def manifest_of(asset: Asset, source: str) -> Manifest:
    """What is known of a version. Its path names the workspace, whichever way the service spelt it."""
    content = asset.content if isinstance(asset.content, dict) else {}
    path = table_uri(asset.place, scope_named(source)) if asset.place else str(content.get("lies") or "")
    return Manifest(
        name=asset.key.name,
        version=asset.key.version,
        type=str(content.get("type")),
        path=path,
        description=asset.description,
        tags=asset.tags,
        properties=asset.properties,
        created=str(asset.created) if asset.created else "",
        archived=asset.archived,
        source=source,
    )


async def text_at(workspace: Source, location: Location) -> str:
    """The text of a file. Raises NotFound, UserError for what is no text, or too long for a table."""
    data = b""
    async for piece in workspace.read(location):
        data += piece
        if len(data) > MOST_BYTES:
            raise UserError(f"{location.path} has more than {MOST_BYTES:,} bytes: no MLTable is as long")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{location.path} is no UTF-8 text, as an MLTable is") from None
