"""What a killed command left undone is told by whoever counts, and folded in by whoever goes by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from azureml_replay.archive.archive import Archive
from azureml_replay.cli.app import app
from azureml_replay.crew.pool import Errand
from azureml_replay.crew.seeds import FOLDER, Seeds
from azureml_replay.model import RunId
from unit.archive.test_merge import SOURCE, a_run, bring, run

R0, R1 = RunId("r0"), RunId("r1")


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Lists two runs; a worker brought one of them, and nobody took it home."""
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.put_listed([run(0), run(1)])
        archive.arrange()
        archive.select([R0, R1])
        with Archive.open(Seeds(archive, None).make(Errand("p", 1), [R0], [])) as part:
            bring(part, [a_run()])
    return tmp_path / "a"


def said(*words: str | Path) -> str:
    ended = CliRunner().invoke(app, [*map(str, words)])
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.mark.parametrize("command", ["status", "check", "plan", "report"])
def test_a_command_that_writes_nothing_says_what_it_does_not_count(killed: Path, tmp_path: Path, command: str) -> None:
    words = ["--output", tmp_path / "page.html"] if command == "report" else []

    told = said(command, killed, *words)

    assert "what its workers had done, 1 part, is not counted here" in told
    assert (killed / FOLDER).exists()
    if command != "status":  # it has a line of its own
        assert "2 of 2 runs are still to extract: `azureml-replay extract --source source.json" in told


def test_a_merge_folds_it_in_on_either_side(killed: Path, tmp_path: Path) -> None:
    with Archive.create(tmp_path / "b", SOURCE):
        pass

    assert "what its workers had done, 1 part, is not counted" in said("merge", tmp_path / "b", killed, "--dry-run")
    assert "1 archive merged: 2 new runs" in said("merge", tmp_path / "b", killed)

    for folder in (tmp_path / "b", killed):
        assert not (folder / FOLDER).exists()
        with Archive.open(folder, write=False) as archive:
            assert [*archive.pending_ids()] == [R1]
