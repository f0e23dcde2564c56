"""Files of runs that registered models or data of a target lie in: `undo` does not take them from there. Only reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from azureml_replay.model import Location
from azureml_replay.planning.lineage import PROPERTY, decoded
from azureml_replay.workspace.asset import AssetKey
from azureml_replay.workspace.assets import RegisteredPlace, knows_registered
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Target


@dataclass(frozen=True, slots=True)
class Referred:
    """As a target said once."""

    places: Sequence[RegisteredPlace] = ()

    @classmethod
    async def of(cls, target: Target, source: Place, taken_back: Collection[AssetKey]) -> Referred:
        """Without assets that a replay from the source made, and that were archived: by this `undo`, or another one."""
        if not knows_registered(target):
            return cls()
        places = await target.registered_places()
        return cls([one for one in places if not (one.key in taken_back or _is_taken_back(one, source))])

    def by(self, at: Location) -> str | None:
        """The name of what lies there; None where nothing does."""
        return next((str(one.key) for one in self.places if one.holds(at)), None)


def _is_taken_back(one: RegisteredPlace, source: Place) -> bool:
    return one.archived and str(decoded(one.properties.get(PROPERTY)).get("workspace", "")).lower() == source.key
