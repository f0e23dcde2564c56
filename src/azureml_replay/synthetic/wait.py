"""Follows jobs until they end: a job that was submitted is not done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from azureml_replay.errors import Unavailable
from azureml_replay.model import TERMINAL, RunId
from azureml_replay.progress import Progress
from azureml_replay.workers import for_each
from azureml_replay.workspace.jobs import Submitter

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
READS_PER_S = 5.0
"""Reads a second: ARM refills 25, and others read too."""
PATIENCE = 10
"""Rounds in a row without an answer after which waiting ends."""


async def wait(
    submitter: Submitter,
    jobs: Mapping[RunId, str],
    *,
    ended: Callable[[RunId, str], None],
    width: int,
    progress: Progress,
) -> None:
    """Wait until every job has ended; `ended` gets root run and status of each. Raises Unavailable."""
    running, failures, pause_s = dict(jobs), 0, SHORTEST_PAUSE_S

    async def look(root: RunId) -> None:
        found = await submitter.job(running[root])
        status = found.status if found else "Canceled"  # gone: somebody deleted it
        if status in TERMINAL:
            del running[root]
            progress.done("jobs ended")
            ended(root, status)

    progress.expect("jobs ended", len(jobs))
    while running:
        try:
            await for_each(list(running), look, width)
            failures = 0
        except Unavailable:
            failures += 1
            if failures == PATIENCE:
                raise
        if running:
            await asyncio.sleep(max(pause_s, len(running) / READS_PER_S))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 1.2)
