"""What is lost where runs are written under ids of the target's own, by MLflow's routes (pure)."""

from __future__ import annotations

from dataclasses import replace

from azureml_replay.instants import Instant
from azureml_replay.model import TERMINAL, Run
from azureml_replay.planning import lineage
from azureml_replay.planning.fit import Fitting
from azureml_replay.workspace.profile import TargetProfile

_ARCHIVED = "; the source's is in the archive"
OWN_ID = f"the target names its runs itself; the tag {lineage.TAG} has it, and the archive knows both"
FINER = f"MLflow's routes take milliseconds{_ARCHIVED}"
NO_NAME = "MLflow's routes give a name to every run: it gets its id in the source"
NO_START = "MLflow's routes give a start to every run: it gets its creation time"
FINER_THERE = f"milliseconds are taken; the source's stands in the lineage, the tag {lineage.PROPERTY}"
NO_NAME_THERE = "an MLflow server gives a name to every run: it gets its id in the source"
NO_START_THERE = "an MLflow server shows 1970 for no start: it gets its creation time"
NO_1970 = "an MLflow server takes the first millisecond of 1970 for none; the source's stands in the lineage"
NO_END = "MLflow's routes end runs as Completed, Failed or Canceled alone" + _ARCHIVED


def as_routed(run: Run, fitting: Fitting, profile: TargetProfile) -> Run:
    """The run as the profile's route writes it; what that loses becomes omissions."""
    if profile.ids == "ours":
        return run
    plain = profile.plain
    fitting.omit("run id", OWN_ID)
    if not run.display_name:
        fitting.omit("display name", NO_NAME_THERE if plain else NO_NAME)
        run = replace(run, display_name=fitting.run)
    if run.start is None and run.created is not None:
        fitting.omit("start", NO_START_THERE if plain else NO_START)
        run = replace(run, start=run.created)
    if run.end is not None and run.status not in TERMINAL and not plain:
        fitting.omit("end", NO_END)
        run = replace(run, end=None)
    start = _coarse("start", run.start, fitting, profile)
    end = _coarse("end", run.end, fitting, profile)
    if not plain:
        return replace(run, start=start, end=end)
    return replace(run, start=_but_none("start", start, fitting), end=_but_none("end", end, fitting))


def _coarse(name: str, moment: Instant | None, fitting: Fitting, profile: TargetProfile) -> Instant | None:
    if moment is None or not moment.ticks % profile.tick:
        return moment
    fitting.omit(f"{name} below a millisecond", FINER_THERE if profile.plain else FINER)
    return Instant(moment.ticks // profile.tick * profile.tick)


def _but_none(name: str, moment: Instant | None, fitting: Fitting) -> Instant | None:
    """Without a moment that a plain server takes for none."""
    if moment != Instant(0):
        return moment
    fitting.omit(name, NO_1970)
    return None
