"""What runs refer to, as the page shows it: what became of each asset, which run made it, which runs use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState, topic_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.connection import name_of_pages, page_of_asset
from azureml_replay.counting import counted
from azureml_replay.model import Finding, RunId
from azureml_replay.report_page.facts import AssetEntry, Pair, ReferenceRow, RunVerdict
from azureml_replay.verification.asset_standing import AssetsStanding
from azureml_replay.verification.standing import Item, Standing
from azureml_replay.workspace.asset import KEPT_ONLY, Asset, AssetKey, AssetKind, OutsideKind
from azureml_replay.workspace.place import Place

ASSETS_SHOWN = 1_000
"""Assets that a page lists, some 300 bytes each; the others are counted, and `azureml-replay assets` lists all."""
USERS_SHOWN = 10
"""Runs of one asset that are named; the others are counted."""
NOTES_SHOWN = 20
MADE_BY_IT = "made by the run"
_BECAME = {
    AssetState.SENDING: "sent, and not known to have arrived",
    AssetState.SENT: "made",
    AssetState.ADOPTED: "there before, and equal",
    AssetState.LEFT: "another one is there",
    AssetState.REFUSED: "not made",
    AssetState.UNDONE: "taken back by undo",
}
_ELSEWHERE = {
    OutsideKind.REGISTRY: "of a registry: the reference stays",
    OutsideKind.CURATED: "made by the service in every workspace",
    OutsideKind.WORKSPACE: "of another workspace: the reference stays",
    OutsideKind.IMPLICIT: "a run's own: the service makes it with the run",
    OutsideKind.RELATIVE: "a name without a version: the service knows which one was meant",
}


@dataclass(frozen=True, slots=True)
class AssetBook:
    """All assets of an archive as one target has them."""

    archive: Archive
    standing: AssetsStanding
    entries: Mapping[AssetKey, AssetEntry]
    shown: tuple[AssetEntry, ...]
    made: Mapping[RunId, tuple[AssetKey, ...]]
    """Run -> the assets that it made."""

    @classmethod
    def of(cls, archive: Archive, ledger: TargetLedger | None, studio: Mapping[Place, str | None]) -> AssetBook:
        """Reads every asset once."""
        standing = AssetsStanding.of(archive, ledger) if ledger else AssetsStanding()
        receipts = ledger.asset_receipts() if ledger else {}
        items, left = {one.subject: one for one in standing.items}, {one.what: one.reason for one in standing.omissions}
        stores = ledger.stores() if ledger else {}
        users = archive.asset_users(USERS_SHOWN)
        ends = _PagesOfSides(archive.source, ledger.target if ledger else None, studio)
        entries: dict[AssetKey, AssetEntry] = {}
        made: dict[RunId, list[AssetKey]] = {}
        for asset in archive.assets():
            topic, receipt = topic_of(asset.key), receipts.get(asset.key)
            item, why = items.get(topic), left.get(topic.name, "")
            found = ledger.findings_of(topic) if ledger and item and item.findings else []
            known = _Known(
                asset, receipt, users.get(asset.key, (0, ())), item, found, why, _standing_in(asset.key, stores)
            )
            entries[asset.key] = known.entry(ends)
            if asset.run or asset.files_of:
                made.setdefault(asset.run or asset.files_of or RunId(""), []).append(asset.key)
        for key, why in archive.missed_assets().items():
            entries.setdefault(key, _lacking(key, why, users.get(key, (0, ()))))
        worst_first = sorted(entries.values(), key=lambda one: one.verdict)
        makers = {run: tuple(keys) for run, keys in made.items()}
        return cls(archive, standing, entries, tuple(worst_first[:ASSETS_SHOWN]), makers)

    def references(self, run: RunId) -> Iterator[ReferenceRow]:
        """What a run names or made, each once, with what became of it."""
        listed = {one.id for one in self.shown}
        places: dict[tuple[AssetKey | None, str, str], list[str]] = {}
        for use in self.archive.asset_uses(run):
            outside = _ELSEWHERE[use.outside] if use.outside else ""
            places.setdefault((use.key, "" if use.key else use.text, outside), []).append(
                use.where.removeprefix("properties.")
            )
        for key in self.made.get(run, ()):
            places.setdefault((key, "", ""), []).append(MADE_BY_IT)
        for (named, text, outside), where in places.items():
            entry = self.entries.get(named) if named else None
            if entry is None:
                became = outside or "not extracted"
                yield ReferenceRow(where=", ".join(sorted(set(where))), what=str(named or text), became=became)
                continue
            yield ReferenceRow(
                where=", ".join(sorted(set(where))),
                what=entry.id,
                became="; ".join((entry.became, *entry.notes[:2])),
                asset=entry.id if entry.id in listed else "",
                verdict=entry.verdict,
                links=entry.links,
            )


@dataclass(frozen=True, slots=True)
class _PagesOfSides:
    """Where the pages of both sides are."""

    source: Place
    target: Place | None
    studio: Mapping[Place, str | None]

    def links(self, key: AssetKey, there: AssetKey | None) -> Iterator[Pair]:
        for side, place, named in (("source", self.source, key), ("target", self.target, there)):
            page = page_of_asset(place, self.studio.get(place), named) if place and named else None
            if place and page and page.startswith("https://"):
                yield f"{side} in {name_of_pages(place)}", page


@dataclass(frozen=True, slots=True)
class _Known:
    """One asset, with what the ledger and the runs say of it."""

    asset: Asset
    receipt: AssetReceipt | None
    users: tuple[int, tuple[RunId, ...]]
    item: Item | None
    """What is known of it in the target; None where it is not to be there."""
    found: Sequence[Finding]
    left: str
    """Why it is not there, or not whole, as planned."""
    stands_for_it: str | None = None
    """The datastore of the target that does, where it is one and has another name there."""

    def entry(self, ends: _PagesOfSides) -> AssetEntry:
        asset, receipt = self.asset, self.receipt
        held = receipt is not None and receipt.state in (AssetState.SENT, AssetState.ADOPTED)
        return AssetEntry(
            id=str(asset.key),
            verdict=self._verdict(planned=ends.target is not None),
            became=self._became(planned=ends.target is not None),
            notes=tuple(self._notes()),
            archived=asset.archived,
            made=asset.run or asset.files_of or "",
            used=self.users[1],
            used_of=self.users[0],
            needs=tuple(sorted({str(use.key) for use in asset.uses if use.key})),
            links=tuple(ends.links(asset.key, receipt.there if receipt and held else None)),
        )

    def _verdict(self, *, planned: bool) -> RunVerdict:
        if not planned or (self.asset.key.kind in KEPT_ONLY and not self.left):
            return RunVerdict.ARCHIVED
        if self.item is None:  # nobody chose it, or it is an omission
            return RunVerdict.OMISSIONS if self.left else RunVerdict.UNVERIFIED
        if self.item.standing is Standing.EQUAL:
            return RunVerdict.OMISSIONS if self.left else RunVerdict.EQUAL
        return RunVerdict.DIFFERS if self.item.findings else RunVerdict.UNVERIFIED

    def _became(self, *, planned: bool) -> str:
        receipt = self.receipt
        if receipt is None:
            return "not sent" if planned else ""
        words = _BECAME[receipt.state]
        if receipt.there == receipt.key:
            return words
        named = receipt.there.version if receipt.there.name == receipt.key.name else str(receipt.there)
        return f"{words}, as {named}"

    def _notes(self) -> Iterator[str]:
        for one in self.found[:NOTES_SHOWN]:
            yield f"{one.what.removeprefix(f'{self.asset.key}: ')} {one.kind}"
        if (more := len(self.found) - NOTES_SHOWN) > 0:
            yield f"and {counted(more, 'finding')} more"
        if self.left:
            yield self.left
        elif self.stands_for_it:
            yield f"datastore {self.stands_for_it} of the target stands for it"


def _standing_in(key: AssetKey, stores: Mapping[str, str]) -> str | None:
    return stores.get(key.name) if key.kind is AssetKind.DATASTORE else None


def _lacking(key: AssetKey, why: str, users: tuple[int, tuple[RunId, ...]]) -> AssetEntry:
    """One that is named, and that the source could not give."""
    count, some = users
    return AssetEntry(
        id=str(key), verdict=RunVerdict.OMISSIONS, became="not to be had", notes=(why,), used=some, used_of=count
    )
