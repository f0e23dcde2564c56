"""What runs refer to, as extraction brought it: assets, what their versions share, and who names which."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
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
from azureml_replay.workspace.asset import KEPT_ONLY, Asset, AssetContainer, AssetKey, AssetKind, AssetUse, digest_of
from azureml_replay.workspace.place import Place

GONE = "the workspace has none of that name and version"
NAME_TAKEN_OUT = "a secret was taken out of its name, by which nobody can ask for it"
NO_VERSION = "a name without any version: a target gets a name with its first version"
_COLUMNS = "kind, name, version, redacted, unknown, record"
_FILE = "datastore, path, size_bytes, md5, etag, content_type, metadata, unknown, blob_type"
_OF_KEY = "kind = ? and name = ? and version = ?"
_WANTED = """
    whose in (select id from run where selected) or (owner = 'asset')
"""


@dataclass(frozen=True, slots=True)
class AssetExtraction:
    """What an extraction was asked to bring of assets."""

    scope: str
    kinds: frozenset[AssetKind]


@dataclass(frozen=True, slots=True)
class AssetListing:
    """The files of an asset in figures."""

    files: int = 0
    bytes: int = 0
    largest: int = 0
    digest: str = ""
    """Of paths, sizes and checksums; nothing where there are no files."""


NO_LISTING = AssetListing()


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

    def put_assets(self, assets: Iterable[Asset], unlisted: Mapping[AssetKey, str] = {}) -> None:  # read
        """Keep assets, each in place of what was known of it. Repeatable.

        `unlisted`: those whose files are to be listed now -> what is told of them until they are.
        """
        with self._transaction():
            for asset in assets:
                record, redacted = asset_record(asset, self._rules)
                cells = (
                    *self._cells(asset.key),
                    stamp(asset.created),
                    asset.archived,
                    redacted,
                    optional(asset.unknown),
                )
                self._execute(
                    "insert or replace into asset values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*cells, *pack(record), now().ticks),
                )
                self._execute(f"delete from asset_lack where {_OF_KEY}", self._cells(asset.key))  # noqa: S608  # our words
                self._replace_uses("asset", str(self.known_as(asset.key)), asset.uses)
                if asset.key in unlisted:
                    self._execute(
                        "insert into asset_lack values (?, ?, ?, ?)", (*self._cells(asset.key), unlisted[asset.key])
                    )

    def lack_asset(self, key: AssetKey, reason: str) -> None:
        """Note that an asset that something names cannot be had, or of a kept one that its files could not be listed.

        Repeatable; what was kept of it stays.
        """
        with self._transaction():
            cells = (*self._cells(key), redact.text(reason))
            self._execute("insert or replace into asset_lack values (?, ?, ?, ?)", cells)

    def put_asset_container(self, container: AssetContainer) -> None:
        """Keep what the versions of a name share. Repeatable."""
        record = container_record(container, self._rules)
        kind, name, _ = self._cells(container.key)
        cells = (kind, name, container.archived, optional(container.unknown))
        with self._transaction():
            self._execute(
                "insert or replace into asset_container values (?, ?, ?, ?, ?, ?, ?)",
                (*cells, *pack(record), now().ticks),
            )
            self._execute(f"delete from asset_lack where {_OF_KEY}", self._cells(container.key))  # noqa: S608  # our words

    def put_empty_names(self, kind: AssetKind, names: Iterable[str]) -> None:
        """Note the names of a kind that have no version, in place of those that had none before. Repeatable."""
        with self._transaction():
            self._execute("delete from asset_lack where kind = ? and version = ''", (kind.value,))
            rows = (((*self._cells(AssetKey(kind, name, "")), NO_VERSION)) for name in names)
            self._executemany("insert into asset_lack values (?, ?, ?, ?)", rows)

    def put_asset_files(self, key: AssetKey, files: Iterable[StoredFile]) -> None:
        """Replace the list of an asset's files. Repeatable."""
        with self._transaction():
            read = {(one.location, one.size_bytes): one.md5 for one in self.asset_files(key) if one.etag is None}
            for table in ("asset_file", "asset_lack"):
                self._execute(f"delete from {table} where {_OF_KEY}", self._cells(key))  # noqa: S608
            for file in files:
                cleaned, _ = self._clean_file(file)
                place = (file.location.datastore, self._rules.path(file.location.path))
                if cleaned and cleaned.etag is None and cleaned.md5 is None:  # what reading it told stays
                    cleaned = replace(cleaned, md5=read.get((Location(*place), cleaned.size_bytes)))
                self._execute(
                    "insert or replace into asset_file values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*self._cells(key), *place, *stored_row(cleaned)),
                )

    def known_as(self, key: AssetKey) -> AssetKey:
        """The key under which the archive has an asset: a secret is replaced in it, for all who name it alike."""
        return AssetKey(key.kind, self._rules.name(key.name), self._rules.name(key.version))

    def _cells(self, key: AssetKey) -> tuple[str, str, str]:
        known = self.known_as(key)
        return known.kind.value, known.name, known.version

    def assets(self) -> Iterator[Asset]:
        """All of them, by kind, name and version."""
        sql = f"""
            select {_COLUMNS} from asset where (kind, name, version) > (?, ?, ?)
            order by kind, name, version limit ?
        """  # noqa: S608  # our own words
        return (self._asset(*row) for row in self._pages(sql, (), ("", "", "")))

    def asset(self, key: AssetKey) -> Asset | None:
        """One of them; None where the archive lacks it."""
        sql = f"select {_COLUMNS} from asset where {_OF_KEY}"  # noqa: S608  # as above
        row = self._one(sql, self._cells(key))
        return row and self._asset(*row)

    def asset_container(self, kind: AssetKind, name: str) -> AssetContainer | None:
        """What the versions of a name share; None where the archive lacks it."""
        sql = "select archived, unknown, record from asset_container where kind = ? and name = ?"
        row = self._one(sql, self._cells(AssetKey(kind, name, ""))[:2])
        if row is None:
            return None
        archived, unknown, record = row
        told = unpack(record, f"{kind.value} {name}")
        return container_of(kind, name, told, archived=bool(archived), unknown=loads(unknown or "[]"))

    def asset_files(self, key: AssetKey) -> list[StoredFile]:
        """The files of an asset, by datastore and path."""
        sql = f"select {_FILE} from asset_file where {_OF_KEY} order by 1, 2"  # noqa: S608
        return [
            stored_of(Location(datastore, path), *rest) for datastore, path, *rest in self._all(sql, self._cells(key))
        ]

    def lacking_asset_files(self) -> list[StoredFile]:
        """Files of assets whose bytes the archive lacks, each once."""
        sql = (
            f"select distinct {_FILE} from asset_file f where not exists (select 1 from content c "  # noqa: S608
            "join object o using (sha256) where c.datastore = f.datastore and c.path = f.path "
            "and c.etag = ifnull(f.etag, '') and o.size_bytes = f.size_bytes) order by 1, 2"
        )
        return [stored_of(Location(datastore, path), *rest) for datastore, path, *rest in self._all(sql)]

    def untold_asset_files(self) -> list[StoredFile]:
        """Files of assets whose bytes are here, and of which the storage tells no change but in size, each once."""
        sql = (
            f"select distinct {_FILE} from asset_file f where etag is null and exists (select 1 from content c "  # noqa: S608
            "where c.datastore = f.datastore and c.path = f.path and c.etag = '' and sha256 is not null) order by 1, 2"
        )
        return [stored_of(Location(datastore, path), *rest) for datastore, path, *rest in self._all(sql)]

    def is_asset_file(self, place: Location) -> bool:
        """True where an asset has a file there."""
        sql = "select 1 from asset_file where datastore = ? and path = ? limit 1"
        return self._one(sql, (place.datastore, place.path)) is not None

    def asset_listings(self) -> dict[AssetKey, AssetListing]:
        """Asset -> its files in figures, of those with any; of one without an MD5 its ETag tells whether it changed."""
        sql = """
            select kind, name, version, datastore, path, size_bytes,
              case when md5 is null then 'etag ' || ifnull(etag, '') else hex(md5) end
            from asset_file
            where (kind, name, version, datastore, path) > (?, ?, ?, ?, ?)
            order by kind, name, version, datastore, path limit ?
        """
        rows = self._pages(sql, (), ("", "", "", "", ""))
        return {_key(*key): _listing([row[3:] for row in some]) for key, some in groupby(rows, lambda row: row[:3])}

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
        return [RunId(run) for (run,) in self._all(sql, self._cells(key))]

    def runs_naming(self, keys: Collection[AssetKey]) -> frozenset[RunId]:
        """The selected runs that name one of these."""
        if not keys:
            return frozenset()
        rows = self._all(
            "select distinct kind, name, version, whose from asset_ref where owner = 'run' and kind is not null "
            "and whose in (select id from run where selected)"
        )
        return frozenset(RunId(whose) for *cells, whose in rows if _key(*cells) in keys)

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
        return self._lacking("not exists")

    def missed_assets(self) -> dict[AssetKey, str]:
        """The same without what nobody makes and the workspace itself has not: a document of nothing is no loss."""
        lacking = self.lacking_assets().items()
        return {key: why for key, why in lacking if key.kind not in KEPT_ONLY or why != GONE}

    def unlisted_assets(self) -> dict[AssetKey, str]:
        """Assets that are here, and whose files could not be listed when they were to be, with the reason."""
        return self._lacking("exists")

    def _lacking(self, held: str) -> dict[AssetKey, str]:
        rows = self._all(
            f"select kind, name, version, reason from asset_lack l where {held} (select 1 from asset a "  # noqa: S608
            "where a.kind = l.kind and a.name = l.name and a.version = l.version) order by 1, 2, 3"
        )
        return {_key(*key): reason for *key, reason in rows}

    def _replace_uses(self, owner: str, whose: str, uses: Sequence[AssetUse]) -> None:
        self._execute("delete from asset_ref where owner = ? and whose = ?", (owner, whose))
        named = [replace(use, key=use.key and self.known_as(use.key)) for use in uses]
        rows = ((owner, whose, use.where, redact.text(use.text), *use_cells(use)) for use in named)
        self._executemany("insert or replace into asset_ref values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _asset(self, *cells: Any) -> Asset:  # noqa: ANN401  # as sqlite3 rows are
        kind, name, version, redacted, unknown, record = cells
        key = _key(kind, name, version)
        told = unpack(record, str(key))
        return asset_of(key, told, redacted=bool(redacted), unknown=loads(unknown or "[]"))


def _listing(rows: Sequence[tuple[str, str, int, str | None]]) -> AssetListing:
    sizes = [size for _, _, size, _ in rows]
    return AssetListing(len(rows), sum(sizes), max(sizes), digest_of([list(row) for row in rows]))


def _key(kind: str, name: str, version: str) -> AssetKey:
    with read_back("the name of an asset"):
        return AssetKey(AssetKind(kind), name, version)
