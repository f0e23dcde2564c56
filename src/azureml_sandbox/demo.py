"""A whole migration on this machine: two workspaces, histories that real clients logged, the product as a process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from azureml_sandbox.problem import Problem
from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox

RECORDINGS = Path("../shared/service/recordings")
"""Recorded answers of the real service, where the reader has them; `AZUREML_REPLAY_RECORDINGS` names another place."""

Say = Callable[[str], None]


def demo(folder: Path, say: Say) -> int:
    """Serve, fill, migrate, say what to look at; the product's exit code.

    May be run again: what is there stays, the migration continues or finds nothing to do. Raises Problem.
    """
    sandbox = _serving(folder, say)
    environment = _environment(sandbox)
    _fill(sandbox, environment, say)
    say("Migrating source -> target with azureml-replay")
    ended = _run(
        [*_product(), "migrate", *_between(folder), "--archive", str(folder / "archive"), "--deep"], environment
    )
    say(_afterwards(folder))
    return ended


def _serving(folder: Path, say: Say) -> Sandbox:
    """The server of the folder, started where it does not run yet. It stays when the demo has ended."""
    if state.last(folder) is not None and state.is_locked(folder):
        say(f"The local workspaces of {folder} are running already")
        return Sandbox(folder)
    say(f"Starting two local workspaces, source and target, in {folder}")
    return Sandbox.start(folder, ["source", "target"], leashed=False)


def _environment(sandbox: Sandbox) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in state.BYPASSES}
    return {**inherited, **sandbox.env}


def _fill(sandbox: Sandbox, environment: Mapping[str, str], say: Say) -> None:
    """Once: a second demo finds the histories there."""
    filled = sandbox.folder / "filled"
    if filled.exists():
        say("The source holds its histories from an earlier demo")
        return
    say("Training with scikit-learn; azureml-mlflow logs into the source (about 10 s)")
    source = sandbox.workspace("source").path
    _must(
        [sys.executable, "-m", "azureml_sandbox.fill.notebooks", str(source)],
        environment,
        sandbox.folder / "trainings.log",
    )
    say("Submitting jobs with azure-ai-ml: a command, a nested pipeline, a sweep, a failure (about a minute)")
    train = [sys.executable, "-m", "azureml_sandbox", "train", str(sandbox.folder), "--workspace", "source"]
    _must(train, environment, sandbox.folder / "train.log")
    recordings = Path(os.environ.get("AZUREML_REPLAY_RECORDINGS", RECORDINGS))
    if recordings.is_dir():
        say(f"Loading recorded jobs of the real service from {recordings}")
        load = [sys.executable, "-m", "azureml_sandbox", "load", str(sandbox.folder), "--workspace", "source"]
        log = sandbox.folder / "load.log"
        _must([*load, str(recordings)], environment, log)
        say(f"  what came of each, what was made up to complete it, what was left out and why: {log}")
    else:
        say("No recordings of the real service here: the trainings are the source's whole history")
    filled.touch()


def _product() -> list[str]:
    return [str(Path(sys.executable).with_name("azureml-replay"))]


def _between(folder: Path) -> list[str]:
    return ["--source", str(folder / "source.json"), "--target", str(folder / "target.json")]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    return subprocess.run(command, env=dict(environment), check=False).returncode  # noqa: S603 - our own commands


def _must(command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """What it prints goes into `log`. Raises Problem where it fails."""
    with log.open("wb") as file:
        ended = subprocess.run(  # noqa: S603 - our own commands
            command, env=dict(environment), check=False, stdout=file, stderr=subprocess.STDOUT
        ).returncode
    if ended:
        raise Problem(f"the source could not be filled: `{' '.join(command[1:4])}` ended with {ended}, see {log}")


def _afterwards(folder: Path) -> str:
    bin_ = "" if shutil.which("azureml-replay") else shlex.quote(os.path.relpath(Path(sys.executable).parent)) + "/"
    here, archive = shlex.quote(str(folder)), shlex.quote(str(folder / "archive"))
    return f"""
To look around:
  {bin_}azureml-replay status {archive}      what is extracted, sent and verified
  {bin_}azureml-replay plan {archive}        what was carried and what could not be, with its reason
  {bin_}azureml-sandbox requests {here}      what was asked of both workspaces
The local workspaces go on serving: eval "$({bin_}azureml-sandbox env {here})" points any Azure client at them,
{bin_}azureml-sandbox stop {here} ends them."""
