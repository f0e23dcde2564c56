"""What MLflow's own client is answered by an archive's stores, in this process: CPU and memory.

`PYTHON -m benchmarks.browse --runs 10000 --runs 100000`, where PYTHON has MLflow. Ten series of twenty points a run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
from benchmarks.report import NAMES, SOURCE, curve, extract, families, series
from mlflow.entities import ViewType

from azureml_replay.archive.archive import Archive
from azureml_replay.formats.browsing.live import uri_of
from azureml_replay.formats.browsing.stores import TrackingStore
from azureml_replay.model import Points

POINTS = 20
PAGE = 100
RESULTS = Path(__file__).parent / "results"


def made(folder: Path, runs: int) -> Path:
    """An archive of so many runs, as extract leaves it; forty different histories."""
    if not folder.exists():
        chance = random.Random(7)  # noqa: S311  # made-up values
        listed = list(families(runs, chance))
        logged = [[Points.of(series(name), curve(name, POINTS, chance)) for name in NAMES] for _ in range(40)]
        with Archive.create(folder, SOURCE) as archive:
            for at in range(0, runs, 500):
                archive.put_listed(listed[at : at + 500])
            archive.arrange()
            archive.select([run.id for run in listed])
            for number, run in enumerate(listed):
                extract(archive, run, logged[number % 40])
    return folder


def cpu(work: Callable[[], object]) -> float:
    """Seconds of this process, its threads included."""
    began = time.process_time()
    work()
    return round(time.process_time() - began, 3)


def measure(folder: Path) -> dict[str, float]:
    """What each answer costs, in the order in which a page asks."""
    store = TrackingStore(uri_of(folder))
    found: dict[str, float] = {"experiments, and the order of all runs": cpu(store.search_experiments)}
    ids = [one.experiment_id for one in store.search_experiments()]
    tokens: list[str | None] = [None]

    def asked(text: str, order: str, *, go_on: bool = False) -> None:
        page = store.search_runs(ids, text, ViewType.ACTIVE_ONLY, PAGE, [order], tokens[-1] if go_on else None)
        tokens.append(page.token)

    newest, best = "attributes.start_time DESC", "metrics.`val/acc` DESC"
    found["the first page"] = cpu(lambda: asked("", newest))
    found["the next page"] = cpu(lambda: asked("", newest, go_on=True))
    found["filter and order by a metric"] = cpu(lambda: asked("metrics.`val/acc` > 0.5", best))
    found["the same again"] = cpu(lambda: asked("metrics.`val/acc` > 0.5", best))
    found["filter by a tag"] = cpu(lambda: asked("tags.team = 'blue'", newest))
    found["memory, MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000)
    return found


def main() -> None:
    """A process for each size, so that memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--keep", type=Path, help="make the archives there, and leave them")
    chosen = parser.parse_args()
    told: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as fleeting:
        for runs in chosen.runs or [1_000, 10_000]:
            folder = made((chosen.keep or Path(fleeting)) / str(runs), runs)
            reading, writing = os.pipe()
            child = os.fork()
            if not child:
                os.write(writing, json.dumps(measure(folder)).encode())
                os._exit(0)
            os.waitpid(child, 0)
            os.close(writing)
            with os.fdopen(reading) as pipe:
                told[runs] = json.loads(pipe.read())
            print(f"{runs:,} runs, MLflow {mlflow.__version__}: {told[runs]}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "browse.json").write_text(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
