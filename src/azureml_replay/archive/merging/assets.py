"""Assets of two archives of one source: each as whoever read it last has it, and who made one in a target is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from azureml_replay.archive.asset_receipts import owner_of
from azureml_replay.archive.canonical import document_cell
from azureml_replay.archive.merging.both import Both, columns, listed, within
from azureml_replay.archive.merging.receipts import SentBy
from azureml_replay.workspace.asset import AssetKey, AssetKind

_KEY = "kind, name, version"
_KEYS = {"asset": _KEY, "asset_container": "kind, name", "asset_lack": _KEY}
_BELOW = ("asset_file", "asset_lack")
"""Tables whose rows go with the asset."""
_STANDS = frozenset({"sending", "sent", "adopted", "undone"})
"""States of what went into a target: others say that an archive sent nothing."""


class AssetFold(Both):
    """The part of a merge about what runs refer to, once runs came."""

    def fold_assets(self) -> None:
        """Of each the one that was read last, with its files and what it names; the order of a merge is no matter."""
        for key in self._differing("asset"):
            self._take(key)
        for key in self._differing("asset_container"):
            come = "select * from theirs.asset_container where (kind, name) = (?, ?)"
            self._execute(f"insert or replace into asset_container {come}", key)
        self._fold_lists()
        self._fold_references()
        self._add("asset_lack")
        self._execute(
            "delete from asset_lack where exists (select 1 from asset a where a.kind = asset_lack.kind "
            "and a.name = asset_lack.name and a.version = asset_lack.version) and not exists (select 1 from "
            "temp.unlisted u where u.kind = asset_lack.kind and u.name = asset_lack.name "
            "and u.version = asset_lack.version)"
        )
        self._execute(
            "delete from asset_lack where version = '' and exists (select 1 from asset a "
            "where a.kind = asset_lack.kind and a.name = asset_lack.name)"
        )
        self._fold_extractions()

    def _differing(self, table: str) -> Iterator[tuple[str, ...]]:
        """Keys of rows that ours lacks, or that theirs has of a later moment."""
        key = _KEYS[table]
        same = " and ".join(f"o.{name} = x.{name}" for name in key.split(", "))
        told = "o.record, x.record, o.read_at, x.read_at"
        for span in self._spans(table, key):
            names = ", ".join(f"x.{name}" for name in key.split(", "))
            rows = self._all(
                f"select {names}, {told} from theirs.{table} x left join main.{table} o on {same} "  # noqa: S608
                f"where {within(names)}",
                span,
            )
            for *found, ours, theirs, ours_at, theirs_at in rows:
                if ours is None or _rank(theirs, theirs_at) > _rank(ours, ours_at):
                    yield tuple(found)

    def _take(self, key: Sequence[str]) -> None:
        """An asset as theirs has it; files that ours lists stay where theirs lists none."""
        where = f"({_KEY}) = (?, ?, ?)"
        self._execute(f"insert or replace into asset select * from theirs.asset where {where}", key)  # noqa: S608
        if self._one(f"select 1 from theirs.asset_file where {where} limit 1", key):  # noqa: S608
            for table in _BELOW:
                self._execute(f"delete from {table} where {where}", key)  # noqa: S608
                self._execute(f"insert into {table} select * from theirs.{table} where {where}", key)  # noqa: S608
        whose = str(AssetKey(AssetKind(key[0]), key[1], key[2]))
        self._execute("delete from asset_ref where owner = 'asset' and whose = ?", (whose,))
        self._execute(
            "insert into asset_ref select * from theirs.asset_ref where owner = 'asset' and whose = ?", (whose,)
        )

    def _fold_lists(self) -> None:
        """The files of assets of which ours lists none; what neither could list is told."""
        ours = f"(select {_KEY} from asset_file)"  # noqa: S608
        self._execute("create temp table if not exists unlisted (kind, name, version)")
        self._execute("delete from temp.unlisted")
        for span in self._spans("asset_file", f"{_KEY}, datastore, path"):
            self._execute(
                "insert or ignore into temp.unlisted select distinct kind, name, version from theirs.asset_file "  # noqa: S608
                f"where {within(f'{_KEY}, datastore, path')} and ({_KEY}) not in {ours}",
                span,
            )
        come = f"insert or replace into asset_file select * from theirs.asset_file where ({_KEY}) = (?, ?, ?)"  # noqa: S608
        for key in self._all(f"select distinct {_KEY} from temp.unlisted order by 1, 2, 3"):  # noqa: S608
            self._execute(come, key)
        self._execute("delete from temp.unlisted")
        for archive in ("main", "theirs"):
            self._execute(
                f"insert into temp.unlisted select {_KEY} from {archive}.asset_lack where ({_KEY}) in "  # noqa: S608
                f"(select {_KEY} from {archive}.asset) and ({_KEY}) not in {ours}"
            )

    def _fold_references(self) -> None:
        """What a run names, from the side that the run came from."""
        self._execute("delete from asset_ref where owner = 'run' and whose in (select id from temp.taken)")
        self._add("asset_ref")

    def _add(self, table: str) -> None:
        key = {"asset_ref": "owner, whose, place", **_KEYS}[table]
        where = (
            ""
            if table == "asset_lack"
            else (
                "and (owner = 'asset' or whose in (select id from temp.taken) or not exists "
                "(select 1 from main.asset_ref o where o.owner = owner and o.whose = whose))"
            )
        )
        for span in self._spans(table, key):
            self._execute(
                f"insert or ignore into {table} select * from theirs.{table} where {within(key)} {where}",  # noqa: S608
                span,
            )

    def _fold_extractions(self) -> None:
        """What either brought, at the later moment."""
        sql = "select scope, kinds, at from {}.asset_extraction"
        told = [row for archive in ("main", "theirs") for row in self._all(sql.format(archive))]
        if told:
            scope = next((one for one, _, _ in told if one == "all"), max(told, key=lambda row: row[2])[0])
            kinds = " ".join(sorted({kind for _, kinds, _ in told for kind in kinds.split()}))
            row = (scope, kinds, max(at for _, _, at in told))
            self._execute("insert or replace into asset_extraction (id, scope, kinds, at) values (1, ?, ?, ?)", row)


class AssetLedgers(Both):
    """The part of a merge about what became of assets in a target."""

    def fold_asset_receipts(self, here: int, there: int) -> Mapping[str, SentBy]:
        """Of each what was written last, and whose looks at it count.

        That an archive left one alone, or was refused it, says nothing against what another one sent.
        """
        sent: dict[str, SentBy] = {}
        ours = {row[:3]: row[3:] for row in self._receipts("main", here)}
        for row in self._receipts("theirs", there):
            key, state, at = row[:3], row[3], row[4]
            before = ours.get(key)
            if before is None or _order(state, at) > _order(*before):
                self._bring_receipt(here, there, key)
                newest = at
            else:
                newest = before[1]
            name = str(AssetKey(AssetKind(key[0]), key[1], key[2]))
            sent[name] = SentBy(ours=True, theirs=True, no_ours=False, no_theirs=False, newest=newest)
        return sent

    def _receipts(self, archive: str, target: int) -> list[tuple[str, str, str, str, int]]:
        sql = f"select kind, name, version, state, at from {archive}.asset_receipt where target = ? order by 1, 2, 3"  # noqa: S608
        return [(kind, name, version, state, at) for kind, name, version, state, at in self._all(sql, (target,))]

    def _bring_receipt(self, here: int, there: int, key: tuple[str, str, str]) -> None:
        cells = listed("asset_receipt", target="?")
        self._execute(
            f"insert or replace into asset_receipt select {cells} from theirs.asset_receipt "  # noqa: S608
            "where target = ? and (kind, name, version) = (?, ?, ?)",
            (here, there, *key),
        )
        owner = owner_of(AssetKey(AssetKind(key[0]), key[1], key[2]))
        names = ", ".join(name for name in columns("sent_file") if name != "target")
        self._execute("delete from sent_file where target = ? and run = ?", (here, owner))
        self._execute(
            f"insert into sent_file (target, {names}) select ?, {names} from theirs.sent_file "  # noqa: S608
            "where target = ? and run = ?",
            (here, there, owner),
        )


def _order(state: str, at: int) -> tuple[bool, int]:
    return state in _STANDS, at


def _rank(record: bytes, read_at: int | None) -> tuple[int, str]:
    """The higher one stays: of the same moment, or of none, whichever text is later."""
    return read_at or 0, str(document_cell(record))
