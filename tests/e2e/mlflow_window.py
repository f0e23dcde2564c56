"""`azureml-replay browse` with a whole MLflow, in an environment of its own, and the sources of this tree."""

from __future__ import annotations

import json
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e import own_environment

ROOT = Path(__file__).parents[2]
SERVERS = Path(__file__).parent / "mlflow_servers"
NEWEST = "3.17.2"
OLDER = ("2.9.2", "2.22.0", "3.1.4")
"""The lowest that the extra allows, the last before 3, and the first whose histories come in pages."""


def installed(version: str = NEWEST) -> Path:
    """The Python of an environment with this MLflow. NotInstallable where that fails."""
    return own_environment.installed(f"mlflow-{version}", SERVERS / f"{version}.txt")


@dataclass(frozen=True)
class Browsing:
    """A command at work: what it said on stdout, as JSON, and its process."""

    said: dict[str, Any]
    process: subprocess.Popen[str]

    def ends(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Its exit code after a signal, and what it had said on stderr."""
        self.process.send_signal(how)
        _, told = self.process.communicate(timeout=30)
        return self.process.returncode, told


def environment(folder: Path) -> dict[str, str]:
    """Sources in place of an installed package: what tells MLflow of the stores is made of the project's own table."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    if not known.exists():
        known.mkdir(parents=True)
        (known / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        groups = project["entry-points"].items()
        lines = [f"[{group}]\n" + "".join(f"{name} = {to}\n" for name, to in those.items()) for group, those in groups]
        (known / "entry_points.txt").write_text("\n".join(lines))
    return own_environment.OUTSIDE | {"PYTHONPATH": f"{ROOT / 'src'}:{folder}", "PYTHONWARNINGS": "ignore"}


@contextmanager
def browsing(archive: Path, folder: Path, version: str = NEWEST, *flags: str) -> Iterator[Browsing]:
    """The command, once it has said where the page is. It ends with the context."""
    process = subprocess.Popen(
        [str(installed(version)), "-m", "azureml_replay", "browse", str(archive), "--json", *flags],
        cwd=folder,
        env=environment(folder / "known"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Browsing(json.loads(line), process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
