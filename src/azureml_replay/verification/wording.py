"""Findings in words: whose they are, what was expected and what is there, who made them, and what to do (pure).

Terminal, report and `--json` take their words from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from azureml_replay.comparison.three_way import ACCEPTED, HIDDEN, LOST, REMOVED, Fate
from azureml_replay.counting import counted
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import Finding
from azureml_replay.planning.lineage import TAG
from azureml_replay.terminal.text import moment
from azureml_replay.workspace.mark import JOB_TAKEN_BACK, TAKEN_BACK, UNDO_TAG

PLAN_CHANGED = "plan changed since it was submitted"
"""The kind of the finding that a job stands as it was submitted, and that more or something else is planned now."""
VALUE = 80
"""Characters of a value that a line shows: two lines of a narrow terminal."""
WHOLE_ID = 24
"""Characters of an id that is shown whole."""
ARROW = "→"
_TICK = re.compile(r"(?<=\bat )tick (\d{1,18})\b")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)\+00:00\Z")
_MOMENTS = frozenset({"start", "end", "error time"})
"""What has moments as its values."""
_QUOTED = ("tag ", "property ", "parameter ", "description", "display name")
"""Beginnings of what has texts of people as its values."""


class Cause(Enum):
    """Whose doing a finding is."""

    FAULT = "fault"
    """Something that was to be carried is not as it should be, and no edit explains it."""
    CHANGE = "change"
    """Somebody's, in the target: it was seen there as it was sent."""
    UNSEEN = "unseen"
    """It is not as it was sent, and nobody looked since: an edit, or lost on the way."""
    ANOTHER = "another"
    """A replay of another archive of the same source brought it."""
    TAKEN_BACK = "taken back"
    REPLANNED = "replanned"
    ACCEPTED = "accepted"


_OF_ANOTHER = (Fate.OLDER.value, Fate.NEWER.value, Fate.ANOTHER.value)
_CAUSES = {
    **dict.fromkeys(_OF_ANOTHER, Cause.ANOTHER),
    ACCEPTED: Cause.ACCEPTED,
    TAKEN_BACK: Cause.TAKEN_BACK,
    JOB_TAKEN_BACK: Cause.TAKEN_BACK,
    PLAN_CHANGED: Cause.REPLANNED,
}


def cause_of(finding: Finding) -> Cause:
    """Whose doing it is, as far as that is proven."""
    if finding.kind in (Fate.EDITED.value, Fate.CONFLICT.value):
        return Cause.UNSEEN if finding.since is None else Cause.CHANGE
    return _CAUSES.get(finding.kind, Cause.FAULT)


NEVER_ACCEPTED = frozenset({f"tag {TAG}", f"tag {UNDO_TAG}"})
"""Replay's own marks."""
ACCEPTABLE = frozenset({"description", "display name", HIDDEN})
"""And tags: what people write onto a run. Its status, files, points and everything else are none of these."""


def acceptable(finding: Finding) -> bool:
    """True for somebody's change of what people write onto a run: nothing that a transfer is about."""
    if cause_of(finding) is not Cause.CHANGE or finding.what in NEVER_ACCEPTED:
        return False
    return finding.what in ACCEPTABLE or finding.what.startswith("tag ")


@dataclass(frozen=True, slots=True)
class Told(Finding):
    """A finding with its words."""

    name: str = ""
    """The run's display name; nothing where it has none."""
    text: str = ""


def told(finding: Finding, name: str) -> Told:
    """The finding with its run's display name, and in words."""
    return Told(
        finding.run,
        finding.what,
        finding.kind,
        finding.expected,
        finding.actual,
        finding.since,
        name,
        line_of(finding, name),
    )


def line_of(finding: Finding, name: str = "") -> str:
    """`"Training 19.1" (387c51a0…): tag owner: nothing → "someone else"`; long values are cut."""
    whose = f"{named(finding.run, name)}: " if finding.run else ""
    if is_no_run(finding):
        return f"{whose}not in the target{' any more' if finding.kind == REMOVED else ''}"
    before, after = sides_of(finding)
    return f"{whose}{timed(finding.what)}: {before} {ARROW} {after}"


def is_no_run(finding: Finding) -> bool:
    """True for the finding that the target has no run that stands for the source's."""
    return finding.what == "run" and finding.kind in ("absent", REMOVED)


def named(run: str, name: str) -> str:
    """The run's display name, with its id in short; without a name the whole id."""
    return f'"{cut(name)}" ({short(run)})' if name and name != run else f"run {run}"


def short(run: str) -> str:
    """An id by which people know it again; the last characters stay where they are what tells runs apart."""
    if len(run) <= WHOLE_ID:
        return run
    is_guid = len(run) == 36 and run.count("-") == 4
    return f"{run[:8]}…" if is_guid else f"{run[:8]}…{run[-8:]}"


def sides_of(finding: Finding) -> tuple[str, str]:
    """What was expected, and what is there."""
    return _side(finding.what, finding.expected), _side(finding.what, finding.actual)


def _side(what: str, value: str) -> str:
    if value == "":
        return "nothing"
    if what == HIDDEN:
        return _YES_OR_NO.get(value, value)
    if what in _MOMENTS:
        return _MOMENT.sub(r"\1 \2 UTC", value)
    if what.startswith(_QUOTED):
        return f'"{cut("" if value == _EMPTY else value)}"'
    return cut(timed(value))


_YES_OR_NO = {"True": "yes", "False": "no"}
_EMPTY = repr("")
"""How an empty text is told from none."""


def cut(value: str) -> str:
    """An excerpt of a long value."""
    return value if len(value) <= VALUE else value[: VALUE - 1] + "…"


def timed(text: str) -> str:
    """A finding's text with a row's moment as a time: verify gives it in ticks, to the last one."""
    return _TICK.sub(lambda found: _MOMENT.sub(r"\1 \2 UTC", str(Instant(int(found[1])))), text)


def clock(at: Instant, now: Instant | None) -> str:
    """`21:40 UTC`, with the date where that is not today's; on a page that is kept there is no today."""
    whole, today = moment(Instant(at.ticks // _MINUTE * _MINUTE)), str(now)[:10]
    return whole.removeprefix(f"{today} ")


_MINUTE = 60 * TICKS_PER_SECOND


def differences(
    *,
    faults: int,
    changes: int,
    since: Instant | None,
    unseen: int,
    accepted: int,
    kinds: Mapping[str, int],
    now: Instant | None,
) -> str:
    """`0 transfer faults; 5 changes in the target since 21:40 UTC`; without `now` with the date."""
    parts = [counted(faults, "transfer fault")]
    if changes:
        began = f" since {clock(since, now)}" if since is not None else ""
        parts.append(f"{counted(changes, 'change')} in the target{began}")
    if unseen:
        parts.append(f"{counted(unseen, 'value')} not as sent, edited or lost: nobody looked in between")
    if accepted:
        parts.append(f"{counted(accepted, 'accepted change')} beside them")
    if another := sum(kinds.get(kind, 0) for kind in _OF_ANOTHER):
        parts.append(f"{counted(another, 'value')} sent by another archive")
    if taken_back := kinds.get(TAKEN_BACK, 0) + kinds.get(JOB_TAKEN_BACK, 0):
        parts.append(f"{taken_back:,} taken back by undo")
    if kinds.get(PLAN_CHANGED):
        parts.append(f"{counted(kinds[PLAN_CHANGED], 'job')} submitted with another plan")
    return "; ".join(parts)


def equal_but(accepted: int) -> str:
    """`all equal`, unless somebody accepted changes."""
    return f"equal but for {counted(accepted, 'accepted change')}" if accepted else "all equal"


class Kind(Enum):
    """The kinds of findings that people can do something about, each in its own way. The value is its heading."""

    ABSENT = "missing in the target"
    REMOVED = "removed in the target since they were sent"
    LOST = "lost everywhere: in the source, in the archive and in the target"
    DIFFERS = "differing"
    EXTRA = "extra in the target"
    HIDDEN = "hidden or shown by somebody in the target"
    EDITED = "edited by somebody in the target"
    CHANGED = "changed by somebody in the target, and none to accept: files, status, experiments, marks of replay"
    CONFLICT = "changed by somebody in the target, and in the source too"
    UNSEEN = "not as sent, edited or lost on the way: nobody looked in between"
    OLDER = "sent by another archive, from an older state of the source"
    ANOTHER = "sent by another archive of the same source"
    NEWER = "sent by another archive, from a newer state of the source"
    TAKEN_BACK = "taken back by undo"
    JOB_TAKEN_BACK = "taken back by undo, of a job"
    REPLANNED = "of a job whose plan changed since it was submitted"
    ACCEPTED = "accepted"
    OTHER = "of another kind"


def kind_of(finding: Finding) -> Kind:
    """What people see of a finding's kind."""
    cause = cause_of(finding)
    if cause is Cause.CHANGE:
        if not acceptable(finding):
            return Kind.CHANGED
        if finding.kind == Fate.CONFLICT.value:
            return Kind.CONFLICT
        return Kind.HIDDEN if finding.what == HIDDEN else Kind.EDITED
    if finding.kind == JOB_TAKEN_BACK:
        return Kind.JOB_TAKEN_BACK
    if cause in (Cause.FAULT, Cause.ANOTHER):
        return _KINDS.get(finding.kind, Kind.OTHER)
    return Kind[cause.name]


_KINDS = {
    "absent": Kind.ABSENT,
    LOST: Kind.LOST,
    REMOVED: Kind.REMOVED,
    "differs": Kind.DIFFERS,
    "extra": Kind.EXTRA,
    Fate.OLDER.value: Kind.OLDER,
    Fate.NEWER.value: Kind.NEWER,
    Fate.ANOTHER.value: Kind.ANOTHER,
}


@dataclass(frozen=True, slots=True)
class Mend:
    """What to do about findings of one kind: a sentence, and the commands that do it, as flags of a verb."""

    sentence: str
    commands: tuple[tuple[str, ...], ...] = ()


ACCEPT = ("verify", "--accept")
MENDS: Mapping[Kind, Mend] = {
    Kind.ABSENT: Mend(
        "missing: what never arrived is sent; what had arrived and was removed in the target is not sent twice",
        (("replay",),),
    ),
    Kind.REMOVED: Mend(
        "removed: undo notes that they are gone, and hides the rest; a replay after it brings all of it", (("undo",),)
    ),
    Kind.LOST: Mend(
        "lost: no replay can send it; undo, and a replay after it, bring all the rest and make it an omission",
        (("undo",),),
    ),
    Kind.DIFFERS: Mend("differing: what was not sent yet is sent; what differs even then was not kept", (("replay",),)),
    Kind.EXTRA: Mend("extra: nothing is removed for you; hide or remove it there, and look again", (("verify",),)),
    Kind.HIDDEN: Mend("hidden: turn it back in the target, or keep it so", (ACCEPT,)),
    Kind.EDITED: Mend("edited: set it back in the target, or keep it so", (ACCEPT,)),
    Kind.CHANGED: Mend("changed: set it back in the target, and look again", (("verify",),)),
    Kind.CONFLICT: Mend(
        "changed on both sides: send the source's value, or keep the target's",
        (("replay", "--prefer", "source"), ACCEPT),
    ),
    Kind.UNSEEN: Mend(
        "not as sent: set it in the target to what is expected, and look again; --accept takes only proven edits",
        (("verify",),),
    ),
    Kind.OLDER: Mend("older: replay sends this archive's", (("replay",),)),
    Kind.NEWER: Mend(
        "newer: extract again, which brings it here; or send this archive's all the same",
        (("replay", "--prefer", "source"),),
    ),
    Kind.ANOTHER: Mend(
        "of another archive: extract again, which brings it here where it is newer, and look again", (("verify",),)
    ),
    Kind.TAKEN_BACK: Mend("taken back: bring it back", (("replay",),)),
    Kind.JOB_TAKEN_BACK: Mend("taken back: bring the job back", (("replay", "--mode", "synthetic"),)),
    Kind.REPLANNED: Mend(
        "submitted with another plan: submit it anew", (("replay", "--mode", "synthetic", "--resubmit", "changed"),)
    ),
}
"""In the order in which they are told. What cannot be compared without bytes, and what is not compared, the commands
say beside them: these are no findings."""


def mend_first(groups: Mapping[str, int]) -> Mend | None:
    """What to do about the most frequent kind of finding that has a mend; by counts of findings by their headings."""
    found = [kind for kind in Kind if groups.get(kind.value) and kind in MENDS]
    return MENDS[max(found, key=lambda kind: groups[kind.value])] if found else None


def by_size_in_words(unverifiable: int, read_before: int, read_at: Instant | None, deep: str = "--deep") -> str:
    """What is said of files that were compared by their size; nothing where there are none."""
    if not unverifiable:
        return ""
    before = (
        f"; {read_before:,} of them {_were(read_before)} read back last on {moment(read_at)}"
        if read_at is not None
        else ""
    )
    return f"{counted(unverifiable, 'file')} without a checksum: only {deep} can compare them{before}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
