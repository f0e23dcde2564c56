"""What runs the workers of a command, and what they are told."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from azureml_replay.archive.archive import Archive
from azureml_replay.cli.speed import EngineOption, Speed
from azureml_replay.connection import Config, without_secrets
from azureml_replay.crew.driver import Crew
from azureml_replay.crew.engine import Engine
from azureml_replay.crew.messages import Setup
from azureml_replay.crew.processes import Processes
from azureml_replay.crew.ray import Ray, imported
from azureml_replay.errors import UserError
from azureml_replay.progress import Progress
from azureml_replay.workspace.lease import LeaseHolder
from azureml_replay.workspace.place import Place


def crew_of(
    archive: Archive,
    engine: Engine,
    speed: Speed,
    progress: Progress,
    *,
    configs: Sequence[Config | None],
    holder: LeaseHolder,
    target: Place | None,
) -> Crew:
    """The workers of a command, not at work yet. `configs`: of the source and the target that they are to reach."""
    workers = speed.workers or 1
    source, there = configs if engine.shares_disk else [one and without_secrets(one) for one in configs]
    setup = Setup(
        source=source,
        target=there,
        width=speed.width,
        mbps=None if speed.mbps is None else speed.mbps / workers,
        log_level=logging.getLogger("azureml_replay").getEffectiveLevel(),
        holder=holder,
    )
    return Crew(archive, engine, setup, workers, progress, target=target)


def engine_of(archive: Archive, speed: Speed, *, download: bool) -> Engine:
    """What runs them. Raises UserError where it is not installed, or cannot do what is asked."""
    if speed.engine is EngineOption.PROCESSES:
        return Processes()
    if download or archive.keeps_bytes:
        raise UserError(
            "--engine ray moves no bytes between an archive and its workers: "
            "use --workers without --engine where the archive keeps the bytes of files"
        )
    imported(local=speed.ray_address is None)
    return Ray(speed.ray_address, speed.workers or 1)
