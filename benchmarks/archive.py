"""An archive by itself: bytes a point, and `status` and `plan` with their memory. No network.

`python -m benchmarks.archive --runs 1000 --runs 100000`
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import table, watched, written

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    Experiment,
    Location,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)

SOURCE = azure_place("00000000-0000-0000-0000-000000000000", "bench", "source")
BEGIN = Instant.parse("2023-02-01T08:00:00Z").ticks
SECOND = 10_000_000
TOGETHER = 500
LENGTHS = (20, 100, 1_000, 10_000)


def main() -> None:
    """Prints two tables, writes JSON."""
    flags = _flags()
    sizes, commands = [], []
    for length in LENGTHS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            sizes.append({"points_of_series": length, "bytes_per_point": bytes_per_point(Path(folder), length)})
    print(table(["points of a series", "bytes a point"], [list(one.values()) for one in sizes]))
    for runs in flags.runs or [1_000]:
        with tempfile.TemporaryDirectory(prefix="bench-") as made:
            folder = (flags.keep or Path(made)) / str(runs)
            if not folder.exists():
                fill(folder, runs)
            for command in ("status", "plan"):
                wall_s, cpu_s, peak_mb = command_of(command, folder)
                commands.append({"command": command, "runs": runs, "wall": wall_s, "cpu": cpu_s, "peak_mb": peak_mb})
    print("\n" + table(["command", "runs", "wall s", "cpu s", "peak MB"], [list(one.values()) for one in commands]))
    print(f"\nwritten to {written('archive', {'sizes': sizes, 'commands': commands}, flags.output)}")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--keep", type=Path, help="where the archives stay, for the next time")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def bytes_per_point(folder: Path, length: int) -> float:
    """Of a file with 10 random walks of so many points in each of some runs, without what the same file has empty."""
    runs = max(4, 100_000 // (10 * length))
    empty = _size(folder / "empty", runs, 0)
    return (_size(folder / "full", runs, length) - empty) / (runs * 10 * length)


def _size(folder: Path, runs: int, length: int) -> int:
    fill(folder, runs, series=10, points=length, files=0)
    return (folder / "archive.db").stat().st_size


def fill(folder: Path, runs: int, *, series: int = 3, points: int = 10, files: int = 2) -> None:
    """A whole archive, as an extraction leaves it."""
    with Archive.create(folder, SOURCE) as archive:
        archive.put_experiments([Experiment(id=f"e{number}", name=f"experiment-{number}") for number in range(3)])
        listed = [_run(number) for number in range(runs)]
        for at in range(0, runs, TOGETHER):
            archive.put_listed(listed[at : at + TOGETHER])
        archive.arrange()
        archive.select([run.id for run in listed])
        for run in listed:
            _bring(archive, run, series, points, files)


def _run(number: int) -> Run:
    """Families of four: a parent and three children."""
    parent = None if number % 4 == 0 else RunId(f"run-{number - number % 4:07}")
    created = Instant(BEGIN + number * 60 * SECOND)
    tags = {"team": "blue", "round": str(number)}
    return Run(
        id=RunId(f"run-{number:07}"),
        parent=parent,
        experiment=f"experiment-{number // 4 % 3}",
        status="Completed",
        start=created,
        end=Instant(created.ticks + 600 * SECOND),
        display_name=f"run {number}",
        tags=tags,
        properties={"azureml.runsource": "bench", "ContentSnapshotId": f"{number:032x}"},
        created=created,
        document={"runId": f"run-{number:07}", "tags": tags, "padding": "x" * 2_000},
    )


def _bring(archive: Archive, run: Run, series: int, points: int, files: int) -> None:
    archive.begin(run.id)
    archive.put_details(RunDetails(run=run))
    logged = [_points(run, number, points) for number in range(series)]
    for batch in _chunks(logged):
        archive.put_chunk(run.id, batch)
    archive.put_series(run.id, [one.series for one in logged])
    archive.put_artifacts(run.id, [_file(run, number) for number in range(files)])
    archive.complete(run.id)


def _chunks(logged: list[Points]) -> Iterator[list[Points]]:
    """As `extract` packs them."""
    held: list[Points] = []
    for one in logged:
        if sum(map(len, held)) + len(one) > 10_000:
            yield held
            held = []
        held.append(one)
    if held:
        yield held


def _points(run: Run, number: int, count: int) -> Points:
    draw = random.Random(f"{run.id}/{number}")  # noqa: S311 nothing secret
    series = Series(key=SeriesKey(f"metric {number}"), columns=((f"metric {number}", "Double"),), ux_type=None)
    start = run.start.ticks if run.start else 0
    times = [start + step * SECOND + draw.randrange(SECOND // 100) * 10_000 for step in range(count)]
    walk = [math.exp(-step / 100) + 0.01 * draw.random() for step in range(count)]
    return Points(series, list(range(count)), times, (walk,))


def _file(run: Run, number: int) -> Artifact:
    path = f"outputs/model/{number:05}.bin"
    place = Location("workspaceartifactstore", f"ExperimentRun/dcid.{run.id}/{path}")
    stored = StoredFile(location=place, size_bytes=1_000 + number, md5=os.urandom(16), etag=f"0x{number:015X}")
    return Artifact(path=path, location=place, indexed=True, stored=stored)


def command_of(command: str, folder: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak memory of one command."""
    started = time.perf_counter()
    argv = [sys.executable, "-m", "azureml_replay", command, str(folder), "--json", "--quiet"]
    ended, took = watched(argv)
    if ended.returncode or not json.loads(ended.stdout):
        raise SystemExit(f"{command} ended with {ended.returncode}")
    return time.perf_counter() - started, took["cpu_s"], took["peak_mb"]


if __name__ == "__main__":
    main()
