"""How a direct replay is asked for, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from azureml_replay.comparison.three_way import Prefer
from azureml_replay.model import RunId
from azureml_replay.planning.assets import AssetChoice
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.workspace.profile import WriteRoute


class OnConflict(Enum):
    """What becomes of a unit one of whose ids belongs to a run of the target that is not ours."""

    FAIL = "fail"
    SKIP = "skip"
    """The unit is left alone, as with `FAIL`, and the command does not fail."""
    RENAME = "rename"
    """The unit's runs get new ids."""


class AssetConflict(Enum):
    """What becomes of an asset under whose name the target has another thing."""

    FAIL = "fail"
    """Nothing at all is written."""
    SKIP = "skip"
    """The target's stays, and what refers to it leads there."""
    NEXT = "next"
    """It gets another version, and what refers to it leads there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """How runs are to arrive, and what to do where something stands in the way."""

    files: FileChoice = ALL_FILES
    """Which of the source's files are carried."""
    keep_run_type: bool = False
    """New runs are written with the type that they have in the source, not with a neutral one."""
    new_ids: bool = False
    """Every run gets a new id, the same one each time; the archive keeps the map."""
    on_conflict: OnConflict = OnConflict.FAIL
    prefer: Prefer = Prefer.TARGET
    """The side whose value stays where both changed it."""
    write_route: WriteRoute | None = None
    """By which runs are written; None: as the throw-away run showed, and as they were before."""
    assets: AssetChoice = field(default_factory=AssetChoice)
    """Which of the models, environments, data, components and code that runs refer to are made."""
    on_asset_conflict: AssetConflict = AssetConflict.FAIL
    attach: bool = False
    """Files in other datastores are registered where they are, so far as the target reaches the same place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsSent:
    """What became of assets in one call."""

    made: int = 0
    updated: int = 0
    adopted: int = 0
    names: int = 0
    """Names whose description, tags or archiving were written."""
    files: int = 0
    bytes: int = 0
    left: tuple[str, ...] = ()
    """Assets under whose name the target has another thing."""
    refused: tuple[tuple[str, str], ...] = ()
    """Each asset that the target will not have, and its words."""
    failed: tuple[tuple[str, str], ...] = ()
    """Each asset that is left to a later call, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What one call sent; all zero where everything had arrived before."""

    runs: int
    """Runs of which something was sent now."""
    points: int
    files: int
    """Files sent now, `own_files` among them."""
    bytes: int
    conflicts: tuple[RunId, ...]
    """Ids that are taken; the units they are in were not touched."""
    kept: tuple[tuple[RunId, str], ...]
    """Run and name of each value that changed in source and target, where the target's stayed."""
    failed: tuple[tuple[RunId, str], ...]
    refused: tuple[tuple[RunId, str], ...] = ()
    """Run and what of it the target refused in this call: each is an omission from now on, the rest was carried."""
    remedies: tuple[str, ...] = ()
    """What would let the requests through for which runs failed, each once."""
    own_files: int = 0
    """Files sent now that we make; the others are the source's."""
    assets: AssetsSent = field(default_factory=AssetsSent)
    write_route: WriteRoute = WriteRoute.HISTORY
    """By which runs are written."""

    def and_of(self, other: Replayed) -> Replayed:
        """Both together, assets aside."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        remedies = tuple(sorted({*self.remedies, *other.remedies}))
        return replace(self, **counts, remedies=remedies)


_COUNTS = ("runs", "points", "files", "bytes", "conflicts", "kept", "failed", "refused", "own_files")
