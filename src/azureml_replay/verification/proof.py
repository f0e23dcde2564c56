"""One verification under way: what it looks at, and how its outcomes become evidence in the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way, run_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.files.bytes import md5_of
from azureml_replay.model import Finding, Location, Omission, Run, RunId
from azureml_replay.planning.files import ALL_FILES, FileChoice
from azureml_replay.workspace.source import Source
from azureml_replay.workspace.target import Target

Rest = TypeVar("Rest")


@dataclass(frozen=True)
class Proof:
    """Takes what a verification finds, whichever way a run was replayed."""

    archive: Archive
    ledger: TargetLedger
    look: int
    """The verification's number in the ledger."""
    deep: bool = False
    """Bytes are looked at too."""
    files: FileChoice = ALL_FILES
    """Which files are looked at now."""

    def record(self, subject: Topic, outcomes: Mapping[Aspect, Looked], omissions: Iterable[Omission] = ()) -> None:
        """Keep the outcome of comparing a run or an experiment, in place of a former look's at the same. Repeatable.

        Where only some of its files were looked at, findings about the others stay.
        """
        merged = {aspect: self._merged(subject, aspect, outcome) for aspect, outcome in self._looked_at(outcomes)}
        self.ledger.put_outcomes(subject, self.look, self._against(subject, merged), merged)
        self.ledger.put_planned_omissions(subject, omissions)
        if Aspect.BYTES in merged and subject.way is Way.RUN:
            part, names = merged[Aspect.BYTES].part, outcomes[Aspect.BYTES].names
            self.ledger.read_back(RunId(subject.name), names if part else None)

    def record_asset(
        self, subject: Topic, content: str, outcomes: Mapping[Aspect, Looked], omissions: Iterable[Omission]
    ) -> None:
        """The same of an asset; `content` stands for what it was compared with. No flag chooses among its files."""
        seen = {aspect: self._merged(subject, aspect, outcome) for aspect, outcome in self._looked_at(outcomes)}
        if self.files.narrowed:
            seen = {Aspect.FIELDS: outcomes[Aspect.FIELDS]}
        self.ledger.put_outcomes(subject, self.look, dict.fromkeys(seen, content), seen)
        if Aspect.FILES in seen:
            self.ledger.put_planned_omissions(subject, omissions)

    def _looked_at(self, outcomes: Mapping[Aspect, Looked]) -> Iterable[tuple[Aspect, Looked]]:
        files = {Aspect.FILES, Aspect.BYTES} if self.files.artifacts else set()
        unseen = {Aspect.FILES, Aspect.BYTES} - files | (set() if self.deep else {Aspect.BYTES})
        return ((aspect, outcome) for aspect, outcome in outcomes.items() if aspect not in unseen or outcome.part)

    def _merged(self, subject: Topic, aspect: Aspect, outcome: Looked) -> Looked:
        if outcome.part:
            others = [one for one in self.ledger.findings_of(subject, aspect) if one.what not in outcome.names]
            return replace(outcome, findings=[*others, *outcome.findings])
        if aspect not in (Aspect.FILES, Aspect.BYTES) or not self.files.narrowed:
            return outcome
        kept = self.ledger.findings_of(subject, aspect)
        others = [one for one in kept if self._is_beside(one, subject.way, outcome.names)]
        return Looked([*others, *outcome.findings], outcome.counts, part=True)

    def _is_beside(self, finding: Finding, way: Way, looked: Collection[str]) -> bool:
        """True for a finding about a file that is not looked at now.

        The path of a run's file tells whether a glob takes it, there or not. Its size is not told here, and in a job
        it has another path than in the source.
        """
        if finding.what in looked:
            return False
        path = finding.what.partition("file ")[2].removesuffix(": bytes").removesuffix(": index entry")
        by_path = way is Way.RUN and self.files.most_bytes is None
        return not by_path or self.files.refusal(path, 0) is not None

    def _against(self, subject: Topic, aspects: Collection[Aspect]) -> dict[Aspect, str]:
        """What stands for the content that each aspect was compared with."""
        run = run_of(subject)
        if run:
            carried = self.ledger.carried([run], subject.way).get(run)
            return dict.fromkeys(aspects, self.ledger.content_carried(self.ledger.content_of(run), carried))
        own = self.ledger.content_of_experiment(subject.name)
        return {aspect: self._families if aspect is Aspect.CHILDREN else own for aspect in aspects}

    @cached_property
    def _families(self) -> str:
        """Nobody extracts meanwhile."""
        return self.ledger.content_of_families()


async def once_settled(
    target: Target, run: Run, look: Callable[[], Awaitable[tuple[list[Finding], Rest]]]
) -> tuple[list[Finding], Rest]:
    """What differs once the target has settled: rows that were appended a moment ago may show up late."""
    found, rest = await look()
    if found:
        await target.settle(run.experiment, run.id)
        found, rest = await look()
    return found, rest


async def compare_bytes(workspace: Source, run: RunId, path: str, wanted: bytes, there: Location) -> list[Finding]:
    """Reads a file whole and compares its MD5 with the one that is `wanted`. Raises Unavailable, Rejected."""
    found = await md5_of(workspace, there)
    if found == wanted:
        return []
    return [Finding(run, f"file {path}: bytes", "differs", wanted.hex(), found.hex())]
