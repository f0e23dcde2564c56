"""One migration by one process, and by several workers: wall time, processor, memory, requests.

`python -m benchmarks.workers --runs 600 --latency-ms 100 --parallel 4 --workers 1 --workers 2 --workers 4`
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import measured, table, written
from benchmarks.shapes import SHAPES, fill

from azureml_sandbox.server.sandbox import Sandbox

HEAD = ["workers", "wall s", "times one", "client cpu s", "requests", "peak MB of a process", "verdict", "load"]


def main() -> None:
    """Measures what the flags name, prints a table, writes JSON."""
    flags = _flags()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        figures = list(_figures(Path(folder), flags))
    print(table(HEAD, [_row(one, figures) for one in figures]))
    print(f"\nwritten to {written('workers', figures, flags.output)}")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--latency-ms", type=float, default=100)
    parser.add_argument("--workers", type=int, action="append", help="0: one process without workers")
    parser.add_argument("--more", action="append", default=[], help="further words of the command")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _figures(folder: Path, flags: argparse.Namespace) -> Iterator[dict[str, Any]]:
    home = folder / "sandbox"
    full = Sandbox.start(home)
    fill(home, "source", SHAPES[flags.shape], flags.runs)
    full.stop()
    sandbox = Sandbox.start(home, (), f"--latency-ms={flags.latency_ms}")
    try:
        for count in flags.workers or [0, 1, 2, 4]:
            ends = ["--source", str(sandbox.workspace("source").path), "--target", str(sandbox.add_workspace().path)]
            more = ["--workers", str(count), *flags.more] if count else []
            archive = str(folder / f"archive-{count}")
            one = measured(sandbox, "migrate", *ends, "--archive", archive, "--parallel", str(flags.parallel), *more)
            yield {**one.document(), "workers": count}
    finally:
        sandbox.stop()


def _row(one: dict[str, Any], figures: list[dict[str, Any]]) -> list[object]:
    first = next((other for other in figures if other["workers"] == 1), figures[0])
    proven = one["exit_code"] == 0 and one["result"]["verdict"]["findings"] == 0
    return [
        *(one["workers"], one["wall_s"], first["wall_s"] / one["wall_s"], one["client_cpu_s"], one["requests"]),
        *(one["peak_mb"], "all equal" if proven else f"exit {one['exit_code']}", one["load"]),
    ]


if __name__ == "__main__":
    main()
