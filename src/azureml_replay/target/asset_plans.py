"""The assets of a plan: what the archive holds, what chosen runs lead to, and what the ledger says of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import FATES, THERE, AssetReceipt, AssetState, owner_of
from azureml_replay.archive.assets import NO_LISTING, AssetListing
from azureml_replay.archive.cells import read_back, shaped
from azureml_replay.archive.shapes import is_text
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.planning.asset_choices import NOTHING_CHOSEN, CarriedAssets, widened
from azureml_replay.planning.asset_fit import ALIASES, fit_container
from azureml_replay.planning.asset_names import names_of
from azureml_replay.planning.assets import (
    BYTES_STAY,
    NO_FILES,
    NO_FILES_THERE,
    NOT_READ,
    PORT_LEFT,
    RUN_ABSENT,
    RUN_LEFT,
    UNLISTED,
    AssetChoice,
    AssetPlan,
    AssetScope,
    PlannedAsset,
    as_planned,
    carrier,
    closure,
    placed,
    planned_assets,
    says,
    summarized,
    with_bytes,
)
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.planning.plan import planned_units
from azureml_replay.planning.references import AssetFate
from azureml_replay.selection import Selection
from azureml_replay.target.assets_there import known_rule
from azureml_replay.workspace.asset import EVERYWHERE, UNVERSIONED, Asset, AssetKey, AssetKind, digest_of
from azureml_replay.workspace.asset_rule import AZURE_ML_ASSETS

FOR_NOW = frozenset({UNLISTED, NOT_READ})
"""Reasons that the next extraction takes away: of such an asset nothing is known to be equal, or left out."""


class Carried(Protocol):
    """What of a replay's options says which assets are made."""

    @property
    def assets(self) -> AssetChoice:
        """By who names them, and by kind."""
        ...

    @property
    def files(self) -> FileChoice:
        """Named outputs of runs are files of theirs."""
        ...


_PORTS = frozenset({AssetKind.DATA, AssetKind.MODEL})
"""Kinds that named outputs have."""
_STANDING = frozenset({AssetState.SENDING, AssetState.SENT, AssetState.ADOPTED, AssetState.UNDONE})
"""States of what went into the target: it is expected there, whoever leads to it by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAsset:
    """An asset that a target should hold, by all choices that were made, or of which nobody can say so yet."""

    planned: PlannedAsset
    receipt: AssetReceipt | None = None
    run: RunId | None = None
    """The run of the target that it is linked to, where that is there."""

    @property
    def key(self) -> AssetKey:
        """Of the source."""
        return self.planned.key

    @property
    def there(self) -> AssetKey:
        """Its name and version in the target: as it was answered, else as it is asked for."""
        if self.receipt is not None:
            return self.receipt.there
        return self.planned.there.asset.key if self.planned.there else self.key

    @property
    def content(self) -> str:
        """Stands for all that is to be there of it."""
        return digest_of([self.planned.digest, self.run])


def asset_plan(
    archive: Archive, ledger: TargetLedger | None, selection: Selection, options: Carried
) -> list[PlannedAsset]:
    """The chosen assets in the order of creation, each with what the ledger says became of it. Asks nobody.

    Raises UserError where none has a name that was chosen.
    """
    planning = AssetPlanning(archive, ledger, selection, options.assets.stores)
    _refuse_unknown(archive, options.assets, planning.held)
    return planning.of(planning.widened(options))


def expected_assets(archive: Archive, ledger: TargetLedger, selection: Selection) -> list[ExpectedAsset]:
    """What any of the choices takes that were made for this target, and what went into it before. Asks nobody.

    Where nothing was ever sent, another archive may have done it: then as by the default choice. Of those that are
    left out, and of those of which the next extraction tells, the plan has the reason.
    """
    return AssetPlanning(archive, ledger, selection).expected()


def expected_names(expected: Iterable[ExpectedAsset]) -> list[AssetKey]:
    """The names of which this archive made versions that it expects: what these share is compared, too."""
    made = (AssetState.SENDING, AssetState.SENT)
    return names_of(one.planned.asset for one in expected if one.receipt and one.receipt.state in made)


class AssetPlanning:
    """Plans for one target, by one selection."""

    def __init__(
        self,
        archive: Archive,
        ledger: TargetLedger | None,
        selection: Selection,
        stores: Mapping[str, str] = {},  # read
    ) -> None:
        """Reads all assets of the archive, as they are with the target's datastores.

        `stores`: what this call says of these, beside what earlier ones said. Raises UserError for a datastore of which
        the archive knows nothing, and for one of the source's own.
        """
        self.archive, self.ledger, self.selection = archive, ledger, selection
        self.stores = {**(ledger.stores() if ledger else {}), **stores}
        held = {asset.key: asset for asset in archive.assets()}
        for name in stores:
            _refuse_store(archive, name, held.values())
        self.held = {key: placed(asset, self.stores) for key, asset in held.items()}
        self.receipts = ledger.asset_receipts() if ledger else {}
        self.rule = known_rule(archive, ledger) if ledger else AZURE_ML_ASSETS

    @cached_property
    def listings(self) -> Mapping[AssetKey, AssetListing]:
        """The files of each in figures."""
        return self.archive.asset_listings()

    @cached_property
    def unlisted(self) -> Mapping[AssetKey, str]:
        """Those whose files an extraction could not list."""
        return self.archive.unlisted_assets()

    @cached_property
    def runs(self) -> frozenset[RunId]:
        """The chosen runs."""
        roots = planned_units(self.archive, self.selection)
        return frozenset(run.id for root in roots for run in self.archive.unit(root))

    @cached_property
    def named(self) -> Sequence[AssetKey]:
        """What the chosen runs name; where all are chosen, what assets name, too."""
        if self.selection.everything:
            return self.archive.named_assets()
        return [use.key for run in self.runs for use in self.archive.asset_uses(run) if use.key]

    @cached_property
    def led(self) -> frozenset[AssetKey]:
        """What the chosen runs name or made, and what that names in turn."""
        made = [asset.key for asset in self.held.values() if asset.run in self.runs or asset.files_of in self.runs]
        return closure([*self.named, *made], self.held) & self.held.keys()

    @cached_property
    def choices(self) -> Sequence[CarriedAssets]:
        """All that were made for this target."""
        with read_back("a choice of assets"):
            return list(map(CarriedAssets.from_json, self.ledger.asset_choices())) if self.ledger else []

    def widened(self, options: Carried) -> CarriedAssets:
        """The options, with what an earlier call took of all names."""
        return CarriedAssets(assets=widened(options.assets, (one.assets for one in self.choices)), files=options.files)

    def of(self, options: Carried) -> list[PlannedAsset]:
        """By one choice."""
        choice, found = options.assets, list[PlannedAsset]()
        if not self.held:
            return []
        found += self._outputs_left(choice)
        left = {key: why for key, one in self.held.items() if (why := self._left(one, options.files))}
        there = {key: one.there for key, one in self.receipts.items() if one.state in THERE}
        wanted = self._wanted(choice)
        for one in planned_assets(self.held.values(), choice, wanted, rule=self.rule, left=left, there=there):
            listing = self.listings.get(one.key, NO_LISTING)
            whole = replace(one, files=listing.files, bytes=listing.bytes, listing=listing.digest)
            chosen = with_bytes(whole, choice, options.files, listing.largest)
            if one.key in self.unlisted and chosen.asset.owns_bytes and chosen.fate is not AssetFate.OMITTED:
                found.append(replace(chosen, fate=AssetFate.OMITTED, reason=UNLISTED))
            else:
                found.append(self._as_known(whole, chosen))
        return found

    def lost_of_names(self, planned: Iterable[PlannedAsset]) -> Iterator[tuple[str, str]]:
        """What the target will not have of what the versions of a name share: the name, and what with its reason."""
        made = (one.asset for one in planned if one.fate is not AssetFate.OMITTED)
        for key in () if self.rule.properties else names_of(made):
            container = self.archive.asset_container(key.kind, key.name)
            _, losses = fit_container(container, key.name, self.rule) if container else (None, ())
            yield from ((str(key), loss) for loss in losses)

    def _wanted(self, choice: AssetChoice) -> frozenset[AssetKey]:
        if choice.scope is AssetScope.ALL:
            return frozenset(self.held)
        if choice.scope is AssetScope.NAMED:
            return _named(choice, self.held, self.led)
        return self.led | self._taken_back() if self.selection.everything else self.led

    def _taken_back(self) -> frozenset[AssetKey]:
        """What this archive made, whoever chose it, and `undo` archived: as of runs, the next replay brings it back."""
        undone = (key for key, one in self.receipts.items() if one.state is AssetState.UNDONE)
        return frozenset(undone) & self.held.keys()

    def _left(self, asset: Asset, files: FileChoice) -> str:
        """Why an asset is left out for want of its run, or of that run's files; empty where it is not."""
        run = carrier(asset) if self.rule.bytes_in_runs else None
        if run is None:
            return self._lacks_its_run(asset)
        if not self.rule.files:
            return NO_FILES_THERE
        if not files.artifacts:
            return NO_FILES
        return "" if self._stands_for(run) or run in self.runs else RUN_LEFT.format(run)

    def _lacks_its_run(self, asset: Asset) -> str:
        """Of what stands for an input or output of a run that is not there, and does not come."""
        if not asset.is_port or asset.run in self.runs or self._stands_for(asset.run):
            return ""
        return PORT_LEFT.format(asset.run, "input" if asset.output is None else "output")

    def _outputs_left(self, choice: AssetChoice) -> Iterator[PlannedAsset]:
        """Named outputs that the archive knows, and that this choice does not take."""
        kinds = _PORTS if choice.none else _PORTS - choice.kinds
        for key in sorted(self.led) if kinds else ():
            held = self.held[key]
            if held.output is not None and held.owns_bytes and key.kind in kinds:
                yield PlannedAsset(asset=held, fate=AssetFate.OMITTED, reason=NAMED_OUTPUT)

    def _as_known(self, whole: PlannedAsset, chosen: PlannedAsset) -> PlannedAsset:
        """What became of it as long as the source's is what it was then.

        What an earlier call carried stays to be carried, though this one may leave out more. What flags leave out
        has no receipt: other flags take it.
        """
        receipt = self.receipts.get(whole.key)
        if receipt is None or whole.fate is AssetFate.OMITTED:
            return chosen
        sent, fate = as_planned(whole.asset, receipt.planned, whole.listing), FATES.get(receipt.state)
        undone = sent is not None and sent.owns_bytes and receipt.state is AssetState.UNDONE
        if (sent is None or undone) and self._had_bytes(whole, chosen):
            return replace(whole, asset=replace(whole.asset, owns_bytes=True))
        if sent is None or fate in (None, AssetFate.CREATE) or self._is_to_be_changed(whole.asset, receipt):
            return chosen
        more = chosen.asset.owns_bytes > sent.owns_bytes or chosen.asset.rewrites > sent.rewrites
        more = more and chosen.fate is not AssetFate.OMITTED
        if more or (fate is AssetFate.OMITTED and chosen.fate is AssetFate.OMITTED):
            return chosen
        carried = whole if sent.owns_bytes else replace(whole, files=0, bytes=0)
        reason = receipt.detail or ""
        if reason in ("", *BYTES_STAY) and fate in (AssetFate.THERE, AssetFate.ADOPT):
            reason = chosen.reason if sent.owns_bytes == chosen.asset.owns_bytes else ""
        return replace(carried, asset=sent, fate=fate, reason=reason)

    def _had_bytes(self, whole: PlannedAsset, chosen: PlannedAsset) -> bool:
        """True where an earlier call brought the bytes, which are others now, and this one would leave them behind."""
        if chosen.asset.owns_bytes or chosen.fate is AssetFate.OMITTED or not whole.files or self.ledger is None:
            return False
        return bool(self.ledger.sent_files(owner_of(whole.key)))

    def _is_to_be_changed(self, asset: Asset, receipt: AssetReceipt) -> bool:
        """True for a model that was made before its run was there, which is, or comes now.

        And for one that was made before it was known that the target takes its aliases.
        """
        if self.rule.aliases and says(receipt.detail, ALIASES.format(", ".join(asset.aliases))):
            return True
        if asset.run is None or not says(receipt.detail, RUN_ABSENT.format(asset.run)):
            return False
        return asset.run in self.runs or self._stands_for(asset.run) is not None

    def _stands_for(self, run: RunId | None) -> RunId | None:
        there = self.ledger.stands_for(run) if self.ledger and run else None
        return None if there is None else shaped(there, is_text, f"which run stands for {run}")

    def expected(self) -> list[ExpectedAsset]:
        """By all choices that were made."""
        began = self.ledger is not None and self.ledger.began
        best: dict[AssetKey, PlannedAsset] = {}
        choices = self.choices or ([NOTHING_CHOSEN] if began else [CarriedAssets()])
        for options in choices:
            for one in self.of(options):
                known = best.get(one.key)
                best[one.key] = one if known is None else max(known, one, key=_weight)
        for key, why in self.unread(choices):
            best[key] = PlannedAsset(asset=Asset(key=key, content=None), fate=AssetFate.OMITTED, reason=why)
        best |= {one.key: one for one in self._standing(best)}
        return [
            ExpectedAsset(planned=one, receipt=self.receipts.get(key), run=self._stands_for(one.asset.run))
            for key, one in best.items()
        ]

    def unread(self, choices: Iterable[CarriedAssets]) -> Iterator[tuple[AssetKey, str]]:
        """Named, and neither here nor known to be nowhere: the extraction that was to read it failed."""
        told = self.archive.asset_extraction()
        if told is None:
            return
        lacking = self.archive.lacking_assets()
        for key in self.archive.named_assets():
            if key in self.held or key in lacking or key.kind not in told.kinds & self.rule.kinds:
                continue
            if any(self._leads_to(one.assets, key) for one in choices):
                yield key, NOT_READ

    def _leads_to(self, choice: AssetChoice, key: AssetKey) -> bool:
        """True for an asset that is not here, and that a run names, or an asset that the choice takes."""
        if choice.none or key.kind not in choice.kinds:
            return False
        if any(use.key == key for one in self._wanted(choice) for use in self.held[one].uses):
            return True
        if choice.scope is AssetScope.NAMED:
            return any(name.takes(key) for name in choice.names)
        return bool(self.runs.intersection(self.archive.runs_that_use(key)))

    def _standing(self, planned: Mapping[AssetKey, PlannedAsset]) -> Iterator[PlannedAsset]:
        """What became of others in the target: no choice plans them any more, or it was before choices were noted."""
        led = None if self.selection.everything else self.led
        for key, receipt in self.receipts.items():
            one, asset = planned.get(key), self.held.get(key)
            left = one is None or (one.fate is AssetFate.OMITTED and receipt.state in _STANDING)
            if asset is None or not left or (led is not None and key not in led):
                continue
            listing = self.listings.get(key, NO_LISTING)
            sent = as_planned(asset, receipt.planned, listing.digest) or asset
            fate = FATES.get(receipt.state, AssetFate.CREATE)
            reason = receipt.detail or ""
            yield PlannedAsset(asset=sent, fate=fate, reason=reason, listing=listing.digest)


def _weight(one: PlannedAsset) -> tuple[bool, bool]:
    """Of two plans of an asset the one that carries more."""
    return one.fate is not AssetFate.OMITTED, one.asset.owns_bytes


def _refuse_unknown(archive: Archive, choice: AssetChoice, held: Mapping[AssetKey, Asset]) -> None:
    for name in choice.names:
        if not any(name.takes(key) for key in held):
            raise UserError(
                f"--asset {name}: archive {archive.folder} holds no such asset: extract it, by the same flag, or name "
                f"another"
            )


def _refuse_store(archive: Archive, name: str, held: Iterable[Asset]) -> None:
    """Raise UserError for a datastore that nothing lies in, or that every workspace has."""
    known = {key.name for key in archive.named_assets(all_runs=True) if key.kind is AssetKind.DATASTORE}
    for asset in held:
        if asset.key == AssetKey(AssetKind.DATASTORE, name, UNVERSIONED) and asset.managed != EVERYWHERE:
            return
        if asset.place and asset.place.datastore == name:
            if not (asset.at_home or asset.files_of):
                return
            raise UserError(f"--map-datastore {name}: every workspace has its own, in which things keep their place")
    if name not in known:
        raise UserError(f"--map-datastore {name}: nothing that archive {archive.folder} holds lies in such a datastore")


def _named(choice: AssetChoice, held: Mapping[AssetKey, Asset], led: frozenset[AssetKey]) -> frozenset[AssetKey]:
    """What has a chosen name, with what that names in turn; outputs are files of runs, and come with these."""
    named = [key for key in held if key.kind in choice.kinds and any(name.takes(key) for name in choice.names)]
    outputs = {key for key in led if held[key].output is not None}
    return (closure(named, held) & held.keys()) | outputs


@dataclass(frozen=True, slots=True)
class AssetsAhead:
    """What a plan says of assets, and of the runs that wait for them."""

    plan: AssetPlan | None
    """None where none are chosen. What cannot be had is told whatever is chosen."""
    naming: frozenset[RunId] = frozenset()
    """Runs that name one that is to be made: they are sent again once it is there, with a file that says so."""


def figures(archive: Archive, ledger: TargetLedger | None, selection: Selection, options: Carried) -> AssetsAhead:
    """The figures of a plan's assets. Asks nobody. Raises UserError where none has a name that was chosen."""
    planning = AssetPlanning(archive, ledger, selection, options.assets.stores)
    _refuse_unknown(archive, options.assets, planning.held)
    chosen = planning.widened(options)
    planned, lacking = planning.of(chosen), {**archive.missed_assets(), **dict(planning.unread([chosen]))}
    if options.assets.none and not planned and not lacking:
        return AssetsAhead(None)
    told = summarized(planned, archive.outside_uses())
    lost, extracted = (*told.lost, *planning.lost_of_names(planned)), archive.asset_extraction() is not None
    omitted = (*told.omitted, *((str(key), reason) for key, reason in lacking.items()))
    coming = {one.key for one in planned if one.fate is AssetFate.CREATE}
    least_s = planning.rule.least_s(len(coming))
    told = replace(told, omitted=omitted, lost=lost, extracted=extracted, least_s=least_s)
    return AssetsAhead(told, archive.runs_naming(coming))
