"""What became, in one target, of the assets that a run refers to, and the run with their names there (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from azureml_replay.model import AssetReference, Json, Run
from azureml_replay.workspace.asset import AssetKey, AssetUse


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


SIDES = ("inputs", "outputs")
"""Fields of a run that name assets, and that are written late: once these are in the target."""
_THERE = frozenset({AssetFate.THERE, AssetFate.ADOPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """One reference of a run or its job, and what became of it."""

    use: AssetUse
    fate: AssetFate | None = None
    """None where nothing did: nobody chose it, or it is none of the source's own."""
    there: AssetKey | None = None
    """The asset in the target, under its name there."""
    text: str | None = None
    """The reference as a run of the target makes it; None for one of another form, and where there is none."""
    why: str | None = None


def is_settled(references: Sequence[Became]) -> bool:
    """True where something became of one of them, and none is on its way."""
    fates = [one.fate for one in references if one.fate is not None]
    return bool(fates) and AssetFate.CREATE not in fates


def with_references(run: Run, references: Sequence[Became]) -> Run:
    """The run with inputs and outputs that name assets of the target, so far as these are there as they were sent."""
    named = {one.use.where: one.text for one in references if one.fate in _THERE and one.text is not None}
    if not named:
        return run
    inputs, outputs = (_renamed(side, getattr(run, side), named) for side in SIDES)
    return replace(run, inputs=inputs, outputs=outputs)


def _renamed(side: str, held: Mapping[str, AssetReference], named: Mapping[str, str]) -> Mapping[str, AssetReference]:
    return {name: AssetReference(named.get(f"{side}.{name}.uri", one.asset_id), one.type) for name, one in held.items()}


def references_document(references: Sequence[Became]) -> Json:
    """The content of `replay/assets.json`: each reference, in the words of the source, and what became of it."""
    told = [_document(one) for one in sorted(references, key=lambda one: (one.use.where, one.use.text))]
    return {"references": told}


def _document(one: Became) -> Json:
    where: dict[str, Json] = {"where": one.use.where, "source": one.use.text}
    if one.use.key is None:
        return {**where, "became": "stays", "why": one.use.outside.value if one.use.outside else None}
    became = "not carried" if one.fate is None else one.fate.value
    told: dict[str, Json] = {
        "asset": str(one.use.key),
        "became": became,
        "there": str(one.there) if one.there else None,
        "target": one.text,
    }
    return {**where, **{key: value for key, value in {**told, "why": one.why}.items() if value is not None}}
