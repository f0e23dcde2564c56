"""A plan in figures (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from azureml_replay.counting import counted
from azureml_replay.model import Omission, RunId
from azureml_replay.planning.assets import AssetPlan
from azureml_replay.planning.left import Left
from azureml_replay.planning.plan import Step
from azureml_replay.planning.refused import REFUSED
from azureml_replay.workspace.limits import FILES_PER_WORKSPACE, RUNS_PER_WORKSPACE
from azureml_replay.workspace.profile import WriteRoute

NEAR = 0.8
"""Of a workspace's limits: what the target holds already is not known when a plan is made."""


@dataclass(slots=True)
class PlanSummary:
    """The figures of a plan; `add` takes its steps as they come."""

    units: int = 0
    runs: int = 0
    points: int = 0
    waiting: int = 0
    """Of the runs: those of which nothing is sent before one above them is extracted."""
    files: int = 0
    bytes: int = 0
    own_files: int = 0
    omissions: int = 0
    items_refused: int = 0
    """Those among the omissions that the target refused."""
    overflow: int = 0
    """Omissions that the target's limits cause: the values are whole in `replay/overflow.json` of their run."""
    experiments: dict[str, int] = field(default_factory=dict)
    """Experiment -> number of runs."""
    empty_experiments: int = 0
    """Experiments without a chosen run, which go along where everything is chosen."""
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """Reason -> number of omissions."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Keys of the service that this version does not know, as `run novelty`, and how many times each was answered."""
    write_route: WriteRoute = WriteRoute.HISTORY
    """By which runs go whose families are not in the target yet."""
    routes: dict[WriteRoute, int] = field(default_factory=dict)
    """Route -> number of runs that go by it, or went."""
    assets: AssetPlan | None = None
    """What becomes of the assets that runs refer to; None where none were asked for."""
    left: Left | None = None
    """What of all this is left to send to the target that was named; None: none was."""

    near_limits: list[str] = field(default_factory=list)
    """What comes near to, or beyond, the most that a workspace holds."""

    def close(self) -> None:
        """Judge the figures, once all are there. Repeatable."""
        counts = (("runs", self.runs, RUNS_PER_WORKSPACE), ("files", self.files + self.own_files, FILES_PER_WORKSPACE))
        self.near_limits = [
            f"{count:,} {what}: a workspace holds {most:,} at most, those that the target has already among them"
            for what, count, most in counts
            if count >= NEAR * most
        ]

    def staying(self) -> list[str]:
        """In words, how many runs do not go the way of new families."""
        others = {way: count for way, count in self.routes.items() if way is not self.write_route}
        return [f"by {way.words}, as their families went: {counted(count, 'run')}" for way, count in others.items()]

    def add(self, step: Step) -> None:
        """Count one more step. NOT repeatable."""
        self.units += step.depth == 0 and step.source == step.unit
        self.runs += 1
        self.waiting += step.waits_for is not None
        self.points += step.points
        self.files += step.files
        self.bytes += step.bytes
        self.own_files += len(step.own_files)
        self.experiments[step.run.experiment] = self.experiments.get(step.run.experiment, 0) + 1
        self.routes[step.route] = self.routes.get(step.route, 0) + 1
        self.statuses[step.run.status] = self.statuses.get(step.run.status, 0) + 1
        self.overflow += len(step.overflow_series) + sum(map(len, step.overflow.values()))
        self.omit(step.omissions)

    def take_assets(self, plan: AssetPlan | None) -> None:
        """Add what becomes of assets; what the target will not have is an omission. NOT repeatable."""
        self.assets = plan
        if plan is not None:
            self.omit(Omission(RunId(""), asset, why) for asset, why in (*plan.omitted, *plan.lost))

    def omit(self, omissions: Iterable[Omission]) -> None:
        """Count what the target will not have. NOT repeatable."""
        for omission in omissions:
            self.omissions += 1
            self.items_refused += omission.reason.startswith(REFUSED)
            self.reasons[omission.reason] = self.reasons.get(omission.reason, 0) + 1


def summarize(
    steps: Iterable[Step], extraction: Iterable[Omission] = (), unknown: Mapping[str, int] | None = None
) -> PlanSummary:
    """The figures of a plan, read once, with what the extraction could not bring or did not know."""
    summary = PlanSummary(unknown=unknown or {})
    for step in steps:
        summary.add(step)
    summary.omit(extraction)
    summary.close()
    return summary
