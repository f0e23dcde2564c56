"""The command line, as a process: what it prints, what it refuses, what survives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from azure.identity import EnvironmentCredential

from azureml_sandbox.cli.shell_lines import INSIDE
from azureml_sandbox.server import state
from azureml_sandbox.server.sandbox import Sandbox
from environment import point_at
from sandbox.accounts import ARTIFACTS, Account, arm


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "azureml_sandbox", *arguments], check=False, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The DIR that most tests of this file share, since a server takes 3 s of CPU to start."""
    folder = tmp_path_factory.mktemp("cli") / "served"
    yield folder
    if is_served(folder):
        Sandbox(folder).stop()


def is_served(folder: Path) -> bool:
    """Whether a server holds it."""
    return folder.exists() and state.is_locked(folder)


@pytest.fixture
def served(folder: Path) -> Path:
    """It, served by the command line itself."""
    if not is_served(folder):
        serve(folder)
    return folder


@pytest.fixture
def stopped(folder: Path) -> Path:
    """It, served before and not any more."""
    if not folder.exists():
        serve(folder)
    if is_served(folder):
        Sandbox(folder).stop()
    return folder


def serve(folder: Path) -> None:
    """In the background."""
    done = command("serve", str(folder), "--background")
    assert done.returncode == 0, done.stderr


def refusal(*arguments: str) -> str:
    """The one line on stderr of a command that ends with 2."""
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("line", [["-h"], ["sample", "-h"]])
def test_help_is_short_to_type(line: list[str]) -> None:
    """As for the product."""
    assert command(*line).stdout.startswith("Usage: ")


def test_a_new_dir_holds_source_and_target_apart(served: Path) -> None:
    """In two subscriptions and two regions."""
    source, target = (json.loads((served / f"{name}.json").read_bytes()) for name in ("source", "target"))

    assert set(source) == {"subscription_id", "resource_group", "workspace_name", "tenant_id"}
    assert source["subscription_id"] != target["subscription_id"]
    assert source["tenant_id"] == target["tenant_id"] == Sandbox(served).env["AZURE_TENANT_ID"]


def test_env_is_eaten_by_a_shell(served: Path) -> None:
    printed = command("env", str(served)).stdout

    seen = subprocess.run(
        ["bash", "-c", f"NO_PROXY=*; {printed}\necho $HTTPS_PROXY $AZURE_CLIENT_ID $NO_PROXY"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    env = json.loads(command("env", str(served), "--json").stdout)
    assert seen == [env["HTTPS_PROXY"], env["AZURE_CLIENT_ID"]]


def shell(*lines: str, shell: str = "bash") -> list[str]:
    """The lines that a user's shell prints, which finds the commands and knows no sandbox."""
    outside = {name: value for name, value in os.environ.items() if name not in state.VARIABLES + state.BYPASSES}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    typed = [shell, "-c", "\n".join(("set -eu", *lines))]
    env = outside | {"PATH": path, "COMPANY": "http://u:p@proxy.example:3128"}
    return subprocess.run(typed, env=env, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()


@pytest.mark.parametrize("which", ["bash", "sh"])
def test_a_shell_is_led_back_to_what_was_set_before(served: Path, which: str) -> None:
    """Also after a second `env`; what was not set is not, and a second `--unset` takes nothing away."""
    into, back = f'eval "$(azureml-sandbox env {served})"', f'eval "$(azureml-sandbox env --unset {served})"'
    told = 'echo "${HTTPS_PROXY-none} [${NO_PROXY-none}] ${AZURE_CLIENT_ID-none} ${SSL_CERT_FILE-none}"'
    before = ['export HTTPS_PROXY="$COMPANY" AZURE_CLIENT_ID="it\'s \\$mine"', "export NO_PROXY="]

    seen = shell(
        *before,
        told,
        into,
        into,
        told,
        back,
        told,
        back,
        told,
        "export -p | grep -c AZUREML_SANDBOX_ || true",
        shell=which,
    )

    assert seen[0] == seen[2] == seen[3] == "http://u:p@proxy.example:3128 [] it's $mine none"
    assert seen[1].startswith("http://127.0.0.1:")
    assert seen[1].split()[1] == "[none]"
    assert seen[4] == "0"


def test_a_shell_that_knows_no_sandbox_keeps_what_it_has(tmp_path: Path) -> None:
    """Nothing need be served there."""
    seen = shell(
        'export HTTPS_PROXY="$COMPANY"', f'eval "$(azureml-sandbox env --unset {tmp_path})"', "echo $HTTPS_PROXY"
    )

    assert seen == ["http://u:p@proxy.example:3128"]


def test_former_values_are_not_printed(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that was in the environment stays off the screen. What is set and what is taken back are the same."""
    monkeypatch.setenv("AZURE_CLIENT_SECRET", former := "former" * 3)

    assert former not in command("env", str(served)).stdout + command("env", "--unset", str(served)).stdout
    assert set(json.loads(command("env", str(served), "--json").stdout)) == set(state.VARIABLES)
    assert "leave --json out" in refusal("env", str(served), "--unset", "--json")


def test_requests_are_printed_and_counted_anew(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(served)
    point_at(sandbox, monkeypatch)
    arm(sandbox.workspace("source"), EnvironmentCredential())

    first = json.loads(command("requests", str(served), "--reset", "--json").stdout)
    table = command("requests", str(served)).stdout

    assert {each["workspace"] for each in first["routes"]} == {"", "source"}
    assert table == "0 requests, 0 of them writes; 0 bytes; 0 at most at one time\n"


def test_a_dir_is_served_once(served: Path) -> None:
    assert "is served already by process" in refusal("serve", str(served))
    assert "is served already by process" in refusal("serve", str(served), "--background")


def test_workspaces_blobs_login_and_port_survive_a_restart(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(served)
    env = sandbox.env
    point_at(sandbox, monkeypatch)
    account = Account(served, sandbox.workspace("source"), EnvironmentCredential())
    account.client("key").get_blob_client(ARTIFACTS, "kept").upload_blob(b"x")

    assert command("stop", str(served)).returncode == 0
    assert command("serve", str(served), "--background", "--workspace", "third").returncode == 0

    assert sandbox.env == env
    assert account.client("token").get_blob_client(ARTIFACTS, "kept").download_blob().readall() == b"x"
    assert arm(sandbox.workspace("third"), EnvironmentCredential())["name"] == "third"


def test_storage_saves_and_leaves_when_the_server_is_killed(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(served)
    point_at(sandbox, monkeypatch)
    account = Account(served, sandbox.workspace("source"), EnvironmentCredential())
    account.client("key").get_blob_client(ARTIFACTS, "killed").upload_blob(b"x")
    children = psutil.Process(state.running(served).pid).children(recursive=True)

    sandbox.kill()

    assert psutil.wait_procs(children, 5)[1] == []
    assert command("serve", str(served), "--background").returncode == 0
    assert account.client("key").get_blob_client(ARTIFACTS, "killed").download_blob().readall() == b"x"


def test_stopping_takes_the_storage_along(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that was led there is told how it gets away."""
    children = psutil.Process(state.running(served).pid).children(recursive=True)

    monkeypatch.setenv(INSIDE, str(served.resolve()))

    assert f'eval "$(azureml-sandbox env --unset {served})" leads back' in command("stop", str(served)).stdout

    assert len(children) == 1
    assert psutil.wait_procs(children, 5)[1] == []


def test_a_dir_that_is_not_served(stopped: Path) -> None:
    for verb in ("env", "requests", "stop"):
        assert "is not served: start it with azureml-sandbox serve" in refusal(verb, str(stopped))


STARTER = """
import sys
from pathlib import Path
from azureml_sandbox.server.sandbox import Sandbox

sandbox = Sandbox.start(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_leashed_server_ends_with_who_started_it(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"ready\n"
    server = psutil.Process(state.running(tmp_path).pid)

    os.kill(starter.pid, signal.SIGKILL)

    assert starter.wait(5) == -signal.SIGKILL
    assert psutil.wait_procs([server], 10)[1] == []


def test_ctrl_c_ends_a_server_in_the_foreground(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "azureml_sandbox", "serve", str(tmp_path / "d")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    ready = server.stdout.readline()

    server.send_signal(signal.SIGINT)

    assert server.wait(10) == 0
    assert ready.startswith("Ready: source, target at 127.0.0.1:")


TENANT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A server with flags; the trouble of its file is that of logins to `TENANT`."""
    folder = tmp_path_factory.mktemp("flagged")
    faults = folder / "faults.json"
    faults.write_text(
        f'[{{"match": {{"service": "login", "path": "{TENANT}.*/token$"}}, "do": "status", "status": 400}}]'
    )
    flags = (f"--tenant=two={TENANT}", "--latency-ms=200", f"--faults={faults}", "--strict=refuse-client-ids")
    sandbox = Sandbox.start(folder / "d", ["one", "two"], *flags)
    yield sandbox
    sandbox.stop()


def test_workspaces_may_lie_in_different_tenants(flagged: Sandbox) -> None:
    assert flagged.workspace("two").tenant_id == TENANT
    assert flagged.workspace("one").tenant_id == flagged.env["AZURE_TENANT_ID"]


def test_latency_is_added_to_every_answer(flagged: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(flagged, monkeypatch)
    begun = time.monotonic()

    EnvironmentCredential().get_token("https://management.azure.com/.default")  # two requests at least

    assert time.monotonic() - begun >= 0.4


def test_faults_come_from_a_file(flagged: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(flagged, monkeypatch)
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)

    with pytest.raises(Exception, match="Declared trouble"):
        EnvironmentCredential().get_token("https://management.azure.com/.default")


@pytest.mark.parametrize("verb", ["env", "requests", "stop"])
def test_a_dir_without_a_sandbox(tmp_path: Path, verb: str) -> None:
    words = refusal(verb, str(tmp_path / "nothing"))

    assert "holds no sandbox: start one with azureml-sandbox serve" in words


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--tenant", "source"], "--tenant source: expected NAME=ID"),
        (["--tenant", "source=x"], "tenant 'x' of workspace source: expected a guid"),
        (["--tenant", "other=11111111-2222-3333-4444-555555555555"], "there is no workspace other"),
        (["--workspace", "a/b"], "workspace name 'a/b': expected 3 to 33 letters"),
        (["--faults", "/nowhere.json"], "--faults /nowhere.json: No such file or directory"),
        (["--port", "99999"], "--port 99999: "),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, flags: list[str], words: str) -> None:
    assert words in refusal("serve", str(tmp_path / "d"), *flags)


@pytest.mark.parametrize("flags", [[], ["--background"]])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path, flags: list[str]) -> None:
    """A folder below a file."""
    (tmp_path / "file").touch()
    refused = command("serve", str(tmp_path / "file" / "d"), *flags)

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "Not a directory" in refused.stderr


def test_a_malformed_faults_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text("{")

    words = refusal("serve", str(tmp_path), "--faults", f"{tmp_path}/faults.json")

    assert f"--faults {tmp_path}/faults.json: " in words


def test_an_unknown_variant_is_refused(tmp_path: Path) -> None:
    """A rehearsal against a service that is not stricter would prove nothing."""
    assert "expected one of: refuse-client-ids" in refusal("serve", str(tmp_path / "s"), "--strict", "nonsense")
