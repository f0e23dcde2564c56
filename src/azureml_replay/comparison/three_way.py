"""Which side's value stays where both workspaces may have changed since it was sent: FIDELITY's table (pure).

It is about what people edit: tags, description, display name, status, archived or not. Points can only become more;
files are distinguished by size and checksum (direct/files.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, StrEnum

from azureml_replay.comparison.runs import CARRIED, LENDER, compare_runs
from azureml_replay.model import TERMINAL, Editable, Run
from azureml_replay.workspace.mark import OUR_MARKS, SentMark, is_taken_back
from azureml_replay.workspace.profile import CREATED

STATUS, HIDDEN = "status", "hidden"
BEGUN: Editable = {STATUS: "Running", HIDDEN: False}
"""Values of a run that `put_runs` wrote and `finish_runs` has not reached."""
RUN_TYPE = "run type"
"""A name among the sent values, with `--keep-run-type`; nobody can edit it."""
NOT_EDITABLE = (RUN_TYPE, CREATED, "metric ")
"""Beginnings of names among the sent values that `editable` does not have."""
GONE_REASON = "disappeared at the source: what was sent stays"
ACCEPTED = "accepted"
"""The kind of a finding about an edit that somebody accepted: it is told, and is no difference."""
OF_ANOTHER = " (newer, of another archive)"
"""Behind the name of a value of the target that stays for that reason."""
_NOTHING = object()


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
    by_name = {name: _fate(name, ours, theirs, sent) for name in {**ours, **theirs}}
    for name, fate in by_name.items():
        if fate in (Fate.EDITED, Fate.CONFLICT) and mark and name in theirs and mark.bears(name, theirs[name]):
            by_name[name] = _of_another(wanted, mark, gone=name not in ours)
        elif fate in (Fate.EDITED, Fate.CONFLICT) and mark and name == STATUS and ours[name] not in TERMINAL:
            by_name[name] = Fate.NEWER  # it was extracted before it ended, and came to its end by a later replay
    if by_name.get(HIDDEN) and is_taken_back(found):
        by_name[HIDDEN] = Fate.SEND  # hidden by `undo`, of this archive or another one: no edit
    return {name: fate for name, fate in by_name.items() if fate is not None}


def _fate(name: str, wanted: Editable, found: Editable, sent: Editable | None) -> Fate | None:
    ours, theirs = wanted.get(name, _NOTHING), found.get(name, _NOTHING)
    if ours == theirs:
        return None
    if name == STATUS and theirs not in TERMINAL:
        return Fate.SEND  # no edit: the end that was sent has not come, or does not show yet
    if sent is None and name not in BEGUN:
        before: object = _NOTHING
    else:
        before = (BEGUN if sent is None else sent).get(name, _NOTHING)
    if ours is _NOTHING:
        return Fate.GONE if theirs == before else Fate.EDITED
    if ours == before:
        return Fate.EDITED
    return Fate.SEND if theirs == before else Fate.CONFLICT


_ENDED_SINCE = (STATUS, Fate.NEWER)
"""Of a run that had not ended when it was extracted: whoever's side is preferred, it does not begin anew."""


def _of_another(wanted: Run, mark: SentMark, *, gone: bool) -> Fate:
    """Of a value that another archive's replay sent: the newer state of the source wins.

    What is gone there stays in the target, also after a replay of the same state.
    """
    mine, theirs = wanted.modified, mark.as_of
    if mine is None or theirs is None or mine < theirs or (mine == theirs and not gone):
        return Fate.NEWER
    return Fate.GONE if gone else Fate.OLDER


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
