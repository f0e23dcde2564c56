"""Model -> wire for the routes by which MLflow's clients write runs: clients.md 4.1 (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from azureml_replay.azure.wire.encode import RUNS_PER_SEARCH
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import TERMINAL, Run
from azureml_replay.workspace.profile import PARENT_TAG

Body: TypeAlias = dict[str, Any]

_TICKS_PER_MS = TICKS_PER_SECOND // 1_000
_STATUSES: Mapping[str, str] = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}

assert set(_STATUSES) == TERMINAL  # noqa: S101 - the ends that MLflow has words for


def created_run(experiment_id: str, run: Run) -> Body:
    """Request of `runs/create`: name, start, parent and tags with a value; the answer has the id."""
    tags = {**({PARENT_TAG: run.parent} if run.parent else {}), **run.tags}
    start = {} if run.start is None else {"start_time": _ms(run.start)}
    name = {"run_name": run.display_name} if run.display_name else {}
    pairs = [{"key": key, "value": value} for key, value in tags.items() if value is not None]
    return {"experiment_id": experiment_id, **start, **name, "tags": pairs}


def can_end(run: Run) -> bool:
    """True for a run whose end MLflow has words for, with its time: without one it would be given the present."""
    return run.status in _STATUSES and run.end is not None


def ended_run(run: Run) -> Body:
    """Request of `runs/update` for such a run."""
    assert run.end is not None  # noqa: S101 - see `can_end`
    return {"run_id": run.id, "status": _STATUSES[run.status], "end_time": _ms(run.end)}


def tagged_search(experiment_id: str, tag: str, value: str, token: str | None) -> Body:
    """Request of `runs/search` for the runs of an experiment that bear a tag, archived ones too."""
    found = {"experiment_ids": [experiment_id], "run_view_type": "ALL", "max_results": RUNS_PER_SEARCH}
    return {**found, "filter": f"tags.{tag} = '{value}'", **({"page_token": token} if token else {})}


def alias(model: str, version: str | None, name: str) -> Body:
    """Request of `registered-models/alias`: to give a version an alias, or without one to take it away."""
    return {"name": model, "alias": name, **({} if version is None else {"version": version})}


def _ms(moment: Instant) -> int:
    return moment.ticks // _TICKS_PER_MS
