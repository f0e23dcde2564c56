"""The experiments of a plan: which are to be there, and what of them cannot be (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from azureml_replay.model import Experiment, Omission, RunId
from azureml_replay.planning.history import Recorded
from azureml_replay.selection import Selection, chosen

OWNER = RunId("")
"""Experiments belong to no run: their receipts stand under the empty id."""


def planned_experiments(
    recorded: Recorded, selection: Selection, without: Collection[RunId] = ()
) -> Iterator[Experiment]:
    """All that the archive has; under a selection those that its runs lie in, units of the roots `without` aside."""
    if selection.everything and not without:
        yield from recorded.experiments()
        return
    choice = chosen(recorded.listing(), replace(selection, include_active=True))  # as `planned_units`
    names = {row.experiment for row in recorded.listing() if choice.takes(row) and row.unit not in without}
    yield from (experiment for experiment in recorded.experiments() if experiment.name in names)


def experiment_omissions(experiment: Experiment, existing: frozenset[str]) -> Iterator[Omission]:
    """What an experiment of the same name in the target keeps us from carrying."""
    if experiment.name not in existing:
        return
    for what, value in (
        ("description", experiment.description),
        ("tags", experiment.tags),
        ("archived", experiment.archived),
    ):
        if value:
            reason = "the target had an experiment of this name before, which keeps its own"
            yield Omission(OWNER, f"experiment {experiment.name}: {what}", reason)
