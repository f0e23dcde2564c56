"""What a verification compared so far: counted here and recorded in the ledger, whichever way a run was replayed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.files.bytes import md5_of
from azureml_replay.model import Finding, Location, Omission, RunId
from azureml_replay.verification.verdict import FindingTally, Verdict
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target

Rest = TypeVar("Rest")


@dataclass(slots=True)
class _Record:
    """What the ledger will say of one run."""

    findings: list[Finding] = field(default_factory=list)
    omissions: dict[Omission, None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Proof:
    """One verification's sums. Both ways of replaying are compared into the same one."""

    archive: Archive
    ledger: TargetLedger
    twice: Collection[RunId] = ()
    """Runs that stand in the target both as they were and as a job: their two comparisons make one record."""
    runs: int = 0
    points: int = 0
    files: int = 0
    own_files: int = 0
    bytes: int = 0
    unverifiable: int = 0
    found: FindingTally = field(default_factory=FindingTally)
    reasons: dict[str, int] = field(default_factory=dict)
    _half: dict[RunId, _Record] = field(default_factory=dict)
    """Of runs that stand there twice: what the first comparison said."""

    def record(
        self, run: RunId, findings: Sequence[Finding], omissions: Iterable[Omission], counts: Mapping[str, int]
    ) -> None:
        """The outcome of comparing one run, in place of the outcome of an earlier verification. Repeatable.

        `counts` names what was compared: `points`, `files`, `unverifiable`.
        """
        once = dict.fromkeys(omissions)
        self.omit(once)
        self.found.add(findings)
        record = self._half.pop(run, _Record())
        record.findings += findings
        record.omissions |= once
        for name, count in counts.items():
            record.counts[name] = record.counts.get(name, 0) + count
        if run in self.twice:
            self._half[run] = record
        self.ledger.put_findings(run, record.findings)
        self.ledger.put_planned_omissions(run, list(record.omissions))
        self.ledger.verified(run, record.counts)

    def omit(self, omissions: Iterable[Omission]) -> None:
        """Counts what was planned to be left out."""
        for omission in omissions:
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1

    def verdict(self, unread: int) -> Verdict:
        """So far. `unread` counts chosen runs that the archive does not hold."""
        return Verdict(
            runs=self.runs,
            points=self.points,
            files=self.files,
            own_files=self.own_files,
            bytes=self.bytes,
            unverifiable=self.unverifiable,
            omissions=sum(self.reasons.values()),
            findings=self.found.count,
            reasons=dict(self.reasons),
            unknown=self.archive.unknown(),
            kinds=dict(self.found.kinds),
            first=tuple(self.found.first),
            unread=unread,
        )


async def once_settled(
    target: Target, run: RunId, look: Callable[[], Awaitable[tuple[list[Finding], Rest]]]
) -> tuple[list[Finding], Rest]:
    """What differs once the target has settled: rows that were appended a moment ago may show up late."""
    found, rest = await look()
    if found:
        await target.settle(run)
        found, rest = await look()
    return found, rest


async def compare_bytes(workspace: Source, run: RunId, path: str, wanted: bytes, there: Location) -> list[Finding]:
    """Reads a file whole and compares its MD5 with the one that is `wanted`. Raises Unavailable, Rejected."""
    found = await md5_of(workspace, there)
    if found == wanted:
        return []
    return [Finding(run, f"file {path}: bytes", "differs", wanted.hex(), found.hex())]
