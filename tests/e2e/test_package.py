"""The wheel, as a stranger installs it: an empty environment, a new folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile

ROOT = Path(__file__).parents[2]
OUTSIDE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""The environment before any test pointed it at a sandbox: the registries are out there."""
EXTRAS = {"starlette", "mlflow-skinny", "azure-ai-ml", "pytest", "sphinx", "pyarrow"}
"""A few of the packages that the product itself must not bring."""


def run(*command: object, cwd: Path, env: dict[str, str] = OUTSIDE) -> subprocess.CompletedProcess[str]:
    """A process that must end well."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `pip wheel .` builds it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


def installed(folder: Path, *requirements: object) -> Path:
    """An environment of its own; where its commands lie. A pip of its own, and bytecode nobody runs, cost 7 s."""
    venv.create(folder)
    pip(folder, "install", "--quiet", "--no-compile", *requirements)
    return folder / "bin"


def pip(environment: Path, *arguments: object) -> str:
    """What our pip says, told to work on that environment."""
    command = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", *arguments)
    return run(*command, cwd=environment).stdout


def carries(commands: Path, source: WorkspaceFile, sandbox: Sandbox, folder: Path) -> None:
    """The installed command migrates a history, from a folder that knows nothing of this project."""
    folder.mkdir()
    target = sandbox.add_workspace()
    env = OUTSIDE | sandbox.env
    ends = ("--source", source.path, "--target", target.path, "--archive", "history", "--deep", "--json")

    done = run(commands / "azureml-replay", "migrate", *ends, cwd=folder, env=env)

    assert json.loads(done.stdout)["verdict"]["findings"] == 0


def test_the_wheel_holds_both_packages_their_types_and_the_seeds_modules(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {"azureml_replay/py.typed", "azureml_sandbox/py.typed"} <= names
    assert {
        "extractor/extract_jobs.py",
        "replayer/build_pipeline.py",
        "azureml_sandbox/storage/azurite/package.json",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]


def test_installed_alone_it_works_from_any_folder(
    wheel: Path, small_history: WorkspaceFile, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Only the product's own dependencies come; the other command says which extra it needs."""
    commands = installed(tmp_path / "env", "--constraint", ROOT / "constraints.txt", wheel)

    brought = json.loads(pip(tmp_path / "env", "list", "--format", "json"))
    assert not EXTRAS & {package["name"].lower() for package in brought}
    versions = run(commands / "azureml-replay", "--version", cwd=tmp_path).stdout
    assert re.match(r"azureml-replay \d+\.\d+\.\d+, archive format \d+\nPython 3", versions)
    for module in ("extractor.extract_jobs", "replayer.build_pipeline"):
        assert "Usage:" in run(commands / "python", "-m", module, "--help", cwd=tmp_path).stdout
    lacking = subprocess.run(
        [commands / "azureml-sandbox", "demo"], cwd=tmp_path, env=OUTSIDE, capture_output=True, text=True, check=False
    )
    assert lacking.returncode == 2
    assert lacking.stderr.count("\n") == 1
    assert "azureml-job-replayer[sandbox]" in lacking.stderr
    carries(commands, small_history, sandbox, tmp_path / "elsewhere")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("which", ["lowest", "newest"])
def test_it_works_with_the_lowest_and_the_newest_dependencies(
    wheel: Path, small_history: WorkspaceFile, sandbox: Sandbox, tmp_path: Path, which: str
) -> None:
    needed: Sequence[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = [need.replace(">=", "==") + ".*" for need in needed] if which == "lowest" else []

    commands = installed(tmp_path / "env", wheel, *pinned)

    carries(commands, small_history, sandbox, tmp_path / "elsewhere")
