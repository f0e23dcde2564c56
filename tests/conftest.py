"""What every test may ask for: one sandbox per pytest process, and a fresh workspace of it per test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azureml_replay.terminal import log_file
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from environment import point_at
from mlflow_servers import MlflowServer, serving, shared

LONGEST = (
    "e2e/test_lease.py",
    "sandbox/test_cli.py",
    "e2e/test_synthetic.py",
    "e2e/test_never_again.py",
    "e2e/test_seed_replays.py",
    "e2e/test_killed.py",
    "e2e/test_cli_bad_input.py",
    "e2e/test_seed_commands.py",
    "e2e/test_from_mlflow.py",
    "docs/test_documentation.py",
    "sandbox/test_train.py",
    "sandbox/test_trainings.py",
    "servers/test_changes.py",
    "servers/test_to_a_server.py",
    "e2e/test_browse.py",
    "e2e/test_verdict.py",
    "e2e/test_undo.py",
    "e2e/test_package.py",
    "e2e/test_migration.py",
    "e2e/test_azureml_core.py",
    "sandbox/test_compute.py",
)
"""Files of 15 to 50 s, the longest first: a process takes a whole file, and one begun last kept the others waiting."""


SWEEP_PARTS = 8
"""Of 380 moments an eighth takes about eight minutes."""
_TODAY = str(datetime.now(UTC).toordinal() % SWEEP_PARTS)
SWEEP_PART = int(os.environ.setdefault("AZUREML_REPLAY_SWEEP_PART", _TODAY)) % SWEEP_PARTS
"""Of the sweeps, the part that `make test-all` runs. Other pytest processes inherit it: midnight is one for all."""


def pytest_configure() -> None:
    """Ctrl-C reaches what tests start: in a shell's background job it is ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """So that a sampled test that failed can be repeated on another day."""
    return f"sampled of the sweeps: AZUREML_REPLAY_SWEEP_PART={SWEEP_PART} (of {SWEEP_PARTS})"


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, all others in their order; a part of the sweeps is marked as today's."""
    swept = [item for item in items if item.get_closest_marker("sweep")]
    for item in swept[SWEEP_PART::SWEEP_PARTS]:
        item.add_marker(pytest.mark.sampled)
    here = Path(__file__).parent
    if gone := [name for name in LONGEST if not (here / name).exists()]:
        raise pytest.UsageError(f"tests/conftest.py names files that are not there: {', '.join(gone)}")
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A served sandbox; it ends with this process, however that ends."""
    served = Sandbox.start(tmp_path_factory.mktemp("sandbox"))
    yield served
    served.stop()


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """The newest MLflow's server, on SQLite, with proxied artifacts: each test has experiments of its own in it.

    One for all test processes: each that had its own spent 7 s of processor on starting it.
    """
    base = tmp_path_factory.getbasetemp()
    with shared((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "mlflow server") as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Another one that this process alone writes to: an archive knows all experiments of its source."""
    with serving(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(autouse=True)
def logs_end() -> Iterator[None]:
    """A command that a test ran in this process logs no longer."""
    yield
    log_file.stop()


@pytest.fixture
def workspace(sandbox: Sandbox) -> WorkspaceFile:
    """A workspace that no other test has touched."""
    return sandbox.add_workspace()


@pytest.fixture
def azure_env(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process's environment leads every Azure client to the sandbox."""
    return point_at(sandbox, monkeypatch)


@pytest.fixture
def calm(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, with counts at nought; whatever trouble a test declares ends with it."""
    sandbox.reset_requests()
    yield sandbox
    sandbox.set_faults()


@pytest.fixture(scope="session")
def small_history(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """A source that no test changes: three runs, a few points and files, logged by MLflow."""
    from e2e.histories import small  # mlflow takes a second to import

    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        source = sandbox.add_workspace()
        small(source)
        yield source
