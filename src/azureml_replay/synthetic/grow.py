"""Plan steps -> the tree of jobs that stands in for their unit (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from azureml_replay.limits import DOCUMENTED, Limits
from azureml_replay.model import Points, RunId, SeriesKey
from azureml_replay.plan import Recorded, Step
from azureml_replay.synthetic.tree import Edges, Tree
from azureml_replay.synthetic.trials import TrialChoice


class Histories(Recorded, Protocol):
    """What growing reads of an archive: what planning reads, and the points that rank trials."""

    def points(self, run: RunId, key: SeriesKey) -> Iterator[Points]:
        """The rows of one name, piece by piece."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticOptions:
    """What of a unit becomes a job."""

    trials: TrialChoice | None = None
    """Which trials of AutoML and sweep parents become nodes; None: such a parent is one node, without children."""
    edges: Edges = "shape"
    limits: Limits = DOCUMENTED


def grow(steps: Iterable[Step], recorded: Histories, options: SyntheticOptions) -> Tree:
    """The tree of one unit. `steps` are those of one unit, parents first, as `plan.plan_unit` gives them."""
    raise NotImplementedError
