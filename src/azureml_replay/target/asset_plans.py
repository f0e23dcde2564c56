"""The assets of a plan: what the archive holds, what chosen runs lead to, and what the ledger says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import AssetReceipt, AssetState
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.planning.assets import (
    AssetChoice,
    AssetFate,
    AssetPlan,
    AssetScope,
    PlannedAsset,
    closure,
    digest_of_asset,
    planned_assets,
    summarized,
)
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.planning.plan import planned_units
from azureml_replay.selection import Selection
from azureml_replay.workspace.asset import IN_ORDER, Asset, AssetKey, AssetKind

NO_FILES = "left out (--no-artifacts)"


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
    known: frozenset[AssetKind] = frozenset(IN_ORDER),
) -> list[PlannedAsset]:
    """The chosen assets in the order of creation, each with what the ledger says became of it. Asks nobody."""
    choice = options.assets
    held = {asset.key: asset for asset in archive.assets()}
    if not held:
        return []
    wanted = frozenset(held) if choice.scope is AssetScope.ALL else led_to(archive, selection, held)
    receipts = ledger.asset_receipts() if ledger else {}
    totals = archive.asset_totals()
    found = [*_outputs_left(held, wanted, choice)]
    for one in planned_assets(held.values(), choice, wanted, known):
        files, size = totals.get(one.key, (0, 0))
        whole = replace(one, files=files, bytes=size)
        if one.asset.output is not None and not options.files.artifacts:
            found.append(replace(whole, fate=AssetFate.OMITTED, reason=NO_FILES))
        else:
            found.append(_as_known(whole, receipts.get(one.key)))
    return found


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
