"""Steps in batches, as the service's requests are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from azureml_replay.planning.plan import Step
from azureml_replay.workspace.limits import RUNS_PER_REQUEST


def batches(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """The steps in batches of one experiment each, as the service's requests are."""
    by_experiment: dict[str, list[Step]] = {}
    for step in steps:
        by_experiment.setdefault(step.run.experiment, []).append(step)
    for group in by_experiment.values():
        waiting = iter(group)
        while batch := list(islice(waiting, RUNS_PER_REQUEST)):
            yield batch
