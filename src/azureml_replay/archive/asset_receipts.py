"""What became of each asset in one target, and which choices were made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

from azureml_replay import redact
from azureml_replay.archive.asset_records import told_by
from azureml_replay.archive.cells import read_back
from azureml_replay.archive.database import now
from azureml_replay.archive.evidence import Aspect, Topic, Way
from azureml_replay.archive.of_target import OfTarget
from azureml_replay.archive.records import dumps, loads
from azureml_replay.model import Json, RunId
from azureml_replay.planning.references import AssetFate
from azureml_replay.workspace.asset import AssetKey, AssetKind, AssetUse


class AssetState(Enum):
    """How far an asset has come."""

    SENDING = "sending"
    """It may have arrived: the target has to be asked."""
    SENT = "sent"
    """Made by this archive."""
    ADOPTED = "adopted"
    """The target had an equal one: nothing was written, and nothing is taken back."""
    LEFT = "left"
    """The target has another thing under this name, which was left alone."""
    REFUSED = "refused"
    UNDONE = "undone"
    """Made by this archive, and archived by `undo`."""


FATES = {
    AssetState.SENDING: AssetFate.CREATE,
    AssetState.SENT: AssetFate.THERE,
    AssetState.ADOPTED: AssetFate.ADOPT,
    AssetState.LEFT: AssetFate.CONFLICT,
    AssetState.REFUSED: AssetFate.OMITTED,
}
"""What a plan says of them; of what was taken back nothing."""
FateOfAsset: TypeAlias = "tuple[AssetFate | None, AssetKey | None, str | None]"
"""What became of an asset, its name in the target where it is there, and what is told of it."""
THERE = frozenset({AssetState.SENT, AssetState.ADOPTED})
"""States of what the target holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReceipt:
    """What became of one asset; the digests are those of `workspace.asset`."""

    key: AssetKey
    """In the source."""
    state: AssetState
    there: AssetKey
    """In the target."""
    planned: str
    """Digest of what was to be there."""
    answered: str | None = None
    """Digest of the content that the target answered: a service may have kept another one than it was sent."""
    fields: Mapping[str, Json] = field(default_factory=dict)
    """What may change of it, as the target answered it last."""
    detail: str | None = None

    @property
    def told(self) -> tuple[object, ...]:
        """All that says what is there: where it changes, what was compared before counts no more."""
        return self.state, self.there, self.planned, self.answered, dict(self.fields)


_COLUMNS = "kind, name, version, state, there_name, there_version, planned, answered, fields, detail"
CHOICES = Topic(Way.ASSET, "")
"""Whose evidence says which choices of assets were made."""
_CHOICES, _STORES, _EARLIER = "assets", "stores", "earlier"


def topic_of(key: AssetKey) -> Topic:
    """Under what the evidence of an asset lies."""
    return Topic(Way.ASSET, str(key))


def owner_of(key: AssetKey) -> RunId:
    """Under what its files lie among those that were sent."""
    return owner_of_topic(topic_of(key))


def owner_of_topic(topic: Topic) -> RunId:
    """The same, and how a look at some units names it among those: an asset is none of a unit's."""
    return RunId(f"{topic.way.value} {topic.name}")


def topic_of_owner(owner: RunId) -> Topic:
    """Under what the evidence of the owner of files lies: a run, or an asset."""
    way, _, key = owner.partition(" ")
    return Topic(Way.ASSET, key) if way == Way.ASSET.value and key else Topic(Way.RUN, owner)


class AssetReceipts(OfTarget):
    """The part of a target's ledger that is about assets."""

    def asset_receipts(self) -> dict[AssetKey, AssetReceipt]:
        """Asset of the source -> what became of it."""
        return self._asset_receipts("version <> ''")

    def name_receipts(self) -> dict[AssetKey, AssetReceipt]:
        """Name of assets, with an empty version -> what became of that which its versions share."""
        return self._asset_receipts("version = ''")

    def _asset_receipts(self, which: str) -> dict[AssetKey, AssetReceipt]:
        rows = self._all(
            f"select {_COLUMNS} from asset_receipt where target = ? and {which} order by kind, name, version",  # noqa: S608
            (self._number,),
        )
        return {one.key: one for one in map(_receipt, rows)}

    @property
    def has_assets(self) -> bool:
        """True once anything became of an asset in this target."""
        return self._one("select 1 from asset_receipt where target = ? limit 1", (self._number,)) is not None

    def fates_of_references(self, runs: Sequence[RunId]) -> Iterator[tuple[RunId, AssetUse, FateOfAsset]]:
        """What these runs and their jobs name, each with what became of it here, by run and place."""
        rows = self._among(
            "select whose, place, text, a.kind, a.name, a.version, outside, state, there_name, there_version, detail "
            "from asset_ref a left join asset_receipt r on r.kind = a.kind and r.name = a.name "
            "and r.version = a.version and r.target = coalesce(?2, -1) where owner = 'run' and whose in",
            runs,
            "order by 1, 2",
            (self._number,),
        )
        for run, place, text, kind, name, version, outside, *told in rows:
            key, where = told_by(kind, name, version, outside)
            yield RunId(run), AssetUse(place, text, key, where), _fate(key, *told)

    def put_asset_receipt(self, receipt: AssetReceipt) -> None:
        """Write what became of an asset, in place of what was known; on the disk when this returns. Repeatable.

        Where something else is there by now, nothing of it counts as compared any more.
        """
        key, there, before = receipt.key, receipt.there, self._asset_receipt(receipt.key)
        with self._transaction(durable=True):
            self._keep_earlier(before, receipt)
            if before is None or before.told != receipt.told:
                self._unsettle_asset(key)
            cells = (key.kind.value, key.name, key.version, receipt.state.value, there.name, there.version)
            digests = (receipt.planned, receipt.answered, dumps(dict(receipt.fields)).decode())
            detail = receipt.detail and redact.text(receipt.detail)
            self._execute(
                "insert or replace into asset_receipt values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (self._owner(), *cells, *digests, detail, now().ticks),
            )

    def expect_asset_again(self, key: AssetKey) -> None:
        """Note that what was sent of an asset is not what the source has now: it is due. Repeatable."""
        before = self._asset_receipt(key)
        if before is not None and before.planned:
            self.put_asset_receipt(replace(before, planned=""))

    def earlier_assets(self) -> list[AssetReceipt]:
        """What this archive made of assets that it gave another name there since, or leaves alone: undo has to know."""
        with read_back("what was made of assets before"):
            return [_earlier(one) for one in self._told().get(_EARLIER) or ()]

    def put_earlier_assets(self, held: Sequence[AssetReceipt]) -> None:
        """In place of what was known, in the caller's transaction."""
        self._tell({**self._told(), _EARLIER: [_earlier_row(one) for one in held]})

    def forget_earlier(self, receipt: AssetReceipt) -> None:
        """Once it is taken back. Repeatable."""
        with self._transaction(durable=True):
            self.put_earlier_assets([one for one in self.earlier_assets() if one.there != receipt.there])

    def _keep_earlier(self, before: AssetReceipt | None, now: AssetReceipt) -> None:
        held = self.earlier_assets()
        kept = [one for one in held if one.there != now.there or now.state is AssetState.LEFT]
        if before is not None and _outlives(before, now):
            kept = [*(one for one in kept if one.there != before.there), before]
        if kept != held:
            self.put_earlier_assets(kept)

    def _asset_receipt(self, key: AssetKey) -> AssetReceipt | None:
        row = self._one(
            f"select {_COLUMNS} from asset_receipt where target = ? and kind = ? and name = ? and version = ?",  # noqa: S608
            (self._number, key.kind.value, key.name, key.version),
        )
        return row and _receipt(row)

    def _unsettle_asset(self, key: AssetKey) -> None:
        """Findings about bytes stand until bytes are looked at again."""
        whose = (self._number, Way.ASSET.value, str(key))
        self._execute("delete from evidence where target = ? and way = ? and whose = ?", whose)
        self._execute("delete from planned_omission where target = ? and way = ? and whose = ?", whose)
        sql = "delete from finding where target = ? and way = ? and whose = ? and aspect <> ?"
        self._execute(sql, (*whose, Aspect.BYTES.value))

    def choose_assets(self, choice: Json) -> None:
        """Note a choice by which assets are about to be sent: what it takes is expected from now on. Repeatable."""
        if choice not in self.asset_choices():
            with self._transaction(durable=True):
                self.put_asset_choices([choice])

    def put_asset_choices(self, more: Sequence[Json]) -> None:
        """Add choices to those that were noted, in the caller's transaction."""
        chosen = self.asset_choices()
        self._tell({**self._told(), _CHOICES: [*chosen, *(one for one in more if one not in chosen)]})

    def _tell(self, told: Mapping[str, Json]) -> None:
        row = (self._owner(), CHOICES.way.value, CHOICES.name, dumps(dict(told)).decode())
        self._execute("insert or replace into evidence (target, way, whose, carried) values (?, ?, ?, ?)", row)

    def asset_choices(self) -> Sequence[Json]:
        """All that were noted, the first one first."""
        return list(self._told().get(_CHOICES) or ())

    def _told(self) -> Mapping[str, Any]:
        row = self._one(
            "select carried from evidence where target = ? and way = ? and whose = ?",
            (self._number, CHOICES.way.value, CHOICES.name),
        )
        told: Mapping[str, Any] = loads(row[0]) if row and row[0] else {}
        return told

    def stores(self) -> Mapping[str, str]:
        """Datastores of the source -> those of this target that stand for them, as calls named them."""
        with read_back("which datastores stand for which"):
            return {str(name): str(there) for name, there in dict(self._told().get(_STORES) or {}).items()}

    def map_stores(self, stores: Mapping[str, str]) -> None:
        """Note which datastores stand for which, from now on. Repeatable."""
        if dict(stores) != self.stores():
            with self._transaction(durable=True):
                self.put_stores(stores)

    def put_stores(self, stores: Mapping[str, str]) -> None:
        """The same, in the caller's transaction."""
        self._tell({**self._told(), _STORES: dict(sorted(stores.items()))})

    def asset_names(self) -> dict[AssetKey, AssetKey]:
        """Source -> target of the assets that have another name there."""
        found = {key: one.there for key, one in self.asset_receipts().items() if one.state in THERE}
        return {key: there for key, there in found.items() if key != there}


def _fate(
    key: AssetKey | None, state: str | None, name: str | None, version: str | None, detail: str | None
) -> FateOfAsset:
    if key is None or state is None:
        return None, None, None
    told = AssetState(state)
    there = AssetKey(key.kind, name or key.name, version or key.version) if told in THERE else None
    return FATES.get(told), there, detail


def _outlives(before: AssetReceipt, now: AssetReceipt) -> bool:
    """True where what was made, or may have been, is there beside what becomes of the asset now."""
    elsewhere = now.there != before.there
    if before.state is AssetState.SENT:
        return elsewhere or now.state not in {AssetState.SENDING, AssetState.SENT, AssetState.UNDONE}
    sending = before.state is AssetState.SENDING
    return sending and (now.state is AssetState.LEFT or (elsewhere and now.state is AssetState.SENDING))


def _earlier_row(one: AssetReceipt) -> list[Json]:
    there = (one.there.name, one.there.version)
    return [
        *(one.key.kind.value, one.key.name, one.key.version, one.state.value),
        *(*there, one.planned, one.answered, dict(one.fields)),
    ]


def _earlier(row: Sequence[Any]) -> AssetReceipt:
    kind, name, version, state, there_name, there_version, planned, answered, fields = row
    return AssetReceipt(
        key=AssetKey(AssetKind(kind), name, version),
        state=AssetState(state),
        there=AssetKey(AssetKind(kind), there_name, there_version),
        planned=planned,
        answered=answered,
        fields=dict(fields),
    )


def _receipt(row: tuple[Any, ...]) -> AssetReceipt:
    kind, name, version, state, there_name, there_version, planned, answered, fields, detail = row
    told = AssetKind(kind)
    return AssetReceipt(
        key=AssetKey(told, name, version),
        state=AssetState(state),
        there=AssetKey(told, there_name or name, there_version or version),
        planned=planned,
        answered=answered,
        fields=loads(fields or "{}"),
        detail=detail,
    )
