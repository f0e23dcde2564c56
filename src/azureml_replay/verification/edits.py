"""Which changes in a target are proven to be somebody's, and which of them may be accepted.

A value that is not as it was sent may have been lost on the way as well as edited. It is an edit for sure only where a
verification has seen it in the target since it was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from azureml_replay import redact
from azureml_replay.archive.edits import Edit, digest
from azureml_replay.archive.evidence import Aspect, Topic
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.shown import shown
from azureml_replay.instants import Instant
from azureml_replay.model import Editable, RunId

_STRANGE = ("run", "lineage")
"""Findings with which nothing else of a run was seen: it was not there, or is somebody else's."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The values of a run by name: as they were sent last, as the archive has them, as the target has them."""

    sent: Editable
    wanted: Editable
    found: Editable

    def edits(self, since: Instant) -> Mapping[str, Edit]:
        """One for each value that differs, by what its finding is called; none of names that look alike there."""
        names = {name: redact.text(shown(name)) for name in {**self.wanted, **self.found}}
        times = Counter(names.values())
        return {
            what: Edit(
                what=what,
                expected="",
                actual="",
                sent=digest(name, self.sent),
                wanted=digest(name, self.wanted),
                found=digest(name, self.found),
                since=since,
            )
            for name, what in names.items()
            if times[what] == 1 and digest(name, self.wanted) != digest(name, self.found)
        }


def proven(ledger: TargetLedger, run: RunId, sides: Mapping[Aspect, Sides], topic: Topic) -> dict[str, Edit]:
    """The edits of a run that are there now, by what their findings are called; what was accepted of them still is.

    `topic`: under which its evidence is kept. An experiment's values are kept as a run's (comparison/experiments.py).
    """
    known = ledger.edits(run)
    compared = ledger.kept(topic).compared
    strange = any(one.what in _STRANGE for one in ledger.findings_of(topic, Aspect.FIELDS))
    found: dict[str, Edit] = {}
    for aspect, of in sides.items():
        at = None if aspect not in compared or strange else compared[aspect].at
        open_before = {one.what for one in ledger.findings_of(topic, aspect)}
        for what, edit in of.edits(at or _NEVER).items():
            before = known.get(what)
            if before is not None and before.sent == edit.sent:
                found[what] = replace(
                    edit, since=before.since, accepted=before.accepted if edit.is_as(before) else None
                )
            elif at is not None and what not in open_before:
                found[what] = edit
    return found


_NEVER = Instant(0)


def kept_beside(known: Mapping[str, Edit], edits: Iterable[Edit]) -> list[Edit]:
    """The edits of this look, and those of files that it did not look at."""
    now = {edit.what: edit for edit in edits}
    return [*now.values(), *(one for what, one in known.items() if what.startswith("file ") and what not in now)]
