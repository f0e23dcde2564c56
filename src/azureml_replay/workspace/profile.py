"""How a target is treated: the one value that planning, replay, verify and undo read their decisions from (pure).

What the target was seen to keep fills it (target/profile.py), the way of replay and the user's wishes complete it.
"""

from __future__ import annotations

from dataclasses import dataclass

from azureml_replay.workspace.limits import DOCUMENTED, Limits
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProfile:
    """The defaults are those of an Azure ML workspace that nobody has looked at yet."""

    ref: Place | None = None
    """Which workspace, so that the archive's ledger of it is asked; None: no run has been sent anywhere."""
    limits: Limits = DOCUMENTED
    """What one run can hold."""
    lost: frozenset[str] = frozenset()
    """Fields of Run that it was seen to drop: expected as omissions, not as findings."""
    added: frozenset[str] = frozenset()
    """Keys of tags and properties that it puts on runs by itself: no difference."""
    experiments: frozenset[str] = frozenset()
    """Names of the experiments that it had before the first write: those keep their description, tags and state."""
    reuse: bool = True
    """A run may show the files and points of another one, as a reused step does."""
    ends_late: bool = False
    """Ends that were sent show some time later: they are waited for."""
    written_once: bool = False
    """Nothing is added to a run later: where only the last value of a metric is known, that value is sent.

    Elsewhere such a metric waits for its history.
    """
    keep_run_type: bool = False
    """New runs are written with the type that they have in the source, not with a neutral one."""

    def keeps(self, field: str) -> bool:
        """False for a field of Run that it was seen to drop."""
        return field not in self.lost


AZURE_ML = TargetProfile()
"""As nothing else is known of the target."""
