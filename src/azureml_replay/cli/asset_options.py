"""Flags that choose assets, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from azureml_replay.cli.asset_names import names_in, read_name
from azureml_replay.cli.typed import commas, size_of, values_of
from azureml_replay.errors import UserError

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


class AssetDataOption(StrEnum):
    """The values of `--asset-data`, by the library's names."""

    NONE = "none"
    WORKSPACE = "workspace"
    ALL = "all"


class OutputsOption(StrEnum):
    """The values of `--outputs`, by the library's names."""

    CARRY = "carry"
    REFERENCE = "reference"


ASSET_TYPES = ("code", "environment", "component", "data", "model", "datastore", "dataset")
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
AssetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--asset",
        metavar="NAME[:VERSION]",
        help="Such assets, whether or not a run leads to them, and of others only what they name.",
    ),
]
AssetListOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--asset-list",
        metavar="FILE",
        help="Those of a file: NAME or NAME:VERSION a line, or YAML with mltables: name, versions.",
    ),
]
AssetDataFlag: TypeAlias = Annotated[
    AssetDataOption,
    typer.Option(
        "--asset-data",
        help="Carry the bytes of registered data: none, of what lies in the workspace's blob store, or of all.",
    ),
]
MaxAssetSizeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--max-asset-size", metavar="N", help="Leave the files of larger assets behind. N is in bytes, or 500MB, 2GB."
    ),
]
OutputsFlag: TypeAlias = Annotated[
    OutputsOption,
    typer.Option("--outputs", help="Carry the bytes of jobs' named outputs, or make a reference to where they lay."),
]
MapDatastoreOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map-datastore",
        metavar="A=B",
        help="What lies in the source's datastore A refers to datastore B of the target; kept for later calls.",
    ),
]
AssetConflictFlag: TypeAlias = Annotated[
    AssetConflictOption,
    typer.Option(
        help="Where the target has another asset under a name and version: write nothing, leave the target's, or "
        "give the source's another version."
    ),
]


def asset_flags(
    *,
    assets: AssetsFlag = AssetsOption.REFERENCED,
    asset_types: AssetTypesFlag = None,
    asset: AssetOption = None,
    asset_list: AssetListOption = None,
    asset_data: AssetDataFlag = AssetDataOption.NONE,
) -> AssetChoice:
    """The choice of assets."""
    from azureml_replay.planning.assets import AssetChoice, AssetData, AssetScope
    from azureml_replay.workspace.asset import AssetKind

    named = values_of("--asset-types", commas(asset_types), _asset_type)
    names = [read_name("--asset", one) for one in values_of("--asset", commas(asset), str)]
    names += names_in(asset_list) if asset_list is not None else []
    return AssetChoice(
        scope=AssetScope.NAMED if names else AssetScope(assets.value),
        kinds=frozenset(map(AssetKind, named)) if named else frozenset(AssetKind),
        names=tuple(dict.fromkeys(names)),
        data=AssetData(asset_data.value),
    )


def sent_asset_flags(
    *,
    assets: AssetsFlag = AssetsOption.REFERENCED,
    asset_types: AssetTypesFlag = None,
    asset: AssetOption = None,
    asset_list: AssetListOption = None,
    asset_data: AssetDataFlag = AssetDataOption.NONE,
    max_asset_size: MaxAssetSizeOption = None,
    outputs: OutputsFlag = OutputsOption.CARRY,
    map_datastore: MapDatastoreOption = None,
) -> AssetChoice:
    """The choice of assets, and of which of them the bytes go into a target."""
    from azureml_replay.planning.assets import OutputBytes

    chosen = asset_flags(
        assets=assets, asset_types=asset_types, asset=asset, asset_list=asset_list, asset_data=asset_data
    )
    return replace(
        chosen,
        most_bytes=size_of("--max-asset-size", max_asset_size),
        outputs=OutputBytes(outputs.value),
        stores=_stores(values_of("--map-datastore", commas(map_datastore), str)),
    )


def _stores(told: Sequence[str]) -> dict[str, str]:
    """Datastore of the source -> that of the target. Raises UserError where one of the source's is named twice."""
    found: dict[str, str] = {}
    for text in told:
        name, _, there = text.partition("=")
        if not (name and there) or "=" in there:
            raise UserError(f"--map-datastore {text}: expected A=B, a datastore of the source and one of the target")
        if found.setdefault(name, there) != there:
            raise UserError(f"--map-datastore: {name} cannot be both {found[name]} and {there}")
    return found


def _asset_type(text: str) -> str:
    """A kind of asset, in the plural too. Raises ValueError for none."""
    kind = text.lower().removesuffix("s")
    if kind not in ASSET_TYPES:
        raise ValueError(f"expected {', '.join(ASSET_TYPES)}")
    return kind
