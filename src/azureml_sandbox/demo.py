"""A whole migration on this machine: two workspaces, histories that real clients logged, the product as a process."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from azureml_sandbox.pki import private
from azureml_sandbox.problem import Problem
from azureml_sandbox.server import state
from azureml_sandbox.server.own import python
from azureml_sandbox.server.sandbox import Sandbox

RECORDINGS = Path("../shared/service/recordings")
"""Recorded answers of the real service, if this machine has them; `AZUREML_REPLAY_RECORDINGS` names another place."""

Say = Callable[[str], None]


def demo(folder: Path, say: Say) -> int:
    """Start two workspaces, fill one, migrate it, say what to look at; returns the product's exit code.

    The demo may be run again: the histories stay, and the migration continues or finds nothing to do. Raises Problem
    where a step before the migration fails.
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
    """The folder's server, started if it does not run yet. It goes on running after the demo."""
    if state.last(folder) is not None and state.is_locked(folder):
        say(f"The local workspaces of {folder} are running already")
        return Sandbox(folder)
    say(f"Starting two local workspaces, source and target, in {folder}")
    return Sandbox.start(folder, ["source", "target"], leashed=False)


def _environment(sandbox: Sandbox) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in state.BYPASSES}
    return {**inherited, **sandbox.env}


def _fill(sandbox: Sandbox, environment: Mapping[str, str], say: Say) -> None:
    """Fill the source once: a second demo finds the histories there."""
    filled = sandbox.folder / "filled"
    if filled.exists():
        say("The source holds its histories from an earlier demo")
        return
    say("Training with scikit-learn; azureml-mlflow logs into the source (about 10 s)")
    source = sandbox.workspace("source").path
    _must(
        python("azureml_sandbox.fill.notebooks", str(source)),
        environment,
        sandbox.folder / "trainings.log",
    )
    say("Submitting jobs with azure-ai-ml: a command, a nested pipeline, a sweep, a failure (about a minute)")
    train = python("azureml_sandbox", "train", str(sandbox.folder), "--workspace", "source")
    _must(train, environment, sandbox.folder / "train.log")
    recordings = Path(os.environ.get("AZUREML_REPLAY_RECORDINGS", RECORDINGS))
    if recordings.is_dir():
        say(f"Loading recorded jobs of the real service from {recordings}")
        load = python("azureml_sandbox", "load", str(sandbox.folder), "--workspace", "source")
        log = sandbox.folder / "load.log"
        _must([*load, str(recordings)], environment, log)
        say(f"  {log} lists what was loaded, what was made up to complete it, what was left out and why")
    else:
        say(f"There are no recordings of the real service in {recordings}: the source holds the trainings only")
    filled.touch(mode=0o600)


def _product() -> list[str]:
    return [str(Path(sys.executable).with_name("azureml-replay"))]


def _between(folder: Path) -> list[str]:
    return ["--source", str(folder / "source.json"), "--target", str(folder / "target.json")]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    return subprocess.run(command, env=dict(environment), check=False).returncode  # noqa: S603 - our own commands


def _must(command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Run a command whose output goes into `log`. Raises Problem where it fails."""
    with open(log, "wb", opener=private) as file:
        ended = subprocess.run(  # noqa: S603 - our own commands
            command, env=dict(environment), check=False, stdout=file, stderr=subprocess.STDOUT
        ).returncode
    if ended:
        failed = " ".join(command[2:5])
        raise Problem(
            f"the source could not be filled: `{failed}` ended with exit code {ended}; see {log}, then run demo again"
        )


def _afterwards(folder: Path) -> str:
    bin_ = "" if shutil.which("azureml-replay") else shlex.quote(os.path.relpath(Path(sys.executable).parent)) + "/"
    here, archive = shlex.quote(str(folder)), shlex.quote(str(folder / "archive"))
    page = folder / "archive" / "report.html"
    around = {
        f"azureml-replay status {archive}": "what is extracted, sent and verified",
        f"azureml-replay plan {archive}": "what was carried, and what could not be, with its reason",
        f"azureml-replay browse {archive}": "its runs in MLflow's own window (needs the extra mlflow)",
        f"azureml-sandbox requests {here}": "what was asked of both workspaces",
    }
    serving = {
        f'eval "$({bin_}azureml-sandbox env {here})"': "points any Azure client of this shell at them",
        f'eval "$({bin_}azureml-sandbox env --unset {here})"': "leads it back",
        f"{bin_}azureml-sandbox stop {here}": "ends them",
    }
    found = f"The report, to open in a browser: {page}\n" if page.exists() else ""
    looking = _commands({bin_ + command: what for command, what in around.items()})
    return f"\n{found}To look around:\n{looking}\nThe local workspaces go on serving:\n{_commands(serving)}"


def _commands(told: Mapping[str, str]) -> str:
    """Each whole on a line of its own, to be pasted; below it what it does."""
    return "\n".join(f"  {command}\n      {what}" for command, what in told.items())
