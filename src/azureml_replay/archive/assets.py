"""What runs refer to, as extraction brought it: assets, what their versions share, and who names which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from azureml_replay import redact
from azureml_replay.archive.asset_records import (
    asset_of,
    asset_record,
    container_of,
    container_record,
    stamp,
    told_by,
    use_cells,
)
from azureml_replay.archive.cells import read_back
from azureml_replay.archive.database import now
from azureml_replay.archive.documents import Documents
from azureml_replay.archive.records import loads, optional, pack, stored_of, stored_row, unpack
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind, AssetUse
from azureml_replay.workspace.place import Place

_COLUMNS = "kind, name, version, redacted, unknown, record"
_FILE = "datastore, path, size_bytes, md5, etag, content_type, metadata, unknown, blob_type"
_WANTED = """
    whose in (select id from run where selected) or (owner = 'asset')
"""


@dataclass(frozen=True, slots=True)
class AssetExtraction:
    """What an extraction was asked to bring of assets."""

    scope: str
    kinds: frozenset[AssetKind]


class AssetContents(Documents):
    """The part of an archive that holds assets."""

    def asset_extraction(self) -> AssetExtraction | None:
        """What the last extraction was asked to bring; None where none ever looked for assets."""
        row = self._one("select scope, kinds from asset_extraction")
        return row and AssetExtraction(row[0], frozenset(map(AssetKind, row[1].split())))

    def put_asset_extraction(self, told: AssetExtraction) -> None:
        """Note that assets were brought. Repeatable."""
        kinds = " ".join(sorted(kind.value for kind in told.kinds))
        with self._transaction():
            row = (told.scope, kinds, str(now()))
            self._execute("insert or replace into asset_extraction (id, scope, kinds, at) values (1, ?, ?, ?)", row)

    def put_asset_naming(self, workspace: Place, like: str) -> None:
        """Keep how runs of a workspace name an asset, by a name of one that need not be there. Repeatable."""
        if self.asset_naming(workspace) == like:
            return
        with self._transaction():
            self._execute("insert or replace into asset_naming (place, text) values (?, ?)", (workspace.key, like))

    def asset_naming(self, workspace: Place) -> str | None:
        """A name of an asset as runs of a workspace have it; None where nobody asked the workspace."""
        row = self._one("select text from asset_naming where place = ?", (workspace.key,))
        return row and str(row[0])

    def put_uses(self, run: RunId, uses: Sequence[AssetUse]) -> None:
        """Replace what a run names. Repeatable."""
        with self._transaction():
            self._replace_uses("run", run, uses)

    def put_assets(self, assets: Iterable[Asset]) -> None:
        """Keep assets, each in place of what was known of it. Repeatable."""
        with self._transaction():
            for asset in assets:
                record, redacted = asset_record(asset, self._rules)
                cells = (*_cells(asset.key), stamp(asset.created), asset.archived, redacted, optional(asset.unknown))
                self._execute(
                    "insert or replace into asset values (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*cells, *pack(record))
                )
                self._execute("delete from asset_lack where kind = ? and name = ? and version = ?", _cells(asset.key))
                self._replace_uses("asset", str(asset.key), asset.uses)

    def lack_asset(self, key: AssetKey, reason: str) -> None:
        """Note that an asset that something names cannot be had. Repeatable; what was kept of it stays."""
        with self._transaction():
            cells = (*_cells(key), redact.text(reason))
            self._execute("insert or replace into asset_lack values (?, ?, ?, ?)", cells)

    def put_asset_container(self, container: AssetContainer) -> None:
        """Keep what the versions of a name share. Repeatable."""
        record = container_record(container, self._rules)
        cells = (container.kind.value, container.name, container.archived, optional(container.unknown))
        with self._transaction():
            self._execute("insert or replace into asset_container values (?, ?, ?, ?, ?, ?)", (*cells, *pack(record)))

    def put_asset_files(self, key: AssetKey, files: Iterable[StoredFile]) -> None:
        """Replace the list of an asset's files. Repeatable."""
        with self._transaction():
            self._execute("delete from asset_file where kind = ? and name = ? and version = ?", _cells(key))
            for file in files:
                cleaned, _ = self._clean_file(file)
                place = (file.location.datastore, self._rules.path(file.location.path))
                self._execute(
                    "insert or replace into asset_file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*_cells(key), *place, *stored_row(cleaned)),
                )

    def assets(self) -> Iterator[Asset]:
        """All of them, by kind, name and version."""
        sql = f"""
            select {_COLUMNS} from asset where (kind, name, version) > (?, ?, ?)
            order by kind, name, version limit ?
        """  # noqa: S608  # our own words
        return (self._asset(*row) for row in self._pages(sql, (), ("", "", "")))

    def asset(self, key: AssetKey) -> Asset | None:
        """One of them; None where the archive lacks it."""
        sql = f"select {_COLUMNS} from asset where kind = ? and name = ? and version = ?"  # noqa: S608  # as above
        row = self._one(sql, _cells(key))
        return row and self._asset(*row)

    def asset_container(self, kind: AssetKind, name: str) -> AssetContainer | None:
        """What the versions of a name share; None where the archive lacks it."""
        sql = "select archived, unknown, record from asset_container where kind = ? and name = ?"
        row = self._one(sql, (kind.value, name))
        if row is None:
            return None
        archived, unknown, record = row
        told = unpack(record, f"{kind.value} {name}")
        return container_of(kind, name, told, archived=bool(archived), unknown=loads(unknown or "[]"))

    def asset_files(self, key: AssetKey) -> list[StoredFile]:
        """The files of an asset, by datastore and path."""
        sql = f"select {_FILE} from asset_file where kind = ? and name = ? and version = ? order by 1, 2"  # noqa: S608
        return [stored_of(Location(datastore, path), *rest) for datastore, path, *rest in self._all(sql, _cells(key))]

    def asset_totals(self) -> dict[AssetKey, tuple[int, int]]:
        """Asset -> number of its files and their bytes, of those with any."""
        sql = "select kind, name, version, count(*), sum(size_bytes) from asset_file group by kind, name, version"
        return {_key(*key): (files, size) for *key, files, size in self._all(sql)}

    def asset_uses(self, run: RunId) -> list[AssetUse]:
        """What a run names, by the place where it does."""
        sql = "select place, text, kind, name, version, outside from asset_ref where owner = 'run' and whose = ?"
        return [AssetUse(place, text, *told_by(*cells)) for place, text, *cells in self._all(sql, (run,))]

    def carried_outputs(self, runs: Sequence[str]) -> dict[str, frozenset[str]]:
        """Run -> its named outputs that are assets here whose bytes belong to them: these are carried as such."""
        rows = self._among(
            "select whose, place, a.kind, a.name, a.version, redacted, a.unknown, record from asset_ref r "
            "join asset a on a.kind = r.kind and a.name = r.name and a.version = r.version "
            "where owner = 'run' and place glob 'outputs.*' and whose in",
            runs,
        )
        found: dict[str, set[str]] = {}
        for whose, place, *row in rows:
            asset = self._asset(*row)
            if asset.output is not None and asset.owns_bytes:
                found.setdefault(whose, set()).add(place.removeprefix("outputs.").removesuffix(".uri"))
        return {run: frozenset(names) for run, names in found.items()}

    def runs_that_use(self, key: AssetKey) -> list[RunId]:
        """The selected runs that name an asset, by id."""
        sql = """
            select distinct whose from asset_ref where kind = ? and name = ? and version = ? and owner = 'run'
            and whose in (select id from run where selected) order by 1
        """
        return [RunId(run) for (run,) in self._all(sql, _cells(key))]

    def asset_users(self, most: int) -> dict[AssetKey, tuple[int, tuple[RunId, ...]]]:
        """Asset -> how many selected runs name it, and at most so many of them, by id."""
        found: dict[AssetKey, tuple[int, tuple[RunId, ...]]] = {}
        rows = self._all(
            "select distinct kind, name, version, whose from asset_ref where owner = 'run' and kind is not null "
            "and whose in (select id from run where selected) order by 1, 2, 3, 4"
        )
        for *cells, whose in rows:
            key = _key(*cells)
            count, some = found.get(key, (0, ()))
            found[key] = count + 1, (*some, RunId(whose)) if count < most else some
        return found

    def named_assets(self, *, all_runs: bool = False) -> list[AssetKey]:
        """The assets of the workspace that selected runs, or assets, name, each once."""
        only = "" if all_runs else f"and ({_WANTED})"
        rows = self._all(f"select distinct kind, name, version from asset_ref where kind is not null {only}")  # noqa: S608
        return sorted(_key(*row) for row in rows)

    def outside_uses(self) -> list[tuple[str, str, int]]:
        """Where, text and number of those who name it, of each thing outside that selected runs or assets name."""
        rows = self._all(
            f"select outside, text, count(distinct whose) from asset_ref where outside is not null and ({_WANTED}) "  # noqa: S608
            "group by 1, 2 order by 1, 2"
        )
        return [(outside, text, count) for outside, text, count in rows]

    def lacking_assets(self) -> dict[AssetKey, str]:
        """Named assets that could not be had, with the reason; those that are kept from an earlier call are none."""
        rows = self._all(
            "select kind, name, version, reason from asset_lack l where not exists (select 1 from asset a "
            "where a.kind = l.kind and a.name = l.name and a.version = l.version) order by 1, 2, 3"
        )
        return {_key(*key): reason for *key, reason in rows}

    def _replace_uses(self, owner: str, whose: str, uses: Sequence[AssetUse]) -> None:
        self._execute("delete from asset_ref where owner = ? and whose = ?", (owner, whose))
        rows = ((owner, whose, use.where, redact.text(use.text), *use_cells(use)) for use in uses)
        self._executemany("insert or replace into asset_ref values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _asset(self, *cells: Any) -> Asset:  # noqa: ANN401  # as sqlite3 rows are
        kind, name, version, redacted, unknown, record = cells
        key = _key(kind, name, version)
        told = unpack(record, str(key))
        return asset_of(key, told, redacted=bool(redacted), unknown=loads(unknown or "[]"))


def _cells(key: AssetKey) -> tuple[str, str, str]:
    return key.kind.value, key.name, key.version


def _key(kind: str, name: str, version: str) -> AssetKey:
    with read_back("the name of an asset"):
        return AssetKey(AssetKind(kind), name, version)
