"""A plan that changed is a new plan: what a job lacks is a finding, texts are mended, and a new job is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import JobItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.config import workspace_config
from azureml_replay.errors import Exit
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.model import RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.progress import SILENT, Progress
from azureml_replay.selection import Selection
from azureml_replay.state import status
from azureml_replay.synthetic.foreseen import JobsForeseen
from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions, job_of, planned_trees
from azureml_replay.synthetic.replay import SyntheticReplayed, replay_synthetic
from azureml_replay.synthetic.tree.summary import LeftJobs
from azureml_replay.synthetic.verify import PLAN_CHANGED
from azureml_replay.terminal.terminal import LineProgress
from azureml_replay.undoing import undo
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import DiesAt, PowerCut
from e2e.tampering import Change, change, fill, in_pairs, in_run
from e2e.test_synthetic import command, opened
from e2e.witness import look
from environment import point_at

ROOT = RunId("root")
ALL = Shape()
BARE = Shape(files=FileChoice(artifacts=False))
SWEEP = in_run(lambda _: {"runType": "hyperdrive"})
"""The root is a sweep, its child a trial: without trials it is one job of one container, with them two below one."""


@pytest.fixture(scope="module")
def source(sandbox: Sandbox) -> Iterator[WorkspaceFile]:
    """Changed by no test."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        made = sandbox.add_workspace()
        for one in (fill, SWEEP):
            change(sandbox, made, one)
        yield made


@dataclass
class Bench:
    """An archive of a source, and one target."""

    source: WorkspaceFile
    target: WorkspaceFile
    folder: Path
    sandbox: Sandbox

    def extract(self, *, artifacts: bool = True) -> None:
        """The source, again."""

        async def again() -> None:
            async with opened(self.source) as reading:
                with Archive.create(self.folder, reading.ref) as archive:
                    options = ExtractOptions(artifacts=artifacts)
                    assert (await extract(reading, archive, Selection(), options=options, width=4)).failed == ()

        asyncio.run(again())

    def replay(
        self,
        shape: Shape = ALL,
        *,
        resubmit: bool = False,
        wait: bool = True,
        cut: DiesAt | None = None,
        progress: Progress = SILENT,
    ) -> SyntheticReplayed:
        """One call."""
        options = SyntheticReplayOptions(shape=shape, resubmit=resubmit, wait=wait)

        async def sent() -> SyntheticReplayed:
            async with opened(self.source, cut) as reading, opened(self.target, cut) as there:
                with Archive.open(self.folder) as archive, pytest.MonkeyPatch.context() as patch:
                    patch.setattr("azureml_replay.synthetic.wait.SHORTEST_PAUSE_S", 0.2)
                    return await replay_synthetic(archive, reading, there, options=options, width=4, progress=progress)

        return asyncio.run(sent())

    def left(self, shape: Shape = ALL, *, resubmit: bool = False) -> LeftJobs:
        """As a dry run says."""
        with Archive.open(self.folder, write=False) as archive:
            ledger = archive.ledger(workspace_config(str(self.target.path)).ref)
            foreseen = JobsForeseen(archive, ledger, resubmit)
            for tree, wished in planned_trees(archive, ledger, Selection(), shape):
                foreseen.add(tree, wished)
            return foreseen.left

    def row(self) -> tuple[int, int, int, int]:
        """Runs that are sent, left, omitted, hidden, as `status` says."""
        with Archive.open(self.folder, write=False) as archive:
            (there,) = status(archive).targets
            return there.sent, there.left, there.omitted, there.hidden

    def verify(self) -> Verdict:
        """One look."""

        async def looked() -> Verdict:
            async with opened(self.target) as there:
                with Archive.open(self.folder) as archive:
                    return await verify(archive, there, width=4)

        return asyncio.run(looked())

    def undo(self) -> int:
        """The number of jobs that were archived now."""

        async def back() -> int:
            async with opened(self.target) as there:
                with Archive.open(self.folder) as archive:
                    return (await undo(archive, there, width=4)).jobs

        return asyncio.run(back())

    def jobs(self) -> dict[str, str]:
        """Name -> `active` or `deleted`, as MLflow's client sees the runs of jobs."""
        seen = look(self.target, files=False)
        return {
            name: str(seen.runs[name]["stage"]) for name in seen.jobs if name in seen.runs and _is_root(seen.runs[name])
        }

    def job(self) -> str | None:
        """That stands for the root, by the ledger."""
        with Archive.open(self.folder, write=False) as archive:
            (there,) = archive.targets()
            return job_of(archive.ledger(there), ROOT)

    def findings(self) -> set[tuple[str, str]]:
        """All of them, as the archive keeps them."""
        with Archive.open(self.folder, write=False) as archive:
            (there,) = archive.targets()
            return {(one.what, one.kind) for one in archive.ledger(there).findings()}

    def change_ledger(self, how: Any) -> None:
        """Behind everybody's back."""
        with Archive.open(self.folder) as archive:
            (there,) = archive.targets()
            how(archive.ledger(there))

    def edit(self, where: WorkspaceFile, *changes: Change) -> None:
        """Behind everybody's back."""
        for one in changes:
            change(self.sandbox, where, one)


def _is_root(run: dict[str, Any]) -> bool:
    return "mlflow.parentRunId" not in run["tags"]


@pytest.fixture
def bench(source: WorkspaceFile, workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path) -> Bench:
    return Bench(source, workspace, tmp_path / "archive", calm)


def stands(done: SyntheticReplayed) -> tuple[int, int, bool]:
    """Submitted now, jobs of another plan, proven."""
    assert done.failed == ()
    return done.submitted, done.changed, bool(done.verdict and done.verdict.proves)


PLAN = ("plan of the job", PLAN_CHANGED)


def test_files_that_were_left_out_first(bench: Bench) -> None:
    """Missing until the job is submitted anew, once; the old one is archived. No later call makes that less."""
    bench.extract()
    new = bench.left(BARE)
    assert (new.jobs, new.containers, new.points, new.files, new.there) == (1, 1, 11, 0, 0)
    assert stands(bench.replay(BARE)) == (1, 0, True)
    (first,) = bench.jobs()
    assert bench.row() == (1, 0, 1, 0), "the trial is left out"
    assert (bench.left(BARE), bench.left()) == (LeftJobs(there=1), LeftJobs(there=1, changed=1, starts=1))

    kept = bench.replay()

    assert (stands(kept), kept.starts) == ((0, 1, False), 1)
    assert kept.verdict is not None
    assert kept.verdict.exit is Exit.FINDINGS
    assert {PLAN, ("file outputs/model.bin", "absent")} <= (found := bench.findings())
    assert (bench.verify().exit, bench.findings()) == (Exit.FINDINGS, found)
    assert stands(bench.replay(BARE)) == (0, 1, False), "what was to be carried stays so"

    assert bench.left(BARE) == LeftJobs(there=1, changed=1, starts=1)
    anew_left = bench.left(resubmit=True)
    assert (anew_left.jobs, anew_left.files, anew_left.there) == (1, 2, 0)
    lines: list[str] = []
    anew = bench.replay(resubmit=True, progress=LineProgress(lines.append))
    assert stands(anew) == (1, 0, True)
    assert any("1 container start" in line for line in lines), lines
    again = bench.replay(resubmit=True)
    assert (stands(again), bench.verify().proves) == ((0, 0, True), True)
    second = bench.job()
    assert bench.jobs() == {first: "deleted", second: "active"}

    assert bench.left(resubmit=True) == LeftJobs(there=1)

    assert bench.undo() == 1
    assert bench.left() == LeftJobs(there=1, hidden=1)
    assert bench.row() == (0, 2, 0, 2)
    assert stands(bench.replay()) == (0, 0, True)
    assert bench.left() == LeftJobs(there=1)
    assert bench.jobs() == {first: "deleted", second: "active"}


def test_trials_that_were_left_out_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command: the line says what to type, and the old job's runs stand for nobody afterwards.

    Files that an earlier call asked for stay asked for: the source that is named is read, --no-artifacts or not.
    """
    monkeypatch.chdir(bench.folder.parent)
    bench.extract()
    bench.replay()
    flags = ("--target", bench.target.path, "--source", bench.source.path, "--mode", "synthetic")

    kept = command("replay", bench.folder, *flags, "--expand-automl-trials")

    assert kept.returncode == Exit.FINDINGS, kept.stderr
    assert "--resubmit changed submits anew, 2 container starts" in kept.stdout
    with Archive.open(bench.folder, write=False) as archive:
        (there,) = archive.targets()
        assert archive.ledger(there).carried([RunId("child")], Way.JOB)
        assert [one.what for one in archive.ledger(there).findings_of_run(RunId("child"))] == ["run"]
    found = command("verify", bench.folder, *flags[:2])
    assert (found.returncode, "--resubmit changed" in found.stdout) == (Exit.FINDINGS, True), found.stdout

    anew = command("replay", bench.folder, *flags, "--expand-automl-trials", "--resubmit", "changed", "--no-artifacts")
    assert anew.returncode == Exit.OK, anew.stdout + anew.stderr
    assert "submitting anew, 2 container starts" in anew.stderr
    assert stands(bench.replay()) == (0, 0, True), "trials that were asked for once stay asked for"
    assert sorted(bench.jobs().values()) == ["active", "deleted"]


def test_an_archive_without_files_that_is_extracted_again_with_them(bench: Bench) -> None:
    bench.extract(artifacts=False)
    assert stands(bench.replay()) == (1, 0, True)
    bench.extract()

    assert stands(bench.replay()) == (0, 1, False)
    assert {PLAN, ("file outputs/model.bin", "absent")} <= bench.findings()

    assert stands(bench.replay(resubmit=True)) == (1, 0, True)
    assert stands(bench.replay(resubmit=True)) == (0, 0, True)


def test_tags_and_descriptions_are_mended_and_edits_stay(
    workspace: WorkspaceFile, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Three ways, in a pipeline: the job, its group's own values and its child; nothing is submitted or removed."""
    bench = Bench(calm.add_workspace(), workspace, tmp_path / "archive", calm)
    bench.edit(
        bench.source, fill, in_pairs("tags", {"a": "1", "lost": "x"}), in_run(lambda _: {"tags": {"c": "1"}}, "child")
    )
    bench.extract()
    assert stands(bench.replay()) == (1, 0, True)
    job = bench.job()
    assert job is not None

    def retagged(run: dict[str, Any]) -> dict[str, Any]:
        return {"tags": run["tags"] | {"team": "edited"}}

    bench.edit(workspace, in_run(retagged, job))
    bench.edit(
        bench.source, in_pairs("tags", {"a": "2", "new": "n"}, "lost"), in_run(lambda _: {"description": "later"})
    )
    bench.edit(bench.source, in_pairs("tags", {"team": "green"}))
    bench.edit(bench.source, in_run(lambda _: {"tags": {"c": "2"}, "displayName": "the child"}, "child"))
    assert bench.left() == LeftJobs(there=1)
    bench.extract()
    assert bench.left() == LeftJobs(there=1, mend=1)

    done = bench.replay()

    assert done.verdict is not None
    assert (done.submitted, done.changed, done.mended) == (0, 0, 3)
    assert bench.findings() == {("tag team", "differs")}, "both changed it: the target's stays"
    assert bench.replay().mended == 0
    told = look(workspace, files=False).runs
    tags = told[job]["tags"]
    assert (tags["a"], tags["new"], tags["team"], tags["lost"]) == ("2", "n", "edited", "x")
    (child,) = [one for one in told.values() if one["tags"].get("c")]
    assert (child["tags"]["c"], child["name"]) == ("2", "the child")
    with Archive.open(bench.folder, write=False) as archive:
        (there,) = archive.targets()
        assert "tag lost" in {one.what for one in archive.ledger(there).planned_omissions_of(ROOT)}
    bench.edit(workspace, in_run(lambda run: {"tags": run["tags"] | {"team": "green"}}, job))
    assert bench.verify().proves, "the file that tells of the original's job is mended too"


class DiesOnceItIsPut(DiesAt):
    """The power goes when a job is there, and nobody here has heard of it."""

    async def send(self, request: Any, **options: Any) -> Any:
        answer = await super().send(request, **options)
        if request.method == "PUT" and "/jobs/" in request.url:
            raise PowerCut
        return answer


def test_a_job_that_was_put_when_the_power_went_is_taken_back(bench: Bench) -> None:
    """The ledger knew beforehand that one might be there; nothing waits for a replay first."""
    bench.extract()
    with pytest.raises(PowerCut):
        bench.replay(BARE, cut=DiesOnceItIsPut(0, delivered=True))
    (name,) = bench.jobs()

    assert bench.undo() == 1
    assert bench.jobs() == {name: "deleted"}


@pytest.mark.parametrize(
    "delivered", [pytest.param(False, marks=pytest.mark.slow), True], ids=["before-delivery", "after-delivery"]
)
def test_killed_while_it_submits_anew(bench: Bench, delivered: bool) -> None:
    """Again and again, then between the new job and the archiving of the old one: there are two jobs in the end."""
    bench.extract()
    bench.replay(BARE)
    killed = 0
    for at in (5, 14, 20, 26):
        try:
            bench.replay(resubmit=True, cut=DiesAt(at, delivered=delivered))
        except PowerCut:
            killed += 1
    assert killed > 1

    with pytest.MonkeyPatch.context() as patch:

        async def dies(*_: object, **__: object) -> None:
            raise PowerCut

        patch.setattr("azureml_replay.synthetic.replay._Running._hide", dies)
        with pytest.raises(PowerCut):
            bench.replay(resubmit=True)
    assert sorted(bench.jobs().values()) == ["active", "active"]

    assert stands(bench.replay()) == (0, 0, True), "whichever way it is called"
    assert stands(bench.replay(resubmit=True)) == (0, 0, True)
    assert sorted(bench.jobs().values()) == ["active", "deleted"]
    assert bench.jobs()[bench.job() or ""] == "active"


def test_another_archive_finds_the_newer_job(bench: Bench, tmp_path: Path) -> None:
    """It submits none, and says of the older one that its plan is another: jobs say themselves with which they came."""
    bench.extract()
    bench.replay(BARE)
    other = Bench(bench.source, bench.target, tmp_path / "other", bench.sandbox)
    other.extract()
    assert stands(other.replay(resubmit=True)) == (0, 1, False)
    assert stands(bench.replay(resubmit=True)) == (1, 0, True)

    assert stands(other.replay(resubmit=True)) == (0, 0, True)
    assert other.job() == bench.job()
    assert len(bench.jobs()) == 2


def test_a_new_job_that_fails_leaves_the_old_one(bench: Bench) -> None:
    bench.extract()
    bench.replay(BARE)
    (first,) = bench.jobs()
    bench.sandbox.set_faults([{"match": {"path": "/runs/log-batch$"}, "do": "status", "status": 400}])
    assert bench.replay(resubmit=True).failed
    bench.sandbox.set_faults()

    assert stands(bench.replay()) == (0, 1, False)
    assert (bench.job(), bench.jobs()[first]) == (first, "active")


def test_what_an_older_version_submitted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its receipt has no digest and its job no property: what is planned now is held against the shape it had."""
    bench.extract()
    bench.replay(BARE)

    def aged(ledger: Any) -> None:
        receipt = ledger.receipt(ROOT, RunItem.SHAPE)
        ledger.forget(ROOT, [RunItem.SHAPE])
        ledger.mark(ROOT, [RunItem.SHAPE], State.SENT, receipt.detail)
        known = ledger.carried([ROOT], Way.JOB)
        ledger.carry({run: {"files": one["files"]} for run, one in known.items()}, Way.JOB)
        assert any(isinstance(item, JobItem) for item in ledger.receipts(ROOT))

    bench.change_ledger(aged)
    monkeypatch.setattr("azureml_replay.synthetic.submit.plan_of", lambda job: None)

    assert stands(bench.replay(BARE)) == (0, 0, True)
    assert stands(bench.replay()) == (0, 1, False)
    assert stands(bench.replay(resubmit=True)) == (1, 0, True)
