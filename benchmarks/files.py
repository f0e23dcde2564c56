"""Bytes on their way into a target, against what storage bears from bare requests, in turns and on one sandbox.

`python -m benchmarks.files --small 20000 --large 10 --large-mib 256 --width 8 --rounds 2`

Small files are copied by storage; large ones too, then through us (the sandbox refuses copies as a firewall
would), then from an archive that holds their bytes. `direct` is a bare client at Azurite, `front` the same through the
sandbox's front, which the product must pass. A share of cores says who worked how much of the time; `ceiling/s` is
what the busiest of the three would bear if each had a core to itself, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

from benchmarks.floor import ENTRIES, Way, of_archive
from benchmarks.measure import Measured, measured, measured_program, table, written
from benchmarks.raw_files import Work
from benchmarks.shapes import SHAPES, Shape, fill

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.storage.blocks import BLOCK_BYTES
from azureml_sandbox.server.blobs import Blobs
from azureml_sandbox.server.opened import opened
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.storage.delegation import delegated_sas
from azureml_sandbox.storage.storage import SUFFIX, pool
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN

HEAD = [
    *("what", "who", "files", "MB", "wall s", "net s", "files/s", "MB/s", "of direct", "of front"),
    *("client s", "front s", "storage s", "busiest", "ceiling/s", "peak MB", "above", "in flight", "load"),
]
STILL = "no files"
"""The same replay but for its files: start, login, probe, run. Rates are of what a replay takes beyond it."""
FILES_PER_RUN = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """One way, taken once."""

    what: str
    who: str
    files: int
    bytes: int
    measured: Measured
    floor: dict[str, int]
    """Requests by route; empty for bare clients."""

    @property
    def busiest(self) -> tuple[str, float]:
        """Who used most processor time, and how much."""
        one = self.measured
        used = {"client": one.client_cpu_s, "front": one.sandbox_cpu_s, "storage": one.storage_cpu_s}
        return max(used.items(), key=lambda pair: pair[1])


@dataclass(frozen=True, slots=True)
class Bench:
    """A sandbox with a history, and where to keep things."""

    sandbox: Sandbox
    folder: Path
    width: int
    block_bytes: int

    @property
    def source(self) -> str:
        """The file that names it."""
        return str(self.sandbox.workspace("source").path)

    def files(self) -> list[tuple[str, int]]:
        """Names and bytes of all files of runs of the source."""
        with opened(self.sandbox.folder, "source") as (_, workspace):
            blobs = closing(Blobs.of(self.sandbox.folder, workspace))
        with blobs as held:
            return list(held.sizes(ARTIFACT_STORE, f"{RUN_ORIGIN}/"))

    def bare(self, what: str, *, direct: bool) -> Trial:
        """A client with nothing around it, into a new workspace."""
        name, files = f"bare-{what}-{direct}", self.files()
        target = self.sandbox.add_workspace().workspace_name
        work = Work(
            what=what,
            source=self._url("source", direct=direct),
            target=self._url(target, direct=direct),
            files=[(_quoted(path), _quoted(path), size) for path, size in files],
            width=self.width,
            block_bytes=self.block_bytes,
            proxy=None if direct else self.sandbox.env["HTTPS_PROXY"],
        )
        order = self.folder / f"{name}.json"
        order.write_text(json.dumps(asdict(work)))
        took = measured_program(self.sandbox, str(Path(__file__).with_name("raw_files.py")), str(order))
        return Trial(what, "direct" if direct else "front", len(files), sum(size for _, size in files), took, {})

    def replayed(self, what: str, archive: Path, *more: str) -> Trial:
        """The product, into a new workspace."""
        target = str(self.sandbox.add_workspace().path)
        width = ["--parallel", str(self.width)]
        took = measured(self.sandbox, "replay", str(archive), "--target", target, *more, *width)
        files = self.files()
        with Archive.open(archive, write=False) as held:
            floor = {} if what == STILL else dict(of_archive(held, way=Way(what)).replay)
        return Trial(what, "replay", len(files), sum(size for _, size in files), took, floor)

    def extracted(self, name: str, *more: str) -> Path:
        """An archive of the source."""
        folder = self.folder / name
        measured(self.sandbox, "extract", "--source", self.source, "--archive", str(folder), *more)
        return folder

    def _url(self, workspace: str, *, direct: bool) -> str:
        folder = self.sandbox.folder
        with opened(folder, workspace) as (_, found):
            account, container = found.account, found.containers[ARTIFACT_STORE]
        sas = delegated_sas(
            pool(folder / "accounts.json"), account, container, None, permissions="racwdl", hours=24
        ).replace("%", "%%")
        host = f"http://{self.sandbox.storage}/{account}" if direct else f"https://{account}{SUFFIX}"
        return f"{host}/{container}/%s?{sas}"


def _quoted(path: str) -> str:
    return quote(path, safe="/")


def _copies(bench: Bench) -> Iterator[Callable[[], Trial]]:
    archive = bench.extracted("archive")
    yield lambda: bench.bare("copy", direct=True)
    yield lambda: bench.bare("copy", direct=False)
    yield lambda: bench.replayed(STILL, archive, "--no-artifacts")
    yield lambda: bench.replayed("copy", archive, "--source", bench.source)


def _streams(bench: Bench) -> Iterator[Callable[[], Trial]]:
    listed, kept = bench.extracted("archive"), bench.extracted("kept", "--artifacts", "download")

    def through_us() -> Trial:
        bench.sandbox.set_faults([{"do": "refuse-copy"}])
        try:
            return bench.replayed("relay", listed, "--source", bench.source)
        finally:
            bench.sandbox.set_faults()

    yield lambda: bench.replayed(STILL, listed, "--no-artifacts")
    for what, product in (("relay", through_us), ("upload", lambda: bench.replayed("upload", kept))):
        yield lambda what=what: bench.bare(what, direct=True)  # type: ignore[misc]
        yield lambda what=what: bench.bare(what, direct=False)  # type: ignore[misc]
        yield product


def main() -> None:
    """Measures what the flags name, prints a table, writes JSON."""
    flags = _flags()
    trials: list[Trial] = []
    if flags.small:
        runs = -(-flags.small // FILES_PER_RUN)
        wanted = replace(SHAPES["files"].wanted, runs=runs, artifacts=flags.small // runs)
        trials += _measured(replace(SHAPES["files"], wanted=wanted), flags, _copies)
    if flags.large:
        large = replace(SHAPES["large"], large_files=flags.large, large_mib=flags.large_mib)
        trials += _measured(large, flags, _copies)
        trials += _measured(large, flags, _streams)
    print(table(HEAD, [_row(one, trials) for one in trials]))
    print(_requests(trials))
    failed = [one for one in trials if one.measured.exit_code]
    print(f"\nwritten to {written('files', [_figure(one, trials) for one in trials], flags.output)}")
    if failed:
        raise SystemExit(f"{len(failed)} commands failed: their figures mean nothing")


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--small", type=int, default=2_000, help="files of about 1 KB; 0 for none")
    parser.add_argument("--large", type=int, default=2, help="large files; 0 for none")
    parser.add_argument("--large-mib", type=int, default=64, help="of each")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--block-bytes", type=int, default=BLOCK_BYTES, help="of the bare clients")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def _measured(
    shape: Shape, flags: argparse.Namespace, ways: Callable[[Bench], Iterator[Callable[[], Trial]]]
) -> list[Trial]:
    """All ways in turn, as often as there are rounds: what else the machine does befalls them alike.

    Each second round goes backwards, because Azurite slows down by a seventh with every 20,000 blobs that it holds.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sandbox = Sandbox.start(folder / "sandbox")
        try:
            fill(sandbox.folder, "source", shape, None)
            bench = Bench(sandbox, folder, flags.width, flags.block_bytes)
            known = list(ways(bench))
            rounds = (known[:: -1 if number % 2 else 1] for number in range(flags.rounds))
            return [way() for each in rounds for way in each]
        finally:
            sandbox.stop()


def _row(one: Trial, trials: list[Trial]) -> list[object]:
    took, (who, cpu_s), net_s = one.measured, one.busiest, _net_s(one, trials)
    return [
        *(one.what, one.who, one.files, round(one.bytes / 1e6), took.wall_s, net_s),
        *(one.files / net_s, one.bytes / 1e6 / net_s),
        *(_against(one, trials, other) for other in ("direct", "front")),
        *(took.client_cpu_s, took.sandbox_cpu_s, took.storage_cpu_s),
        *(f"{who} {cpu_s / took.wall_s:.2f}", one.files / cpu_s),
        *(took.peak_mb, took.peak_mb - _still(one, trials)[1], took.most_in_flight, took.load),
    ]


def _alike(one: Trial, trials: list[Trial], what: str, who: str) -> list[Trial]:
    return [each for each in trials if (each.what, each.who, each.bytes) == (what, who, one.bytes)]


def _still(one: Trial, trials: list[Trial]) -> tuple[float, float]:
    """Seconds and MB of a replay without its files."""
    same = _alike(one, trials, STILL, "replay")
    return median(each.measured.wall_s for each in same), median(each.measured.peak_mb for each in same)


def _net_s(one: Trial, trials: list[Trial]) -> float:
    """Of the files alone."""
    if one.who != "replay":
        return float(one.measured.result or one.measured.wall_s)
    return one.measured.wall_s - (0 if one.what == STILL else _still(one, trials)[0])


def _against(one: Trial, trials: list[Trial], who: str) -> object:
    """Rates of all its rounds as a part of a bare client's, by their medians."""
    own, other = ([_net_s(each, trials) for each in _alike(one, trials, one.what, name)] for name in (one.who, who))
    return median(other) / median(own) if other else "-"


def _requests(trials: list[Trial]) -> str:
    rows: list[list[object]] = []
    for one in trials:
        if one.floor:
            least, asked = sum(one.floor.values()), one.measured.requests
            entries = [side.get(ENTRIES, 0) for side in (one.measured.routes, one.floor)]
            rows.append([one.what, one.files, asked, least, asked / least, *entries])
    return "\n" + table(["what", "files", "requests", "floor", "ratio", "for entries", "floor"], rows)


def _figure(one: Trial, trials: list[Trial]) -> dict[str, Any]:
    who, cpu_s = one.busiest
    named = {"what": one.what, "who": one.who, "files": one.files, "bytes": one.bytes, "floor": one.floor}
    return {
        **named,
        "net_s": _net_s(one, trials),
        "busiest": who,
        "ceiling_per_s": one.files / cpu_s,
        **one.measured.document(),
    }


if __name__ == "__main__":
    main()
