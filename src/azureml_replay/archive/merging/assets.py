"""Assets of two archives of one source: ours stay, what ours lacks comes, and who made one in a target is known."""

from __future__ import annotations

from azureml_replay.archive.merging.both import Both, listed, within

_KEYS = {
    "asset": "kind, name, version",
    "asset_container": "kind, name",
    "asset_ref": "owner, whose, place",
    "asset_lack": "kind, name, version",
    "asset_file": "kind, name, version, datastore, path",
}
_THERE = "('sent', 'adopted')"


class AssetFold(Both):
    """The part of a merge about what runs refer to."""

    def fold_assets(self) -> None:
        """Rows that ours lacks; what one of them could have is lacking no more."""
        for table, key in _KEYS.items():
            for span in self._spans(table, key):
                self._execute(
                    f"insert or ignore into {table} select * from theirs.{table} where {within(key)}",  # noqa: S608
                    span,
                )
        self._execute(
            "delete from asset_lack where exists (select 1 from asset a where a.kind = asset_lack.kind "
            "and a.name = asset_lack.name and a.version = asset_lack.version)"
        )
        self._execute("insert or ignore into asset_extraction select * from theirs.asset_extraction")

    def fold_asset_receipts(self) -> None:
        """Of each target: one that says that an asset is there counts before one that does not, else ours."""
        cells = listed("asset_receipt", "x.", target="t.id")
        self._execute(
            f"""
            insert or replace into asset_receipt
            select {cells} from theirs.asset_receipt x
            join theirs.target p on p.id = x.target join main.target t on t.kind = p.kind and t.key = p.key
            left join main.asset_receipt o on o.target = t.id and o.kind = x.kind and o.name = x.name
              and o.version = x.version
            where o.state is null or (o.state not in {_THERE} and x.state in {_THERE})
            """  # noqa: S608  # our own words
        )
