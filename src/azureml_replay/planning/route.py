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
NO_END = "MLflow's routes end runs as Completed, Failed or Canceled alone" + _ARCHIVED


def as_routed(run: Run, fitting: Fitting, profile: TargetProfile) -> Run:
    """The run as the profile's route writes it; what that loses becomes omissions."""
    if profile.ids == "ours":
        return run
    fitting.omit("run id", OWN_ID)
    if not run.display_name:
        fitting.omit("display name", NO_NAME)
        run = replace(run, display_name=fitting.run)
    if run.start is None and run.created is not None:
        fitting.omit("start", NO_START)
        run = replace(run, start=run.created)
    if run.end is not None and run.status not in TERMINAL:
        fitting.omit("end", NO_END)
        run = replace(run, end=None)
    start = _coarse("start", run.start, fitting, profile.tick)
    return replace(run, start=start, end=_coarse("end", run.end, fitting, profile.tick))


def _coarse(name: str, moment: Instant | None, fitting: Fitting, tick: int) -> Instant | None:
    if moment is None or not moment.ticks % tick:
        return moment
    fitting.omit(f"{name} below a millisecond", FINER)
    return Instant(moment.ticks // tick * tick)
