"""Folder -> workspace: tables with what lies beside them, from storage to storage, each under its name and version.

All is looked at before anything is written. Files come first, then the asset; what is archived in the source is
archived once all is there. A second import finds everything there and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from azureml_replay.errors import NotFound, Rejected, ServiceError, UserError, noted
from azureml_replay.formats.mltables.choice import TableChoice
from azureml_replay.formats.mltables.exporting import NO_ASSETS, with_assets
from azureml_replay.formats.mltables.files import FileDue, TableFiles
from azureml_replay.formats.mltables.folder import TableFolder, tables_in
from azureml_replay.formats.mltables.looking import TableLook, TableLooks, created_of, read_beside
from azureml_replay.formats.mltables.options import OnExists, OnMismatch, TableOptions, TablesImported
from azureml_replay.formats.mltables.scopes import scope_at
from azureml_replay.model import Location
from azureml_replay.planning.asset_lineage import is_made_from, signed_asset
from azureml_replay.progress import SILENT, Progress
from azureml_replay.target.lease import leased
from azureml_replay.workspace.asset import Asset
from azureml_replay.workspace.assets import AssetTarget, takes_assets
from azureml_replay.workspace.opened import OpenedWorkspace
from azureml_replay.workspace.place import Place

OTHER_VERSION = "the target has something else under that name and version"
IN_THE_WAY = "another file lies at {}: {} of the target: --data-overwrite replaces it, --target-prefix leads elsewhere"


@dataclass(slots=True)
class TableImporter:
    """Imports the tables of one folder."""

    source: Place
    target: AssetTarget
    options: TableOptions
    files: TableFiles | None
    looks: TableLooks
    progress: Progress
    done: TablesImported = field(default_factory=TablesImported)
    stopped: dict[str, str] = field(default_factory=dict)
    """Name -> its oldest version that could not be brought."""

    async def run(self, tables: Sequence[TableFolder]) -> TablesImported:
        """Look at all of them, then write. Raises UserError where what is there, or named, is to stop it."""
        found = [look for table in tables if (look := await self._look(table)) is not None]
        wanted = [look for look in self._fitting(found) if not self._is_skipped(look)]
        for look in wanted:
            if self.files is not None and look.place is not None:
                look.files = self.files.complete(look.place, look.files)
        self.progress.expect("tables imported", len(wanted))
        archived = [await self._bring(look) for look in wanted]
        for look, made in [one for one in archived if one is not None]:
            await self._archive(look, made)
        return self.done

    async def _look(self, table: TableFolder) -> TableLook | None:
        label = table.manifest.label
        try:
            return await self.looks.at(table)
        except NotFound as error:
            self._refuse(label, noted(error, label))
        except UserError as error:
            self._refuse(label, str(error))
        except ServiceError as error:
            self._fail(label, noted(error, label))
        return None

    def _fitting(self, looks: Sequence[TableLook]) -> Sequence[TableLook]:
        """All of them. Raises UserError for conflicts and foreign places, where these are to stop everything."""
        conflicts = [look.table.manifest.label for look in looks if look.conflict]
        foreign = [look.table.manifest.label for look in looks if look.mismatch]
        if conflicts and self.options.on_exists is OnExists.FAIL and self.options.write:
            raise UserError(
                f"the target has other data assets under the names of {', '.join(conflicts)}: nothing was written. "
                "--on-exists skip leaves them, suffix gives those of the source another version"
            )
        if foreign and self.options.on_mismatch is OnMismatch.FAIL and self.options.write:
            raise UserError(
                f"{', '.join(foreign)} name places of the source's workspace: nothing was written. "
                "--on-scope-mismatch rewrite leads them to the target's, skip leaves such tables out"
            )
        return looks

    def _is_skipped(self, look: TableLook) -> bool:
        """Left out as the options say; in a dry run also what would stop everything."""
        label = look.table.manifest.label
        if look.mismatch and self.options.on_mismatch is not OnMismatch.REWRITE:
            why = f"it names a place of the source's workspace: {look.mismatch}"
        elif look.conflict:
            why = OTHER_VERSION
        else:
            return False
        stops = (
            OnMismatch.FAIL is self.options.on_mismatch if look.mismatch else OnExists.FAIL is self.options.on_exists
        )
        if stops:
            self._refuse(label, why)
        else:
            self.done = replace(self.done, skipped=(*self.done.skipped, (label, why)))
        return True

    async def _bring(self, look: TableLook) -> tuple[TableLook, Asset] | None:
        """Files, then the asset; what is to be archived comes back. An error is about this name only."""
        before = self.stopped.get(look.key.name)
        if before is not None and look.found is None:  # the version that is made last is the latest
            self._refuse(look.label, f"version {before} comes first, and is not there yet")
            return None
        try:
            why = await self._bring_files(look)
            if why:
                self._stop(look, why)
                return None
            made = await self._register(look)
        except Rejected as error:
            self._stop(look, noted(error, look.label))
            return None
        except ServiceError as error:
            self._fail(look.label, noted(error, look.label))
            self.stopped.setdefault(look.key.name, look.key.version)
            return None
        self.done = replace(self.done, notes=(*self.done.notes, *((look.label, note) for note in look.notes)))
        self.progress.done("tables imported")
        return (look, made) if made is not None and self._is_to_archive(look, made) else None

    async def _bring_files(self, look: TableLook) -> str:
        """Why the files of a table cannot be there; empty where they are."""
        if self.files is None or look.place is None:
            return ""
        lacking, other, strange = await self.files.due(look.place, look.files)
        if other and not self.options.overwrite:
            return IN_THE_WAY.format(other[0].at.datastore, other[0].at.path)
        if not self.options.overwrite:
            look.notes += read_beside(look, strange, self.looks.target_scope)
        stale = [*strange, *(file.at for file in other)] if self.options.overwrite else []
        if not self.options.write:
            self._count([*lacking, *other], stale)
            return ""
        await self.files.remove(stale, self.options.width)
        files, size = await self.files.send([*lacking, *other], self.options.width)
        self.done = replace(
            self.done,
            files=self.done.files + files,
            bytes=self.done.bytes + size,
            removed=self.done.removed + len(stale),
        )
        lacking, other, _ = await self.files.due(look.place, look.files)
        wrong = [*lacking, *other]
        return f"{wrong[0].at.path} is not there as it was copied: the same command tries again" if wrong else ""

    def _count(self, files: Sequence[FileDue], stale: Sequence[Location]) -> None:
        sizes = (len(one.wanted) if isinstance(one.wanted, bytes) else one.wanted.size_bytes for one in files)
        self.done = replace(
            self.done,
            files=self.done.files + len(files),
            bytes=self.done.bytes + sum(sizes),
            removed=self.done.removed + len(stale),
        )

    async def _register(self, look: TableLook) -> Asset | None:
        if look.found is not None:
            self.done = replace(self.done, there=(*self.done.there, look.label))
            return look.found
        if not self.options.write:
            self.done = replace(self.done, made=(*self.done.made, look.label))
            return None
        asset = replace(look.asset, created=created_of(look.table))
        answer = await self.target.put_asset(signed_asset(asset, self.source), {look.key: look.there})
        if answer.content != look.asset.content:
            raise Rejected("the target answered with success, and keeps another content than it was sent")
        self.done = replace(self.done, made=(*self.done.made, look.label))
        return answer

    def _is_to_archive(self, look: TableLook, made: Asset) -> bool:
        ours = is_made_from(made, look.key, self.source)
        return self.options.write and look.table.manifest.archived and not made.archived and ours

    async def _archive(self, look: TableLook, made: Asset) -> None:
        try:
            await self.target.put_asset(replace(made, archived=True), {})
        except ServiceError as error:
            self._fail(look.label, noted(error, look.label))

    def _stop(self, look: TableLook, why: str) -> None:
        self._refuse(look.label, why)
        self.stopped.setdefault(look.key.name, look.key.version)

    def _refuse(self, label: str, why: str) -> None:
        self.done = replace(self.done, refused=(*self.done.refused, (label, why)))

    def _fail(self, label: str, why: str) -> None:
        self.done = replace(self.done, failed=(*self.done.failed, (label, why)))


def chosen_tables(folder: Path, choice: TableChoice) -> list[TableFolder]:
    """The tables of a folder that a selection takes. Raises UserError for one that it names and the folder lacks."""
    tables = [one for one in tables_in(folder) if choice.takes(one.manifest.name, one.manifest.version)]
    held = {(one.manifest.name, one.manifest.version) for one in tables}
    for wanted in choice.tables:
        lacking = [version for version in wanted.versions if (wanted.name, version) not in held]
        if lacking or wanted.name not in {name for name, _ in held}:
            label = f"{wanted.name}:{lacking[0]}" if lacking else wanted.name
            raise UserError(f"{folder} lacks {label}, which the selection names: export it first")
    return tables


async def import_tables(
    tables: Sequence[TableFolder],
    source: OpenedWorkspace | None,
    origin: Place,
    target: OpenedWorkspace,
    *,
    options: TableOptions,
    progress: Progress = SILENT,
) -> TablesImported:
    """Bring tables of `origin` into a workspace; `source` is that one, opened, where files are copied. Repeatable.

    Raises UserError for a workspace without data assets, for conflicts where these are to stop it, and where source
    and target are one workspace without a prefix.
    """
    if origin == target.ref and not options.prefix:
        raise UserError(f"{origin} is source and target: name another target, or a --target-prefix")
    reading = with_assets(source) if source is not None else None
    async with leased(target, origin, progress=progress) as guarded:
        writing = _writable(guarded)
        files = TableFiles(source, reading, guarded, writing) if source and reading and options.copy else None
        looks = TableLooks(writing, scope_at(origin), scope_at(target.ref), options, files)
        importer = TableImporter(origin, writing, options, files, looks, progress)
        return await importer.run(tables)


def _writable(target: OpenedWorkspace) -> AssetTarget:
    if not takes_assets(target):
        raise UserError(f"{target.ref} {NO_ASSETS}")
    return target
