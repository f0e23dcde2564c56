"""What the findings of a verdict come to (pure)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from azureml_replay.instants import Instant
from azureml_replay.model import Finding
from azureml_replay.verification.wording import Cause, Kind, cause_of, differences, kind_of

NAMED = 3
"""Findings of a kind that a verdict names: enough to see what it is about."""


@dataclass(slots=True)
class FoundOfAll:
    """The findings of a verdict: how many of each kind, who made them and since when, and some to show."""

    kinds: Counter[str] = field(default_factory=Counter)
    groups: Counter[Kind] = field(default_factory=Counter)
    causes: Counter[Cause] = field(default_factory=Counter)
    since: Instant | None = None
    """When none of the changes in the target was there yet."""
    of_runs: list[Finding] = field(default_factory=list)
    loose: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """One more."""
        kind, cause = kind_of(finding), cause_of(finding)
        self.kinds[finding.kind] += 1
        self.groups[kind] += 1
        self.causes[cause] += 1
        if finding.since is not None and cause is Cause.CHANGE:
            self.since = finding.since if self.since is None else min(self.since, finding.since)
        into = self.of_runs if finding.run else self.loose
        if sum(kind_of(one) is kind for one in into) < NAMED:
            into.append(finding)

    @property
    def shown(self) -> list[Finding]:
        """The first of each kind, those about runs before the others."""
        named = Counter(map(kind_of, self.of_runs))
        return [*self.of_runs, *(one for one in self.loose if named[kind_of(one)] < NAMED)]

    def in_words(self, now: Instant | None) -> str:
        """All of them in one phrase, the accepted ones beside them; without `now` times have their date."""
        return differences(
            faults=self.causes[Cause.FAULT],
            changes=self.causes[Cause.CHANGE],
            since=self.since,
            unseen=self.causes[Cause.UNSEEN],
            accepted=self.causes[Cause.ACCEPTED],
            kinds=self.kinds,
            now=now,
        )
