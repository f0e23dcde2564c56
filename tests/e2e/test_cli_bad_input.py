"""Bad input gets one line that says what to mend, its own exit code, and leaves nothing behind. Real processes run."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile

SOURCE = "sub-1/group/ws"
PLAIN = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
"""In a second work tree PYTHONPATH leads to its own code; without it the command would be the installed tree's."""
NO_WORKSPACE_NEEDED = PLAIN | {"HTTPS_PROXY": "http://127.0.0.1:1"}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def run(folder: Path, *arguments: str | Path, env: Mapping[str, str] = NO_WORKSPACE_NEEDED, **options: object) -> Ended:
    command = [sys.executable, "-m", "azureml_replay", *map(str, arguments)]
    done = subprocess.run(  # type: ignore[call-overload]
        command, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=120, check=False, **options
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(ended: Ended, code: int, *said: str) -> None:
    """One line on stderr, nothing on stdout, no traceback."""
    assert ended.code == code, ended.err
    assert ended.out == ""
    assert ended.err.count("\n") == 1, ended.err
    for words in said:
        assert words in ended.err


EXTRACT = ("extract", "--source", SOURCE, "--archive", "kept")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["extrct"], "No such command 'extrct'"),
        (["extract"], "Missing option"),
        (["plan"], "Missing argument 'ARCHIVE'"),
        (["extract", "--source", "nowhere", "--archive", "kept"], "nowhere: no such file"),
        (["extract", "--source", "none.json", "--archive", "kept"], "none.json: no such file"),
        (["extract", "--source", ".", "--archive", "kept"], ". is a directory"),
        (["extract", "--source", "a b/c/d", "--archive", "kept"], "subscription_id is 'a b'"),
        (["extract", "--source", "", "--archive", "kept"], "no workspace given"),
        ([*EXTRACT, "--limt", "3"], "No such option"),
        ([*EXTRACT, "--limit", "-1"], "'--limit'"),
        ([*EXTRACT, "--limit", "0"], "'--limit'"),
        ([*EXTRACT, "--limit", "many"], "'--limit'"),
        ([*EXTRACT, "--depth", "-1"], "'--depth'"),
        ([*EXTRACT, "--parallel", "0"], "'--parallel'"),
        ([*EXTRACT, "--parallel", "1001"], "'--parallel'"),
        ([*EXTRACT, "--limit", "9" * 30], "'--limit'"),
        ([*EXTRACT, "--limit", "9" * 5_000], "'--limit'"),
        ([*EXTRACT, "--depth", "9" * 30], "'--depth'"),
        ([*EXTRACT, "--artifacts", "download", "--no-artifacts"], "contradict each other"),
        (["plan", "none", "--max-file-size", "9" * 5_000], "no storage holds a file of that size"),
        (["plan", "none", "--max-file-size", "9999999TB"], "--max-file-size 9999999TB: no storage holds"),
        (["report", "none", "--max-size", "9" * 5_000], "no disk holds a page of that size"),
        (["plan", "none", "--mode", "synthetic", "--seed", "9" * 30], "'--seed'"),
        (["replay", "none", "--target", SOURCE, "--dry-run", "--price-per-hour", "nan"], "'--price-per-hour'"),
        (["migrate", "--source", SOURCE, "--target", SOURCE.upper(), "--archive", "kept"], "are the same workspace"),
        ([*EXTRACT, "--metrics", "some"], "'some' is not one of 'full', 'last', 'none'"),
        ([*EXTRACT, "--artifacts", "some"], "'--artifacts'"),
        ([*EXTRACT, "--status", "Compelted"], "--status: unknown status 'Compelted': did you mean Completed?"),
        ([*EXTRACT, "--type", "pipelin"], "--type: unknown type 'pipelin': did you mean pipeline?"),
        ([*EXTRACT, "--created-after", "yesterday"], "--created-after: not a date: 'yesterday'"),
        ([*EXTRACT, "--created-before", "2024-02-30"], "--created-before: not a date"),
        ([*EXTRACT, "--created-after", "2024-02-01", "--created-before", "2024-01-01"], "nothing can lie between"),
        ([*EXTRACT, "--include", ""], "--include is empty"),
        ([*EXTRACT, "--include", " , "], "--include is empty"),
        ([*EXTRACT, "--experiment", ""], "--experiment is empty"),
        ([*EXTRACT, "--include-file", "none.txt"], "--include-file none.txt: No such file"),
        ([*EXTRACT, "--include-file", "."], "--include-file .: Is a directory"),
        ([*EXTRACT, "--log-file", "."], "--log-file . is a directory"),
        (["replay", "none", "--target", SOURCE, "--on-conflict", "overwrite"], "'--on-conflict'"),
        (["replay", "none", "--target", "nowhere"], "nowhere: no such file"),
        (["replay", "none", "--target", SOURCE], "none is not an archive"),
        (["verify", "none", "--target", SOURCE], "none is not an archive"),
        (["plan", "none"], "none is not an archive"),
        (["status", "none"], "none is not an archive"),
        (["merge", "none", "other"], "none is not an archive"),
        (["merge", "none"], "Missing argument 'OTHER"),
        (["migrate", "--source", SOURCE, "--archive", "kept"], "Missing option '--target'"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    refused(run(tmp_path, *arguments), 2, said)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["check"],
        ["merge", "kept"],
        ["extract", "--source", SOURCE, "--archive"],
        ["report", "none", "--output"],
    ],
)
def test_an_address_is_no_folder(tmp_path: Path, arguments: list[str]) -> None:
    """A path has one slash less, and its password is found by nobody."""
    word = f"pass{'word' * 2}9"
    ended = run(tmp_path, *arguments, f"http://u2:{word}@127.0.0.1:5917")

    refused(ended, 2, "an address is no file or folder")
    assert word not in ended.out + ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b'{"subscription_id": "a"', "line 1"),
        (b'{"subscription_id": "a", "resource_group": "b"}', "workspace_name is missing"),
        (b'{"subscription_id": "<ID>", "resource_group": "b", "workspace_name": "c"}', "still the placeholder"),
        (b'{"subscription_id": "a", "resource_group": "b", "workspace_name": "c", "cloud": "Moon"}', "cloud is 'Moon'"),
        (
            b'{"subscription_id": "a", "resource_group": "b", "workspace_name": "c", "credential": "x"}',
            "credential is 'x'",
        ),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_what_is_wrong_in_a_workspace_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "config.json").write_bytes(content)

    refused(run(tmp_path, "extract", "--source", "config.json", "--archive", "kept"), 2, "config.json", said)

    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_an_include_file_that_names_no_run(tmp_path: Path) -> None:
    """An empty list must not turn into everything."""
    (tmp_path / "ids.txt").write_text("\n# none yet\n")

    refused(run(tmp_path, *EXTRACT, "--include-file", "ids.txt"), 2, "ids.txt: names no run")


def test_escape_sequences_of_the_input_are_not_repeated(tmp_path: Path) -> None:
    assert "\x1b" not in run(tmp_path, "extract", "--source", "\x1b[2Jx", "--archive", "kept").err


def test_without_arguments_the_first_commands_are_told(tmp_path: Path) -> None:
    """Each of them is understood, flags and all, before it asks for files that are not there yet."""
    ended = run(tmp_path, env={**NO_WORKSPACE_NEEDED, "COLUMNS": "80"})

    assert (ended.code, ended.err) == (0, "")
    first = [line.split() for line in ended.out.splitlines() if line.startswith("  azureml-replay ")]
    assert [words[1] for words in first] == ["doctor", "extract", "plan", "migrate"]
    assert "azureml-replay --help" in ended.out
    for words in first:
        refused(run(tmp_path, *words[1:]), 2, "source.json: no such file" if "--source" in words else "not an archive")


def test_help_says_what_to_type_first(tmp_path: Path) -> None:
    ended = run(tmp_path, "--help")

    assert ended.code == 0
    assert "Begin with:\n  # Look for what would stand in the way:\n  azureml-replay doctor --source" in ended.out


def test_a_traceback_is_shown_on_demand_only(tmp_path: Path) -> None:
    ended = run(tmp_path, "plan", "none", "--debug")

    assert ended.code == 2
    assert "Traceback" in ended.err


# With a workspace


@pytest.fixture
def env(sandbox: Sandbox) -> dict[str, str]:
    return PLAIN | sandbox.env


@pytest.fixture
def kept(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> Path:
    """An archive of `workspace`."""
    folder = tmp_path / "kept"
    ended = run(tmp_path, "extract", "--source", workspace.path, "--archive", folder, env=env)
    assert ended.code == 0, ended.err
    return folder


def changed(workspace: WorkspaceFile, folder: Path, **values: object) -> Path:
    """The workspace's file with other values."""
    path = folder / "changed.json"
    path.write_text(json.dumps({**json.loads(workspace.path.read_text()), **values}))
    return path


def test_a_login_that_fails(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    env["AZURE_CLIENT_SECRET"] = "not the secret"

    refused(run(tmp_path, "extract", "--source", workspace.path, "--archive", "kept", env=env), 2, "login failed")

    assert list(tmp_path.iterdir()) == []


def test_a_login_that_is_not_set_up(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    """The credential that the file chooses says which variable it lacks."""
    source = changed(workspace, tmp_path, credential={"kind": "environment", "prefix": "OTHER_"})

    ended = run(tmp_path, "extract", "--source", source, "--archive", "kept", env=env)

    refused(ended, 2, "OTHER_AZURE_CLIENT_ID")
    assert not (tmp_path / "kept").exists()


def test_a_workspace_that_is_not_there(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    source = changed(workspace, tmp_path, workspace_name="gone")

    refused(run(tmp_path, "extract", "--source", source, "--archive", "kept", env=env), 2, "gone", "no such workspace")

    assert not (tmp_path / "kept").exists()


@pytest.fixture(scope="module")
def unanswered(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Ended, Path]:
    """No resource manager; no login host; where both ran. At the same time: each asks again for 15 s."""
    folder, workspace = tmp_path_factory.mktemp("unanswered"), sandbox.add_workspace()
    env = PLAIN | sandbox.env
    cloud = {"arm": "https://arm.invalid", "login": "https://login.microsoftonline.com"}
    around = {name: f"{env.get(name, '')},arm.invalid" for name in ("NO_PROXY", "no_proxy")}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nowhere = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "https_proxy": f"http://127.0.0.1:{port}"}

    def extract(source: Path, archive: str, env: dict[str, str]) -> Ended:
        return run(folder, "extract", "--source", source, "--archive", archive, env=env)

    with ThreadPoolExecutor() as both:
        no_arm = both.submit(extract, changed(workspace, folder, cloud=cloud), "no-arm", env | around)
        no_login = both.submit(extract, workspace.path, "no-login", env | nowhere)
        return no_arm.result(), no_login.result(), folder


def test_a_host_that_does_not_answer(unanswered: tuple[Ended, Ended, Path]) -> None:
    """The login works, the resource manager of this cloud is out of reach."""
    ended, _, folder = unanswered

    refused(ended, 3, "arm.invalid", "run the same command again")
    assert not (folder / "no-arm").exists()


@pytest.mark.parametrize("host", ["arm", "login"])
def test_a_host_that_the_proxy_forbids(
    tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str], host: str
) -> None:
    """The sandbox's own proxy lets nobody reach others than the service's. That is a set-up to mend, said at once."""
    cloud = {"arm": "https://management.azure.com", "login": "https://login.microsoftonline.com"}
    source = changed(workspace, tmp_path, cloud=cloud | {host: f"https://{host}.invalid"})

    ended = run(tmp_path, "extract", "--source", source, "--archive", "kept", env=env)

    refused(ended, 2, f"the proxy that HTTPS_PROXY names forbids {host}.invalid", "NO_PROXY")
    assert not (tmp_path / "kept").exists()


def test_a_login_host_that_does_not_answer(unanswered: tuple[Ended, Ended, Path]) -> None:
    _, ended, folder = unanswered

    refused(ended, 3, "Cannot connect", "run the same command again")
    assert not (folder / "no-login").exists()


def test_a_role_that_is_missing(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str], calm: Sandbox) -> None:
    calm.set_faults([{"match": {"service": "arm"}, "do": "status", "status": 403}])

    refused(run(tmp_path, "extract", "--source", workspace.path, "--archive", "kept", env=env), 2, "role")


def test_an_include_that_names_no_run(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    ended = run(tmp_path, "extract", "--source", workspace.path, "--archive", "kept", "--include", "nobody", env=env)

    refused(ended, 2, "--include nobody: no such root run")


def test_an_archive_of_another_workspace(kept: Path, sandbox: Sandbox, env: dict[str, str]) -> None:
    other = sandbox.add_workspace()

    refused(run(kept.parent, "extract", "--source", other.path, "--archive", kept, env=env), 2, "holds the workspace")
    refused(run(kept.parent, "replay", kept, "--source", other.path, "--target", other.path, env=env), 2, "holds")


def test_source_and_target_are_one_workspace(kept: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    refused(run(kept.parent, "replay", kept, "--target", workspace.path, env=env), 2, "same workspace")


def test_a_folder_that_is_no_archive(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()

    refused(run(tmp_path, "extract", "--source", workspace.path, "--archive", "mine", env=env), 2, "thesis.txt")

    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_archive_of_a_newer_version(kept: Path) -> None:
    with sqlite3.connect(kept / "archive.db") as database:
        database.execute("update archive set format_version = 999")

    refused(run(kept.parent, "plan", kept), 2, "format 999", "upgrade")


def test_an_archive_that_is_damaged(kept: Path) -> None:
    (kept / "archive.db").write_bytes(b"no database" * 1_000)

    refused(run(kept.parent, "plan", kept), 4, "damaged", "restore a copy")


def test_an_archive_in_use(kept: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    """Two writers at once are refused; reading goes on."""
    with InUse(kept):
        ended = run(kept.parent, "extract", "--source", workspace.path, "--archive", kept, env=env)

        refused(ended, 2, "in use")
        assert run(kept.parent, "status", kept).code == 0


class InUse:
    """Another process holds the archive's lock."""

    CODE = (
        "import sys; from pathlib import Path; from azureml_replay.archive.archive import Archive\n"
        "held = Archive.open(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )

    def __init__(self, folder: Path) -> None:
        self.command = [sys.executable, "-c", self.CODE, str(folder)]

    def __enter__(self) -> None:
        self.owner = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.owner.stdout is not None
        assert self.owner.stdout.readline() == "held\n"

    def __exit__(self, *_: object) -> None:
        self.owner.communicate()


def test_a_full_disk(tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str]) -> None:
    """A file system without room for the archive; afterwards the same command continues."""
    command = ("extract", "--source", workspace.path, "--archive", "kept")

    ended = run(
        tmp_path, *command, env=env, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
    )

    refused(ended, 2, "disk")
    assert run(tmp_path, *command, env=env).code == 0


@pytest.fixture
def slow(sandbox: Sandbox) -> Iterator[Sandbox]:
    sandbox.set_faults([{"match": {"service": "arm"}, "do": "delay", "delay_ms": 60_000}])
    yield sandbox
    sandbox.set_faults()


@dataclass
class Stopped:
    """A command that waits for the slow resource manager, and is sent signals."""

    folder: Path
    env: Mapping[str, str]
    slow: Sandbox

    def after(self, *numbers: signal.Signals, command: list[str | Path]) -> Ended:
        before = self.slow.requests()["total"]
        with subprocess.Popen(
            [sys.executable, "-m", "azureml_replay", *command],
            cwd=self.folder,
            env=dict(self.env),
            stdout=-1,
            stderr=-1,
            text=True,
        ) as running:
            while self.slow.requests()["total"] == before and running.poll() is None:
                pass
            for number in numbers:
                running.send_signal(number)
            out, err = running.communicate(timeout=60)
        return Ended(running.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_what_is_safe_and_how_to_continue(
    tmp_path: Path, workspace: WorkspaceFile, env: dict[str, str], slow: Sandbox, number: signal.Signals
) -> None:
    """The command line is quoted, and holds no secret."""
    command = ["extract", "--source", workspace.path, "--archive", "kept here", "--tag", "k=https://h/p?sig=a1b2c3d4e5"]
    ended = Stopped(tmp_path, env, slow).after(number, command=command)

    assert (ended.code, ended.out) == (130, "")
    said = ended.err.splitlines()
    assert said[0] == "interrupted: nothing was written yet"
    assert said[1].startswith(f"to continue: azureml-replay extract --source {workspace.path} --archive 'kept here'")
    assert "a1b2c3d4e5" not in ended.err


def test_what_is_safe_is_read_from_the_ledger(kept: Path, env: dict[str, str], slow: Sandbox) -> None:
    source = kept.parent / "again.json"
    with sqlite3.connect(kept / "archive.db") as database:
        runs = database.execute("select count(*) from run").fetchone()[0]
    workspace = next(line for line in run(kept.parent, "status", kept).out.splitlines() if line.startswith("source "))
    source.write_text(json.dumps(dict(zip(KEYS, workspace.removeprefix("source ").split("/"), strict=True))))

    ended = Stopped(kept.parent, env, slow).after(
        signal.SIGINT, command=["extract", "--source", source, "--archive", kept]
    )

    assert f"interrupted: {kept} keeps {runs} of {runs} runs, " in ended.err


KEYS = ("subscription_id", "resource_group", "workspace_name")
