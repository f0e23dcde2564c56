"""The documentation is true: the site builds, every command line runs, every query answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import azureml_replay
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from docs.pages import PAGES, ROOT, Line, blocks, desk, name, typed

LIBRARY = ROOT / "docs" / "reference" / "library.md"
NOT_RUN = {
    r"az ": "Azure's own command line: there is no Azure here",
    r"pip install ": "the package is installed from a wheel by test_package",
    r"make ": "it is what runs these tests, or the demo that test_demo runs",
}
"""Command lines that no test of this file runs, by how they begin, and why."""


def test_the_site_builds(tmp_path: Path) -> None:
    """Every page is reachable and every link within the site leads somewhere: a warning is an error."""
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", str(ROOT / "docs"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr


@pytest.fixture(scope="module")
def archive(small_history: WorkspaceFile, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small history, extracted once."""
    folder = tmp_path_factory.mktemp("extracted")
    command = ["azureml-replay", "extract", "--source", str(small_history.path), "--archive", "history", "--quiet"]
    subprocess.run(command, cwd=folder, env=environment(sandbox), check=True)
    return folder / "history"


def environment(sandbox: Sandbox) -> dict[str, str]:
    """A shell in which the README's export lines were eaten, and the commands are found."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | sandbox.env | {"PATH": path, "NO_COLOR": "1"}


FIRST_READ = {"README.md", "docs/tutorial.md", "docs/guides/first-migration.md", "docs/guides/tables.md"}
"""`make test` follows these; the other pages are `make test-all`'s: a minute and a half."""


def followed() -> Iterator[object]:
    """Every page on which something is typed."""
    for page in filter(typed, PAGES):
        yield pytest.param(page, id=name(page), marks=[] if name(page) in FIRST_READ else [pytest.mark.slow])


@pytest.mark.parametrize("page", followed())
def test_every_command_line_runs(
    page: Path, small_history: WorkspaceFile, sandbox: Sandbox, archive: Path, tmp_path: Path
) -> None:
    """In the page's order, in one folder, with the exit code that the page says."""
    env = environment(sandbox)
    (tmp_path / "config").mkdir()
    for place in ("source.json", "config/source_config.json"):
        shutil.copy(small_history.path, tmp_path / place)
    for place in ("target.json", "other.json", "config/target_config.json"):
        shutil.copy(sandbox.add_workspace().path, tmp_path / place)
    if desk(page):
        shutil.copytree(archive, tmp_path / "history")
    if "migrated" in desk(page):
        shell("azureml-replay replay history/ --target target.json --source source.json", tmp_path, env)

    said = ""
    for line in typed(page):
        if not left_out(line):
            said += shell(line.text, tmp_path, env, line.ends_with)
    for shown in blocks(page, "text"):
        assert timeless(shown) in timeless(said), shown
    for program in blocks(page, "python"):
        (tmp_path / "program.py").write_text(program)
        shell("python program.py", tmp_path, env)
    for query in (query for block in blocks(page, "sql") for query in block.split(";") if query.strip()):
        assert duckdb.connect(config={"file_search_path": str(tmp_path)}).execute(query).fetchall(), query


def left_out(line: Line) -> bool:
    """One of `NOT_RUN`."""
    return any(re.match(begins, line.text) for begins in NOT_RUN)


def timeless(text: str) -> str:
    """What a command says, whenever it is typed and however long it takes."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "THEN", re.sub(r"\bin [\d.]+ (s|min)\b", "in a while", text))


def shell(text: str, folder: Path, env: dict[str, str], expected: int = 0) -> str:
    """One line, typed into a shell that remembers the variables of the lines before; what stands on stdout then."""
    variables = f"{folder}.variables"
    session = f"[ -f {variables} ] && . {variables}\n{text}\nended=$?\nexport -p > {variables}\nexit $ended"
    done = subprocess.run(
        ["bash", "-c", session], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=240
    )

    assert done.returncode == expected, f"$ {text}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_line_that_is_not_run_has_a_page() -> None:
    """A reason for what nobody writes any more is a check that checks nothing."""
    lines = [line.text for page in PAGES for line in typed(page)]

    assert [begins for begins in NOT_RUN if not any(re.match(begins, line) for line in lines)] == []


def test_commands_stand_in_console_blocks() -> None:
    """So that none escapes the tests: nowhere else does a line of a block begin with one of our commands."""
    ours = re.compile(r"^\s+(\$ )?(azureml-replay|azureml-sandbox|python -m (extractor|replayer))\b", re.MULTILINE)
    other = ("sh", "bash", "shell", "powershell", "text")
    found = [
        (name(page), text)
        for page in PAGES
        if name(page) != "docs/reference/commands.md"
        for text in [page.read_text(), *(body for language in other for body in blocks(page, language))]
        if ours.search(text)
    ]

    assert found == []


def test_the_library_promises_what_the_front_door_offers() -> None:
    """The page lists every name and no other; what is a type checker's and what is loaded are the same."""
    promised = re.findall(r"^\| `(\w+)` \|", LIBRARY.read_text(), re.MULTILINE)
    loaded = [name for names in azureml_replay._HOMES.values() for name in names]

    assert sorted(promised) == sorted(azureml_replay.__all__) == sorted(loaded)
    assert "azureml_replay." not in LIBRARY.read_text()


@pytest.mark.parametrize("name", azureml_replay.__all__)
def test_what_the_library_promises_is_there(name: str) -> None:
    """Told in a docstring of its own."""
    assert getattr(azureml_replay, name).__doc__


def test_the_front_door_loads_nothing_before_it_is_asked() -> None:
    """`import azureml_replay` costs what one small file costs."""
    code = "import sys, azureml_replay; print(*(name for name in sys.modules if name.startswith('azureml_replay.')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told.strip() == ""


def test_a_submodule_takes_no_name_of_the_front_door() -> None:
    """Whatever was imported before: the names stay functions and classes."""
    code = """
import importlib, pathlib, azureml_replay
home = pathlib.Path(azureml_replay.__file__).parent
for path in sorted(home.rglob("*.py")):
    if "step" not in path.parts and "node_modules" not in path.parts and path.name != "__main__.py":
        importlib.import_module(".".join(path.relative_to(home.parent).with_suffix("").parts).removesuffix(".__init__"))
print([name for name in azureml_replay.__all__ if not callable(getattr(azureml_replay, name))])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told.strip() == "[]"
