"""The assets of a plan: what the archive holds, what chosen runs lead to, and what the ledger says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import FATES, THERE, AssetReceipt, AssetState
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.planning.assets import (
    BYTES_STAY,
    FILE_TOO_LARGE,
    NO_FILES,
    TOO_LARGE,
    AssetChoice,
    AssetPlan,
    AssetScope,
    PlannedAsset,
    as_planned,
    carrier,
    closure,
    planned_assets,
    summarized,
    with_bytes,
)
from azureml_replay.planning.files import OVER_BUDGET, FileChoice
from azureml_replay.planning.history import NAMED_OUTPUT
from azureml_replay.planning.plan import planned_units
from azureml_replay.planning.references import AssetFate
from azureml_replay.selection import Selection
from azureml_replay.workspace.asset import Asset, AssetKey, AssetKind
from azureml_replay.workspace.asset_rule import AZURE_ML_ASSETS, AssetRule, asset_rule_of

NO_FILES_THERE = "no files are written there, and a model's bytes are files of a run"
RUN_LEFT = "run {} is not carried, whose files its bytes are"
MAY_COME = ("run ", NO_FILES_THERE)
"""How reasons begin that another call may find gone."""
CHOSEN_REASONS = frozenset({TOO_LARGE, FILE_TOO_LARGE, NO_FILES, OVER_BUDGET})
"""Why an asset was left out by flags alone: other flags take it."""


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


def asset_plan(
    archive: Archive,
    ledger: TargetLedger | None,
    selection: Selection,
    options: Carried,
    rule: AssetRule | None = None,
) -> list[PlannedAsset]:
    """The chosen assets in the order of creation, each with what the ledger says became of it. Asks nobody.

    `rule`: what the target takes; without one, what its kind of workspace does. Raises UserError where none has a name
    that was chosen.
    """
    choice = options.assets
    taken = rule or (asset_rule_of(ledger.target) if ledger else AZURE_ML_ASSETS)
    held = {asset.key: asset for asset in archive.assets()}
    _refuse_unknown(archive, choice, held)
    if not held:
        return []
    led = frozenset(held) if choice.scope is AssetScope.ALL else led_to(archive, selection, held)
    wanted = led if choice.scope is not AssetScope.NAMED else _named(choice, held, led)
    receipts = ledger.asset_receipts() if ledger else {}
    totals = archive.asset_totals()
    found = [*_outputs_left(held, led, choice)]
    why = _Left(archive, ledger, selection, taken, options.files.artifacts).why
    left = {key: reason for key, asset in held.items() if (reason := why(asset))}
    names = {key: one.there for key, one in receipts.items() if one.state in THERE}
    for one in planned_assets(held.values(), choice, wanted, rule=taken, left=left, there=names):
        files, size = totals.get(one.key, (0, 0))
        whole = replace(one, files=files, bytes=size)
        as_chosen = with_bytes(whole, choice, options.files, _largest(archive, whole, options.files))
        found.append(_as_known(whole, as_chosen, receipts.get(one.key)))
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


def _refuse_unknown(archive: Archive, choice: AssetChoice, held: Mapping[AssetKey, Asset]) -> None:
    for name in choice.names:
        if not any(name.takes(key) for key in held):
            raise UserError(
                f"--asset {name}: archive {archive.folder} holds no such asset: extract it, by the same flag, or name "
                f"another"
            )


def _named(choice: AssetChoice, held: Mapping[AssetKey, Asset], led: frozenset[AssetKey]) -> frozenset[AssetKey]:
    """What has a chosen name, with what that names in turn; outputs are files of runs, and come with these."""
    named = [key for key in held if key.kind in choice.kinds and any(name.takes(key) for name in choice.names)]
    outputs = {key for key in led if held[key].output is not None}
    return (closure(named, held) & held.keys()) | outputs


def _largest(archive: Archive, one: PlannedAsset, files: FileChoice) -> int:
    """The size of the largest file of a named output, where a choice asks for it."""
    if one.asset.output is None or files.most_bytes is None:
        return 0
    return max((file.size_bytes for file in archive.asset_files(one.key)), default=0)


def _outputs_left(
    held: Mapping[AssetKey, Asset], wanted: frozenset[AssetKey], choice: AssetChoice
) -> Iterator[PlannedAsset]:
    """Named outputs that the archive knows, and that this choice does not take."""
    if choice.none or AssetKind.DATA not in choice.kinds:
        for key in sorted(wanted):
            if held[key].output is not None and held[key].owns_bytes:
                yield PlannedAsset(asset=held[key], fate=AssetFate.OMITTED, reason=NAMED_OUTPUT)


def _as_known(whole: PlannedAsset, chosen: PlannedAsset, receipt: AssetReceipt | None) -> PlannedAsset:
    """What became of it as long as the source's is what it was then.

    What an earlier call carried stays to be carried, though this one may leave out more.
    """
    if receipt is None or whole.fate is AssetFate.OMITTED:
        return chosen
    sent, fate = as_planned(whole.asset, receipt.planned), FATES.get(receipt.state)
    if sent is None or fate in (None, AssetFate.CREATE):
        return chosen
    more = chosen.asset.owns_bytes and not sent.owns_bytes and chosen.fate is not AssetFate.OMITTED
    refused = fate is AssetFate.OMITTED and chosen.fate is AssetFate.OMITTED
    may_come = receipt.detail in CHOSEN_REASONS or (receipt.detail or "").startswith(MAY_COME)
    if more or refused or (may_come and receipt.state is AssetState.REFUSED):
        return chosen
    carried = whole if sent.owns_bytes else replace(whole, files=0, bytes=0)
    reason = receipt.detail or ""
    if reason in ("", *BYTES_STAY) and fate in (AssetFate.THERE, AssetFate.ADOPT):
        reason = chosen.reason if sent.owns_bytes == chosen.asset.owns_bytes else ""
    return replace(carried, asset=sent, fate=fate, reason=reason)


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
    """The figures of a plan's assets; None where none are chosen. What cannot be had is told whatever is chosen."""
    choice, planned = options.assets, asset_plan(archive, ledger, selection, options)
    lacking = tuple((str(key), reason) for key, reason in archive.lacking_assets().items())
    if choice.none and not planned and not lacking:
        return None
    told = summarized(planned, archive.outside_uses())
    extracted = archive.asset_extraction() is not None
    return replace(told, omitted=(*told.omitted, *lacking), extracted=extracted)
