"""Which assets a kind of workspace can hold, and what it keeps of each: values that planning reads (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from azureml_replay.workspace.asset import IN_ORDER, Asset, AssetKind, digest_of
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import NameRule, PathRule

ASSETS_FOLDER = "replay/models/"
"""Among the files of a run, where those of its models go that lay elsewhere."""
DIGITS = 16
MOST_SKIPPED = 100
"""Numbers of one name that are used up so that those behind them stay: two requests each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRule:
    """What a kind of workspace keeps of assets. The defaults are those of an Azure ML workspace."""

    kinds: frozenset[AssetKind] = frozenset(IN_ORDER)
    counted: bool = False
    """True where the workspace numbers the versions of a name itself: making one is not repeatable."""
    bytes_in_runs: bool = False
    """True where the bytes of an asset lie among the files of a run, or it has none."""
    inputs: bool = True
    """False where inputs of runs are no assets."""
    files: bool = True
    """False where nobody wants files there."""
    aliases: bool = False
    properties: bool = True
    """False where what the versions of a name share has none."""
    archives: bool = True
    """False where a version cannot be archived, but is deleted."""
    stages: frozenset[str] | None = None
    """The only ones that it knows; None for any."""
    refused_in_names: re.Pattern[str] = re.compile(r"[^a-zA-Z0-9_-]|^[^a-zA-Z0-9]")
    """What stands in no name of an asset."""
    longest_name: int = 255
    names: NameRule | None = None
    """Of tags; None: any."""
    paths: PathRule | None = None
    """Of files among those of a run; None: any."""
    value: int | None = None
    """Characters of a tag's value, of a property's, and of a description; None: any number."""
    tag_key: int | None = None
    at_once: int = 200
    a_second: int | None = 10
    """Writes that the service takes at once, and then each second (Azure Resource Manager's limits of a principal in a
    region); None: any number."""

    def least_s(self, writes: int) -> int:
        """Seconds that so many writes take at least."""
        return max(writes - self.at_once, 0) // self.a_second if self.a_second else 0


AZURE_ML_ASSETS = AssetRule()
MLFLOW_ASSETS = AssetRule(
    kinds=frozenset({AssetKind.MODEL}),
    counted=True,
    bytes_in_runs=True,
    inputs=False,
    aliases=True,
    properties=False,
    archives=False,
    a_second=None,
    stages=frozenset({"Staging", "Production", "Archived"}),
    # 3.17 refuses / and :, older ones take them; a quote cannot stand in a filter (measured: 2.9, 3.17)
    refused_in_names=re.compile("[/:'\"\\\\\\x00-\\x1f\ud800-\udfff]"),
    longest_name=256,
    names=NameRule(colon=False),
    paths=PathRule(),
    value=5_000,
    tag_key=250,
)


def asset_folder(asset: Asset) -> str:
    """Where among the files of its run the bytes of an asset go that were no run's."""
    return f"{ASSETS_FOLDER}{digest_of([asset.key.name, asset.key.version, asset.content])[:DIGITS]}"


def asset_rule_of(place: Place) -> AssetRule:
    """What workspaces of a kind keep."""
    return MLFLOW_ASSETS if place.kind == "mlflow" else AZURE_ML_ASSETS
