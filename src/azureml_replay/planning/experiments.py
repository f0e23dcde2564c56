"""The experiments of a plan, and what of them cannot be carried (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from azureml_replay.model import Editable, Experiment, Omission, RunId
from azureml_replay.planning.history import Recorded
from azureml_replay.planning.lineage import (
    EXPERIMENT_TAG,
    made_experiment,
    of_experiment,
    says_more,
    without_lineage,
)
from azureml_replay.selection import Selection, chosen
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import AZURE_ML, TargetProfile

OWNER = RunId("")
"""The run id under which receipts of experiments are kept, which belong to no run: an empty one."""


def planned_experiments(
    recorded: Recorded, selection: Selection, without: Collection[RunId] = (), profile: TargetProfile = AZURE_ML
) -> Iterator[Experiment]:
    """All experiments of the archive; under a selection those of its runs, but not of units in `without`."""
    for experiment in _chosen(recorded, selection, without):
        yield planned_experiment(experiment, recorded.source, profile.limits.tags)


def planned_experiment(experiment: Experiment, source: Place, tags: int) -> Experiment:
    """As the target should hold it; `tags` is the most that it can have.

    One of which there is nothing to tell goes without our lineage: no request is needed for it, and whoever takes it
    for the target's own loses nothing. So does one that has no room: what it has of its own comes first.
    """
    own = without_lineage(experiment)
    told = own.description or own.tags or own.archived
    return _marked(own, of_experiment(source, own.name), tags) if told else own


def taken_back(there: Experiment, source: Place, tags: int) -> Experiment:
    """The target's experiment with the word of `undo`, unless it bears the lineage of another source."""
    if EXPERIMENT_TAG in there.tags and not made_experiment(there, source):
        return there
    return _marked(there, of_experiment(source, there.name, taken_back=True), tags)


def signed(planned: Experiment, source: Place, sent: Editable) -> Experiment:
    """The experiment whose lineage, where it has one, also says what is sent of it."""
    told = {EXPERIMENT_TAG: of_experiment(source, planned.name, sent)} if EXPERIMENT_TAG in planned.tags else {}
    return replace(planned, tags={**planned.tags, **told})


def with_lineage(
    update: Experiment, planned: Experiment, there: Experiment, source: Place, sent: Editable, *, writes: bool
) -> Experiment:
    """The update of the target's experiment `there` with our lineage, where that should be there and is not.

    Where the target's has one already ours takes its place: the word of `undo` goes. `sent` is what will have been sent
    last; for that alone nothing is written, without `writes`.
    """
    had = EXPERIMENT_TAG in there.tags
    lacks = (had and (writes or says_more(there, source))) or (not had and EXPERIMENT_TAG in planned.tags)
    told = of_experiment(source, there.name, sent)
    return replace(update, tags={**update.tags, EXPERIMENT_TAG: told}) if lacks else update


def _marked(experiment: Experiment, lineage: str, tags: int) -> Experiment:
    marked = {**experiment.tags, EXPERIMENT_TAG: lineage}
    return replace(experiment, tags=marked) if len(marked) <= tags else experiment


def _chosen(recorded: Recorded, selection: Selection, without: Collection[RunId]) -> Iterator[Experiment]:
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
        ("tags", without_lineage(experiment).tags),
        ("archived", stays_active),
    ):
        if value:
            reason = "the target had an experiment of this name before, which keeps its own"
            yield Omission(OWNER, f"experiment {experiment.name}: {what}", reason)
