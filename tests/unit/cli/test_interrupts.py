"""What Ctrl-C says is safe: histories, jobs, or both."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.archive.reading import Totals
from azureml_replay.archive.target_ledger import TargetProgress
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.interrupts import in_one_line

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
