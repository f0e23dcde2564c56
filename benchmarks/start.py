"""Processor time of a command that does nothing: `python -m benchmarks.start`. The least of five."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import table, written

COMMANDS = (["--help"], ["--version"], ["extract", "--help"], ["status", "/nonexistent"])


def cpu_s(argv: list[str]) -> float:
    """Of one process, its imports included."""
    process = subprocess.Popen(
        [sys.executable, "-m", "azureml_replay", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Prints a table, writes JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--output", type=Path)
    flags = parser.parse_args()
    figures = {" ".join(argv): min(cpu_s(argv) for _ in range(5)) for argv in COMMANDS}
    print(table(["azureml-replay", "cpu s"], [[name, value] for name, value in figures.items()]))
    print(f"\nwritten to {written('start', figures, flags.output)}")


if __name__ == "__main__":
    main()
