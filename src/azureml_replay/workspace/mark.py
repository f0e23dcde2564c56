"""Marks that replays leave on runs of a target, for other archives of the same source (pure).

That of `undo` is a tag that tells the runs that it hid from those that somebody else hid. Any archive's replay shows
such a run again; the mark counts on a hidden run alone. That of what was sent last tells a value that a replay brought,
of whichever archive, from an edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b

from azureml_replay.instants import Instant
from azureml_replay.json_text import canonical
from azureml_replay.model import Editable, Run, RunId

LINEAGE = "azureml_replay"
"""The property of what a replay made: it says where that comes from. Where tags stand for properties it has its own
name as a tag, for people who search for it."""
UNDO_TAG = "azureml_replay_undo"
"""Reserved: no plan has it, wherever a run comes from, and it is no difference."""
_HIDDEN = "hidden"
VOID_MARK: Mapping[str, str] = {UNDO_TAG: "shown again"}
"""Written with the same request that shows a run: a service may not let the tag be removed."""
TAKEN_BACK = "taken back by undo: replay brings it back"
"""The kind of a finding about what `undo` did."""
JOB_TAKEN_BACK = "taken back by undo: replay --mode synthetic brings it back"
"""The same of a job, and of runs that stood as steps of one."""


def undo_mark(run: RunId) -> Mapping[str, str]:
    """The tag of a run of a target that `undo` hides: it names the run, as tags are copied from run to run."""
    return {UNDO_TAG: f"{_HIDDEN} {_bond(UNDO_TAG, run)}"}


def is_taken_back(run: Run) -> bool:
    """True where `undo` hid the run and nobody has shown it since."""
    return run.hidden and undo_mark(run.id).items() <= run.tags.items()


def may_be_taken_back(run: Run) -> bool:
    """True where the run says so by a mark of a former version, which named no run."""
    return run.hidden and run.tags.get(UNDO_TAG) == _HIDDEN


def has_room(run: Run, tags: int) -> bool:
    """True where the run takes the mark beside what it has; `tags` is the most that a run can have."""
    return UNDO_TAG in run.tags or len(run.tags) < tags


SOURCE_TAG = "azureml_replay_source"
"""Of runs whose ids are the target's own: which workspace they come from. By it, and by the tag that names the run
there, a run is found again of which nobody knows whether it was made. No plan has it, as UNDO_TAG."""
SENT_TAG = "azureml_replay_sent"
"""The mark of what was sent last, once that is more than what the run was created with. No plan has it, as UNDO_TAG.

The property of this name is written with the first such mark, and never changes: where it is and the tag is not, as
that had no room or somebody removed it, nobody knows what was sent last. No plan has that property either.
"""
IN_TAG: Mapping[str, str] = {SENT_TAG: "in the tag of this name, where it has room"}
OUR_MARKS = frozenset({UNDO_TAG, SENT_TAG, SOURCE_TAG})
"""Tags of ours that say nothing of what a run is."""
_DIGITS = 6
"""Of the digest of a value: an edit is taken for a value that was sent once in 300,000 times, and 52 of them fit."""


class Borne(Enum):
    """What the mark of a target's run says of the value that stands there: from which state of the source it came."""

    OLDER = "an older state than this archive's"
    SAME = "the same state"
    NEWER = "a newer state"
    UNSURE_NEWER = "a newer state, by a mark that names no run: tags are copied from run to run"
    """Former versions wrote such marks: they excuse nothing, and nothing is overwritten for them."""


@dataclass(frozen=True, slots=True)
class SentMark:
    """Which values of a run a replay sent last, and from which state of the source."""

    as_of: Instant | None
    """When the source's run was changed last, as it was extracted then."""
    tokens: frozenset[str]
    """For each value."""
    bound: bool = True
    """False where it does not name the run that it is about, as those of former versions."""

    @classmethod
    def of(cls, values: Editable, as_of: Instant | None) -> SentMark:
        """Of values by the names that findings show."""
        return cls(as_of, frozenset(_token(name, value) for name, value in values.items()))

    @classmethod
    def of_tokens(cls, digits: str) -> SentMark:
        """Of tokens alone, one behind the other."""
        return cls(None, frozenset(digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)))

    def bears(self, name: str, value: object) -> bool:
        """True for a value that was sent."""
        return _token(name, value) in self.tokens

    def says(self, name: str, value: object, modified: Instant | None) -> Borne | None:
        """Of a value that the target has, to an archive whose run was `modified` last then; None for nothing."""
        if not self.bears(name, value):
            return None
        newer = modified is None or self.as_of is None or modified < self.as_of
        if not self.bound:
            return Borne.UNSURE_NEWER if newer else None
        return Borne.NEWER if newer else Borne.SAME if modified == self.as_of else Borne.OLDER

    def to_text(self, original: RunId, there: RunId) -> str:
        """As the target's run `there` keeps it: the moment, the tokens, and a digest that binds both to the run."""
        told = self._told()
        return f"{told} {_bond(told, original, there)}"

    def _told(self) -> str:
        return f"{self.as_of or '-'} {''.join(sorted(self.tokens))}"

    @classmethod
    def of_text(cls, text: object, original: RunId, there: RunId) -> SentMark | None:
        """What `to_text` wrote for the same run, or a former version for any; None for anything else."""
        moment, digits, *bonds = text.split(" ") if isinstance(text, str) and " " in text else ("", "")
        try:
            as_of = None if moment == "-" else Instant.parse(moment)
        except ValueError:
            return None
        tokens = cls.of_tokens(digits).tokens
        mark = cls(as_of, tokens, bound=bool(bonds))
        return mark if not bonds or bonds == [_bond(mark._told(), original, there)] else None


def _bond(told: str, *of: RunId) -> str:
    return blake2b(canonical([*of, told]), digest_size=6).hexdigest()


def _token(name: str, value: object) -> str:
    return blake2b(canonical([name, value]), digest_size=_DIGITS // 2).hexdigest()
