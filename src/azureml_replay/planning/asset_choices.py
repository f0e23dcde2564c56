"""Choices of assets as a target's ledger keeps them: what any of them takes is expected there (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from azureml_replay.model import Json
from azureml_replay.planning.assets import (
    NO_ASSETS,
    AssetChoice,
    AssetData,
    AssetName,
    AssetScope,
    OutputBytes,
)
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.workspace.asset import KEPT_ONLY, AssetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedAssets:
    """What of a replay's options says which assets are made, and which of their bytes."""

    assets: AssetChoice = field(default_factory=AssetChoice)
    files: FileChoice = ALL_FILES
    """Named outputs of runs are files of theirs."""

    @classmethod
    def from_json(cls, told: Json) -> CarriedAssets:
        """The choice that `to_json` was given. Raises KeyError, TypeError, ValueError for anything else."""
        fields: Any = told
        chosen = AssetChoice(
            scope=AssetScope(fields["scope"]),
            kinds=frozenset(map(AssetKind, fields["kinds"])),
            names=tuple(AssetName(*one) for one in fields.get("names", ())),
            data=AssetData(fields["data"]),
            outputs=OutputBytes(fields["outputs"]),
            most_bytes=fields["most_bytes"],
        )
        return cls(assets=chosen, files=FileChoice.from_json(fields["files"]))

    def to_json(self) -> Json:
        """As the ledger keeps it."""
        one = self.assets
        return {
            "scope": one.scope.value,
            "kinds": sorted(kind.value for kind in one.kinds),
            "names": [[name.name, name.version] for name in one.names],
            "data": one.data.value,
            "outputs": one.outputs.value,
            "most_bytes": one.most_bytes,
            "files": self.files.to_json(),
        }


NOTHING_CHOSEN = CarriedAssets(assets=NO_ASSETS)


def widened(choice: AssetChoice, earlier: Iterable[AssetChoice]) -> AssetChoice:
    """The choice of a call that says nothing about names; what an earlier one took of all names, it takes too."""
    if choice.scope is not AssetScope.REFERENCED:
        return choice
    before = [one for one in earlier if one.scope is AssetScope.ALL and one.kinds >= choice.kinds - KEPT_ONLY]
    return replace(choice, scope=AssetScope.ALL) if before else choice
