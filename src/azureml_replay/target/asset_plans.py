"""The assets of a plan: what the archive holds, what chosen runs lead to, and what the ledger says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import THERE, AssetReceipt, AssetState
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.planning.assets import (
    AssetChoice,
    AssetFate,
    AssetPlan,
    AssetScope,
    PlannedAsset,
    carrier,
    closure,
    digest_of_asset,
    planned_assets,
    summarized,
)
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.planning.plan import planned_units
from azureml_replay.selection import Selection
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind
from azureml_replay.workspace.asset_rule import AZURE_ML_ASSETS, AssetRule, asset_rule_of

NO_FILES = "left out (--no-artifacts)"
NO_FILES_THERE = "no files are written there, and a model's bytes are files of a run"
RUN_LEFT = "run {} is not carried, whose files its bytes are"
MAY_COME = ("run ", NO_FILES, NO_FILES_THERE)
"""How reasons begin that another call may find gone."""


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


_FATES = {
    AssetState.SENT: AssetFate.THERE,
    AssetState.ADOPTED: AssetFate.ADOPT,
    AssetState.LEFT: AssetFate.CONFLICT,
    AssetState.REFUSED: AssetFate.OMITTED,
}


def asset_plan(
    archive: Archive,
    ledger: TargetLedger | None,
    selection: Selection,
    options: Carried,
    rule: AssetRule | None = None,
) -> list[PlannedAsset]:
    """The chosen assets in the order of creation, each with what the ledger says became of it. Asks nobody.

    `rule`: what the target takes; without one, what its kind of workspace does.
    """
    choice = options.assets
    taken = rule or (asset_rule_of(ledger.target) if ledger else AZURE_ML_ASSETS)
    held = {asset.key: asset for asset in archive.assets()}
    if not held:
        return []
    wanted = frozenset(held) if choice.scope is AssetScope.ALL else led_to(archive, selection, held)
    receipts = ledger.asset_receipts() if ledger else {}
    totals = archive.asset_totals()
    found = [*_outputs_left(held, wanted, choice)]
    why = _Left(archive, ledger, selection, taken, options.files.artifacts).why
    left = {key: reason for key, asset in held.items() if (reason := why(asset))}
    names = {key: one.there for key, one in receipts.items() if one.state in THERE}
    for one in planned_assets(held.values(), choice, wanted, rule=taken, left=left, there=names):
        files, size = totals.get(one.key, (0, 0))
        whole = replace(one, files=files, bytes=size)
        if one.asset.output is not None and not options.files.artifacts:
            found.append(replace(whole, fate=AssetFate.OMITTED, reason=NO_FILES))
        else:
            found.append(_as_known(whole, receipts.get(one.key)))
    return found


@dataclass(slots=True)
class _Left:
    """Why assets are left out of a target that has their bytes among the files of runs alone."""

    archive: Archive
    ledger: TargetLedger | None
    selection: Selection
    rule: AssetRule
    files: bool
    chosen: frozenset[RunId] | None = None

    def why(self, asset: Asset) -> str:
        run = carrier(asset) if self.rule.bytes_in_runs else None
        if run is None:
            return ""
        if not self.rule.files:
            return NO_FILES_THERE
        if not self.files:
            return NO_FILES
        if self.ledger and self.ledger.stands_for(run):
            return ""
        if self.chosen is None:
            units = planned_units(self.archive, self.selection)
            self.chosen = frozenset(one.id for root in units for one in self.archive.unit(root))
        return "" if run in self.chosen else RUN_LEFT.format(run)


def _outputs_left(
    held: Mapping[AssetKey, Asset], wanted: frozenset[AssetKey], choice: AssetChoice
) -> Iterator[PlannedAsset]:
    """Named outputs that the archive knows, and that this choice does not take."""
    if choice.none or AssetKind.DATA not in choice.kinds:
        for key in sorted(wanted):
            if held[key].output is not None and held[key].owns_bytes:
                yield PlannedAsset(asset=held[key], fate=AssetFate.OMITTED, reason=NAMED_OUTPUT)


def _as_known(one: PlannedAsset, receipt: AssetReceipt | None) -> PlannedAsset:
    """What became of it as long as the source's is what it was then."""
    if one.fate is AssetFate.OMITTED or receipt is None or receipt.planned != digest_of_asset(one.asset):
        return one
    if receipt.state is AssetState.REFUSED and (receipt.detail or "").startswith(MAY_COME):
        return one
    fate = _FATES.get(receipt.state)
    return one if fate is None else replace(one, fate=fate, reason=receipt.detail or "")


def led_to(archive: Archive, selection: Selection, held: dict[AssetKey, Asset]) -> frozenset[AssetKey]:
    """What the chosen runs name or made, and what that names in turn."""
    runs = {run.id for root in planned_units(archive, selection) for run in archive.unit(root)}
    if selection.everything:
        named = archive.named_assets()
    else:
        named = [use.key for run in runs for use in archive.asset_uses(run) if use.key]
    made = [asset.key for asset in held.values() if asset.run in runs or asset.files_of in runs]
    return closure([*named, *made], held) & held.keys()


def figures(archive: Archive, ledger: TargetLedger | None, selection: Selection, options: Carried) -> AssetPlan | None:
    """The figures of a plan's assets; None where none are chosen."""
    choice, planned = options.assets, asset_plan(archive, ledger, selection, options)
    if choice.none and not planned:
        return None
    told = summarized(planned, archive.outside_uses())
    lacking = tuple((str(key), reason) for key, reason in archive.lacking_assets().items() if key.kind in choice.kinds)
    extracted = archive.asset_extraction() is not None
    return replace(told, omitted=(*told.omitted, *lacking), extracted=extracted)
