"""extract, replay and verify of a history: requests against the floor, wall time against floor x latency / width.

`python -m benchmarks.verbs --shape small --runs 1000 --latency-ms 50 --width 8 --width 32`
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.floor import Floors, of_archive
from benchmarks.measure import Measured, measured, table, written
from benchmarks.shapes import SHAPES, fill

from azureml_replay.archive.archive import Archive
from azureml_sandbox.server.sandbox import Sandbox

HEAD = [
    *("shape", "runs", "width", "verb", "requests", "floor", "ratio", "wall s", "ideal s", "ratio", "runs/s"),
    *("client ms/req", "sandbox ms/req", "storage ms/req", "peak MB", "in flight", "refused", "at ceiling", "load"),
]


def main() -> None:
    """Measures what the flags name, prints a table, writes JSON."""
    flags = _flags()
    figures: list[dict[str, Any]] = []
    for runs in flags.runs or [None]:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            figures += _history(Path(folder), flags, runs)
    print(table(HEAD, [_row(one) for one in figures]))
    if flags.routes:
        for one in figures:
            print(_routes(one))
    print(f"\nwritten to {written('verbs', figures, flags.output)}")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verbs", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--verbs", default="extract,replay,verify")
    parser.add_argument("--faults", type=Path, help="declared trouble, as `azureml-sandbox serve --faults` takes it")
    parser.add_argument("--routes", action="store_true", help="also each route against its floor")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _history(folder: Path, flags: argparse.Namespace, runs: int | None) -> Iterator[dict[str, Any]]:
    shape, home = SHAPES[flags.shape], folder / "sandbox"
    full = Sandbox.start(home)
    fill(home, "source", shape, runs)
    full.stop()
    options = [f"--latency-ms={flags.latency_ms}", *([f"--faults={flags.faults}"] if flags.faults else [])]
    sandbox = Sandbox.start(home, (), *options)
    try:
        _warmed(sandbox)
        for width in flags.width or [8]:
            for verb, one, floors in _verbs(sandbox, folder / f"archive-{width}", width, flags.verbs.split(",")):
                yield _figure(flags, verb, one, floors, width)
    finally:
        sandbox.stop()


def _warmed(sandbox: Sandbox) -> None:
    """It loads MLflow's messages, 1.4 s of CPU, when the first one asks: nobody's time who is measured here."""
    measured(sandbox, "doctor", "--target", str(sandbox.add_workspace().path))


def _verbs(sandbox: Sandbox, archive: Path, width: int, verbs: list[str]) -> Iterator[tuple[str, Measured, Floors]]:
    source, target = sandbox.workspace("source").path, sandbox.add_workspace().path
    known: Floors | None = None
    commands = {
        "extract": ["extract", "--source", str(source), "--archive", str(archive)],
        "replay": ["replay", str(archive), "--target", str(target), "--source", str(source)],
        "verify": ["verify", str(archive), "--target", str(target)],
    }
    for verb in verbs:
        one = measured(sandbox, *commands[verb], "--parallel", str(width))
        if known is None:
            with Archive.open(archive, write=False) as opened:
                known = of_archive(opened)
        yield verb, one, known


def _figure(flags: argparse.Namespace, verb: str, one: Measured, floors: Floors, width: int) -> dict[str, Any]:
    floor: Mapping[str, int] = getattr(floors, verb)
    least = sum(floor.values())
    ideal_s = least * flags.latency_ms / 1000 / width
    result = one.result if isinstance(one.result, dict) else {}
    return {
        **one.document(),
        "shape": flags.shape,
        "verb": verb,
        "width": width,
        "latency_ms": flags.latency_ms,
        "runs": result.get("runs"),
        "floor": least,
        "floor_routes": dict(floor),
        "requests_to_floor": one.requests / least,
        "ideal_s": ideal_s,
        "wall_to_ideal": one.wall_s / ideal_s if ideal_s else None,
    }


def _row(one: dict[str, Any]) -> list[object]:
    asked = max(1, one["requests"])
    return [
        *(one["shape"], one["runs"] or 0, one["width"], one["verb"], one["requests"], one["floor"]),
        *(one["requests_to_floor"], one["wall_s"], one["ideal_s"], one["wall_to_ideal"] or "-"),
        (one["runs"] or 0) / one["wall_s"],
        *(1000 * one[who] / asked for who in ("client_cpu_s", "sandbox_cpu_s", "storage_cpu_s")),
        *(one["peak_mb"], one["most_in_flight"], one["refused"], one["at_ceiling"], one["load"]),
    ]


def _routes(one: dict[str, Any]) -> str:
    routes = sorted(one["routes"].keys() | one["floor_routes"].keys())
    rows = [[route, one["routes"].get(route, 0), one["floor_routes"].get(route, 0)] for route in routes]
    return f"\n{one['verb']}\n" + table(["route", "requests", "floor"], rows)


if __name__ == "__main__":
    main()
