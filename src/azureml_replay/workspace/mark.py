"""Marks that replays leave on runs of a target, for other archives of the same source (pure).

That of `undo` is a tag that tells the runs that it hid from those that somebody else hid. Any archive's replay shows
such a run again; the mark counts on a hidden run alone. That of what was sent last tells a value that a replay brought,
of whichever archive, from an edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from azureml_replay.instants import Instant
from azureml_replay.json_text import canonical
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


SOURCE_TAG = "azureml_replay_source"
"""Of runs whose ids are the target's own: which workspace they come from. By it, and by the tag that names the run
there, a run is found again of which nobody knows whether it was made. No plan has it, as UNDO_TAG."""
SENT_TAG = "azureml_replay_sent"
"""The mark of what was sent last, once that is more than what the run was created with. No plan has it, as UNDO_TAG."""
OUR_MARKS = frozenset({UNDO_TAG, SENT_TAG, SOURCE_TAG})
"""Tags of ours that say nothing of what a run is."""
_DIGITS = 6
"""Of the digest of a value: an edit is taken for a value that was sent once in 300,000 times, and 52 of them fit."""


@dataclass(frozen=True, slots=True)
class SentMark:
    """Which values of a run a replay sent last, and from which state of the source."""

    as_of: Instant | None
    """When the source's run was changed last, as it was extracted then."""
    tokens: frozenset[str]
    """For each value."""

    @classmethod
    def of(cls, values: Mapping[str, str | bool | None], as_of: Instant | None) -> SentMark:
        """Of values by the names that findings show."""
        return cls(as_of, frozenset(_token(name, value) for name, value in values.items()))

    def bears(self, name: str, value: object) -> bool:
        """True for a value that was sent."""
        return _token(name, value) in self.tokens

    def to_text(self) -> str:
        """As a run keeps it: the moment, and the tokens one after the other."""
        return f"{self.as_of or '-'} {''.join(sorted(self.tokens))}"

    @classmethod
    def of_text(cls, text: object) -> SentMark | None:
        """What `to_text` wrote; None for anything else."""
        moment, _, digits = text.partition(" ") if isinstance(text, str) else ("", "", "")
        try:
            as_of = None if moment == "-" else Instant.parse(moment)
        except ValueError:
            return None
        return cls(as_of, frozenset(digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)))


def _token(name: str, value: object) -> str:
    return blake2b(canonical([name, value]), digest_size=_DIGITS // 2).hexdigest()
