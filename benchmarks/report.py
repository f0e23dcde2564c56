"""How large a report is and how long it takes: archives of 100, 5,000 and 100,000 runs, written directly.

`python benchmarks/report.py [RUNS]... [--keep DIR]`. Every run logs 10 series of 100 points and 5 files; 1 run in 100
differs in one series, 1 in 30 lacks something as planned. The values are made up, with noise that does not compress.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

from benchmarks.evidence import around, looked_at

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.sessions import Session, SessionPart
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.excerpt import thinned
from azureml_replay.comparison.rows import differing_rows, row_findings
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    Finding,
    Location,
    Omission,
    Points,
    Row,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.report_page import report
from azureml_replay.workspace.traffic import ServiceTraffic

SOURCE = azure_place("00000000-0000-0000-0000-000000000001", "research", "forecasts-old")
TARGET = azure_place("00000000-0000-0000-0000-000000000002", "research", "forecasts")
NAMES = ("train/loss", "val/loss", "train/acc", "val/acc", "lr", "grad_norm", "mae", "rmse", "recall", "precision")
BEGIN = Instant.parse("2025-03-03T08:00:00Z").ticks
SECOND = 10_000_000
LEAVES = 12
"""Steps of a pipeline; every third family is a sweep, every fifth a single command."""


def series(name: str) -> Series:
    """A scalar one."""
    return Series(key=SeriesKey(name), columns=((name, "Double"),), ux_type="azureml.v1.scalar")


def curve(name: str, points: int, chance: random.Random) -> list[Row]:
    """Falls or rises towards an end, with noise."""
    falls = any(word in name for word in ("loss", "lr", "norm", "mae", "rmse"))
    pace, noise = chance.uniform(2, 6), chance.uniform(0.004, 0.04)
    rows: list[Row] = []
    for step in range(points):
        base = math.exp(-pace * step / points)
        value = (base if falls else 1 - base * 0.8) + chance.gauss(0, noise)
        rows.append((step * 10, BEGIN + step * 7 * SECOND, (value,)))
    return rows


def families(runs: int, chance: random.Random) -> Iterator[Run]:
    """Parents right before their children, `runs` in all."""
    made = number = 0
    while made < runs:
        number += 1
        start = BEGIN + number * 5_400 * SECOND
        kind, leaf, count = (
            ("azureml.scriptrun", "", 0)
            if number % 5 == 0
            else ("azureml.HyperDriveRun", "azureml.scriptrun", LEAVES)
            if number % 3 == 0
            else ("azureml.PipelineRun", "azureml.StepRun", LEAVES)
        )
        words = ("brave", "calm", "dusty", "gentle")[number % 4], ("pear", "river", "moon")[number % 3]
        root = f"{words[0]}_{words[1]}_{number:05d}"
        lasts = chance.randint(600, 9_000)
        yield a_run(root, None, kind, (start, lasts), number)
        made += 1
        for child in range(min(count, runs - made)):
            name = ("prepare", "train", "score")[child % 3] if leaf == "azureml.StepRun" else "trial"
            begin = start + child * SECOND
            yield a_run(f"{root}_{child}", root, leaf, (begin, lasts // 2), number, f"{name} {child}")
            made += 1


def a_run(run: str, parent: str | None, kind: str, when: tuple[int, int], number: int, name: str = "") -> Run:  # noqa: PLR0917
    """One of them; `when` it started, in ticks, and how many seconds it took."""
    start, lasts = when
    status = "Failed" if number % 17 == 0 else "Canceled" if number % 29 == 0 else "Completed"
    return Run(
        id=RunId(run),
        parent=RunId(parent) if parent else None,
        experiment=("demand", "churn", "vision", "pricing")[number % 4],
        status=status,
        start=Instant(start),
        end=Instant(start + lasts * SECOND),
        created=Instant(start - 20 * SECOND),
        display_name=name or run.replace("_", " "),
        kind=kind,
        creator="somebody",
        tags={"team": "blue", "stage": ("dev", "test")[number % 2]},
        properties={"_azureml.ComputeTargetType": "amlctrain", "azureml.git.branch": "main"},
        parameters={"lr": str(10 ** -(1 + number % 4)), "depth": number % 9, "loss": "huber"},
    )


def fill(archive: Archive, runs: int, points: int = 100) -> None:
    """As extract, replay and verify would leave it."""
    chance = random.Random(7)  # noqa: S311  # made-up values
    made = list(families(runs, chance))
    for at in range(0, runs, 500):
        archive.put_listed(made[at : at + 500])
    archive.arrange()
    archive.select([run.id for run in made])
    archive.put_studio(SOURCE, "https://studio.example")
    archive.put_studio(TARGET, "https://studio.example")
    # Forty different histories are enough: making 100 million values up would take longer than all the rest.
    logged = [[Points.of(series(name), curve(name, points, chance)) for name in NAMES] for _ in range(40)]
    for number, run in enumerate(made):
        extract(archive, run, logged[number % 40])
        verify(archive, run, number, chance)
    around(archive.ledger(TARGET), 1, {run.experiment for run in made})
    archive.put_session(session(runs, points))


def extract(archive: Archive, run: Run, pieces: list[Points]) -> None:
    """Points in one chunk, as short series come."""
    archive.begin(run.id)
    archive.put_details(RunDetails(run=run))
    archive.put_chunk(run.id, pieces)
    archive.put_artifacts(run.id, [a_file(run.id, at) for at in range(5)])
    archive.complete(run.id)


def a_file(run: RunId, at: int) -> Artifact:
    """One of a run's files."""
    path = (
        "outputs/model.bin",
        "outputs/metrics.json",
        "user_logs/std_log.txt",
        "outputs/plot.png",
        "system_logs/a.log",
    )[at]
    place = Location("workspaceartifactstore", f"ExperimentRun/dcid.{run}/{path}")
    told = md5(f"{run}{at}".encode(), usedforsecurity=False).digest() if at != 2 else None
    stored = StoredFile(location=place, size_bytes=1_000 * 13**at % 9_999_999, md5=told)
    return Artifact(path=path, location=place, indexed=True, stored=stored)


def verify(archive: Archive, run: Run, number: int, chance: random.Random) -> None:
    """One in a hundred differs: half of a curve 2 % too high, or a row missing, or a tag."""
    findings: list[Finding] = []
    if number % 100 == 40:
        shape = series(NAMES[number // 100 % len(NAMES)])
        expected = [row for piece in archive.points(run.id, shape.key) for row in piece.rows()]
        actual = [spoilt(row, at, len(expected)) for at, row in enumerate(expected)]
        if number % 200 == 40:
            del actual[chance.randrange(len(actual))]
        pairs = differing_rows(expected, actual, shape)
        findings += row_findings(pairs, shape, run=run.id)
        archive.ledger(TARGET).put_target_points(run.id, [thinned(shape, actual, pairs)])
    if number % 300 == 140:
        findings.append(Finding(run.id, "tag team", "differs", "blue", "green"))
    looked_at(archive.ledger(TARGET), 1, run.id, findings, points=1_000, files=5)
    if number % 30 == 7:
        why = "points at the source: never sent"
        archive.ledger(TARGET).put_planned_omissions(
            Topic(Way.RUN, run.id), [Omission(run.id, "property CancelUri", why)]
        )


def spoilt(row: Row, at: int, count: int) -> Row:
    """2 % higher in the second half."""
    step, time_, (value,) = row
    return step, time_, (value * 1.02 if at >= count // 2 and isinstance(value, float) else value,)


def session(runs: int, points: int) -> Session:
    """A migrate that was throttled a little."""
    history, metric = ServiceTraffic(requests=runs // 50, refused=2), ServiceTraffic(requests=runs * 2, refused=31)
    for at in range(60):
        history.width(at * 400, min(32, 4 + at))
        metric.width(at * 400, 4 + at if at < 20 else 12 + (at * 7) % 9)
    counts = {"runs": runs, "points": runs * points * len(NAMES), "files": 5 * runs}
    parts = tuple(
        SessionPart(verb=verb, seconds=runs / rate, counts=counts)
        for verb, rate in (("extract", 90), ("replay", 40), ("verify", 80))
    )
    ended = Instant(BEGIN + int(runs / 20 * SECOND))
    traffic = {"source metric": metric, "target history": history}
    return Session(command="migrate", began=Instant(BEGIN), ended=ended, outcome="done", parts=parts, traffic=traffic)


def measure(runs: int, folder: Path, *, shards: bool) -> None:
    """One line of the table."""
    with Archive.open(folder / "archive", write=False) as archive:
        start = time.perf_counter()
        output = folder / ("report" if shards else "report.html")
        done = report(archive, output, shards=shards)
        took = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    what = "shards" if shards else "one file"
    print(
        f"{runs:,} runs, {what}: {done.bytes / 1e6:.1f} MB in {took:.1f} s, "
        f"page {done.path.stat().st_size / 1e6:.1f} MB, "
        f"{done.left_out:,} without details, {memory:.0f} MB memory so far"
    )


def main() -> None:
    """Archives in a folder that goes, unless `--keep`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", type=int, default=[100, 5_000, 100_000])
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as fleeting:
        for runs in chosen.runs:
            folder = (chosen.keep or Path(fleeting)) / str(runs)
            if not (folder / "archive").exists():
                with Archive.create(folder / "archive", SOURCE) as archive:
                    fill(archive, runs)
            for shards in (False, True):
                measure(runs, folder, shards=shards)


if __name__ == "__main__":
    main()
