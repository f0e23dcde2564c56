"""Which assets a kind of workspace can hold: values that planning reads (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.workspace.asset import IN_ORDER, AssetKind
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRule:
    """What a kind of workspace keeps of assets. The defaults are those of an Azure ML workspace."""

    kinds: frozenset[AssetKind] = frozenset(IN_ORDER)


AZURE_ML_ASSETS = AssetRule()
MLFLOW_ASSETS = AssetRule(kinds=frozenset())


def asset_rule_of(place: Place) -> AssetRule:
    """What workspaces of a kind keep."""
    return MLFLOW_ASSETS if place.kind == "mlflow" else AZURE_ML_ASSETS
