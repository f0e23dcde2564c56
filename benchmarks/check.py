"""`check` of a large archive that was replayed and verified: processor, memory. No network.

`python -m benchmarks.check --runs 1000 --runs 100000`
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.archive import SOURCE, TOGETHER, fill
from benchmarks.evidence import around, looked_at
from benchmarks.measure import table, watched, written

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem, FileItem, Payload, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Location, RunId, StoredFile

FILES = 2
HEAD = ["runs", "wall s", "cpu s", "us a run", "peak MB", "archive MB", "of which sums MB"]


def main() -> None:
    """Prints a table, writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__)
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--keep", type=Path, help="where the archives stay, for the next time")
    parser.add_argument("--output", type=Path)
    flags = parser.parse_args()
    figures = []
    for runs in flags.runs or [1_000]:
        with tempfile.TemporaryDirectory(prefix="bench-") as made:
            folder = (flags.keep or Path(made)) / f"replayed-{runs}"
            if not folder.exists():
                fill(folder, runs, files=FILES)
                replayed(folder)
            figures.append(measured(folder, runs))
    print(table(HEAD, [list(one.values()) for one in figures]))
    print(f"\nwritten to {written('check', figures, flags.output)}")


def replayed(folder: Path) -> None:
    """Six receipts a run, the values that were sent, and a verification: what replay and verify leave."""
    with Archive.open(folder) as archive:
        ledger = archive.ledger(SOURCE)
        runs = [row.id for row in archive.listing()]
        for at in range(0, len(runs), TOGETHER):
            for run in runs[at : at + TOGETHER]:
                _sent(ledger, run)
        around(ledger, 1, {row.experiment for row in archive.listing()})


def _sent(ledger: TargetLedger, run: RunId) -> None:
    items = {item: Payload(b"0123456789abcdef") for item in (RunItem.CREATE, RunItem.FINISH, RunItem.WHOLE)}
    files = {f"outputs/model/{number:05}.bin": 1_000 + number for number in range(FILES)}
    sizes = {FileItem(path): Payload(b"0123456789abcdef", size_bytes=size) for path, size in files.items()}
    ledger.mark(run, {**items, ChunkItem(0): Payload(b"0123456789abcdef", rows=30), **sizes}, State.SENT, durable=False)
    ledger.put_sent({run: {"display name": run, "tag team": "blue", "tag round": "1", "status": "Completed"}})
    stored = {path: StoredFile(location=Location("", path), size_bytes=size) for path, size in files.items()}
    ledger.put_sent_files(run, stored)
    looked_at(ledger, 1, run, points=30, files=FILES)


def measured(folder: Path, runs: int) -> dict[str, float]:
    """One `check`, as a command. Raises SystemExit where the archive is not good."""
    started = time.perf_counter()
    argv = [sys.executable, "-m", "azureml_replay", "check", str(folder), "--json", "--quiet"]
    ended, took = watched(argv)
    wall_s = time.perf_counter() - started
    if ended.returncode or json.loads(ended.stdout)["damaged"]:
        raise SystemExit(f"check ended with {ended.returncode}: {ended.stdout.decode()}")
    with Archive.open(folder, write=False) as archive:
        sums = archive._one("select sum(pgsize) from dbstat where name in ('checksum', 'root')")[0]  # noqa: SLF001
    return {
        "runs": runs,
        "wall_s": wall_s,
        "cpu_s": took["cpu_s"],
        "us_a_run": took["cpu_s"] / runs * 1e6,
        "peak_mb": took["peak_mb"],
        "archive_mb": (folder / "archive.db").stat().st_size / 1e6,
        "sums_mb": (sums or 0) / 1e6,
    }


if __name__ == "__main__":
    main()
