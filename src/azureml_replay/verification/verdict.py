"""What was compared and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Exit
from azureml_replay.model import (
    Finding,
)
from azureml_replay.planning.plan import planned_units
from azureml_replay.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was compared and what came of it."""

    runs: int
    points: int
    files: int
    """Files compared, `own_files` among them."""
    bytes: int
    unverifiable: int
    """Files without a checksum on one of the sides; `deep` reads their bytes instead."""
    omissions: int
    """As planned: each is listed with its reason."""
    findings: int
    reasons: Mapping[str, int]
    """Omissions by reason."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Keys of the service that this version does not know, as `run novelty`: what they say was not compared."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Findings by kind."""
    first: Sequence[Finding] = ()
    """Some of each kind; the archive has all."""
    own_files: int = 0
    """Files that replay made, below `replay/` of their run; the others are the source's."""
    unread: int = 0
    """Chosen runs that the archive does not hold yet: the verdict says nothing of them."""

    @property
    def proves(self) -> bool:
        """Something was compared, nothing is missing from the comparison, and all of it is equal."""
        return self.runs > 0 and not self.unread and not self.findings

    @property
    def exit(self) -> Exit:
        """What a command that ends with this verdict ends with: differences before what could not be compared."""
        if self.findings:
            return Exit.FINDINGS
        return Exit.SERVICE if self.unread else Exit.OK


NAMED = 3
"""Findings of a kind that a verdict names: enough to see what it is about."""


@dataclass(slots=True)
class FindingTally:
    """Findings as they come: all counted, the first of each kind kept."""

    kinds: dict[str, int] = field(default_factory=dict)
    first: list[Finding] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        """Some more."""
        for finding in findings:
            seen = self.kinds.get(finding.kind, 0)
            self.kinds[finding.kind] = seen + 1
            if seen < NAMED:
                self.first.append(finding)

    @property
    def count(self) -> int:
        """Of all kinds."""
        return sum(self.kinds.values())


def unread(archive: Archive, selection: Selection) -> int:
    """Chosen runs of which the archive holds nothing: their extraction failed or was interrupted."""
    lacking = archive.unread()
    if not lacking or selection.everything:
        return sum(lacking.values())
    return sum(lacking.get(unit, 0) for unit in planned_units(archive, selection))
