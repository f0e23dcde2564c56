"""Whether archiving an experiment of a target would hide what others have in it. Only reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.refused import HIDES
from azureml_replay.workspace.asset_rule import asset_rule_of
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Target


async def why_not_archived(target: Target, there: Experiment, source: Place) -> str | None:
    """Names the first run that is to be seen there and is not of `source`; None where there is none.

    An MLflow server, which deletes an experiment with everything in it, looks by itself.
    """
    if not asset_rule_of(target.ref).archives:
        return None
    of_jobs, waiting = set[RunId](), dict[RunId, RunId]()
    async for page in target.runs(there):
        of_jobs |= {run.id for run in page if _is_job(run, source)}
        for run in page:
            if run.hidden or run.id in of_jobs or _is_of(run, source):
                continue
            if run.parent is None:
                return _words(run.id)
            waiting[run.id] = run.parent
    return next((_words(run) for run in waiting if not _is_below(run, waiting, of_jobs)), None)


def _words(run: RunId) -> str:
    return f"{HIDES}run {run}, which is not of this source"


def _is_job(run: Run, source: Place) -> bool:
    return lineage.is_our_job(run, source, RunId(run.tags.get(lineage.TAG) or ""))


def _is_of(run: Run, source: Place) -> bool:
    """As it was written, by whichever archive; what was copied from such a run is somebody's."""
    original = lineage.origin(run) or RunId(run.tags.get(lineage.TAG) or "")
    return lineage.is_ours(run, source, original)


def _is_below(run: RunId, parents: Mapping[RunId, RunId], jobs: Collection[RunId]) -> bool:
    """True for a step of one of our jobs, however deep."""
    seen = set[RunId]()
    while run in parents and run not in seen:
        seen.add(run)
        run = parents[run]
    return run in jobs
