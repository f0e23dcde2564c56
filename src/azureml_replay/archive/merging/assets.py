"""What runs refer to: assets, who names which, and what became of each in a target."""

from __future__ import annotations

from azureml_replay.archive.merging.both import Both

_CONTENT = ("asset", "asset_container", "asset_ref", "asset_lack", "asset_file")
_ARRIVED = "('sent', 'adopted')"
_RECEIPT = "kind, name, version, state, there_name, there_version, planned, answered, fields, detail, at, looked, found"


class AssetFold(Both):
    """The part of a merge about assets. What both have stays as it is here: the next extract brings what changed."""

    def fold_assets(self) -> None:
        """Assets that are not here, and what became of those that were not sent from here."""
        for table in _CONTENT:
            self._execute(f"insert or ignore into main.{table} select * from theirs.{table}")  # noqa: S608
        # one of the two never asked for assets, so there are runs of which nobody knows what they refer to
        self._execute("delete from main.asset_extraction where not exists (select 1 from theirs.asset_extraction)")
        pairs = self._all(
            "select t.id, y.id from theirs.target y join main.target t on t.kind = y.kind and t.key = y.key order by 1"
        )
        for here, there in pairs:
            self._execute(
                f"insert or replace into main.asset_receipt (target, {_RECEIPT}) "  # noqa: S608  # our own words
                f"select ?1, {_RECEIPT} from theirs.asset_receipt x where target = ?2 and not exists ("
                "select 1 from main.asset_receipt o where o.target = ?1 and o.kind = x.kind and o.name = x.name "
                f"and o.version = x.version and (o.state in {_ARRIVED} or x.state not in {_ARRIVED}))",
                (here, there),
            )
