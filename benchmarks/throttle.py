"""How the width settles against a service that throttles, live: `python -m benchmarks.throttle`.

Three services: one that refuses above 32 in flight, one that gives 25 a second after a burst of 250 and says "Retry
again after 20 seconds", and one that changes from the first to a width of 8 and back. What is printed is one line a
second: answers, refusals, width. The sandbox refuses ARM and data plane together; gates are one per service.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import environment, table, written
from benchmarks.shapes import SHAPES, fill

from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.model import RunId
from azureml_replay.workers import for_each
from azureml_sandbox.server.sandbox import Sandbox

SCENES: Mapping[str, list[tuple[float, dict[str, Any]]]] = {
    "width 32": [(20, {"max_in_flight": 32})],
    "width 32, then 8, then 32": [(12, {"max_in_flight": 32}), (20, {"max_in_flight": 8}), (20, {"max_in_flight": 32})],
    "25/s after 250": [(70, {"rate": {"burst": 250, "per_second": 25}})],
}
"""What is declared for so many seconds, one after the other."""


@dataclass(slots=True)
class Watched:
    """What one scene showed, second by second."""

    started: float = field(default_factory=time.monotonic)
    answered: Counter[int] = field(default_factory=Counter)
    widths: dict[int, int] = field(default_factory=dict)

    @property
    def second(self) -> int:
        """Since the start."""
        return int(time.monotonic() - self.started)


def main() -> None:
    """Prints a table a scene, writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throttle", description=__doc__)
    parser.add_argument("--scene", choices=SCENES, action="append")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--output", type=Path)
    flags = parser.parse_args()
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sandbox = Sandbox.start(Path(folder), (), f"--latency-ms={flags.latency_ms}")
        try:
            fill(Path(folder), "source", SHAPES["bare"], 100)
            os.environ |= environment(sandbox)
            figures += [asyncio.run(scene(sandbox, name, flags.width)) for name in flags.scene or SCENES]
        finally:
            sandbox.stop()
    for one in figures:
        rows = [[second, *row.values()] for second, row in one["seconds"].items()]
        print(f"\n{one['scene']}: {one['answered']} answered, {one['refused']} refused ({one['wasted']:.1%})")
        print(table(["second", "answered", "width"], rows))
    print(f"\nwritten to {written('throttle', figures, flags.output)}")


async def scene(sandbox: Sandbox, name: str, width: int) -> dict[str, Any]:
    """Asks for the metrics of runs as fast as the gate lets it, while the service changes its mind."""
    watched = Watched()
    async with connect(
        workspace_config(str(sandbox.workspace("source").path)), parallel=width, on_throttle=lambda _: None
    ) as workspace:
        runs = [
            run.id
            async for page in workspace.experiments()
            for one in page
            async for some in workspace.runs(one)
            for run in some
        ]
        sandbox.reset_requests()
        watched.started = time.monotonic()
        changes = asyncio.create_task(_declare(sandbox, SCENES[name]))
        asking = asyncio.create_task(_ask(workspace, runs, width, watched))
        await changes
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    asked = sandbox.requests()
    sandbox.set_faults()
    refused = sum(row["count"] for row in asked["routes"] if row["status"] == 429)
    return {
        "scene": name,
        "answered": watched.answered.total(),
        "refused": refused,
        "wasted": refused / max(1, asked["total"]),
        "seconds": {
            second: {"answered": watched.answered[second], "width": watched.widths.get(second, 0)}
            for second in range(watched.second)
        },
    }


async def _declare(sandbox: Sandbox, acts: list[tuple[float, dict[str, Any]]]) -> None:
    for seconds, declared in acts:
        await asyncio.to_thread(partial(sandbox.set_faults, **declared))
        await asyncio.sleep(seconds)


async def _ask(workspace: AzureWorkspace, runs: list[RunId], width: int, watched: Watched) -> None:
    async def ask(at: int) -> None:
        await workspace.series(runs[at % len(runs)])
        watched.answered[watched.second] += 1
        watched.widths[watched.second] = _width(workspace)

    await for_each(range(10**9), ask, width)


def _width(workspace: AzureWorkspace) -> int:
    """Of the metric service's gate, now."""
    return workspace._metrics._sender._gates["metric"].limit.width(time.time())  # noqa: SLF001 nothing else shows it


if __name__ == "__main__":
    main()
