"""What an experiment of a server holds beside the runs of one source that replay made and has a say in. Only reads.

Deleting an experiment there deletes everything in it, everybody's, and restoring it shows what was deleted one by one.
So only one that holds nothing else is deleted, and no more than that is ever restored.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from azureml_replay.errors import Forbidden, Rejected
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import ask
from azureml_replay.mlflow.wire.ours import HIDDEN_TAG
from azureml_replay.model import Experiment
from azureml_replay.workspace.mark import SOURCE_TAG

KEPT = "the server deletes an experiment with everything in it, and this one holds {what}"
TRACES = "traces"


async def not_ours_in(rest: Rest, there: Experiment) -> str | None:
    """The first thing in words, for the reason why the experiment is not deleted; None where there is none."""
    return await anext(_runs(rest, there), None) or await anext(_beside_runs(rest, there), None)


async def _runs(rest: Rest, there: Experiment) -> AsyncIterator[str]:
    """Of another source too: they are another archive's."""
    source: str | None = None
    async for page in rest.runs([there.id], {there.id: there.name}):
        for run in (one.run for one in page):
            mark = run.tags.get(SOURCE_TAG)
            if mark is None or source not in (None, mark):
                yield f"run {run.id}, which is not of this source"
            elif run.hidden and HIDDEN_TAG not in run.tags:
                yield f"run {run.id}, which somebody deleted"
            source = mark


async def _beside_runs(rest: Rest, there: Experiment) -> AsyncIterator[str]:
    """What servers from MLflow 3 on have in experiments; an older one knows of none. What is hidden may be there."""

    async def traces() -> bool:
        return bool((await rest.traces([there.id], 1)).get(there.id))

    async def any_of(way: ask.InExperiment) -> bool:
        return bool(await rest.listed(way, there.id))

    ways: dict[str, Callable[[], Awaitable[bool]]] = {TRACES: traces}
    ways.update((what, partial(any_of, way)) for what, way in ask.BESIDE_RUNS.items())
    for what, is_there in ways.items():
        try:
            if await is_there():
                yield what
        except Forbidden:
            yield f"maybe {what}, which this login may not see"
        except Rejected:
            continue
