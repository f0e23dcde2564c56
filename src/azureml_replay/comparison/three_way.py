"""Which side's value stays where both workspaces may have changed since it was sent: FIDELITY's table (pure).

It is about what people edit: tags, description, display name, status, archived or not. Points can only become more;
files are distinguished by size and checksum (direct/files.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum

from azureml_replay.comparison.runs import CARRIED, LENDER, compare_runs
from azureml_replay.model import TERMINAL, Editable, Run
from azureml_replay.workspace.mark import (
    OUR_MARKS,
    Borne,
    SentMark,
    is_taken_back,
    may_be_taken_back,
)
from azureml_replay.workspace.profile import CREATED

STATUS, HIDDEN = "status", "hidden"
BEGUN: Editable = {STATUS: "Running", HIDDEN: False}
"""Values of a run that `put_runs` wrote and `finish_runs` has not reached."""
RUN_TYPE = "run type"
"""A name among the sent values, with `--keep-run-type`; nobody can edit it."""
PARENT, PROPERTY = "parent", "property "
"""The name, and the beginning of names, of what is written once: whose child a run is, and properties that name one."""
NOT_EDITABLE = (RUN_TYPE, CREATED, PARENT, PROPERTY, "metric ")
"""Beginnings of names among the sent values that `editable` does not have."""
PLACED_ONCE = "where a run stands is written once: it stays where it was sent"
NAMED_ONCE = "a property is written once: it has the run's id of the time when it was sent"
"""Reasons of omissions: ids, and what stands above a run, may be known later than the run itself."""
GONE_REASON = "disappeared at the source: what was sent stays"
LOST = "lost: neither the source nor the archive nor the target has it"
"""The kind of a finding about a file that was sent and is nowhere any more."""
REMOVED = "removed: it was sent, and the target has it no more"
"""The kind of the finding about a run that is not there, though it was once."""
ACCEPTED = "accepted"
"""The kind of a finding about an edit that somebody accepted: it is told, and is no difference."""
OF_ANOTHER = " (newer, of another archive)"
"""Behind the name of a value of the target that stays for that reason."""
NOTHING = object()
"""Where a side has no value: an empty one is a value."""


class Prefer(StrEnum):
    """The side whose value stays where both changed it."""

    TARGET = "target"
    SOURCE = "source"


class Fate(Enum):
    """What becomes of one value. The text is the kind of its finding."""

    SEND = "differs"
    EDITED = "edited in target"
    """The target changed, the source did not: the edit stays."""
    CONFLICT = "conflict"
    """Both changed, and not alike."""
    GONE = "gone"
    """The source lost the value, the target still has what was sent: nothing is ever deleted."""
    OLDER = "sent by another archive from an older state of the source: replay sends this one's"
    NEWER = "sent by another archive from a newer state of the source: extract again, or replay --prefer source"
    """The value stays."""
    ANOTHER = "sent by another archive: extract again"
    """Of an experiment, which does not say from which state of the source. The value stays."""


def editable(run: Run) -> dict[str, str | bool | None]:
    """Name -> value of everything that people can edit of a run; a tag without a value counts as one.

    Marks are ours, whatever they say.
    """
    texts = {"display name": run.display_name, "description": run.description}
    given = {name: text for name, text in texts.items() if text is not None}
    tags = {f"tag {key}": value for key, value in run.tags.items() if key not in OUR_MARKS}
    return {STATUS: run.status, HIDDEN: run.hidden, **given, **tags}


def fates(wanted: Run, found: Run, sent: Editable | None, mark: SentMark | None = None) -> dict[str, Fate]:
    """Name -> what becomes of each value that differs between the source's run as planned and the target's.

    `sent` are the values sent last by this archive; None where they are unknown: then the target's values are not
    overwritten, unless `mark`, which the target's run bears, says that a replay of another archive sent them.
    """
    ours, theirs = editable(wanted), editable(found)
    by_name = {}
    for name in {**ours, **theirs}:
        sides = OneValue(ours.get(name, NOTHING), theirs.get(name, NOTHING), _before(name, sent))
        borne = mark.says(name, theirs[name], wanted.modified) if mark and name in theirs else None
        by_name[name] = _fate(name, sides, sent, borne)
        if by_name[name] in _EDITS and mark and name == STATUS and ours[name] not in TERMINAL:
            by_name[name] = Fate.NEWER  # it was extracted before it ended, and came to its end by a later replay
    if by_name.get(HIDDEN) and is_taken_back(found):
        by_name[HIDDEN] = Fate.SEND  # hidden by `undo`, of this archive or another one: no edit
    elif by_name.get(HIDDEN) is Fate.EDITED and may_be_taken_back(found):
        by_name[HIDDEN] = Fate.CONFLICT  # it stays, unless the source is preferred
    return {name: fate for name, fate in by_name.items() if fate is not None}


@dataclass(frozen=True, slots=True)
class OneValue:
    """One value as the source has it, as the target has it, and as this archive sent it last; or `NOTHING`."""

    ours: object
    theirs: object
    before: object


def _before(name: str, sent: Editable | None) -> object:
    return (({name: BEGUN[name]} if name in BEGUN else {}) if sent is None else sent).get(name, NOTHING)


def _fate(name: str, sides: OneValue, sent: Editable | None, borne: Borne | None) -> Fate | None:
    if name == STATUS and sides.theirs not in TERMINAL and sides.ours != sides.theirs:
        return Fate.SEND  # no edit: the end that was sent has not come, or does not show yet
    return decided(sides, borne, known=sent is not None, state=name in BEGUN)


def decided(sides: OneValue, borne: Borne | None, *, known: bool, state: bool) -> Fate | None:
    """What becomes of one value: first what this archive knows it sent, then what the target's mark says of its own.

    `borne`: what the mark says of the value there; None where there is no mark, or one of another run, of another
    value, or one that no longer holds. `known`: this archive sent the run. `state`: it is a status, or whether a run is
    hidden: these are sent without a new mark, so no mark tells an edit of theirs from what was sent before.
    """
    by_ledger = _by_ledger(sides)
    gone = sides.ours is NOTHING
    if by_ledger not in _EDITS or borne is None:
        return by_ledger
    if borne is Borne.UNSURE_NEWER:
        return Fate.NEWER if by_ledger is Fate.CONFLICT else by_ledger
    if borne is Borne.NEWER or (borne is Borne.SAME and not gone):
        return Fate.NEWER
    if state:
        return by_ledger if known else Fate.CONFLICT
    return Fate.GONE if gone else Fate.OLDER


def _by_ledger(sides: OneValue) -> Fate | None:
    if sides.ours == sides.theirs:
        return None
    as_sent = sides.theirs == sides.before
    if sides.ours is NOTHING:
        return Fate.GONE if as_sent else Fate.EDITED
    if sides.ours == sides.before:
        return Fate.EDITED
    return Fate.SEND if as_sent else Fate.CONFLICT


_EDITS = (Fate.EDITED, Fate.CONFLICT)
_ENDED_SINCE = (STATUS, Fate.NEWER)
"""Of a run that had not ended when it was extracted: whoever's side is preferred, it does not begin anew."""


def kept(by_name: Mapping[str, Fate], prefer: Prefer) -> frozenset[str]:
    """The names of values that stay as they are in the target."""
    stay = {Fate.EDITED, Fate.GONE} | ({Fate.CONFLICT, Fate.NEWER} if prefer is Prefer.TARGET else set())
    return frozenset(name for name, fate in by_name.items() if fate in stay or (name, fate) == _ENDED_SINCE)


def without(run: Run, names: frozenset[str]) -> Run:
    """The run without these values: an update leaves what it does not name as it is."""
    return replace(
        run,
        tags={key: value for key, value in run.tags.items() if f"tag {key}" not in names},
        display_name=None if "display name" in names else run.display_name,
        description=None if "description" in names else run.description,
    )


_STATE = frozenset(
    {"parent", "experiment", "status", "start", "end", "hidden", LENDER, "error code", "error message", "error"}
)
_UPDATED = tuple(field for field in CARRIED if field.name not in _STATE)


def brings(update: Run, found: Run) -> bool:
    """True where an update would change the target's run; values that only the target has do not count."""
    return any(finding.kind != "extra" for finding in compare_runs(update, found, fields=_UPDATED))


def sent_now(
    wanted: Run, before: Editable | None, stay: frozenset[str], *, state: bool
) -> dict[str, str | bool | int | None]:
    """The values sent last, after a write that left the values of `stay` as they were.

    `state`: only status and archived, which are written last; otherwise only the other values.
    """
    old = BEGUN if before is None else before
    sent = {name: value for name, value in editable(wanted).items() if name not in stay and (name in BEGUN) == state}
    return {**old, **sent}
