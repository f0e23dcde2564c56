"""The driver, with an engine by script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.crew.driver import Crew
from azureml_replay.crew.engine import Channel, WorkerLost
from azureml_replay.crew.messages import Setup
from azureml_replay.direct.foreseen import DueUnits
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.parts import Briefing
from azureml_replay.errors import Unavailable
from azureml_replay.model import RunId
from azureml_replay.progress import SILENT
from azureml_replay.workspace.lease import LeaseHolder
from azureml_replay.workspace.profile import AZURE_ML

SETUP = Setup(source=None, target=None, width=1, mbps=None, log_level=0, holder=LeaseHolder("a", "me", "here"))


class Stillborn:
    """Its workers end as they start."""

    shares_disk = True

    def __init__(self) -> None:
        self.started = 0

    @asynccontextmanager
    async def worker(self, _: Setup) -> AsyncIterator[Channel]:
        self.started += 1
        assert self.started < 50
        raise WorkerLost("it ended", reaped=True)
        yield cast("Channel", None)

    async def close(self) -> None: ...


async def hold() -> float:
    return 60.0


@pytest.mark.parametrize("workers", [1, 3])
async def test_workers_that_never_begin_are_not_started_for_ever(tmp_path: Path, workers: int) -> None:
    """It is said, and what to try instead."""
    engine = Stillborn()
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as archive:
        crew = Crew(archive, engine, SETUP, workers, SILENT)
        with pytest.raises(Unavailable, match=r"workers end before they begin \(it ended\): try without --workers"):
            async with crew.at_work():
                await crew.send(DueUnits({RunId("a"): 1.0}), ReplayOptions(), AZURE_ML, Briefing({}, {}), hold)
