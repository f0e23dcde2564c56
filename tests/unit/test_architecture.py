"""The walls of the house: who may import whom, and what happens in one place only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
PRODUCT = SRC / "azureml_replay"

STEP = PRODUCT / "synthetic" / "step"
"""What runs on the compute: a program of its own, of the standard library alone."""
PURE = (
    "model.py",
    "selection.py",
    "limits.py",
    "plan.py",
    "plan_summary.py",
    "planned_files.py",
    "own_files.py",
    "recorded.py",
    "fitting.py",
    "ids.py",
    "compare.py",
    "series_comparison.py",
    "request_rows.py",
    "errors.py",
    "json_text.py",
    "lineage.py",
    "sync.py",
    "roles.py",
    "fidelity.py",
    "file_plan.py",
    *(
        f"synthetic/{name}.py"
        for name in (
            "tree",
            "names",
            "definitions",
            "trials",
            "fitting",
            "edges",
            "ports",
            "grow",
            "graph",
            "validation",
            "dry_run",
        )
    ),
)
VERBS = (
    "extract",
    "replay",
    "verify",
    "verify_points",
    "verify_files",
    "migrate",
    "send_points",
    "send_files",
    "send_experiments",
    "send_runs",
    "verify_sync",
    "undo",
    "recheck",
    "probe",
    "listing",
    "supply",
    "download",
    "list_runs",
    "doctor",
    "examine_reads",
    "examine_writes",
    "examine_limits",
)
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "azureml_sandbox": ("azureml_replay",),
    "azureml_replay": ("azureml_sandbox",),
    "azureml_replay/model.py": ("azureml_replay",),
    "azureml_replay/azure": ("azureml_replay.archive", *(f"azureml_replay.{verb}" for verb in VERBS)),
    "azureml_replay/archive": ("azureml_replay.azure", "aiohttp", "azure", *(f"azureml_replay.{v}" for v in VERBS)),
    **{
        f"azureml_replay/{name}": ("azureml_replay.azure", "azureml_replay.archive", "azure", "aiohttp", "sqlite3")
        for name in PURE
    },
}
IO = re.compile(r"\b(open|datetime\.now|time\.time|os\.environ|getenv|Path)\b")


def files(part: str) -> list[Path]:
    """The Python files of a package or the one named."""
    path = SRC / part
    found = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
    assert found, f"{part} has no files: the wall would hold nothing"
    return found


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_point_inwards(part: str) -> None:
    """cli -> verbs -> azure, archive -> pure -> model; the two packages meet on the wire alone. `redact` is pure."""
    crossings = [
        (path.relative_to(SRC).as_posix(), name)
        for path in files(part)
        for name in imports_of(path)
        for wall in FORBIDDEN[part]
        if (name == wall or name.startswith(wall + ".")) and not name.startswith("azureml_replay.redact")
    ]

    assert crossings == []


@pytest.mark.parametrize("name", PURE)
def test_the_thinking_does_no_io(name: str) -> None:
    """No file, clock or environment in the pure modules, and nothing async."""
    code = (PRODUCT / name).read_text()
    tree = ast.parse(code)

    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    assert not [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and IO.search(ast.unparse(node.func))
    ]


def users_of(pattern: str) -> set[str]:
    """Files of the product whose code, comments and docstrings aside, matches."""
    return {
        path.relative_to(PRODUCT).as_posix()
        for path in PRODUCT.rglob("*.py")
        if STEP not in path.parents and any(re.search(pattern, line) for line in code_lines(path))
    }


def code_lines(path: Path) -> list[str]:
    """Source as Python sees it: `ast.unparse` drops comments; docstrings are cut."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
    return ast.unparse(tree).splitlines()


def test_one_place_sends() -> None:
    """Only azure/http.py runs a pipeline; aiohttp is known to the transport and to what judges its errors."""
    assert users_of(r"_?pipeline\.run\(|\.run\(request") == {"azure/http.py"}
    assert users_of(r"\baiohttp\b") <= {"azure/transport.py", "azure/http.py", "azure/retry.py"}
    assert users_of(r"^\s*(import|from) (requests|httpx|urllib3|urllib\.request)\b") == set()


def test_one_place_starts_tasks() -> None:
    """Width, and so memory, is bounded in workers.py alone."""
    assert users_of(r"create_task\(|TaskGroup\(|ensure_future\(|asyncio\.gather\(") == {"workers.py"}


def test_sql_stays_in_the_archive() -> None:
    """Nobody else knows how things lie on disk."""
    assert all(name.startswith("archive/") for name in users_of(r"\bsqlite3\b|\.execute\("))


def test_printing_stays_at_the_edge() -> None:
    """Verbs tell a Progress; the command line prints."""
    assert users_of(r"\bprint\(|typer\.echo\(|sys\.std(out|err)\.write|Console\(") <= {
        "terminal.py",
        "drawing.py",
        "logs.py",
        "cli.py",
        "fidelity.py",  # run as a module, it prints a page of the documentation
        *(path.relative_to(PRODUCT).as_posix() for path in (PRODUCT / "cli").glob("*.py")),
    }


def swallowers() -> set[str]:
    """Files with a handler for everything that does not raise again."""
    return {
        path.relative_to(PRODUCT).as_posix()
        for path in PRODUCT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    }


def test_exceptions_are_swallowed_nowhere() -> None:
    """A handler for everything stands at the command's edge alone; elsewhere it cleans up and raises again."""
    assert swallowers() == {"cli/__init__.py"}


def test_help_imports_no_more_than_the_flags_need() -> None:
    """`--help` answers at once: archives, the network and the verbs are imported by the command that needs them."""
    code = "import sys, azureml_replay.cli.app; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"asyncio", "sqlite3", "aiohttp", "azure.core", "rich"}
    ours = {
        f"azureml_replay.{name}" for name in ("archive.archive", "workspace", "plan", "extract", "replay", "verify")
    }
    assert (heavy | ours) & set(said) == set()
