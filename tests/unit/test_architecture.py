"""The walls of the house: which room may import which, and what happens in one place only.

Rooms are the folders and files at the top of a package, read off the tree: a new one stands in no layer until it is
named here. `docs/concepts/how-it-works.md` draws them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
PRODUCT, SANDBOX = SRC / "azureml_replay", SRC / "azureml_sandbox"
STEP = PRODUCT / "synthetic" / "step"
"""What runs on the compute: a program of its own, of the standard library alone."""

LAYERS: dict[Path, tuple[frozenset[str], ...]] = {
    PRODUCT: tuple(
        frozenset(layer.split())
        for layer in (
            "instants errors json_text version workers counting",
            "disk",
            "model",
            "workspace redact",
            "progress selection sending",
            "comparison planning azure mlflow terminal",
            "archive connection",
            "files",
            "target",
            "direct extraction verification",
            "synthetic state crew",
            "deleting",
            "undoing",
            "formats report_page verbs",
            "cli",
            "__main__",
        )
    ),
    SANDBOX: tuple(
        frozenset(layer.split())
        for layer in (
            "instants guids pki problem",
            "world",
            "storage",
            "protocol",
            "provision history",
            "assets",
            "tracking artifacts metrics documents catalog",
            "compute",
            "arm",
            "front",
            "server",
            "demo fill",
            "cli",
            "__main__",
        )
    ),
}
"""From the bottom to the top: a room imports rooms of lower layers only, none of its own and none above."""

PURE_FOLDERS = ("planning", "comparison", "workspace", "azure/wire", "mlflow/wire", "synthetic/tree")
"""Where the thinking is. Elsewhere a module whose docstring says "(pure)" is held to the same."""
WIRE = (
    "azure/wire/",
    "mlflow/wire/",
    "synthetic/bodies/",
    "synthetic/step/",
    "formats/jobs_json/",
    "archive/older_records.py",
)
"""Where words of a service's documents may be spelt: the wire, bodies of jobs that are submitted, the program that runs
on the compute, the original tool's file, which took its words from the service, and what reads archives that hold no
more than a service's documents."""
NO_WIRE_KEYS = {
    ("model.py", "nestedComponents"),  # our own key, in documents that archives hold
    ("target/throw_away.py", "componentName"),  # the throw-away run has a value for each part of an error
    *(("cli/json_schema.py", key) for key in ("additionalProperties", "anyOf", "maxItems", "minItems", "prefixItems")),
}
"""Words that only look like a service's; those of the last file are JSON Schema's."""
IO = re.compile(r"\b(open|datetime\.now|time\.time|os\.environ|getenv|Path)\b")
IO_MODULES = frozenset({"aiohttp", "azure", "sqlite3", "asyncio", "os", "subprocess", "socket", "shutil", "tempfile"})
WIRE_KEY = re.compile(r"[a-z]+[a-z0-9]*([A-Z][a-z0-9]+)+\Z")
AZURE_WORDS = re.compile(r"dcid|ExperimentRun|artifact store|\bARM\b|RBAC")

WAITING: dict[str, str] = {}
"""Walls that cannot hold yet, by the test's name, with what each waits for."""


@cache
def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name; a folder's `__init__` stands for the folder."""
    found = {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
        if "node_modules" not in path.parts
    }
    assert found, f"{package} has no modules: the wall would hold nothing"
    return found


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Every name that a file imports, at any depth: `package.module.name`, or `package.module`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their direction"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@cache
def arrows(package: Path) -> dict[str, frozenset[str]]:
    """Module -> modules of the same package that it imports; the front door, which loads when asked, aside."""
    known = {module: path for module, path in modules(package).items() if module != package.name}

    def module_of(name: str) -> str | None:
        return next((one for one in (name, name.rpartition(".")[0]) if one in known), None)

    found = {}
    for module, path in known.items():
        others = {module_of(name) for name in imports_of(path)} - {module, None}
        found[module] = frozenset(other for other in others if other)
    return found


def room_of(module: str) -> str:
    """The name at the package's top that a module lies in or is."""
    return ([*module.split("."), ""])[1]


@pytest.mark.parametrize("package", LAYERS, ids=lambda package: package.name)
def test_every_room_stands_in_one_layer(package: Path) -> None:
    """A folder or file that nobody named has no place yet; a name without a room holds nothing."""
    rooms = {room_of(module) for module in modules(package)} - {""}
    named = [room for layer in LAYERS[package] for room in layer]

    assert sorted(named) == sorted(rooms)


@pytest.mark.parametrize("package", LAYERS, ids=lambda package: package.name)
def test_imports_point_down(package: Path) -> None:
    """No circle between rooms, and no arrow that runs back up."""
    level = {room: at for at, layer in enumerate(LAYERS[package]) for room in layer}
    upward = {
        (module, other)
        for module, others in arrows(package).items()
        for other in others
        if room_of(module) != room_of(other) and level[room_of(other)] >= level[room_of(module)]
    }

    assert upward == set()


@pytest.mark.parametrize("package", LAYERS, ids=lambda package: package.name)
def test_no_circle_inside_a_room(package: Path) -> None:
    """Modules of one folder import one way too."""
    circles = [circle for circle in _circles(arrows(package)) if len(circle) > 1]

    assert circles == []


def _circles(graph: dict[str, frozenset[str]]) -> Iterator[list[str]]:
    """Strongly connected parts, by Tarjan."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(one: str) -> None:
        index[one] = low[one] = len(index)
        stack.append(one)
        for other in graph[one]:
            if other not in index:
                visit(other)
                low[one] = min(low[one], low[other])
            elif other in stack:
                low[one] = min(low[one], index[other])
        if low[one] == index[one]:
            at = stack.index(one)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for one in graph:
        if one not in index:
            visit(one)
    yield from found


def test_the_two_packages_meet_on_the_wire_alone() -> None:
    """Neither the product nor the sandbox imports the other."""
    crossings = [
        (path, name)
        for package, other in ((PRODUCT, SANDBOX.name), (SANDBOX, PRODUCT.name))
        for path in modules(package).values()
        for name in imports_of(path)
        if name.split(".")[0] == other
    ]

    assert crossings == []


@cache
def _pure() -> list[str]:
    """Modules that say they are pure, or lie where everything is."""
    return [
        path.relative_to(PRODUCT).as_posix()
        for path in modules(PRODUCT).values()
        if path.relative_to(PRODUCT).as_posix().startswith(tuple(f"{folder}/" for folder in PURE_FOLDERS))
        or "(pure)" in (ast.get_docstring(ast.parse(path.read_text())) or "")
    ]


@pytest.mark.parametrize("name", _pure())
def test_the_thinking_does_no_io(name: str) -> None:
    """No file, clock, environment, database or network in a pure module, and nothing async but a protocol's methods."""
    tree = ast.parse((PRODUCT / name).read_text())
    protocols = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
    ]
    declared = {id(method) for protocol in protocols for method in protocol.body if _only_declares(method)}
    waiting = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await) and id(node) not in declared
    ]
    calls = [
        (node.lineno, ast.unparse(node.func))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and IO.search(ast.unparse(node.func)) and not name.endswith("/__main__.py")
    ]
    reached = {imported.split(".")[0] for imported in imports_of(PRODUCT / name)} & IO_MODULES

    assert (waiting, calls, reached) == ([], [], set())


def _only_declares(node: ast.stmt) -> bool:
    return isinstance(node, ast.AsyncFunctionDef) and all(isinstance(part, ast.Expr) for part in node.body)


@pytest.mark.parametrize("name", _pure())
def test_the_thinking_reaches_no_io(name: str) -> None:
    """What a pure module imports of ours is pure as well, however far one follows."""
    pure = (
        set(_pure())
        | {"errors.py", "model.py", "progress.py"}
        | {path.relative_to(PRODUCT).as_posix() for path in STEP.glob("*.py")}
    )
    module = ".".join(("azureml_replay", *Path(name).with_suffix("").parts)).removesuffix(".__init__")
    known = modules(PRODUCT)
    seen, left = set(), [module]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left += arrows(PRODUCT)[one]

    assert {known[one].relative_to(PRODUCT).as_posix() for one in seen} - pure == set()


def test_planning_asks_nobody() -> None:
    """What planning needs to know comes as values: a function handed in might ask a database."""
    handed_in = [
        (path.name, node.lineno)
        for path in (PRODUCT / "planning").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "Callable"
    ]

    assert handed_in == []


def code_lines(path: Path) -> list[str]:
    """Source as Python sees it: `ast.unparse` drops comments; docstrings are cut."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = ""
    return ast.unparse(tree).splitlines()


@cache
def _product_code() -> dict[str, list[str]]:
    """By file of the product, the program for the compute left out."""
    return {
        path.relative_to(PRODUCT).as_posix(): code_lines(path)
        for path in modules(PRODUCT).values()
        if STEP not in path.parents
    }


def users_of(pattern: str) -> set[str]:
    """Files of the product whose code, comments and docstrings aside, matches."""
    return {name for name, lines in _product_code().items() if any(re.search(pattern, line) for line in lines)}


def test_one_place_sends() -> None:
    """Only the sender runs a pipeline; aiohttp is known to the transport and to what judges its errors."""
    sending = "sending/"
    assert users_of(r"_?pipeline\.run\(|\.run\(request") == {f"{sending}sender.py"}
    assert users_of(r"\baiohttp\b") <= {f"{sending}{name}.py" for name in ("transport", "sender", "retry")}
    assert users_of(r"^\s*(import|from) (requests|httpx|urllib3|urllib\.request)\b") == set()


def test_one_place_starts_tasks() -> None:
    """Width, and so memory, is bounded in workers.py alone."""
    assert users_of(r"create_task\(|TaskGroup\(|ensure_future\(|asyncio\.gather\(") == {"workers.py"}


def test_one_place_writes_json() -> None:
    """Numbers beyond 64 bits and halves of surrogate pairs are one module's business."""
    assert users_of(r"\borjson\b|\bjson\.dumps?\(") == {"json_text.py"}


def test_sql_stays_in_the_archive() -> None:
    """Nobody else knows how things lie on disk."""
    assert all(name.startswith("archive/") for name in users_of(r"\bsqlite3\b|\.execute\("))


def test_printing_stays_at_the_edge() -> None:
    """Verbs tell a Progress; the terminal and the commands print, and a module that is run for a page of the docs."""
    allowed = ("terminal/", "cli/", "azure/wire/fidelity.py", "mlflow/wire/fidelity.py", "redact/promise.py")
    printing = users_of(r"\bprint\(|typer\.echo\(|sys\.std(out|err)\.write|Console\(")

    assert {name for name in printing if not name.startswith(allowed)} == set()


def test_words_of_the_wire_stay_on_the_wire() -> None:
    """A key of a service's document is spelt where documents become values, and nowhere else."""
    spelt = {
        (path.relative_to(PRODUCT).as_posix(), node.value)
        for path in modules(PRODUCT).values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and WIRE_KEY.match(node.value)
    }

    elsewhere = {(name, key) for name, key in spelt if not name.startswith(WIRE)}

    assert elsewhere - NO_WIRE_KEYS == set()
    assert elsewhere >= NO_WIRE_KEYS, "an exception that nothing needs"


def test_azure_is_named_in_azure_alone() -> None:
    """What only one kind of workspace knows is no word of those who work with any kind."""
    inside = ("azure/", *WIRE, "archive/schema.py", "archive/older_records.py")  # how older archives spelt it
    named = {
        (name, line.strip()[:80])
        for name, lines in _product_code().items()
        if not name.startswith(inside)
        for line in lines
        if AZURE_WORDS.search(line)
    }

    assert named == set()


def test_roles_are_named_in_azure_alone() -> None:
    """What a role must allow is told by the error that was raised; a resource's id is no right."""
    words = r"role assignment|Storage Blob|Data Scientist|MachineLearningServices"

    assert {name for name in users_of(words) if not name.startswith("azure/")} <= {"archive/schema.py"}


def test_a_class_name_means_one_thing() -> None:
    """No two classes of the product share a name."""
    places: dict[str, list[str]] = {}
    for module, path in modules(PRODUCT).items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module)

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_room_bears_the_name_of_a_function_of_the_front_door() -> None:
    """Importing a submodule sets its name on the package: a function of that name would be gone."""
    import azureml_replay

    assert {room_of(module) for module in modules(PRODUCT)} & set(azureml_replay.__all__) == set()


def swallowers() -> set[str]:
    """Files with a handler for everything that does not raise again."""
    return {
        path.relative_to(PRODUCT).as_posix()
        for path in modules(PRODUCT).values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    }


def test_exceptions_are_swallowed_nowhere() -> None:
    """A handler for everything stands at the command's edge alone; elsewhere it cleans up and raises again."""
    assert swallowers() == {"cli/command.py"}


@pytest.mark.parametrize("package", LAYERS, ids=lambda package: package.name)
def test_the_house_stays_small(package: Path) -> None:
    """No function over 60 lines, no file over 450; so few names at the top that a stranger reads them all."""
    most_files, most_folders = {PRODUCT: (16, 20), SANDBOX: (8, 16)}[package]
    top = [entry for entry in package.iterdir() if entry.name != "__pycache__" and entry.suffix in ("", ".py")]
    long_files = [path for path in modules(package).values() if len(path.read_text().splitlines()) > 450]
    long_functions = [
        f"{path.name}:{node.name}"
        for path in modules(package).values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > 60
    ]

    assert (long_files, long_functions) == ([], [])
    assert len([entry for entry in top if entry.suffix]) <= most_files
    assert len([entry for entry in top if entry.is_dir()]) <= most_folders


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement behind the docstring to the last line."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def test_help_imports_no_more_than_the_flags_need() -> None:
    """`--help` answers at once: archives, the network and the verbs are imported by the command that needs them."""
    code = "import sys, azureml_replay.cli.app; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"asyncio", "sqlite3", "aiohttp", "azure.core", "rich"}
    ours = {
        f"azureml_replay.{name}"
        for name in (
            "archive.archive",
            "workspace.source",
            "planning.plan",
            "extraction.extract",
            "direct.replay",
            "verification.verify",
            "verbs",
        )
    }
    assert ours <= set(modules(PRODUCT))
    assert (heavy | ours) & set(said) == set()
