"""One command of the product against one sandbox: time, processor, memory, requests."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox

_TICKS = os.sysconf("SC_CLK_TCK")
AT_CEILING = 0.9
"""Of one core: who uses more is what the figure measures, and says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one command took."""

    command: str
    exit_code: int
    wall_s: float
    client_cpu_s: float
    sandbox_cpu_s: float
    storage_cpu_s: float
    """Azurite's."""
    peak_mb: float
    requests: int
    most_in_flight: int
    refused: int
    """429 and 503."""
    routes: dict[str, int] = field(default_factory=dict)
    result: Any = None
    load: float = 0.0
    """Of the machine when it began: others may use its cores."""

    @property
    def at_ceiling(self) -> str:
        """Who was: then the figure is theirs, not the client's."""
        shares = {"client": self.client_cpu_s, "sandbox": self.sandbox_cpu_s, "storage": self.storage_cpu_s}
        return "+".join(who for who, cpu_s in shares.items() if cpu_s > AT_CEILING * self.wall_s) or "-"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "at_ceiling": self.at_ceiling}


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Of a process whose Azure clients are led to the sandbox."""
    kept = {name: value for name, value in os.environ.items() if name not in state.BYPASSES}
    return {**kept, **sandbox.env}


def measured(sandbox: Sandbox, *command: str) -> Measured:
    """Runs `azureml-replay` with these arguments, `--json --quiet` added, and waits for its end."""
    return measured_program(sandbox, "-m", "azureml_replay", *command, "--json", "--quiet")


def measured_program(sandbox: Sandbox, *command: str) -> Measured:
    """Any Python program that prints JSON or nothing, led to the sandbox."""
    sandbox.reset_requests()
    before, load = _cpu_of(sandbox), os.getloadavg()[0]
    argv = [sys.executable, *command]
    started = time.perf_counter()
    ended, took = watched(argv, environment(sandbox), sandbox.folder)
    wall_s = time.perf_counter() - started
    after, asked = _cpu_of(sandbox), sandbox.requests()
    return Measured(
        command=" ".join(command),
        exit_code=ended.returncode,
        wall_s=wall_s,
        client_cpu_s=took["cpu_s"],
        sandbox_cpu_s=after[0] - before[0],
        storage_cpu_s=after[1] - before[1],
        peak_mb=took["peak_mb"],
        requests=asked["total"],
        most_in_flight=asked["most_in_flight"],
        refused=sum(row["count"] for row in asked["routes"] if row["status"] in (429, 503)),
        routes=dict(by_route(asked)),
        result=json.loads(ended.stdout) if ended.stdout.strip() else None,
        load=load,
    )


def watched(
    argv: list[str], env: dict[str, str] | None = None, folder: Path | None = None
) -> tuple[subprocess.CompletedProcess[bytes], dict[str, float]]:
    """One process to its end, and its `cpu_s` and `peak_mb`. What it says goes on to our stderr."""
    through = [sys.executable, str(Path(__file__).with_name("child.py")), *argv]
    ended = subprocess.run(through, env=env, cwd=folder, capture_output=True, check=False)
    *said, took = ended.stderr.decode(errors="replace").splitlines()
    sys.stderr.writelines(f"{line}\n" for line in said)
    return ended, json.loads(took)


def by_route(asked: dict[str, Any]) -> Counter[str]:
    """Requests by method and route, whatever the workspace and the status."""
    counted: Counter[str] = Counter()
    for row in asked["routes"]:
        counted[f"{row['method']} {row['route']}"] += row["count"]
    return counted


def _cpu_of(sandbox: Sandbox) -> tuple[float, float]:
    """Seconds that the server has used so far, and Azurite, its child."""
    pid = state.running(sandbox.folder).pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _cpu_s(str(pid)), sum(_cpu_s(child) for child in children)


def cpu_of_session(leader: int) -> float:
    """Seconds that the living processes of a session have used so far."""
    numbers = [one.name for one in Path("/proc").iterdir() if one.name.isdigit()]
    return sum(_cpu_s(pid) for pid in numbers if _session(pid) == leader)


def _session(pid: str) -> int | None:
    try:
        return os.getsid(int(pid))
    except ProcessLookupError:  # it has ended
        return None


def _cpu_s(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def machine() -> dict[str, Any]:
    """Where and when the figures were taken."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "command": " ".join(["python -m", *sys.argv]) if sys.argv else "",
    }


def table(head: list[str], rows: list[list[object]]) -> str:
    """Columns as wide as they must be; numbers to the right."""
    cells = [head, *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    return "\n".join("  ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) for row in cells)


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def written(name: str, figures: object, output: Path | None) -> Path:
    """The figures as JSON, beside where they were taken."""
    path = output or Path("benchmarks/results") / f"{name}_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**machine(), "name": name, "figures": figures}, indent=1))
    return path
