"""The tutorial's session as one user sees it: each command says what to type next, and the numbers agree."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_replay.cli import run
from azureml_replay.cli.next_step import DONE
from azureml_replay.terminal.text import amount
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile


@dataclass(frozen=True)
class Told:
    line: str
    code: int
    out: str
    err: str

    @property
    def next(self) -> str:
        """The last line of all, or the last but its commands, which says what to type next."""
        last = [line for line in self.err.splitlines() if not line.startswith("  ")][-1]
        assert last.startswith("Next: "), (self.line, self.err)
        return last.removeprefix("Next: ")

    @property
    def commands(self) -> list[str]:
        """Below that, each on a line of its own, to be pasted."""
        return [line.strip() for line in self.err.rpartition("Next: ")[2].splitlines()[1:]]


Type = Callable[[str], Told]


@pytest.fixture
def typing(
    tmp_path: Path,
    small_history: WorkspaceFile,
    calm: Sandbox,
    azure_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Type:
    """A shell in which `source.json` and `target.json` lie."""
    monkeypatch.chdir(tmp_path)
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, azure_env["HTTPS_PROXY"].replace("://", "://someone:hidden@"))
    (tmp_path / "source.json").write_text(small_history.path.read_text())
    (tmp_path / "target.json").write_text(calm.add_workspace().path.read_text())

    def typed(line: str) -> Told:
        words = shlex.split(line)
        assert words[0] == "azureml-replay", line
        code = run(words[1:])
        return Told(line, code, *capsys.readouterr())

    return typed


def name() -> str:
    """The target's own name, which is enough for `--target`."""
    return str(json.loads(Path("target.json").read_text())["workspace_name"])


def test_each_command_leads_to_the_next(typing: Type) -> None:
    """Pasted as they are, the last lines lead from doctor to the report; what was chosen stays chosen."""
    doctor = typing("azureml-replay doctor --source source.json --target target.json")
    assert doctor.code == 0, doctor
    headline, *rows = doctor.out.splitlines()
    assert re.fullmatch(r"\d+ checks: \d+ ok, 0 not ok, 3 warnings, \d+ can't be known: nothing stands.*", headline)
    assert sum("through the proxy http://127.0.0.1:" in row and "HTTPS_PROXY names" in row for row in rows) == 2
    assert "hidden" not in doctor.out + doctor.err
    assert len(rows) < 12
    assert "--verbose shows all" in rows[-1]
    whole = typing("azureml-replay doctor --source source.json --verbose")
    assert "file index" in whole.out
    assert "--verbose shows all" not in whole.out
    assert doctor.next.startswith("azureml-replay migrate ")

    chosen = "--status Completed"
    told = typing(f"azureml-replay extract --source source.json --archive 'my history' {chosen}")
    assert told.next == f"azureml-replay plan 'my history' {chosen}"
    told = typing(told.next)
    assert told.commands == [f"azureml-replay replay 'my history' --target target.json {chosen}"]
    told = typing(told.commands[0])
    assert told.next == f"azureml-replay verify 'my history' --target target.json {chosen}"
    told = typing(told.next)
    assert (told.code, told.next) == (0, "azureml-replay report 'my history' --target target.json")
    assert typing(told.next).next == "open report.html in a browser"

    short = typing(f"azureml-replay verify 'my history' --target {name().upper()} {chosen}")  # the name alone
    assert (short.code, short.out) == (
        0,
        typing(f"azureml-replay verify 'my history' --target target.json {chosen}").out.replace(
            "target.json", name().upper()
        ),
    )
    assert "replay 'my history' --target " in typing("azureml-replay plan 'my history'").next  # the one it knows

    told = typing(f"azureml-replay verify 'my history' --target target.json {chosen} --verbose --log-file verbose.log")
    assert re.search(r"run \S+ compared$", told.err, re.MULTILINE)
    assert "azureml_replay.http" not in told.err + Path("verbose.log").read_text()
    told = typing(f"azureml-replay verify 'my history' --target target.json {chosen} --debug --cap-mbps 900")
    assert "azureml_replay.http: GET https://" in told.err

    for line in ("check 'my history'", "map 'my history'", "export 'my history' --format jsonl --output tables"):
        assert typing(f"azureml-replay {line}").next.startswith(DONE)
    undone = typing(f"azureml-replay undo 'my history' --target {name()} --yes")
    assert undone.next == f"{DONE}; to bring them back"
    assert undone.commands == [f"azureml-replay replay 'my history' --target {name()}"]
    migrated = typing("azureml-replay migrate --source source.json --target target.json --archive 'my history'")
    assert (migrated.code, migrated.next) == (0, f"{DONE}; my history/report.html is the proof to keep")
    assert "Next: " not in typing("azureml-replay plan 'my history' --quiet").err


def number(told: Told, words: str) -> int:
    """The figure that stands where `#` is in the words, in what a command said."""
    found = re.search(re.escape(words).replace(r"\#", r"([\d,]+)"), told.out)
    assert found, (words, told.out)
    return int(found[1].replace(",", ""))


def test_the_same_name_is_the_same_number(typing: Type, calm: Sandbox, tmp_path: Path) -> None:
    """Of a workspace with every oddity: files, points, omissions and experiments, in every command that counts them."""
    source = calm.add_workspace()
    shape = Wanted(runs=4, children=3, experiments=1, seed=0, series=1, points=3, artifacts=1)
    sample(calm.folder, source.workspace_name, shape, hostile=True)
    (tmp_path / "source.json").write_text(source.path.read_text())

    def command(line: str) -> Told:
        told = typing(f"azureml-replay {line}")
        assert told.code == 0, told
        return told

    extracted = command("extract --source source.json --archive h --code")
    command("doctor --target target.json --archive h")  # so that the plan knows what the target keeps
    planned = command("plan h --target target.json")
    replayed = command(f"replay h --target {name()}")
    verified = command(f"verify h --target {name()} --deep")
    reported = command("report h")
    status = json.loads(command("status h --json").out)
    shown = command("status h")
    exported = command("export h --format jsonl --output tables")
    again = command(f"plan h --target {name()}")
    (target,) = status["targets"]
    progress = target["progress"]

    of_source = number(extracted, "# files of the source")
    assert of_source == status["totals"]["files"] == number(exported, "# files of the source")
    assert of_source == number(shown, "# files of the source")

    files, made = number(planned, "# files ("), number(planned, "(# of them made by replay)")
    assert made > 10
    assert files - made == number(planned, "# files of the source") < of_source
    for told in (replayed, verified, reported, again):
        assert (files, made) == (number(told, "# files ("), number(told, "(# of them made by replay)")), told.line
    assert (files, made) == (progress["files"], progress["own_files"])

    points = number(planned, "# points")
    assert points < number(extracted, "# points") == status["totals"]["points"]
    assert {points} == {number(told, "# points") for told in (replayed, verified, reported)} | {progress["points"]}
    assert number(exported, "# values of points") > status["totals"]["points"]

    omitted = number(planned, f"# omissions planned for {name()}")
    assert {omitted} == {number(told, f"# omissions planned for {name()}") for told in (verified, reported, again)}
    lacking = status["totals"]["omissions"]
    assert 0 < lacking == number(shown, "# not extracted") == number(exported, "# not extracted") < omitted

    homes, without = number(planned, "# experiments ("), number(planned, "(# more without a chosen run)")
    assert (homes, without) == (number(shown, "# experiments ("), number(shown, "(# more without a chosen run)"))
    assert homes + without == number(replayed, "# experiments and what else the target holds are not compared")
    assert homes + without == number(planned, "# experiments, with those of no chosen run")

    went = re.findall(r"[\d.]+ [kM]?B", replayed.out)
    assert went == re.findall(r"[\d.]+ [kM]?B", verified.out)
    assert amount("bytes", progress["bytes"]) == went[0]
    assert number(command(f"undo h --target {name()} --yes"), "# files removed") == files
    assert "files listed" not in extracted.err + verified.err
