"""Sending by several workers: what each of them is told, and what it says of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from azureml_replay.direct.foreseen import DueUnits
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.workspace.profile import TargetProfile


@dataclass(frozen=True, slots=True)
class PartSent:
    """What was sent of a part of an archive."""

    replayed: Replayed
    looked: frozenset[str] = frozenset()
    """Experiments in which runs are that `undo` hid."""


SendRuns = Callable[
    [DueUnits, ReplayOptions, TargetProfile, Callable[[], Awaitable[float]]],
    Awaitable[PartSent],
]
"""Sends units in another way than one by one in this process; the last argument holds the lease, and says for how many
seconds."""
