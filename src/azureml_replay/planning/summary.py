"""A plan in figures (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from azureml_replay.model import Omission
from azureml_replay.planning.plan import Step


@dataclass(slots=True)
class PlanSummary:
    """A plan in figures; `add` takes its steps as they come."""

    units: int = 0
    runs: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    own_files: int = 0
    omissions: int = 0
    overflow: int = 0
    """Of the omissions: what the target's limits refuse, which lies whole in `replay/overflow.json` of its run."""
    experiments: dict[str, int] = field(default_factory=dict)
    """Runs by experiment."""
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """Omissions by reason."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Keys of the service that this version does not know, as `run novelty`, and how many times each was answered."""

    def add(self, step: Step) -> None:
        """One more step."""
        self.units += step.depth == 0 and step.source == step.unit
        self.runs += 1
        self.points += step.points
        self.files += step.files
        self.bytes += step.bytes
        self.own_files += len(step.own_files)
        self.experiments[step.run.experiment] = self.experiments.get(step.run.experiment, 0) + 1
        self.statuses[step.run.status] = self.statuses.get(step.run.status, 0) + 1
        self.overflow += len(step.overflow_series) + sum(map(len, step.overflow.values()))
        self.omit(step.omissions)

    def omit(self, omissions: Iterable[Omission]) -> None:
        """What the target will not have."""
        for omission in omissions:
            self.omissions += 1
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1


def summarize(
    steps: Iterable[Step], extraction: Iterable[Omission] = (), unknown: Mapping[str, int] | None = None
) -> PlanSummary:
    """Counts a plan as it streams by, and what the extraction could not bring or did not know."""
    summary = PlanSummary(unknown=unknown or {})
    for step in steps:
        summary.add(step)
    summary.omit(extraction)
    return summary
