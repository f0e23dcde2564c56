"""What verify found in a target, and what the plan said beforehand that it would not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay import redact
from azureml_replay.archive.database import now
from azureml_replay.archive.of_target import OfTarget
from azureml_replay.archive.records import dumps, loads
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, Omission, RunId


@dataclass(frozen=True, slots=True)
class Verification:
    """A run that was read back and compared."""

    run: RunId
    at: Instant
    counts: Mapping[str, int]
    """How much was compared, by `points`, `files`, `unverifiable`, …"""
    findings: int


class Findings(OfTarget):
    """The part of a target's ledger that verify writes."""

    def put_findings(self, run: RunId, findings: Sequence[Finding]) -> None:
        """Replace the findings of a run. Repeatable."""
        rows = [(f.what, f.kind, f.expected, f.actual) for f in findings]
        self._replace("finding", run, [tuple(map(redact.text, row)) for row in rows])

    def findings(self) -> Iterator[Finding]:
        """All findings, by run."""
        sql = """
            select run, number, what, kind, expected, actual from finding
            where target = ? and (run, number) > (?, ?) order by run, number limit ?
        """
        for run, _, *rest in self._pages(sql, (self._number,), ("", -1)):
            yield Finding(run, *rest)

    def findings_of(self, run: RunId) -> list[Finding]:
        """The findings of one run, in the order in which verify made them."""
        rows = self._all(
            "select what, kind, expected, actual from finding where target = ? and run = ? order by number",
            (self._number, run),
        )
        return [Finding(run, *row) for row in rows]

    def verified(self, run: RunId, counts: Mapping[str, int] | None = None) -> None:
        """Record that the run was compared just now. Repeatable."""
        with self._transaction():
            row = (self._owner(), run, str(now()), dumps(counts or {}).decode())
            self._execute("insert or replace into verification values (?, ?, ?, ?)", row)

    def verifications(self) -> Iterator[Verification]:
        """Every run that was compared, by run."""
        sql = """
            select run, at, counts, (select count(*) from finding f where f.target = v.target and f.run = v.run)
            from verification v where target = ? and run > ? order by run limit ?
        """
        for run, at, counts, findings in self._pages(sql, (self._number,), ("",)):
            yield Verification(RunId(run), Instant.parse(at), loads(counts), findings)

    def put_planned_omissions(self, run: RunId, omissions: Sequence[Omission]) -> None:
        """Replace the omissions of a run: what the plan says that the target will not have. Repeatable."""
        rows = [(redact.text(omission.what), redact.text(omission.reason)) for omission in omissions]
        self._replace("planned_omission", run, rows)

    def planned_omissions(self) -> Iterator[Omission]:
        """All planned omissions, by run."""
        sql = """
            select run, number, what, reason from planned_omission
            where target = ? and (run, number) > (?, ?) order by run, number limit ?
        """
        for run, _, what, reason in self._pages(sql, (self._number,), ("", -1)):
            yield Omission(run, what, reason)

    def planned_omissions_of(self, run: RunId) -> list[Omission]:
        """The planned omissions of one run."""
        sql = "select what, reason from planned_omission where target = ? and run = ? order by number"
        return [Omission(run, *row) for row in self._all(sql, (self._number, run))]
