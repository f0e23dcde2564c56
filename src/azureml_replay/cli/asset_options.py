"""Flags that choose assets, and what they become."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from azureml_replay.cli.typed import commas, values_of

if TYPE_CHECKING:
    from azureml_replay.planning.assets import AssetChoice


class AssetsOption(StrEnum):
    """The values of `--assets`, by the library's names."""

    NONE = "none"
    REFERENCED = "referenced"
    ALL = "all"


class AssetConflictOption(StrEnum):
    """The values of `--on-asset-conflict`, by the library's names."""

    FAIL = "fail"
    SKIP = "skip"
    NEXT = "next"


ASSET_TYPES = ("code", "environment", "component", "data", "model")
AssetsFlag: TypeAlias = Annotated[
    AssetsOption,
    typer.Option(
        "--assets",
        help="Models, environments, data, components and code: those that chosen runs lead to, all, or none.",
    ),
]
AssetTypesFlag: TypeAlias = Annotated[
    list[str] | None, typer.Option("--asset-types", metavar="T", help=f"Only such assets: {', '.join(ASSET_TYPES)}.")
]


AssetConflictFlag: TypeAlias = Annotated[
    AssetConflictOption,
    typer.Option(
        help="Where the target has another asset under a name and version: write nothing, leave the target's, or "
        "give the source's another version."
    ),
]


def asset_flags(*, assets: AssetsFlag = AssetsOption.REFERENCED, asset_types: AssetTypesFlag = None) -> AssetChoice:
    """The choice of assets."""
    from azureml_replay.planning.assets import AssetChoice, AssetScope
    from azureml_replay.workspace.asset import AssetKind

    named = values_of("--asset-types", commas(asset_types), _asset_type)
    kinds = frozenset(map(AssetKind, named)) if named else frozenset(AssetKind)
    return AssetChoice(scope=AssetScope(assets.value), kinds=kinds)


def _asset_type(text: str) -> str:
    """A kind of asset, in the plural too. Raises ValueError for none."""
    kind = text.lower().removesuffix("s")
    if kind not in ASSET_TYPES:
        raise ValueError(f"expected {', '.join(ASSET_TYPES)}")
    return kind
