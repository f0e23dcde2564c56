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
from azureml_replay.planning.lineage import PROPERTY, decoded, encode
from azureml_replay.version import __version__
from azureml_replay.workspace.asset import ALIAS, IN_ORDER, Asset, AssetKey, AssetKind, digest_of, in_order
from azureml_replay.workspace.asset_rule import AZURE_ML_ASSETS, AssetRule
from azureml_replay.workspace.place import Place


class AssetScope(Enum):
    """Which assets are chosen."""

    NONE = "none"
    REFERENCED = "referenced"
    """Those that chosen runs and their jobs name, what these name, and models that chosen runs made."""
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetChoice:
    """Which assets are chosen: by who names them, and by kind."""

    scope: AssetScope = AssetScope.REFERENCED
    kinds: frozenset[AssetKind] = frozenset(IN_ORDER)

    @property
    def none(self) -> bool:
        """True where no asset at all is chosen."""
        return self.scope is AssetScope.NONE or not self.kinds


NO_ASSETS = AssetChoice(scope=AssetScope.NONE)
_NOTHING: Mapping[AssetKey, AssetKey] = {}
_NO_REASONS: Mapping[AssetKey, str] = {}
REDACTED = "a secret was taken out of what makes it, so that it cannot be made: make it yourself"
UNKNOWN_THERE = "the target's kind of workspace knows none"
BYTES_STAY = "its bytes stay where they are: it is a reference, and leads to the target's datastore of that name"
NOT_EXTRACTED = "assets were not extracted: extract again"


class AssetFate(Enum):
    """What a plan says of an asset."""

    CREATE = "create"
    ADOPT = "adopt"
    """The target has an equal one."""
    THERE = "there"
    """This archive made it."""
    CONFLICT = "conflict"
    """The target has another thing under its name: known once a replay has looked."""
    OMITTED = "omitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAsset:
    """One asset, and what is to become of it."""

    asset: Asset
    fate: AssetFate
    reason: str = ""
    """Of one that is omitted."""
    there: FittedAsset | None = None
    """As it is asked for in the target; None where nobody asks for it."""
    files: int = 0
    bytes: int = 0
    """Of the files that are its own; those that are files of a run count there."""

    @property
    def key(self) -> AssetKey:
        """Of the source."""
        return self.asset.key


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
    """Each asset that the target will not have, with the reason."""
    lost: tuple[tuple[str, str], ...] = ()
    """What the target will not have of assets that it gets: the asset, and what with its reason."""
    extracted: bool = True
    """False where no extraction looked for assets."""

    @property
    def to_send(self) -> int:
        """How many are to be created."""
        return sum(fates.get(AssetFate.CREATE.value, 0) for fates in self.kinds.values())


def signed_asset(asset: Asset, source: Place) -> Asset:
    """The asset with its lineage: a property that says what the service owns and cannot be told."""
    facts = {
        "workspace": source.key,
        "asset": str(asset.key),
        "run": asset.run,
        "created": str(asset.created) if asset.created else None,
        "creator": asset.creator,
        "aliases": list(asset.aliases) or None,
        "stage": asset.stage,
        "version": __version__,
    }
    told = encode({key: value for key, value in facts.items() if value is not None})
    return replace(asset, properties={**asset.properties, PROPERTY: told})


def is_made_from(there: Asset, key: AssetKey, source: Place) -> bool:
    """True where an asset of a target says that it was made from this one of the source, by whichever archive."""
    facts = decoded(there.properties.get(PROPERTY))
    return str(facts.get("workspace", "")).lower() == source.key and facts.get("asset") == str(key)


def digest_of_asset(asset: Asset) -> str:
    """The digest of everything that is to be there of an asset, without the lineage, which names our version."""
    return digest_of([asset.content, {name: asset.fields[name] for name in sorted(asset.fields)}, asset.run])


def changeable(asset: Asset) -> Mapping[str, Json]:
    """Of its fields those that a target lets a client change: properties stay as they were first written."""
    return {name: value for name, value in asset.fields.items() if not name.startswith("property ")}


def as_edited(wanted: Asset, there: Asset, sent: Mapping[str, Json]) -> Asset:
    """The target's asset with the source's values, but where its own were edited since; its content is its own.

    `sent`: its values when it was written last.
    """
    found = changeable(there)
    edited = {name for name in found.keys() | sent.keys() if found.get(name) != sent.get(name)} if sent else set()
    edited = {name for name in edited if not name.startswith("property ")}
    tags = {name: value for name, value in wanted.tags.items() if f"tag {name}" not in edited}
    tags |= {name: value for name, value in there.tags.items() if f"tag {name}" in edited}
    return replace(
        there,
        tags=tags,
        description=there.description if "description" in edited else wanted.description,
        stage=there.stage if "stage" in edited else wanted.stage,
        aliases=(
            *(one for one in wanted.aliases if ALIAS + one not in edited),
            *(one for one in there.aliases if ALIAS + one in edited),
        ),
        archived=there.archived if "archived" in edited else wanted.archived,
    )


def why_not(asset: Asset, rule: AssetRule) -> str:
    """Why an asset is not made in such a target; empty where it is."""
    if asset.key.kind not in rule.kinds:
        return UNKNOWN_THERE
    if asset.managed:
        return asset.managed
    if rule.bytes_in_runs and carrier(asset) is None:
        return NO_RUN
    return REDACTED if asset.redacted else asset.hidden or ""


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
    """The chosen assets in the order of creation; `wanted` are those that chosen runs lead to.

    `left`: those that are left out though they could be made, and why; `there`: the names of those that the target has.
    """
    if choice.none:
        return []
    chosen = [
        asset
        for asset in assets
        if asset.key.kind in choice.kinds and (choice.scope is AssetScope.ALL or asset.key in wanted)
    ]
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
            shared[one.asset.place] = (one.files, one.bytes)
    elsewhere: dict[str, int] = {}
    for where, _, _ in outside:
        elsewhere[where] = elsewhere.get(where, 0) + 1
    return AssetPlan(
        kinds=kinds,
        outside=elsewhere,
        files=sum(files for files, _ in shared.values()),
        bytes=sum(size for _, size in shared.values()),
        omitted=tuple((str(one.key), one.reason) for one in planned if one.fate is AssetFate.OMITTED),
        lost=tuple(
            (str(one.key), loss)
            for one in planned
            if one.fate is not AssetFate.OMITTED and one.there
            for loss in one.there.losses
        ),
    )
