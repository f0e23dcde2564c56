"""What a target should have of the assets that runs refer to, and what it will not have (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from azureml_replay.model import Json, RunId
from azureml_replay.planning.asset_fit import (
    NO_RUN,
    REORDERED,
    FittedAsset,
    fit_asset,
    in_order_there,
    numbers,
    order_lost,
)
from azureml_replay.planning.files import OVER_BUDGET, FileChoice
from azureml_replay.planning.references import AssetFate
from azureml_replay.workspace.asset import (
    EVERYWHERE,
    IN_ORDER,
    Asset,
    AssetKey,
    AssetKind,
    digest_of,
    in_order,
    with_stores,
)
from azureml_replay.workspace.asset_rule import AZURE_ML_ASSETS, AssetRule


class AssetScope(Enum):
    """Which assets are chosen."""

    NONE = "none"
    REFERENCED = "referenced"
    """Those that chosen runs and their jobs name, what these name, and models that chosen runs made."""
    ALL = "all"
    NAMED = "named"
    """Those of some names, whoever names them, what these name, and named outputs of chosen runs."""


class AssetData(Enum):
    """Of which registered data the bytes are carried; of the rest there is a reference."""

    NONE = "none"
    WORKSPACE = "workspace"
    """Of what lies in the workspace's own blob store."""
    ALL = "all"


class OutputBytes(Enum):
    """What becomes of the bytes of named outputs."""

    CARRY = "carry"
    REFERENCE = "reference"
    """The data is made in the target, and leads to the same path there, where nothing is brought."""


@dataclass(frozen=True, slots=True)
class AssetName:
    """All versions of a name, or one of them, of whatever kind."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}:{self.version}"

    def takes(self, key: AssetKey) -> bool:
        """True for one of those that are meant."""
        return key.name == self.name and self.version in (None, key.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetChoice:
    """Which assets are chosen, by who names them, by kind and by name; and which of their bytes."""

    scope: AssetScope = AssetScope.REFERENCED
    kinds: frozenset[AssetKind] = frozenset(IN_ORDER)
    names: tuple[AssetName, ...] = ()
    """Of the scope `NAMED`."""
    data: AssetData = AssetData.NONE
    outputs: OutputBytes = OutputBytes.CARRY
    most_bytes: int | None = None
    """The largest size of an asset's own files that is carried; None: any."""
    rewrite_tables: bool = False
    """Paths of MLTables that name the source's workspace are led to the target, where what they name came along."""
    stores: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Datastores of the source -> those of the target that stand for them, beside those that earlier calls named."""

    @property
    def none(self) -> bool:
        """True where no asset at all is chosen."""
        return self.scope is AssetScope.NONE or not self.kinds


NO_ASSETS = AssetChoice(scope=AssetScope.NONE)
_NOTHING: Mapping[AssetKey, AssetKey] = {}
_NO_REASONS: Mapping[AssetKey, str] = {}
_BETWEEN = "; "
REDACTED = "a secret was taken out of what makes it, so that it cannot be made: make it yourself"
UNKNOWN_THERE = "the target's kind of workspace knows none"
NOT_LISTED = (
    "the archive lists no files of it: it leads to where no bytes are brought; extract --asset-data lists them, where "
    "there are any"
)
TOO_LARGE = "left out by --max-asset-size"
FILE_TOO_LARGE = "left out by --max-file-size: a file of it is larger"
REFERENCE_ONLY = "left out by --outputs reference: its data leads to where no bytes are brought"
MAPPED_OUTPUT = "an output in a datastore that --map-datastore leads elsewhere: its data is a reference alone"
BYTES_STAY = frozenset({NOT_LISTED, TOO_LARGE, REFERENCE_ONLY, MAPPED_OUTPUT})
"""Why data is there as a reference alone."""
NO_FILES = "left out (--no-artifacts)"
TABLE_LEFT = "{} of its MLTable lead into the source's workspace, from where nothing was brought: they stay as they are"
UNLINKED = "the target keeps no link from it to run {}: its property azureml_replay names it"
RUN_ABSENT = "run {}, which made it, is not in the target: it is linked to none"
IN_THE_WAY = "the target has another one under that name and version, which was left alone"
RUN_LEFT = "run {} is not carried, whose files its bytes are"
PORT_LEFT = "run {} is not carried, of which it is an {}"
NO_FILES_THERE = "no files are written there, and a model's bytes are files of a run"
UNLISTED = "its files could not be listed when it was extracted: extract again"
NOT_READ = "the last extraction did not read it: extract again"
"""Why nothing becomes of an asset before the next extraction: no omission, which would be for good."""
OWN_VALUES = "the target had an equal one, whose other values stay as they are: {}"
NOT_EXTRACTED = "assets were not extracted: extract again"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAsset:
    """One asset, and what is to become of it."""

    asset: Asset
    fate: AssetFate
    reason: str = ""
    """Why it is omitted, or what of it is."""
    there: FittedAsset | None = None
    """As it is asked for in the target; None where nobody asks for it."""
    files: int = 0
    bytes: int = 0
    """Of the files that are its own; those that are files of a run count there."""
    listing: str = ""
    """Stands for all its files, as the archive lists them."""

    @property
    def key(self) -> AssetKey:
        """Of the source."""
        return self.asset.key

    @property
    def digest(self) -> str:
        """Stands for all that is to be there of it."""
        return digest_of_asset(self.asset, self.listing)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPlan:
    """The assets of a plan in figures."""

    kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Kind -> what becomes of its assets (create, adopt, there, conflict, omitted) -> how many."""
    outside: Mapping[str, int] = field(default_factory=dict)
    """Where things lie that are named and are none of the source's (registry, curated, …) -> how many."""
    files: int = 0
    bytes: int = 0
    """Of assets that are to be created; a place that several share counts once."""
    omitted: tuple[tuple[str, str], ...] = ()
    """Each asset that the target will not have, or not whole, with the reason."""
    lost: tuple[tuple[str, str], ...] = ()
    """What the target will not have of assets that it gets: the asset, and what with its reason."""
    extracted: bool = True
    """False where no extraction looked for assets."""
    least_s: int = 0
    """Seconds that the service makes those wait at least that are to be created."""

    @property
    def to_send(self) -> int:
        """How many are to be created."""
        return sum(fates.get(AssetFate.CREATE.value, 0) for fates in self.kinds.values())


def digest_of_asset(asset: Asset, listing: str = "") -> str:
    """The digest of everything that is to be there of an asset, without the lineage, which names our version.

    `listing` stands for its files, which count where they are its own.
    """
    other: list[Json] = ["bytes"] if _bytes_otherwise(asset) else []
    other += ["rewritten"] if asset.rewrites else []
    other += [{"files": listing}] if listing and asset.owns_bytes else []
    return digest_of([asset.content, {name: asset.fields[name] for name in sorted(asset.fields)}, asset.run, *other])


def _bytes_otherwise(asset: Asset) -> bool:
    """Registered data whose bytes come along, or an output whose bytes do not: neither is so unless it is asked for."""
    return _may_lack_bytes(asset) and asset.owns_bytes != (asset.output is not None)


def _may_lack_bytes(asset: Asset) -> bool:
    return asset.key.kind is AssetKind.DATA or asset.output is not None


def as_planned(asset: Asset, planned: str, listing: str = "") -> Asset | None:
    """The asset with or without its bytes, as a receipt has it planned; None where it is another one by now."""
    ways = [asset]
    if _may_lack_bytes(asset):
        ways += [replace(asset, owns_bytes=not asset.owns_bytes), replace(asset, owns_bytes=True, rewrites=True)]
    return next((one for one in ways if digest_of_asset(one, listing) == planned), None)


def why_not(asset: Asset, rule: AssetRule) -> str:
    """Why an asset is not made in such a target; empty where it is."""
    if asset.key.kind not in rule.kinds or (asset.input is not None and not rule.inputs):
        return UNKNOWN_THERE
    if asset.managed:
        return asset.managed
    if rule.bytes_in_runs and carrier(asset) is None:
        return NO_RUN
    return REDACTED if asset.redacted else asset.hidden or ""


def placed(asset: Asset, stores: Mapping[str, str]) -> Asset:
    """The asset as it is where other datastores stand for some of the source's."""
    if not stores:
        return asset
    if asset.key.kind is AssetKind.DATASTORE:
        return replace(asset, managed=EVERYWHERE) if asset.key.name in stores else asset
    stays = asset.output is None or asset.place is None or asset.place.datastore not in stores
    content = with_stores(asset.content, stores)
    return replace(asset, content=content, stores=stores, managed=asset.managed if stays else None)


def carrier(asset: Asset) -> RunId | None:
    """The run among whose files the bytes of an asset lie, where a target has no other place for them."""
    return asset.files_of or (asset.run if asset.owns_bytes else None)


def planned_assets(
    assets: Iterable[Asset],
    choice: AssetChoice,
    wanted: frozenset[AssetKey],
    *,
    rule: AssetRule = AZURE_ML_ASSETS,
    left: Mapping[AssetKey, str] = _NO_REASONS,
    there: Mapping[AssetKey, AssetKey] = _NOTHING,
) -> list[PlannedAsset]:
    """The chosen assets in the order of creation; `wanted` are those that the scope of the choice leads to.

    `left`: those that are left out though they could be made, and why; `there`: the names of those that the target has.
    """
    if choice.none:
        return []
    chosen = [one for one in assets if one.key.kind in choice.kinds and one.key in wanted and one.managed != EVERYWHERE]
    reasons = {asset.key: why_not(asset, rule) or left.get(asset.key, "") for asset in chosen}
    made = [asset for asset in in_order(chosen) if not reasons[asset.key]]
    version = numbers(made, rule, there)
    reordered = order_lost(made, version)
    found = [
        PlannedAsset(asset=asset, fate=AssetFate.OMITTED, reason=reasons[asset.key])
        for asset in in_order(chosen)
        if reasons[asset.key]
    ]
    for asset in in_order_there(made, version):
        fitted = fit_asset(asset, rule, there[asset.key].version if asset.key in there else version.get(asset.key))
        if asset.key in reordered:
            fitted = replace(fitted, losses=(*fitted.losses, REORDERED.format(reordered[asset.key])))
        found.append(PlannedAsset(asset=asset, fate=AssetFate.CREATE, there=fitted))
    return found


def joined(reasons: Iterable[str]) -> str | None:
    """What a receipt keeps of all that a target has not of an asset; None of nothing."""
    return _BETWEEN.join(reasons) or None


def says(detail: str | None, reason: str) -> bool:
    """True where what a receipt keeps has this reason among others."""
    return detail is not None and reason in detail.split(_BETWEEN)


def with_bytes(one: PlannedAsset, choice: AssetChoice, files: FileChoice, largest: int) -> PlannedAsset:
    """The planned asset as its bytes are chosen; `largest` is the size of the largest of its files."""
    if one.fate is AssetFate.OMITTED:
        return one
    if one.asset.output is not None:
        return _output(one, choice, files, largest)
    too_large = choice.most_bytes is not None and one.bytes > choice.most_bytes
    if one.key.kind is not AssetKind.DATA:
        return replace(one, fate=AssetFate.OMITTED, reason=TOO_LARGE) if too_large else one
    if not wants_bytes(one.asset, choice):
        return replace(one, files=0, bytes=0)
    if too_large or not one.files:
        return replace(one, reason=TOO_LARGE if too_large else NOT_LISTED, files=0, bytes=0)
    return replace(one, asset=replace(one.asset, owns_bytes=True, rewrites=choice.rewrite_tables))


def _output(one: PlannedAsset, choice: AssetChoice, files: FileChoice, largest: int) -> PlannedAsset:
    """Files of a run: under the same flags; whole or not at all, since data that lacks a file is other data."""
    if not one.asset.owns_bytes:
        return replace(one, reason=MAPPED_OUTPUT, files=0, bytes=0)
    reason = None if files.artifacts else NO_FILES
    if files.most_bytes is not None and largest > files.most_bytes:
        reason = reason or FILE_TOO_LARGE
    if files.budget is not None and one.bytes > files.budget:
        reason = reason or OVER_BUDGET
    if reason:
        return replace(one, fate=AssetFate.OMITTED, reason=reason)
    if choice.outputs is OutputBytes.REFERENCE:
        told = replace(one.asset, owns_bytes=False)
        return replace(one, asset=told, reason=REFERENCE_ONLY, files=0, bytes=0)
    return one


def wants_bytes(asset: Asset, choice: AssetChoice) -> bool:
    """True for registered data whose bytes are to come along."""
    if asset.key.kind is not AssetKind.DATA or asset.output is not None or asset.place is None:
        return False
    return choice.data is AssetData.ALL or (choice.data is AssetData.WORKSPACE and asset.at_home)


def closure(named: Iterable[AssetKey], assets: Mapping[AssetKey, Asset]) -> frozenset[AssetKey]:
    """The named assets, and what these name in turn."""
    found: set[AssetKey] = set()
    ahead = list(named)
    while ahead:
        key = ahead.pop()
        if key not in found:
            found.add(key)
            asset = assets.get(key)
            ahead += [use.key for use in asset.uses if use.key] if asset else []
    return frozenset(found)


def summarized(planned: Sequence[PlannedAsset], outside: Iterable[tuple[str, str, int]]) -> AssetPlan:
    """The figures of planned assets, and of what they and runs name elsewhere."""
    kinds: dict[str, dict[str, int]] = {}
    shared: dict[object, tuple[int, int]] = {}
    for one in planned:
        fates = kinds.setdefault(one.key.kind.value, {})
        fates[one.fate.value] = fates.get(one.fate.value, 0) + 1
        if one.fate is AssetFate.CREATE:
            known = shared.get(one.asset.place, (0, 0))  # what leads to a folder of another's brings none of its files
            shared[one.asset.place] = max(known, (one.files, one.bytes))
    elsewhere: dict[str, int] = {}
    for where, _, _ in outside:
        elsewhere[where] = elsewhere.get(where, 0) + 1
    return AssetPlan(
        kinds=kinds,
        outside=elsewhere,
        files=sum(files for files, _ in shared.values()),
        bytes=sum(size for _, size in shared.values()),
        omitted=tuple((str(one.key), why) for one in planned for why in _beside_losses(one)),
        lost=tuple(
            (str(one.key), loss)
            for one in planned
            if one.fate is not AssetFate.OMITTED and one.there
            for loss in one.there.losses
        ),
    )


def _beside_losses(one: PlannedAsset) -> Sequence[str]:
    """Why it is omitted, or what of it is; of what a receipt keeps, without the losses that tell themselves."""
    losses = one.there.losses if one.there and one.fate is not AssetFate.OMITTED else ()
    told = one.reason.split(_BETWEEN) if losses else [one.reason]
    return [why for why in told if why and why not in losses]
