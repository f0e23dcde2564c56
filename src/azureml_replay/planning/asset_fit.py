"""An asset as a target's kind of workspace can hold it, and what that loses (pure)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from azureml_replay.planning.names import fit_name, fit_text
from azureml_replay.redact import STARS
from azureml_replay.workspace.asset import Asset, AssetContainer, AssetKey, AssetKind
from azureml_replay.workspace.asset_rule import MOST_SKIPPED, AssetRule

DIGITS = 6
NO_RUN = "no run has its bytes: in an MLflow server a model's bytes are files of a run"
RENAMED = "its name is {} there: the target takes no such name"
NUMBERED = "it is version {} there: an MLflow server numbers the versions of a name, from 1 on"
REORDERED = "the version made last at the source is {}: the target's latest is the highest number"
ALIASES = "an Azure ML workspace has no aliases: its property azureml_replay names them ({})"
STAGE = "stage {}: the target knows no such one"
CLEANED = "{}: no server keeps NUL, and halves of surrogate pairs: others stand for them"
TOO_LONG = "{}: longer than {} characters"
TAG_NAME = "tag {}: it is {} there, as the target takes no such name"
ARCHIVED = "an MLflow server archives no version: its tag azureml_replay.archived says it"
NO_PROPERTIES = "names have no properties there"
TAKEN_OUT = "a secret was taken out of it"
NAME_ARCHIVED = "no name is archived there"
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_NAMESPACES = ("property.", "azureml_replay")
"""Beginnings of names of tags that mean something in a server."""


@dataclass(frozen=True, slots=True)
class FittedAsset:
    """One asset as it can be in a target, under the name and version that are asked for there."""

    asset: Asset
    losses: tuple[str, ...] = ()
    """What the target will not have of it, each with its reason."""


@dataclass(slots=True)
class _Fitting:
    asset: Asset
    rule: AssetRule
    losses: list[str] = field(default_factory=list)

    def name(self) -> str:
        name, rule = self.asset.key.name, self.rule
        made = rule.refused_in_names.sub("_", name)
        if made == name and len(name) <= rule.longest_name:
            return name
        made = _cut(made.lstrip("_") or "model", name, rule.longest_name)
        self.losses.append(RENAMED.format(made))
        return made

    def text(self, what: str, value: str | None) -> str | None:
        """None for what the target does not take."""
        if value is None or self.rule.value is None:
            return value
        made = fit_text(value)
        if made != value:
            self.losses.append(CLEANED.format(what))
        if len(made) > self.rule.value:
            self.losses.append(TOO_LONG.format(what, self.rule.value))
            return None
        return made

    def pairs(self, kind: str, pairs: Mapping[str, str | None]) -> dict[str, str | None]:
        if self.rule.names is None:
            return dict(pairs)
        made: dict[str, str | None] = {}
        for key, value in pairs.items():
            there = fit_name(key, self.rule.names, reserved=_NAMESPACES if kind == "tag" else ())
            if self.rule.tag_key is not None and len(there) > self.rule.tag_key:
                there = _cut(there, key, self.rule.tag_key)
            if there != key:
                self.losses.append(TAG_NAME.format(key, there))
            text = self.text(f"{kind} {key}", value or "")
            if text is not None:
                made[there] = text
        return made

    def stage(self) -> str | None:
        stage = self.asset.stage
        if stage is None or self.rule.stages is None or stage in self.rule.stages:
            return stage
        self.losses.append(STAGE.format(stage))
        return None

    def aliases(self) -> tuple[str, ...]:
        if self.asset.aliases and not self.rule.aliases:
            self.losses.append(ALIASES.format(", ".join(self.asset.aliases)))
            return ()
        return self.asset.aliases


def _cut(made: str, name: str, most: int) -> str:
    """A name that ends with the beginning of the digest of the one that it stands for, and meets no other."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return f"{made[: most - DIGITS - 1]}_{digest}"


def fit_asset(asset: Asset, rule: AssetRule, version: str | None = None) -> FittedAsset:
    """The asset as such a target can hold it; `version`: the one that is asked for there."""
    told = taken_out(asset)
    if asset.key.kind not in rule.kinds or asset.key.kind is not AssetKind.MODEL:
        return FittedAsset(asset, told)
    fitting = _Fitting(asset, rule, [*told])
    key = AssetKey(asset.key.kind, fitting.name(), version or asset.key.version)
    if key.version != asset.key.version:
        fitting.losses.append(NUMBERED.format(key.version))
    if asset.archived and not rule.archives:
        fitting.losses.append(ARCHIVED)
    fitted = replace(
        asset,
        key=key,
        description=fitting.text("description", asset.description) or None,
        tags=fitting.pairs("tag", asset.tags),
        properties=fitting.pairs("property", asset.properties),
        stage=fitting.stage(),
        aliases=fitting.aliases(),
    )
    return FittedAsset(fitted, tuple(fitting.losses))


def taken_out(held: Asset | AssetContainer) -> tuple[str, ...]:
    """What of a text that people wrote the archive never had, since it was a secret."""
    return tuple(f"{name}: {TAKEN_OUT}" for name, value in held.fields.items() if STARS in str(value))


def fit_container(container: AssetContainer, name: str, rule: AssetRule) -> tuple[AssetContainer, tuple[str, ...]]:
    """What the versions of a name share, under its name in a target, as that can hold it; and what that loses."""
    told = taken_out(container)
    if rule.properties:
        return replace(container, name=name), told
    fitting = _Fitting(Asset(key=AssetKey(container.kind, name, ""), content=None), rule, [*told])
    fitted = replace(
        container,
        name=name,
        description=fitting.text("description", container.description) or None,
        tags=fitting.pairs("tag", container.tags),
        properties={},
        archived=container.archived and rule.archives,
    )
    left = [f"property {key}: {NO_PROPERTIES}" for key in container.properties]
    left += [NAME_ARCHIVED] if container.archived and not rule.archives else []
    return fitted, (*fitting.losses, *left)


def numbers(assets: Sequence[Asset], rule: AssetRule, there: Mapping[AssetKey, AssetKey]) -> dict[AssetKey, str]:
    """The version of each that is asked for in a target; those that are `there` keep theirs.

    Where a target counts: the same numbers where all are numbers, and few are left out between them; else from 1 on in
    the order of creation.
    """
    if not rule.counted:
        return {}
    found: dict[AssetKey, str] = {}
    for name in dict.fromkeys(asset.key.name for asset in assets):
        versions = [asset for asset in assets if asset.key.name == name]
        found |= _same(versions) or _counted(versions, there)
    return found


def in_order_there(assets: Iterable[Asset], version: Mapping[AssetKey, str]) -> list[Asset]:
    """By the numbers that are asked for, where the target counts; the order stays else."""
    held = list(assets)
    return sorted(held, key=lambda one: int(version[one.key])) if all(one.key in version for one in held) else held


def order_lost(assets: Sequence[Asset], version: Mapping[AssetKey, str]) -> dict[AssetKey, str]:
    """Highest version of a name -> which one was made last at the source, where that is another one."""
    found: dict[AssetKey, str] = {}
    for name in dict.fromkeys(asset.key.name for asset in assets):
        versions = [one for one in assets if one.key.name == name and one.key in version and one.created]
        if len(versions) > 1:
            last = max(versions, key=lambda one: (one.created.ticks if one.created else 0, int(version[one.key])))
            highest = max(versions, key=lambda one: int(version[one.key]))
            if last is not highest:
                found[highest.key] = last.key.version
    return found


def _same(versions: Sequence[Asset]) -> dict[AssetKey, str]:
    """Nothing where the target would have to count on for too long, or one is no number."""
    if not all(_NUMBER.fullmatch(one.key.version) for one in versions):
        return {}
    if max(int(one.key.version) for one in versions) - len(versions) > MOST_SKIPPED:
        return {}
    return {one.key: one.key.version for one in versions}


def _counted(versions: Sequence[Asset], there: Mapping[AssetKey, AssetKey]) -> dict[AssetKey, str]:
    known = {one.key: there[one.key].version for one in versions if one.key in there}
    after = max((int(number) for number in known.values() if _NUMBER.fullmatch(number)), default=0)
    left = sorted((one for one in versions if one.key not in known), key=_age)
    return known | {one.key: str(after + 1 + at) for at, one in enumerate(left)}


def _age(asset: Asset) -> tuple[int, str]:
    return asset.created.ticks if asset.created else 0, asset.key.version
