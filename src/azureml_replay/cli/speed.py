"""How fast a command works: how many runs at once, and how many bytes a second."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from azureml_replay.sending.cap import Cap

RUNS_AT_ONCE = 32
"""Runs worked on at once, which bounds memory; how much a service accepts is learnt while it is asked."""
ParallelOption: TypeAlias = Annotated[
    int, typer.Option(min=1, max=1_000, metavar="N", help="Work on so many runs at once.")
]
CapOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--cap-mbps",
        min=0.01,
        max=1_000_000,
        metavar="N",
        help="Let at most N megabits a second of files through this machine; copies by the storage itself don't count.",
    ),
]


class EngineOption(StrEnum):
    """The values of `--engine`."""

    PROCESSES = "processes"
    RAY = "ray"


MOST_WORKERS = 256
EngineFlag: TypeAlias = Annotated[
    EngineOption,
    typer.Option("--engine", help="Run the workers as processes of this machine, or as tasks of Ray."),
]
RayAddressOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="A",
        help="The Ray cluster, HEAD:6379 or auto. Without it Ray begins and ends with the command, on this machine.",
        show_default=False,
    ),
]
WorkersOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=MOST_WORKERS,
        metavar="N",
        help="Divide the runs among so many workers; each works on --parallel runs at once.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a command works."""

    width: int = RUNS_AT_ONCE
    mbps: float | None = None
    """Megabits a second of files through this machine; None: as fast as it goes."""
    workers: int | None = None
    """Among whom the runs are divided; None: this process does it all."""
    engine: EngineOption = EngineOption.PROCESSES
    ray_address: str | None = None

    def cap(self) -> Cap | None:
        """A limit for all workspaces of one command together."""
        if self.mbps is None:
            return None
        from azureml_replay.sending.cap import Cap

        return Cap(self.mbps)


def speed_flags(
    *,
    parallel: ParallelOption = RUNS_AT_ONCE,
    cap_mbps: CapOption = None,
    workers: WorkersOption = None,
    engine: EngineFlag = EngineOption.PROCESSES,
    ray_address: RayAddressOption = None,
) -> Speed:
    """How fast a command works that moves the bytes of files."""
    return Speed(parallel, cap_mbps, workers, engine, ray_address)
