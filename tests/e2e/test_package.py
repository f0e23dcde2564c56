"""The wheel, as a stranger installs it: an empty environment, a new folder."""

from __future__ import annotations

import json
import os
import re
import shlex
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
INSTALL = (ROOT / "docs" / "install.md").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
EXTRAS = {"starlette", "mlflow", "mlflow-skinny", "azure-ai-ml", "pytest", "sphinx", "pyarrow"}
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


def gathered(folder: Path, wheel: Path) -> Path:
    """The wheel and all that it needs, as `pip download` of the page gathers it, from the wheel instead of the name."""
    words = [wheel if word == "azureml-job-replayer" else word for word in told("pip download", folder / "wheelhouse")]
    assert wheel in words
    run(sys.executable, "-m", "pip", *words, "--constraint", ROOT / "constraints.txt", "--quiet", cwd=folder)
    return folder / "wheelhouse"


def told(begin: str, wheelhouse: Path) -> list[str]:
    """From its verb on, the one line of docs/install.md that begins so, with this folder in place of `wheelhouse`."""
    (line,) = re.findall(rf"^{begin} .*$|(?<=`){begin} [^`]*(?=`)", INSTALL, re.MULTILINE)
    words = [word.replace("wheelhouse", str(wheelhouse)) for word in shlex.split(line)]
    verb = next(word for word in words if word in {"install", "download"})
    return words[words.index(verb) :]


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
        "mltable_yaml_migrator/import_yaml.py",
        "azureml_sandbox/storage/azurite/package.json",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]


def test_installed_alone_it_works_from_any_folder(
    wheel: Path, small_history: WorkspaceFile, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Only the product's own dependencies come, from a folder that was filled where a network was, as the page says.

    A command that needs an extra says which.
    """
    wheelhouse = gathered(tmp_path, wheel)
    commands = installed(tmp_path / "env", *told("pip install --no-index", wheelhouse)[1:])

    brought = json.loads(pip(tmp_path / "env", "list", "--format", "json"))
    assert not EXTRAS & {package["name"].lower() for package in brought}
    asking = "from importlib.metadata import entry_points as e; print(*(p.value for p in e(name='azureml-replay')))"
    known = run(commands / "python", "-c", asking, cwd=tmp_path).stdout.split()
    assert {f"azureml_replay.formats.browsing.stores:{one}Store" for one in ("Tracking", "Registry")} <= set(known)
    versions = run(commands / "azureml-replay", "--version", cwd=tmp_path).stdout
    assert re.match(r"azureml-replay \d+\.\d+\.\d+, archive format \d+\nPython 3", versions)
    for module in ("extractor.extract_jobs", "replayer.build_pipeline", "mltable_yaml_migrator.export_yaml"):
        assert "Usage:" in run(commands / "python", "-m", module, "--help", cwd=tmp_path).stdout
    for line, extra in ((("azureml-sandbox", "demo"), "sandbox"), (("azureml-replay", "browse", "x"), "mlflow")):
        lacking = subprocess.run(
            [commands / line[0], *line[1:]], cwd=tmp_path, env=OUTSIDE, capture_output=True, text=True, check=False
        )
        assert (lacking.returncode, lacking.stderr.count("\n")) == (2, 1)
        assert f"azureml-job-replayer[{extra}]" in lacking.stderr
    carries(commands, small_history, sandbox, tmp_path / "elsewhere")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_pipx_and_uv_install_it_without_a_network_too(wheel: Path, tmp_path: Path, tool: str) -> None:
    """With the flags that the page gives; the tool itself comes from the registry."""
    wheelhouse = gathered(tmp_path, wheel)
    tools = installed(tmp_path / "tools", tool)
    homes = {
        f"{name}_{what}": str(tmp_path / what) for name in ("PIPX", "UV_TOOL") for what in ("HOME", "DIR", "BIN_DIR")
    }
    env = OUTSIDE | homes | {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_PYTHON": sys.executable}
    begin = "uv tool install --no-index" if tool == "uv" else "pipx install --pip-args"

    verbs = ("tool",) if tool == "uv" else ()
    run(tools / tool, *verbs, *told(begin, wheelhouse), cwd=tmp_path, env=env)

    shown = run(tmp_path / "BIN_DIR" / "azureml-replay", "--version", cwd=tmp_path).stdout
    assert shown.startswith(f"azureml-replay {VERSION}")


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
