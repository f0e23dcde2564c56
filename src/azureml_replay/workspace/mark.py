"""The mark of `undo`: a tag that tells the runs that it hid from those that somebody else hid (pure).

Any archive's replay shows a marked run again. The mark counts on a hidden run alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.model import Run

UNDO_TAG = "azureml_replay_undo"
"""Reserved: no plan has it, wherever a run comes from, and it is no difference."""
UNDO_MARK: Mapping[str, str] = {UNDO_TAG: "hidden"}
VOID_MARK: Mapping[str, str] = {UNDO_TAG: "shown again"}
"""Written with the same request that shows a run: a service may not let the tag be removed."""
TAKEN_BACK = "taken back by undo: replay brings it back"
"""The kind of a finding about what `undo` did."""


def is_taken_back(run: Run) -> bool:
    """True where `undo` hid the run and nobody has shown it since."""
    return run.hidden and run.tags.get(UNDO_TAG) == UNDO_MARK[UNDO_TAG]


def has_room(run: Run, tags: int) -> bool:
    """True where the run takes the mark beside what it has; `tags` is the most that a run can have."""
    return UNDO_TAG in run.tags or len(run.tags) < tags
