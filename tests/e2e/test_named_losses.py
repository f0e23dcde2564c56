"""What could not be brought is named, and the command does not end as if it had been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.objects import Held as Kept
from azureml_replay.azure.config import workspace_config
from azureml_replay.azure.workspace import AzureWorkspace, connect
from azureml_replay.errors import Unavailable
from azureml_replay.extraction.extract import Extracted, ExtractOptions
from azureml_replay.extraction.extract import extract as extract_all
from azureml_replay.model import CodeReference, RunDetails, RunId
from azureml_replay.planning.code import code_of
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import FastClock
from e2e.tampering import change, fill
from e2e.test_cli_bad_input import PLAIN, Ended, run
from e2e.test_code import coded

__all__ = ["coded"]


@pytest.fixture
def source(calm: Sandbox) -> WorkspaceFile:
    """A root with a child."""
    made = calm.add_workspace()
    change(calm, made, fill)
    return made


def extract(folder: Path, source: WorkspaceFile, sandbox: Sandbox, *more: str) -> Ended:
    """One `extract` as a process."""
    return run(folder, "extract", "--source", source.path, "--archive", "kept", *more, env=PLAIN | sandbox.env)


def test_runs_below_the_depth_are_named(calm: Sandbox, source: WorkspaceFile, tmp_path: Path) -> None:
    """Each of them; it was asked for, so the command ends well. Without the flag they come, and are named no more."""
    cut = extract(tmp_path, source, calm, "--depth", "0")

    assert cut.code == 0, cut.err
    with Archive.open(tmp_path / "kept", write=False) as archive:
        assert [(one.run, one.what) for one in archive.omissions() if one.reason == "cut by --depth"] == [
            ("child", "run")
        ]
    assert "1 x cut by --depth" in run(tmp_path, "plan", "kept").out

    assert extract(tmp_path, source, calm).code == 0
    with Archive.open(tmp_path / "kept", write=False) as archive:
        assert [one for one in archive.omissions() if one.what == "run"] == []


class Lacking:
    """A source that lists a run and answers no details of it, and that gives no code for now."""

    def __init__(self, inner: AzureWorkspace, run: RunId | None = None) -> None:
        self._inner, self._run = inner, run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def details(self, runs: Sequence[RunId]) -> Mapping[RunId, RunDetails]:
        return {run: one for run, one in (await self._inner.details(runs)).items() if run != self._run}

    async def code(self, _: CodeReference) -> AsyncIterator[tuple[str, bytes]]:
        raise Unavailable("not now")
        yield "", b""


async def brought(source: WorkspaceFile, folder: Path, run: str | None = None) -> Extracted:
    """By the library."""
    async with connect(workspace_config(str(source.path)), clock=FastClock()) as workspace:
        lacking: Any = Lacking(workspace, None if run is None else RunId(run))
        with Archive.create(folder, workspace.ref) as archive:
            return await extract_all(lacking, archive, options=ExtractOptions(code=True))


def test_a_run_whose_details_are_not_answered_is_named(
    source: WorkspaceFile, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A list has it: it is not gone, and did not come."""
    failed = asyncio.run(brought(source, tmp_path / "kept", "child"))

    assert failed.failed == (("child", "listed, but its details could not be read"),)
    assert (failed.runs, failed.gone) == (1, 0)


def test_code_that_a_bad_moment_kept_away_is_named(
    coded: WorkspaceFile, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The run came; the call did not end well."""
    failed = asyncio.run(brought(coded, tmp_path / "kept"))

    assert failed.failed == (("root", "code: not now"),)
    assert failed.runs == 2


@pytest.mark.parametrize("verb", ["extract", "migrate"])
def test_a_failed_run_ends_a_command_with_3(verb: str, calm: Sandbox, source: WorkspaceFile, tmp_path: Path) -> None:
    """Named among the results, whatever came of the others."""
    calm.set_faults([{"match": {"path": "/runs/child/"}, "do": "status", "status": 400}])
    target = ["--target", str(calm.add_workspace().path)] if verb == "migrate" else []
    line = (verb, "--source", source.path, "--archive", "kept", *target)

    failed = run(tmp_path, *line, env=PLAIN | calm.env)

    assert failed.code == 3, failed.err
    assert "child" in failed.out


def test_code_that_cannot_be_brought_now_is_named(
    calm: Sandbox, coded: WorkspaceFile, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A bad moment is a failure, and the next call brings it; a refusal is an omission with the service's words."""
    at = {"workspace": coded.workspace_name, "path": "/codes/|snapshots"}
    calm.set_faults([{"match": at, "do": "status", "status": 403}])
    refused = extract(tmp_path, coded, calm, "--code")
    with Archive.open(tmp_path / "kept", write=False) as archive:
        reason = archive.code(reference(archive))
    calm.set_faults()
    done = extract(tmp_path, coded, calm, "--code")

    assert refused.code == 0, refused.err
    assert isinstance(reason, str), reason
    assert "403" in reason
    assert done.code == 0, done.err
    with Archive.open(tmp_path / "kept", write=False) as archive:
        assert isinstance(archive.code(reference(archive)), Kept)


def reference(archive: Archive) -> CodeReference:
    """Of the root's code."""
    root = archive.run(RunId("root"))
    assert root is not None
    found = code_of(root, archive.job(RunId("root")))
    assert found is not None
    return found
