"""`status` tells how far each target is, what came last and what to type next; what it says to type can be typed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.cli import run
from azureml_replay.errors import Exit
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.edits import fill, point, tagged
from e2e.tampering import change


class Desk:
    """Somebody types commands, in a folder with the files of three workspaces."""

    def __init__(self, patch: pytest.MonkeyPatch, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.patch, self.sandbox, self.capsys = patch, sandbox, capsys
        self.files = {name: self._workspace(name) for name in ("source", "target", "other")}
        change(sandbox, self.files["source"], fill)

    def _workspace(self, name: str) -> WorkspaceFile:
        made = self.sandbox.add_workspace()
        Path(f"{name}.json").write_bytes(made.path.read_bytes())
        return made

    def types(self, line: str, expected: int = 0) -> str:
        """What stands on stdout afterwards."""
        self.patch.setattr("sys.argv", shlex.split(line))
        self.capsys.readouterr()
        ended = run(shlex.split(line)[1:])
        said = self.capsys.readouterr()
        self.messages = said.err.splitlines()
        assert ended == expected, f"$ {line}\n{said.out}{said.err}"
        return said.out

    def next(self) -> str:
        """The line that `status` says is next."""
        told = [line for line in self.types("azureml-replay status kept").splitlines() if line.startswith("Next: ")]
        return told[0].removeprefix("Next: ")

    def row(self, name: str = "target") -> dict[str, int]:
        """Of the table, by its heading; without columns of nought."""
        lines = self.types("azureml-replay status kept").splitlines()
        head = next(line for line in lines if line.startswith("target ") and line.split()[1] == "extracted").split()
        cells = next(line for line in lines if line.startswith(f"{self.files[name].workspace_name} ")).split()
        shown = {column: int(cell) for column, cell in zip(head[1:], cells[1:], strict=True)}
        asked = json.loads(self.types("azureml-replay status kept --json"))["targets"]
        same = next(one for one in asked if one["name"] == cells[0])
        assert shown == {column: same[column] for column in shown}, "the same words"
        return {column: count for column, count in shown.items() if count}

    def last(self) -> str:
        """What the last command was, and how it ended."""
        lines = self.types("azureml-replay status kept").splitlines()
        return next(line for line in lines if line.startswith("last command: "))


@pytest.fixture
def desk(
    tmp_path: Path,
    calm: Sandbox,
    azure_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(monkeypatch, calm, capsys)


REPLAY = "azureml-replay replay kept --target target.json --source source.json"
VERIFY = "azureml-replay verify kept --target target.json"


def test_what_is_next_leads_to_a_proof(desk: Desk) -> None:
    """From an archive that lacks a run to one that is proven; with each error beside its run, and no longer."""
    bad = {"match": {"path": "/runs/root/.*list$|/runs/root/.*full$"}, "do": "status", "status": 400}
    desk.sandbox.set_faults([bad])
    desk.types("azureml-replay extract --source source.json --archive kept", Exit.SERVICE)
    assert "1 run not extracted\n└── root: " in desk.types("azureml-replay status kept --failed")
    assert "1 to extract, 1 failed" in desk.types("azureml-replay status kept")
    assert desk.last().endswith(", 1 run failed")

    desk.sandbox.set_faults()
    assert desk.next() == "azureml-replay extract --source source.json --archive kept"
    desk.types(desk.next())
    assert desk.next() == "azureml-replay plan kept"
    assert "nothing failed" in desk.types("azureml-replay status kept --failed")

    desk.sandbox.set_faults([{"match": {"path": "/runs/root/batch/metrics|/root/"}, "do": "status", "status": 403}])
    desk.types(f"{REPLAY} --parallel 2", Exit.SERVICE)
    assert desk.row() == {"extracted": 3, "sent": 2, "left": 1, "failed": 1}
    listed = json.loads(desk.types("azureml-replay status kept --failed --json"))
    assert [(one["target"], one["run"]) for one in listed] == [(desk.files["target"].workspace_name, "root")]
    assert desk.next() == REPLAY

    desk.sandbox.set_faults()
    desk.types(desk.next())
    assert desk.row() == {"extracted": 3, "sent": 3}
    assert desk.next() == VERIFY
    desk.types(desk.next())
    assert desk.row() == {"extracted": 3, "sent": 3, "verified": 3}
    assert desk.next() == "azureml-replay report kept"
    assert desk.last().partition(" UTC: ")[2].startswith("done in ")


def test_each_state_of_a_target(desk: Desk) -> None:
    """Changed at the source, edited in the target, at work, cut off, taken back; beside another target."""
    desk.types("azureml-replay migrate --source source.json --target target.json --archive kept")
    told = [line.partition(" ")[0] for line in desk.messages if not line.startswith(("├", "└", "│"))]
    assert told[:4] == ["1", "experiments", "extracted:", "2"], "what a verb came to stands below its own heading"
    assert desk.row() == {"extracted": 3, "sent": 3, "verified": 3}

    desk.types("azureml-replay verify kept --target other.json", Exit.USER)  # nothing was ever sent there
    assert desk.next() == "azureml-replay report kept", "the same again would end the same"
    assert desk.row() == {"extracted": 3, "sent": 3, "verified": 3}

    change(desk.sandbox, desk.files["source"], point("alone"))
    desk.types("azureml-replay extract --source source.json --archive kept")
    assert desk.row() == {"extracted": 3, "sent": 2, "verified": 2, "left": 1}
    assert desk.next() == REPLAY
    desk.types(desk.next())
    assert desk.row() == {"extracted": 3, "sent": 3, "verified": 2}

    change(desk.sandbox, desk.files["target"], tagged("root"))
    desk.types(VERIFY, Exit.FINDINGS)
    assert desk.row() == {"extracted": 3, "sent": 3, "verified": 2, "differing": 1}
    assert desk.next() == "edited: set it back in the target, or keep it so", "as verify says"
    step = ["Next: " + desk.next(), "  azureml-replay verify kept --target target.json --accept"]
    assert desk.messages == []
    assert step == desk.types("azureml-replay status kept").splitlines()[-2:]
    desk.types(VERIFY, Exit.FINDINGS)
    assert desk.messages[-2:] == step
    assert json.loads(desk.types("azureml-replay status kept --json"))["next"] == "mend"

    begun = ["azureml-replay", "replay", "kept", "--target", "other.json"]
    with Archive.open("kept") as archive:
        archive.log_command(begun)
        assert desk.last().endswith(": at work now")
        assert desk.next() == "wait until that has ended"
    assert desk.last().endswith(": did not come to its end")
    assert desk.next() == shlex.join(begun)
    desk.types(desk.next())
    assert desk.row("other") == {"extracted": 3, "sent": 3}
    other = "Next: azureml-replay verify kept --target other.json"
    assert desk.types("azureml-replay status kept").splitlines()[-3:] == [*step, other], "each target has its own"

    desk.types("azureml-replay undo kept --target target.json --yes", Exit.OK)
    assert desk.row()["hidden"] == desk.row()["left"] > 0
    assert desk.next() == REPLAY
