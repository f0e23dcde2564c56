"""`check` and `status` of a large archive that was replayed and verified: processor, memory. No network.

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
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import ChunkItem, FileItem, Payload, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Location, RunId, StoredFile
from azureml_replay.planning.files import ALL_FILES
from azureml_replay.planning.plan import FILES as CARRIED_FILES

FILES = 2
HEAD = ["command", "runs", "wall s", "cpu s", "us a run", "peak MB", "archive MB", "of which sums MB"]


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
            figures += [measured(command, folder, runs) for command in ("check", "status")]
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
    items = {item: Payload(b"0123456789abcdef") for item in (RunItem.CREATE, RunItem.FINISH)}
    files = {f"outputs/model/{number:05}.bin": 1_000 + number for number in range(FILES)}
    sizes = {FileItem(path): Payload(b"0123456789abcdef", size_bytes=size) for path, size in files.items()}
    ledger.carry({run: {CARRIED_FILES: ALL_FILES.to_json()}}, Way.RUN)
    ledger.mark(run, {**items, ChunkItem(0): Payload(b"0123456789abcdef", rows=30), **sizes}, State.SENT, durable=False)
    ledger.mark_whole({run: Payload(b"0123456789abcdef", detail=ledger.content_of(run))})
    ledger.put_sent({run: {"display name": run, "tag team": "blue", "tag round": "1", "status": "Completed"}})
    stored = {path: StoredFile(location=Location("", path), size_bytes=size) for path, size in files.items()}
    ledger.put_sent_files(run, stored)
    looked_at(ledger, 1, run, points=30, files=FILES)


def measured(command: str, folder: Path, runs: int) -> dict[str, float | str]:
    """One command. Raises SystemExit where the archive is not good, or not all of it equal."""
    started = time.perf_counter()
    argv = [sys.executable, "-m", "azureml_replay", command, str(folder), "--json", "--quiet"]
    ended, took = watched(argv)
    wall_s = time.perf_counter() - started
    answer = json.loads(ended.stdout)
    whole = not answer["damaged"] if command == "check" else answer["targets"][0]["verified"] == runs
    if ended.returncode or not whole:
        raise SystemExit(f"{command} ended with {ended.returncode}: {ended.stdout.decode()}")
    with Archive.open(folder, write=False) as archive:
        sums = archive._one("select sum(pgsize) from dbstat where name in ('checksum', 'root')")[0]  # noqa: SLF001
    return {
        "command": command,
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
