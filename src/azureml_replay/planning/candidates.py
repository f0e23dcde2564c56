"""Which run of a target stands for a run of the source, among those that bear its tags (pure).

Tags are copied from run to run: a clone that somebody makes in Studio has those of the run that it was made of, and is
theirs. So a run says it by its property, whose mark names the run that bears it; and one that was made, and of which no
more was sent, by its start, which a client tells: no clone has that of its original.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from azureml_replay.instants import Instant
from azureml_replay.model import TERMINAL, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.fit import PLACES, SYSTEM_KEYS
from azureml_replay.planning.ids import is_chosen
from azureml_replay.workspace.mark import OUR_MARKS, SENT_TAG, SOURCE_TAG, SentMark, is_taken_back
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import PARENT_TAG, TICKS_PER_MS, TargetProfile


@dataclass(frozen=True, slots=True)
class Original:
    """A run of the source, as it is asked which run of a target stands for it."""

    source: Place
    planned: Run
    """As the target is to hold it, under whatever id."""
    run: RunId
    """Its id in the source."""
    profile: TargetProfile

    def first(self, candidates: Iterable[Run], parent: RunId | None) -> Run | None:
        """The one that stands for it below `parent`; None where none does: what bears its tags then is somebody's.

        One that says so comes first, then the one that was made first. Of several that say so always the same, one that
        the history gave an id of our choice before the others.
        """
        told = [one for one in candidates if self.is_told_by(one)]
        made = [one for one in candidates if self.is_made(one) and one.parent == parent]
        ours = min(told, key=lambda one: (not is_chosen(self.run, one.id), one.id), default=None)
        return ours or min(made, key=_when_made, default=None)

    def is_told_by(self, there: Run) -> bool:
        """True where a run says so, by more than tags."""
        if is_chosen(self.run, there.id):  # no clone gets an id of our choice
            return lineage.is_ours(there, self.source, self.run, properties_kept=self.profile.keeps("properties"))
        if not self._is_named_by(there):
            return False
        if lineage.origin(there) is not None:
            return lineage.is_ours(there, self.source, self.run) and (lineage.is_marked(there) or self._began(there))
        if self.profile.keeps("properties"):
            return False
        mark = there.tags.get(SENT_TAG)
        if mark is not None:
            return SentMark.of_text(mark, self.run, there.id) is not None
        return self._began(there) and not self.is_made(there)

    def is_made(self, there: Run) -> bool:
        """True where a run is as `lineage.made` makes it, below whichever run, and nobody has written to it since."""
        bare = not (there.parameters or there.inputs or there.outputs or there.description or there.error or there.end)
        return (
            bare
            and there.tags.get(SOURCE_TAG) == lineage.source_mark(self.source)
            and self._is_named_by(there)
            and there.status not in TERMINAL
            and (not there.hidden or is_taken_back(there))
            and self._began(there)
            and self._is_ours(there.tags, {lineage.TAG, PARENT_TAG, *OUR_MARKS})
            and self._is_ours(there.properties, PLACES)
        )

    def _is_named_by(self, there: Run) -> bool:
        told = lineage.origin(there)
        return told == self.run if told is not None else there.tags.get(lineage.TAG) == self.run

    def _began(self, there: Run) -> bool:
        """With the start with which it is made, to the millisecond: that of now, or of when the source had none yet.

        Where the target keeps none its name has to do.
        """
        if self.planned.start is None:
            return self.planned.display_name in (None, there.display_name)
        starts = {_ms(one) for one in (self.planned.start, self.planned.created) if one is not None}
        return there.start is not None and _ms(there.start) in starts

    def _is_ours(self, keys: Iterable[str], ours: Collection[str]) -> bool:
        """Beside our keys only such as the service adds; where no start tells, those alone that it was seen to add."""
        more = [key for key in keys if key not in ours and key not in self.profile.added]
        return not more or (self.planned.start is not None and all(key.startswith(SYSTEM_KEYS) for key in more))


def _when_made(there: Run) -> tuple[int, RunId]:
    """The last change of one that nobody has written to since: its creation time is the start that it was sent."""
    return there.modified.ticks if there.modified else 0, there.id


def _ms(moment: Instant) -> int:
    return moment.ticks // TICKS_PER_MS
