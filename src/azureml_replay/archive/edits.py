"""What somebody changed in a target since it was seen there as it was sent, and which of it was accepted, by whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azureml_replay import redact
from azureml_replay.archive.database import now
from azureml_replay.archive.digests import of_value
from azureml_replay.archive.of_target import OfTarget
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.disk.globs import fits
from azureml_replay.instants import Instant
from azureml_replay.model import Editable, RunId

_GROUPS = {"tag": "tags", "property": "properties", "parameter": "parameters"}
"""The kind of a value as findings say it -> where it lies in a run's document."""
NOTHING = object()
"""Stands for a value that one of the sides does not have; an empty one is a value."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Somebody said that a change may stay."""

    by: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One value of a run that was seen in the target as it was sent, and is another one now.

    The digests are of the value with its name, so that one that is cut or starred where it is shown is told apart.
    """

    what: str
    """As its finding says it."""
    expected: str
    actual: str
    """Both as the finding shows them."""
    sent: bytes
    """Digest of the value that was sent last."""
    wanted: bytes
    """Digest of the value that the archive has."""
    found: bytes
    """Digest of the value that the target has."""
    since: Instant
    """When the target was last seen to have what was sent."""
    accepted: Acceptance | None = None

    def is_as(self, other: Edit) -> bool:
        """The same change of the same value: what was accepted of one is accepted of the other."""
        return (self.sent, self.wanted, self.found) == (other.sent, other.wanted, other.found)


class Edits(OfTarget):
    """The part of a target's ledger that verify fills for runs that were edited, and `accept` reads."""

    def words(self, what: str, *shown: str) -> tuple[str, ...]:
        """What a finding is about, and what it shows of it: without what `--redact` takes out of this archive.

        The target may hold it from before.
        """
        kind, _, name = what.partition(" ")
        paths = (name, f"{_GROUPS.get(kind, kind)}/{name}")
        hidden = any(fits(path, glob) for path in paths for glob in self._globs)
        return (redact.text(what), *(redact.STARS if hidden and one else redact.text(one) for one in shown))

    @cached_property
    def _globs(self) -> tuple[str, ...]:
        return tuple(glob for (glob,) in self._all("select glob from redact_glob"))

    def put_edits(self, run: RunId, edits: Iterable[Edit]) -> None:
        """Replace what is known to have been edited of a run. Repeatable."""
        edits = list(edits)
        if not edits and not self.edits(run):
            return  # true of nearly every run
        with self._transaction():
            owner = self._owner()
            self._execute("delete from edit where target = ? and run = ?", (owner, run))
            for one in edits:
                words = self.words(one.what, one.expected, one.actual)
                said = (one.accepted.by, one.accepted.at.ticks) if one.accepted else (None, None)
                row = (owner, run, *words, one.sent, one.wanted, one.found, one.since.ticks, *said)
                self._execute("insert into edit values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def edits(self, run: RunId) -> dict[str, Edit]:
        """`what` -> the edit, of one run."""
        sql = f"select {_COLUMNS} from edit where target = ? and run = ? order by what"  # noqa: S608  # our own words
        return {edit.what: edit for edit in (_edit(*row) for row in self._all(sql, (self._number, run)))}

    def accepted(self) -> Iterator[tuple[RunId, Edit]]:
        """Every accepted change with its run, by run."""
        sql = f"""
            select run, {_COLUMNS} from edit where target = ? and accepted_at is not null and (run, what) > (?, ?)
            order by run, what limit ?
        """  # noqa: S608  # our own words
        for run, *row in self._pages(sql, (self._number,), ("", "")):
            yield RunId(run), _edit(*row)

    def stays(self, run: RunId, wanted: Editable, found: Editable, sent: Editable) -> frozenset[str]:
        """Names of values whose change was accepted, and that are still as they were then on both sides."""
        kept = {(edit.sent, edit.wanted, edit.found) for edit in self.edits(run).values() if edit.accepted}
        names, sides = ({**wanted, **found} if kept else {}), (sent, wanted, found)
        return frozenset(name for name in names if tuple(digest(name, side) for side in sides) in kept)

    def accept(self, edits: Mapping[RunId, Collection[str]], by: str) -> None:
        """Note who accepts these changes, by run and `what`; their findings become accepted. Repeatable.

        On the disk when this returns.
        """
        who, at = redact.text(by), now().ticks
        pairs = [(run, what) for run, whats in edits.items() for what in whats]
        with self._transaction(durable=True):
            owner = self._owner()
            self._executemany(
                "update edit set accepted_by = ?, accepted_at = ? where target = ? and run = ? and what = ?",
                ((who, at, owner, *pair) for pair in pairs),
            )
            self._executemany(
                f"update finding set kind = '{ACCEPTED}' where target = ? and way = 'run' and whose = ? "  # noqa: S608
                "and aspect = 'fields' and what = ?",
                ((owner, *pair) for pair in pairs),
            )

    def forget_accepted(self, runs: Iterable[RunId]) -> list[RunId]:
        """Nothing is accepted of these runs any more, and what was compared of their fields is open; which had any.

        On the disk when this returns. Repeatable.
        """
        with self._transaction(durable=True):
            owner = self._owner()
            had = [run for run in runs if any(edit.accepted for edit in self.edits(run).values())]
            for sql in (
                "update edit set accepted_by = null, accepted_at = null where target = ? and run = ?",
                "update evidence set fields = null where target = ? and way = 'run' and whose = ?",
                f"delete from finding where target = ? and way = 'run' and whose = ? and kind = '{ACCEPTED}'",  # noqa: S608
            ):
                self._executemany(sql, ((owner, run) for run in had))
            return had

    def _forget_edits(self, runs: Iterable[str]) -> None:
        """Of runs that are taken back: what is seen there next was not seen before. In the caller's transaction."""
        self._executemany("delete from edit where target = ? and run = ?", [(self._owner(), run) for run in runs])

    def _sent_anew(self, run: str, before: Editable, now: Editable) -> None:
        """Forget the edits of values that go anew: what stands in their place next is no edit of then.

        In the caller's transaction.
        """
        gone = {name for name in {**before, **now} if before.get(name, NOTHING) != now.get(name, NOTHING)}
        rows = [(self._owner(), run, digest(name, before)) for name in gone]
        self._executemany("delete from edit where target = ? and run = ? and sent = ?", rows)


_COLUMNS = "what, expected, actual, sent, wanted, found, since, accepted_by, accepted_at"


def digest(name: str, of: Editable) -> bytes:
    """Stands for the value of that name, or for there being none."""
    return of_value(name, [of[name]] if name in of else [])


def _edit(*row: Any) -> Edit:  # noqa: ANN401  # the cells of a row
    what, expected, actual, sent, wanted, found, since, by, at = row
    accepted = None if at is None else Acceptance(by or "", Instant(at))
    return Edit(
        what=what,
        expected=expected,
        actual=actual,
        sent=sent,
        wanted=wanted,
        found=found,
        since=Instant(since),
        accepted=accepted,
    )
