"""Runs that name assets of which something became since: their inputs and outputs, and what a file of ours tells."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from azureml_replay.archive.archive import Archive
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import Step, plan_units, planned_units
from azureml_replay.selection import Selection
from azureml_replay.workspace.asset import AssetKey
from azureml_replay.workspace.profile import TargetProfile


def steps_naming(
    archive: Archive, assets: Collection[AssetKey], selection: Selection, files: FileChoice, profile: TargetProfile
) -> Iterator[Step]:
    """Steps of the chosen runs that name one of these, as they are planned now."""
    runs = {run for key in assets for run in archive.runs_that_use(key)}
    chosen = None if selection.everything else frozenset(planned_units(archive, selection))
    units = dict.fromkeys(unit for run in runs if (unit := archive.unit_of(run)))
    roots = [unit for unit in units if chosen is None or unit in chosen]
    yield from (step for step in plan_units(archive, roots, files, profile) if step.source in runs)
