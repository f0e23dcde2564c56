"""Jobs that are named: active ones, those beyond the limit, misspelt ones. Each is said to be what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.cli import run
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.tampering import BEGIN, Held, change
from extractor.extract_jobs import app as extract_jobs

HOME = experiment("named")


def fill(held: Held) -> None:
    """Two jobs that have ended, the second one later, and one that has not."""
    held.world.experiments.put(held.guid, HOME)
    for at, name in enumerate(("first-job", "second-job")):
        begun = BEGIN + at * 10**8
        made = finished(empty_run(name, HOME["experimentId"], begun), "Completed", begun + 1, begun + 2)
        held.world.runs.put(held.guid, made)
    held.world.runs.put(held.guid, empty_run("busy-job", HOME["experimentId"], BEGIN) | {"status": "Running"})


@pytest.fixture
def ends(
    tmp_path: Path, azure_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, calm: Sandbox
) -> tuple[WorkspaceFile, WorkspaceFile]:
    """Both workspaces; archives and logs of the test go into a folder of its own."""
    monkeypatch.chdir(tmp_path)
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    return source, target


def test_each_name_is_said_to_be_what_it_is(
    ends: tuple[WorkspaceFile, WorkspaceFile], capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = ends
    extract = ["extract", "--source", str(source.path), "--archive", "kept", "--quiet", "--include"]

    def told(*arguments: str) -> tuple[int, str]:
        code = run(arguments)
        return code, capsys.readouterr().err

    # beyond the limit: the newest comes, also for every verb after it
    assert told(*extract, "first-job,second-job", "--limit", "1") == (0, "")
    assert told("plan", "kept", "--include", "first-job,second-job", "--limit", "1", "--quiet") == (0, "")
    code, said = told("plan", "kept", "--include", "first-job")
    assert (code, "first-job: left out by --limit when it was listed" in said) == (2, True)

    # active: it waits, the other comes
    assert told(*extract, "first-job,busy-job") == (0, "")
    assert told("plan", "kept", "--include", "first-job,busy-job", "--quiet") == (0, "")
    code, said = told("plan", "kept", "--include", "busy-job")
    assert (code, "busy-job: still active when it was listed" in said) == (2, True)

    # misspelt: told, the other comes; or stops first
    misspelt = "error: --include frist-job: no such root run: did you mean first-job"
    code, said = told(*extract, "frist-job,second-job")
    assert (code, said.startswith(misspelt), said.count("\n")) == (2, True, 1)
    code, said = told(*extract, "frist-job,second-job", "--strict-names")
    assert (code, said.startswith(misspelt), "the others" in said) == (2, True, False)

    code = run([*extract[1:3], "--output", "jobs.json", "--quiet", "--include", "frist-job,second-job"], extract_jobs)
    assert (code, capsys.readouterr().err.startswith(misspelt), Path("jobs.json").exists()) == (2, True, True)

    ends_of = ["--source", str(source.path), "--target", str(target.path), "--archive", "kept", "--quiet"]
    code, said = told("migrate", *ends_of, "--include", "frist-job,second-job,busy-job")
    assert (code, said.startswith(misspelt), said.count("\n")) == (2, True, 1)
    assert told("verify", "kept", "--target", str(target.path), "--include", "second-job", "--quiet") == (0, "")
