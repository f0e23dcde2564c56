"""What Ctrl-C says is safe: histories, jobs, or both."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from azureml_replay.archive.reading import Totals
from azureml_replay.archive.target_ledger import TargetProgress
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.interrupts import finish, in_one_line

TARGET = azure_place("s", "g", "target")
NOTHING = dict.fromkeys(TargetProgress.__dataclass_fields__, 0)
TOTALS = Totals(
    **{**dict.fromkeys(Totals.__dataclass_fields__, 0), "runs": 9, "extracted": 3, "points": 12, "files": 1}
)


@pytest.mark.parametrize(
    ("has", "said"),
    [
        ({}, "0 runs complete (0 begun), 0 points, 0 files, 0 runs compared"),
        ({"runs_created": 2, "runs_finished": 1}, "1 run complete (2 begun), 0 points, 0 files, 0 runs compared"),
        ({"jobs_submitted": 1}, "1 job submitted, 0 runs compared"),
        (
            {"jobs_submitted": 2, "runs_created": 1, "files": 1, "runs_compared": 1},
            "2 jobs submitted, 0 runs complete (1 begun), 0 points, 1 file, 1 run compared",
        ),
    ],
)
def test_an_interrupted_command_counts_what_the_target_has(has: dict[str, int], said: str) -> None:
    """A job that was submitted is something that was done."""
    progress = TargetProgress(**{**NOTHING, **has})

    told = in_one_line(Path("history"), TOTALS, {TARGET: progress})

    assert told == f"history keeps 3 of 9 runs, 12 points, 1 file; s/g/target has {said}"


def wakes() -> int:
    """Where signals write a byte to, -1 for nowhere."""
    found = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(found, warn_on_full_buffer=False)
    return found


def test_a_signal_right_before_the_loop_waits_ends_the_wait() -> None:
    """All that happens in that moment is that a byte is written: Python's handlers run once the wait is over."""
    before = wakes()

    async def work() -> None:
        loop, waiting = asyncio.get_running_loop(), asyncio.ensure_future(asyncio.sleep(600))
        really = loop._selector.select  # type: ignore[attr-defined]

        def select(timeout: float | None) -> object:
            if timeout is not None and timeout > 500:
                os.write(wakes(), b"\x02")
                found = really(timeout)
                waiting.cancel()
                return found
            return really(timeout)

        loop._selector.select = select  # type: ignore[attr-defined]
        with suppress(asyncio.CancelledError):
            await waiting

    finish(work(), None)
    assert wakes() == before
