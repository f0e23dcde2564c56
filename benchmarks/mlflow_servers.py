"""Real MLflow servers to measure with: started as the tests start theirs, asked by their own logs what came."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import cpu_of_session, watched

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # servers in environments of their own are known there alone

from e2e import own_environment
from mlflow_servers import NEWEST, MlflowServer, beside, serving
from postgres import cluster

PINS = Path(__file__).with_name("mlflow_export_import.txt")
ASKED = re.compile(r'"(?P<method>[A-Z]+) (?P<path>/[^ ?]*)')
"""A request in the log of a server."""


@dataclass(slots=True)
class Served:
    """A server, and how much of its log was counted."""

    server: MlflowServer
    log: Path
    counted: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    def asked(self) -> Counter[str]:
        """Requests by method and route since somebody asked last."""
        with self.log.open("rb") as lines:
            lines.seek(self.counted)
            text = lines.read()
        whole = text.rfind(b"\n") + 1
        self.counted += whole
        found = ASKED.finditer(text[:whole].decode(errors="replace"))
        return Counter(f"{one['method']} {_route(one['path'])}" for one in found)

    def cpu_s(self) -> float:
        """Of its processes, so far."""
        return cpu_of_session(self.server.pid)


def _route(path: str) -> str:
    path = re.sub(r"^/(ajax-)?api/2\.0/(preview/)?", "", path)
    return re.sub(r"^(mlflow-artifacts/artifacts)/.*", r"\1", path)


@contextmanager
def pair(folder: Path, workers: int, *, on_postgres: bool) -> Iterator[tuple[Served, Served]]:
    """A source and a target of the newest version, each on SQLite or a PostgreSQL of its own, artifacts proxied."""
    with ExitStack() as stack:
        both = []
        for name in ("source", "target"):
            (folder / name).mkdir()
            store, settings = (stack.enter_context(cluster()), beside()) if on_postgres else (None, {})
            server = stack.enter_context(serving(folder / name, workers=workers, store=store, **settings))
            both.append(Served(server, folder / name / "server.log"))
        yield both[0], both[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one program took, and asked of the two servers."""

    who: str
    seconds: float
    cpu_s: float
    peak_mb: float
    source: Counter[str] = field(default_factory=Counter)
    target: Counter[str] = field(default_factory=Counter)
    server_cpu_s: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON; requests by route."""
        counted = {"source": dict(self.source), "target": dict(self.target)}
        return {name: getattr(self, name) for name in self.__slots__} | counted


def taken(who: str, both: tuple[Served, Served], command: list[str], **settings: str) -> Taken:
    """Runs a program to its end. Raises SystemExit where it fails."""
    for one in both:
        one.asked()
    before, began = sum(one.cpu_s() for one in both), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        ended, took = watched(command, own_environment.OUTSIDE | settings, Path(folder))
    seconds = time.perf_counter() - began
    print(f"{who}: {seconds:.1f} s", file=sys.stderr)
    if ended.returncode:
        raise SystemExit(f"{who} ended with {ended.returncode}: {ended.stdout.decode(errors='replace')[-2_000:]}")
    source, target = (one.asked() for one in both)
    server_cpu_s = sum(one.cpu_s() for one in both) - before
    return Taken(who=who, seconds=seconds, source=source, target=target, server_cpu_s=server_cpu_s, **took)


def theirs() -> Path:
    """The folder of the commands of mlflow-export-import. Raises SystemExit where it cannot be installed."""
    try:
        return own_environment.installed("mlflow-export-import", PINS).parent
    except (own_environment.NotInstallable, subprocess.SubprocessError) as why:
        raise SystemExit(str(why)) from why


__all__ = ("NEWEST", "Served", "Taken", "pair", "taken", "theirs")
