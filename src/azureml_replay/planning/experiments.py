"""The experiments of a plan, and what of them cannot be carried (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from azureml_replay.model import Experiment, Omission, RunId
from azureml_replay.planning.history import Recorded
from azureml_replay.selection import Selection, chosen

OWNER = RunId("")
"""The run id under which receipts of experiments are kept, which belong to no run: an empty one."""


def planned_experiments(
    recorded: Recorded, selection: Selection, without: Collection[RunId] = ()
) -> Iterator[Experiment]:
    """All experiments of the archive; under a selection those of its runs, but not of units in `without`."""
    if selection.everything and not without:
        yield from recorded.experiments()
        return
    known = recorded.left_out(selection.include) if selection.include else {}
    choice = chosen(recorded.listing(), replace(selection, include_active=True), known)  # as `planned_units`
    names = {row.experiment for row in recorded.listing() if choice.takes(row) and row.unit not in without}
    yield from (experiment for experiment in recorded.experiments() if experiment.name in names)


def experiment_omissions(experiment: Experiment, there: Experiment) -> Iterator[Omission]:
    """What an experiment that the target had before, `there`, keeps of its own.

    One that is archived in both, or was shown again for our runs, keeps no state of its own.
    """
    stays_active = experiment.archived and not there.archived
    for what, value in (
        ("description", experiment.description),
        ("tags", experiment.tags),
        ("archived", stays_active),
    ):
        if value:
            reason = "the target had an experiment of this name before, which keeps its own"
            yield Omission(OWNER, f"experiment {experiment.name}: {what}", reason)
