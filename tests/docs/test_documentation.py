"""The documentation is true: the site builds, every command line runs and prints what is shown, every query answers.

Where a command prints something else on purpose: `AZUREML_REPLAY_REDRAW=1 pytest tests/docs -m "slow or not slow"`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pytest

import azureml_replay
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from docs.pages import (
    PAGES,
    ROOT,
    SHELL,
    TELLS_ITS_END,
    Answer,
    Block,
    blocks,
    desk,
    is_shown,
    name,
    needs,
    redrawn,
    typed,
)
from e2e import old_sdk, test_mltables
from e2e.mlflow_history import logged
from environment import point_at
from mlflow_servers import MlflowServer
from servers.moving import named

LIBRARY = ROOT / "docs" / "reference" / "library.md"
NOT_RUN = {
    r"az ": "Azure's own command line: there is no Azure here",
    r"(pip|pipx|uv tool) ": "test_package types these, from a wheel and without a network",
    r"python3 -m venv |\. \.venv/": "each test of test_package has an environment of its own",
    r"azureml-replay browse ": "it ends with Ctrl-C, and needs a whole MLflow: test_browse types it",
    r"mlflow server ": "it ends with Ctrl-C: each test that needs one has a server started for it",
    r"azureml-replay migrate .*--engine ray": "it needs Ray: e2e/test_ray types it where that is installed",
    r"make ": "it is what runs these tests, or the demo that sandbox/test_demo runs",
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
    assert "answers.css" in (tmp_path / "tutorial.html").read_text()


@pytest.fixture(scope="module")
def archive(small_history: WorkspaceFile, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small history, extracted once."""
    folder = tmp_path_factory.mktemp("extracted")
    command = ["azureml-replay", "extract", "--source", str(small_history.path), "--archive", "history", "--quiet"]
    subprocess.run(command, cwd=folder, env=environment(sandbox), check=True)
    return folder / "history"


def special_source(page: Path, sandbox: Sandbox, folder: Path) -> WorkspaceFile | None:
    """What the page's reader has, where that is not the small history."""
    if "prompt flow" in desk(page):
        source = sandbox.add_workspace()
        sample(sandbox.folder, source.workspace_name, Wanted(runs=0), hostile=True)
        return source
    if "tables" in desk(page):
        source = sandbox.add_workspace()
        with pytest.MonkeyPatch.context() as patch:
            point_at(sandbox, patch)
            test_mltables.fill(source, folder)
        return source
    if "old SDK" in desk(page):
        try:
            old_sdk.installed()
        except old_sdk.NotInstallable as why:
            pytest.skip(str(why))
        source = sandbox.add_workspace()
        with pytest.MonkeyPatch.context() as patch:
            point_at(sandbox, patch)
            old_sdk.run("write.py", source, folder / "written")
        return source
    return None


def environment(sandbox: Sandbox) -> dict[str, str]:
    """A shell in which the README's export lines were eaten, and the commands are found."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | sandbox.env | {"PATH": path, "NO_COLOR": "1"}


OWN_SERVER = "http://127.0.0.1:5000"
"""Where the reader's MLflow server answers once it is started; here it is one of the tests'."""
FIRST_READ = {"README.md"}
"""`make test` follows it; the other pages are `make test-all`'s: two and a half minutes."""
REDRAW = "AZUREML_REPLAY_REDRAW"
"""With this set, a page's answers that are not what is printed are written anew, and its test is skipped."""


def followed() -> Iterator[object]:
    """Every page on which something is typed or asked."""
    for page in PAGES:
        if blocks(page, SHELL, "python", "sql"):
            yield pytest.param(page, id=name(page), marks=[] if name(page) in FIRST_READ else [pytest.mark.slow])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", followed())
def test_whoever_follows_a_page_gets_what_it_says(
    page: Path,
    small_history: WorkspaceFile,
    sandbox: Sandbox,
    archive: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    """Every command line, program and query, in the page's order, in one folder; and nothing is left behind."""
    source = special_source(page, sandbox, tmp_path_factory.mktemp("source")) or small_history
    terminal = Terminal(tmp_path, environment(sandbox))
    (tmp_path / "config").mkdir()
    for place in ("source.json", "config/source_config.json"):
        shutil.copy(source.path, tmp_path / place)
    for place in ("target.json", "other.json", "config/target_config.json"):
        shutil.copy(sandbox.add_workspace().path, tmp_path / place)
    if "tables" in desk(page):
        into = WorkspaceFile.read(tmp_path / "target.json")
        test_mltables.selection(tmp_path / "config", source, into, "numbers", "local")
    if "mlflow" in desk(page):
        server: MlflowServer = request.getfixturevalue("mlflow_source")
        logged(server, f"followed {name(page)}")
        (tmp_path / "mlflow.json").write_text(json.dumps({"mlflow": server.url}))
    if "into mlflow" in desk(page):
        taken: MlflowServer = request.getfixturevalue("mlflow_server")
        named(taken, tmp_path)
    if any(OWN_SERVER in line for block in blocks(page, SHELL) for line in block.lines):
        terminal.server = request.getfixturevalue("mlflow_server").url
    if desk(page) & {"archive", "migrated"}:
        shutil.copytree(archive, tmp_path / "history")
    if "migrated" in desk(page):
        terminal.types("azureml-replay replay history/ --target target.json --source source.json")
    others: dict[Answer, str] = {}

    try:
        for block in blocks(page, SHELL, "python", "sql"):
            printed = FOLLOW[block.language](block, terminal)
            if block.answer and not is_shown(block.answer.text, printed):
                assert REDRAW in os.environ, f"{block.text}shows\n{block.answer.text}and printed\n{printed}"
                others[block.answer] = printed
    finally:
        running = [file.parent for file in tmp_path.glob("*/sandbox.json") if state.is_locked(file.parent)]
        for folder in running:
            Sandbox(folder).stop()

    assert not running, "the page leaves a local workspace running"
    assert terminal.leads() == {name: value for name, value in environment(sandbox).items() if name in LEADING}
    if others:
        redraw(page, others)


class Terminal:
    """A shell in a folder. It remembers the variables of the lines before, and what the last one ended with."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder, self.ended, self.server = folder, 0, OWN_SERVER
        self._variables = folder.with_suffix(".variables")
        self._variables.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items()))

    def types(self, text: str, *, ends_with_0: bool = True) -> str:
        """One line, and what it prints as its result. Where it need not end with 0, the next line tells its end."""
        session = (
            f". {self._variables}\n(exit {self.ended})\n{text}\nended=$?\nexport -p > {self._variables}\nexit $ended"
        )
        done = subprocess.run(
            ["bash", "-c", session], cwd=self.folder, env={}, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0 or not ends_with_0, (
            f"{text}\n{done.stdout}{done.stderr}ended with {done.returncode}"
        )
        self.ended = done.returncode
        return done.stdout

    def leads(self) -> dict[str, str]:
        """Where its Azure clients would go."""
        lines = (line.partition("=") for line in self.types("env").splitlines())
        return {name: value for name, _, value in lines if name in LEADING}


LEADING = (*state.VARIABLES, *state.BYPASSES)


def type_all(block: Block, terminal: Terminal) -> str:
    """Each line ends with 0, unless the next one tells what it ended with, and the page shows that."""
    printed = []
    for line, after in zip(block.lines, (*block.lines[1:], ""), strict=True):
        if not any(re.match(begins, line) for begins in NOT_RUN):
            meant = line.replace(OWN_SERVER, terminal.server)
            printed.append(terminal.types(meant, ends_with_0=after != TELLS_ITS_END))
    assert TELLS_ITS_END not in block.lines or block.answer, f"{block.text}shows no answer"
    return "".join(printed)


def run_program(block: Block, terminal: Terminal) -> str:
    """As a file that the reader saved; one that begins with its own name, `# edit.py: ...`, is run by a later line."""
    named = re.match(r"# (\w+\.py)\b", block.text)
    (terminal.folder / (named[1] if named else "program.py")).write_text(block.text)
    return "" if named else terminal.types("python program.py")


def ask_all(block: Block, terminal: Terminal) -> str:
    """Every query answers with at least a row."""
    for query in filter(str.strip, block.text.split(";")):
        assert duckdb.connect(config={"file_search_path": str(terminal.folder)}).execute(query).fetchall(), query
    return ""


FOLLOW = {SHELL: type_all, "python": run_program, "sql": ask_all}


def redraw(page: Path, others: Mapping[Answer, str]) -> None:
    """What is printed now, in the place of what the page showed."""
    text = page.read_text()
    for answer in sorted(others, key=lambda one: one.start, reverse=True):
        text = text[: answer.start] + redrawn(answer.text, others[answer]) + text[answer.end :]
    page.write_text(text)
    pytest.skip(f"{len(others)} answers of {name(page)} were written anew: read them")


def test_every_line_that_is_not_run_has_a_page() -> None:
    """A reason for what nobody writes any more is a check that checks nothing."""
    lines = [line for page in PAGES for line in typed(page)]

    assert [begins for begins in NOT_RUN if not any(re.match(begins, line) for line in lines)] == []


COPIED = re.compile(r"^\s*([$>%#]|PS>) |\s# ", re.MULTILINE)
"""A prompt, which no shell takes, or a comment, which zsh does not take where lines are pasted."""


def test_what_is_copied_can_be_pasted() -> None:
    """On GitHub too, where no plugin takes prompts away: blocks of commands hold commands and nothing else."""
    spoilt = [(name(page), block.text) for page in PAGES for block in blocks(page, SHELL) if COPIED.search(block.text)]
    prompts = [name(page) for page in PAGES if re.search(r"^```console|^\$ ", page.read_text(), re.MULTILINE)]

    assert (spoilt, prompts) == ([], [])


def test_the_first_page_says_when_to_read_each() -> None:
    """One line for each, in the navigation's order; and a guide on which something is typed says what it needs."""
    index = ROOT / "docs" / "index.md"
    others = {str(page.relative_to(index.parent)) for page in PAGES if index.parent in page.parents} - {index.name}
    told, tree = index.read_text().split("```{toctree}", 1)
    rows = [row for row in told.splitlines() if row.startswith("| [")]
    linked = [path for row in rows for path in re.findall(r"\]\(([^)]+\.md)\)", row.rpartition(" | ")[0])]

    assert sorted(linked) == sorted(others)
    assert [f"{path}.md" for path in re.findall(r"^[a-z/-]+$", tree, re.MULTILINE)][:21] == linked[:21]
    assert [name(page) for page in PAGES if "guides" in page.parts and typed(page) and not needs(page)] == []


NOTES = re.compile(r"\b(a test|tests) holds?\b|\bheld by `|\btests/|\bsrc/azureml_|on the desk", re.IGNORECASE)


def test_pages_speak_to_their_readers() -> None:
    """What was noted for whoever changes the code stands in CONTRIBUTING, or in a comment that no reader sees."""
    seen = {name(page): re.sub(r"<!--.*?-->", "", page.read_text(), flags=re.DOTALL) for page in PAGES}

    assert {page: NOTES.findall(text) for page, text in seen.items() if NOTES.search(text)} == {}


OURS = re.compile(
    r"^\s*(\$ )?(azureml-replay|azureml-sandbox|python -m (extractor|replayer|mltable_yaml_migrator))\b.*$",
    re.MULTILINE,
)


def _with_answer(block: Block) -> str:
    """What is printed may name commands, too: it is held against what was printed."""
    return f"{block.text}\n{block.answer.text if block.answer else ''}"


def test_commands_stand_in_blocks_that_are_run() -> None:
    """So that none escapes the tests: no other line begins with one of our commands, but in the commands' own help."""
    lines = {
        name(page): Counter(found[0].strip() for found in OURS.finditer(page.read_text()))
        - Counter(found[0].strip() for block in blocks(page, SHELL) for found in OURS.finditer(_with_answer(block)))
        for page in PAGES
        if name(page) != "docs/reference/commands.md"  # generated: examples of the help, which its own tests read
    }

    assert {page: left for page, left in lines.items() if left} == {}


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("60 runs, all equal\n", "60 runs, all equal\n", True),
        ("60 runs, all equal\n", "61 runs, all equal\n", False),
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("one\n...\nfour\n", "one\ntwo\nfive\n", False),
        ("kept in ...\n", "kept in /tmp/x\n", True),
        ("at 127.0.0.1:4 since 10:00, 3.2 kB\n", "at 127.0.0.1:55 since 23:59, 17.1 kB\n", True),
        ("content root " + "a" * 64, "content root " + "b" * 64, True),
        ("exit code 5\n", "exit code 0\n", False),
        ("", "something\n", False),
    ],
)
def test_an_answer_is_what_was_printed(shown: str, printed: str, same: bool) -> None:
    """But for what no two runs have alike."""
    assert is_shown(shown, printed) is same


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
