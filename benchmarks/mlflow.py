"""From one MLflow server to another, side by side with mlflow-export-import, on two servers that this starts.

`python -m benchmarks.mlflow --runs 1000 --theirs 200`

Runs of ten series of twenty points, ten params and two files, in families of four. Servers count requests themselves;
`bare` is a client with nothing around it, which writes or reads the same runs. Seconds are compared within this one
call: what else the machine does befalls all alike. `--theirs` takes a smaller history for mlflow-export-import, which
asks ten times as often.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measure import table, written
from benchmarks.mlflow_losses import WHAT, arrived, held
from benchmarks.mlflow_servers import NEWEST, Served, Taken, pair, taken, theirs
from benchmarks.raw_runs import EXPERIMENTS

HEAD = ["who", "runs", "wall s", "runs/s", "source/run", "target/run", "client s", "servers s", "peak MB"]
OURS, BARE, THEIRS = "azureml-replay", "bare", "mlflow-export-import"
THREADS = " in threads"


def main() -> None:
    """Measures, prints three tables, writes JSON."""
    flags = _flags()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        pair(Path(name), flags.server_workers, on_postgres=flags.postgres) as both,
    ):
        told = _measured(Path(name), both, flags)
    print(f"\nwritten to {written('mlflow', told, flags.output)}")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mlflow", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--theirs", type=int, help="runs for mlflow-export-import; 0 leaves it out; as --runs")
    parser.add_argument("--rounds", type=int, default=1, help="of bare requests and ours, in turns")
    parser.add_argument("--server-workers", type=int, default=1, help="of each server; MLflow's own default is 4")
    parser.add_argument("--postgres", action="store_true", help="each server on a PostgreSQL of its own, not on SQLite")
    parser.add_argument("--routes", action="store_true", help="also each route")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _measured(folder: Path, both: tuple[Served, Served], flags: argparse.Namespace) -> dict[str, Any]:
    few = flags.runs if flags.theirs is None else flags.theirs
    sizes = {"all-": flags.runs, "few-": few} if few not in (flags.runs, 0) else {"all-": flags.runs}
    for prefix, runs in sizes.items():
        _bare(both, "write", both[0], prefix, runs)
    trials = [(flags.runs, one) for one in _in_turns(folder, both, flags.runs, flags.rounds)]
    losses = {OURS: arrived(held(both[0].url, "all-"), held(both[1].url, "to1-all-"))}
    if few:
        prefix = list(sizes)[-1]
        trials += [(few, one) for one in _their_way(folder, both, prefix)]
        losses[THEIRS] = arrived(held(both[0].url, prefix), held(both[1].url, prefix))
        trials += [(few, one) for one in _their_way(folder, both, prefix, threads=True)]
        print(f"run again, {THEIRS} leaves {held(both[1].url, prefix).count} runs of {few}\n")
    print(table(HEAD, [_row(runs, one) for runs, one in trials]))
    if flags.routes:
        print("\n".join(f"\n{one.who}: {dict(one.source)}\n{dict(one.target)}" for _, one in trials))
    print("\n" + _ratios(trials))
    rows: list[list[object]] = [[what, *(one[what] for one in losses.values())] for what in WHAT]
    print("\n" + table(["arrived as it was", *losses], rows))
    return {"version": NEWEST, "trials": [{"runs": runs, **one.document()} for runs, one in trials], "losses": losses}


def _in_turns(folder: Path, both: tuple[Served, Served], runs: int, rounds: int) -> Iterator[Taken]:
    for number in range(1, rounds + 1):
        yield _bare(both, "read", both[0], "all-", runs)
        source, target, archive = (folder / f"{one}{number}" for one in ("source.json", "target.json", "archive"))
        source.write_text(json.dumps({"mlflow": both[0].url}))
        target.write_text(json.dumps({"mlflow": both[1].url, "experiment_prefix": f"to{number}-"}))
        chosen = [f"--experiment=all-{one}" for one in range(EXPERIMENTS)]
        kept = ["--archive", str(archive), "--artifacts", "download"]
        yield _ours(both, "extract", "--source", str(source), *kept, *chosen)
        yield _bare(both, "write", both[1], f"bare{number}-", runs)
        yield _ours(both, "replay", str(archive), "--target", str(target))
        yield _ours(both, "verify", str(archive), "--target", str(target), "--deep")
        again = _ours(both, "replay", str(archive), "--target", str(target))
        yield replace(again, who=f"{OURS} replay again")


def _ours(both: tuple[Served, Served], *command: str) -> Taken:
    argv = [sys.executable, "-m", "azureml_replay", *command, "--json", "--quiet"]
    return taken(f"{OURS} {command[0]}", both, argv)


def _bare(both: tuple[Served, Served], what: str, at: Served, prefix: str, runs: int) -> Taken:
    raw = str(Path(__file__).with_name("raw_runs.py"))
    return taken(f"{BARE} {what}", both, [sys.executable, raw, what, at.url, prefix, str(runs)])


def _their_way(folder: Path, both: tuple[Served, Served], prefix: str, *, threads: bool = False) -> Iterator[Taken]:
    """Its two commands as they are, or with their threads: one for each experiment, which they call experimental."""
    commands, kept = theirs(), str(folder / f"theirs-{threads}")
    chosen = ",".join(f"{prefix}{number}" for number in range(EXPERIMENTS))
    for program, flags, at in (
        ("export-experiments", ["--experiments", chosen, "--output-dir", kept], both[0]),
        ("import-experiments", ["--input-dir", kept], both[1]),
    ):
        argv = [str(commands / "python"), str(commands / program), *flags, "--use-threads", str(threads)]
        who = f"{THEIRS} {program.partition('-')[0]}{THREADS if threads else ''}"
        yield taken(who, both, argv, MLFLOW_TRACKING_URI=at.url)


def _row(runs: int, one: Taken) -> list[object]:
    asked = (one.source.total() / runs, one.target.total() / runs)
    return [one.who, runs, one.seconds, runs / one.seconds, *asked, one.cpu_s, one.server_cpu_s, one.peak_mb]


def _ratios(trials: list[tuple[int, Taken]]) -> str:
    """Seconds a run, ours against the others' of the same call; of several rounds their sum."""
    took: Counter[str] = Counter()
    runs_of: Counter[str] = Counter()
    for runs, one in trials:
        took[one.who] += one.seconds
        runs_of[one.who] += runs
    each = {who: took[who] / runs_of[who] for who in took}
    ours = each[f"{OURS} extract"] + each[f"{OURS} replay"]
    lines = [
        f"reading at {each[f'{BARE} read'] / each[f'{OURS} extract']:.2f} of what bare requests get",
        f"writing at {each[f'{BARE} write'] / each[f'{OURS} replay']:.2f} of what bare requests get",
    ]
    for how in ("", THREADS):
        if f"{THEIRS} export{how}" in each:
            others = each[f"{THEIRS} export{how}"] + each[f"{THEIRS} import{how}"]
            lines.append(f"{THEIRS}{how} takes {others / ours:.1f} times the seconds of extract and replay")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
