"""extract --metrics last --no-artifacts: jobs, their documents and last values, and nothing that is asked for each run.

`python -m benchmarks.last_values --runs 2000 --width 8 --latency-ms 50 --rounds 3`
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import Measured, measured, table, written
from benchmarks.shapes import SHAPES, fill

from azureml_sandbox.server.sandbox import Sandbox

HEAD = ["round", "jobs", "requests", "wall s", "jobs/s", "client CPU s", "client ms/job", "sandbox CPU s", "load"]


def main() -> None:
    """Measures each round into a new archive, prints a table, writes JSON."""
    flags = _flags()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        figures = _rounds(Path(folder), flags)
    print(table(HEAD, [_row(number, one) for number, one in enumerate(figures, 1)]))
    print(f"\nwritten to {written('last_values', [one.document() for one in figures], flags.output)}")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.last_values", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="bare")
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _rounds(folder: Path, flags: argparse.Namespace) -> list[Measured]:
    home = folder / "sandbox"
    full = Sandbox.start(home)
    fill(home, "source", SHAPES[flags.shape], flags.runs)
    full.stop()
    sandbox = Sandbox.start(home, (), f"--latency-ms={flags.latency_ms}")
    try:
        # MLflow's messages, 1.4 s of the sandbox's CPU, are loaded when the first one asks
        measured(sandbox, "doctor", "--target", str(sandbox.add_workspace().path))
        return [_round(sandbox, folder / f"archive-{number}", flags.width) for number in range(flags.rounds)]
    finally:
        sandbox.stop()


def _round(sandbox: Sandbox, archive: Path, width: int) -> Measured:
    source = ["--source", str(sandbox.workspace("source").path), "--archive", str(archive)]
    one = measured(sandbox, "extract", *source, "--metrics", "last", "--no-artifacts", "--parallel", str(width))
    if one.exit_code:
        raise SystemExit(f"extract ended with {one.exit_code}")
    return one


def _row(number: int, one: Measured) -> list[Any]:
    jobs = one.result["runs"]
    return [
        *(number, jobs, one.requests, one.wall_s, jobs / one.wall_s),
        *(one.client_cpu_s, 1000 * one.client_cpu_s / jobs, one.sandbox_cpu_s, one.load),
    ]


if __name__ == "__main__":
    main()
