"""What lies around a command: its streams, its signals, how many files it may open. Real processes run."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from azureml_replay import state
from azureml_replay.synthetic.bodies import shipped
from azureml_sandbox.server.own import python
from unit.archive.full import full

ENV = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
STATUS = [sys.executable, "-m", "azureml_replay", "status", "archive"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an archive in it."""
    made = tmp_path_factory.mktemp("edges")
    full(made / "archive")
    return made


def closing(*handles: int) -> Callable[[], None]:
    def close() -> None:
        for handle in handles:
            os.close(handle)

    return close


def limited(count: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_are_no_error(folder: Path, closed: tuple[int, ...]) -> None:
    ended = subprocess.run(STATUS, cwd=folder, env=ENV, check=False, preexec_fn=closing(*closed), timeout=60)

    assert ended.returncode == 0


def test_what_is_said_into_a_closed_stream_reaches_no_other(folder: Path) -> None:
    """A message goes to no result, and no stream's number is a file's."""
    ended = subprocess.run(
        [*STATUS[:-1], "nowhere"],
        cwd=folder,
        env=ENV,
        stdout=-1,
        text=True,
        check=False,
        preexec_fn=closing(2),
        timeout=60,
    )

    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_full_device_as_standard_output(folder: Path) -> None:
    with Path("/dev/full").open("w") as full_device:
        ended = subprocess.run(STATUS, cwd=folder, env=ENV, stdout=full_device, stderr=-1, text=True, check=False)

    assert ended.returncode == 2
    assert (
        ended.stderr
        == "error: standard output: the disk is full: make room, then run the same command again to continue\n"
    )


def test_too_many_open_files_say_what_to_do(folder: Path) -> None:
    ended = subprocess.run(
        STATUS, cwd=folder, env=ENV, stdout=-1, stderr=-1, text=True, check=False, preexec_fn=limited(5), timeout=60
    )

    said = "error: too many open files (this process may have 5: `ulimit -n`): allow more (`ulimit -n 4096`)"
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr == f"{said}, or give a smaller --parallel\n"


def test_a_command_takes_as_many_files_as_it_may_need(folder: Path) -> None:
    """256 are what macOS allows at first."""
    code = (
        "import resource; from azureml_replay.cli import process; process.prepare()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=ENV,
        stdout=-1,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1_000)),
    )

    assert ended.stdout == "1000\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("module", ["azureml_replay", "extractor.extract_jobs", "replayer.build_pipeline"])
def test_a_signal_while_modules_are_loaded(folder: Path, tmp_path: Path, module: str, number: signal.Signals) -> None:
    """From our first line on it ends as interrupted, without a traceback."""
    (tmp_path / "typer.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen(
        [sys.executable, "-m", module, "--help"],
        cwd=folder,
        env=ENV | {"PYTHONPATH": os.pathsep.join([str(tmp_path), ENV.get("PYTHONPATH", "")])},
        stdout=-1,
        stderr=-1,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "loading\n"
        running.send_signal(number)
        _, said = running.communicate(timeout=20)

    assert (running.returncode, said) == (130, "interrupted\n")


@pytest.mark.parametrize(
    "line",
    [
        *(
            "status archive",
            "plan archive",
            "check archive",
            "report archive",
            "map archive",
            "undo archive --target a/b/c",
        ),
        *(
            "export archive --format jsonl --output out",
            "doctor --target a/b/c",
            "extract --source a/b/c --archive new",
        ),
        *("replay archive --target a/b/c", "verify archive --target a/b/c"),
        "migrate --source a/b/c --target a/b/d --archive new",
    ],
)
def test_something_is_seen_before_anything_is_loaded(folder: Path, tmp_path: Path, line: str) -> None:
    """On a terminal, by every command: the libraries that take long are loaded behind it."""
    for name in ("sqlite3", "aiohttp", "rich"):
        (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(60)\n")
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "azureml_replay", *line.split()],
        cwd=folder,
        env=ENV | {"PYTHONPATH": os.pathsep.join([str(tmp_path), ENV.get("PYTHONPATH", "")]), "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as running:
        os.close(slave)
        seen = os.read(master, 1_000).decode()
        running.kill()
    os.close(master)

    assert seen == f"{line.split(maxsplit=1)[0]} ..."


def hostile(folder: Path) -> Path:
    """A folder of somebody who calls scripts as modules of Python's are called."""
    for name in ("copy", "random", "json", "signal", "tempfile", "argparse", "secrets"):
        (folder / f"{name}.py").write_text("raise SystemExit(f'{__file__} was taken for a module of Python')\n")
    return folder


@pytest.mark.parametrize(
    "module", ["azureml_replay", "extractor.extract_jobs", "replayer.build_pipeline", "azureml_sandbox"]
)
def test_scripts_in_the_users_folder_are_not_taken_for_pythons(tmp_path: Path, module: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    ended = subprocess.run(command, cwd=hostile(tmp_path), env=ENV, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "Usage" in ended.stdout


def test_our_own_processes_do_not_look_there(tmp_path: Path) -> None:
    """The one place that knows how to start them."""
    ended = subprocess.run(
        python("azureml_sandbox", "--help"), cwd=hostile(tmp_path), env=ENV, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr

    src = Path(state.__file__).parents[1]
    starting = [path.name for path in src.rglob("*.py") if 'sys.executable, "-m"' in path.read_text()]
    assert starting == []


def test_a_job_does_not_look_beside_its_code(tmp_path: Path) -> None:
    """Also in an image whose Python knows no `-P`."""
    for name, content in shipped.code().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-m", "azureml_replay.synthetic.step", "--help"]

    ended = subprocess.run(command, cwd=hostile(tmp_path), env={}, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "--root" in ended.stdout
