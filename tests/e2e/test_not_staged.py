"""What the target's storage does not take for a job is an omission with its words; the job completes without it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from azureml_replay.synthetic.options import SyntheticReplayOptions
from azureml_replay.synthetic.replay import SyntheticReplayed
from azureml_replay.synthetic.tree.fit import SELF_TAG
from azureml_replay.verification.wording import PLAN_CHANGED
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN
from e2e.tampering import FILE, Held, change, fill, in_run
from e2e.test_refused import WORDS, Refuses, alike, omissions
from e2e.test_synthetic import extracted, replayed

STAGED = r"^PUT .*/azureml-replay/[^/]+/root/"
OF_CONTENT = r"(self/files/000002|child/files/000001|self/points-0000)"
"""Files of the source's (an artifact, a log), and points."""
OF_OURS = r"self/files/00000[04]"
"""The definition of the job, and the list of its files."""
NOT_STAGED = {
    ("root", "file outputs/empty.txt"),
    ("child", "file logs/a.txt"),
    ("root", "file outputs/replay/job.json"),
    ("root", "file outputs/replay/files.json"),
    *[
        ("root", f"{slot}metric {name}")
        for slot in ("", "the run of its own values: ")
        for name in ("loss: 5 rows", "accuracy: 5 rows", "stepless: 1 row")
    ],
}


@pytest.mark.parametrize(
    ("told", "code"), [(400, "InvalidResourceName"), (409, "BlobImmutableDueToPolicy"), (413, "RequestBodyTooLarge")]
)
def test_what_storage_does_not_take_for_a_job_is_an_omission_and_the_job_completes(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, told: int, code: str
) -> None:
    """It is asked once while the file stays the same; plan and verdict name it; another archive reads it in the job."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    service = Refuses("", f"{STAGED}({OF_CONTENT}|{OF_OURS})", told, code)
    change(calm, source, fill)
    asyncio.run(extracted(source, folder))

    done = asyncio.run(replayed(source, target, folder, cut=service))

    assert (done.submitted, done.completed, done.failed) == (1, 1, ())
    assert omitted(done, folder, target) == NOT_STAGED
    asked = service.times
    assert asked == 5
    again = asyncio.run(replayed(source, target, folder, cut=service))
    assert (again.submitted, again.refused, service.times) == (0, (), asked)
    assert omitted(again, folder, target) == NOT_STAGED
    other = tmp_path / "other"
    asyncio.run(extracted(source, other))
    learnt = asyncio.run(replayed(source, target, other))
    assert (learnt.submitted, omitted(learnt, other, target)) == (0, NOT_STAGED)
    if told == 400:
        a_file_that_changed_is_tried_again(calm, source, target, folder)


def a_file_that_changed_is_tried_again(
    calm: Sandbox, source: WorkspaceFile, target: WorkspaceFile, folder: Path
) -> None:
    """And nothing else that was refused."""
    change(calm, source, lambda held: held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.root/outputs/empty.txt", b"x"))
    change(calm, source, in_run(lambda _: {"lastModifiedUtc": "2030-01-01T00:00:00+00:00"}))
    asyncio.run(extracted(source, folder))
    taking = Refuses("", f"{STAGED}(child/files/000001|self/points-0000|{OF_OURS})")

    anew = asyncio.run(replayed(source, target, folder, cut=taking, options=SyntheticReplayOptions(resubmit=True)))

    assert (anew.submitted, anew.completed, anew.failed, taking.times) == (1, 1, (), 0)
    assert omitted(anew, folder, target) == NOT_STAGED - {("root", "file outputs/empty.txt")}


def test_a_report_that_somebody_wrote_excuses_no_file(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Another archive believes a job about its files only where the job was submitted without them."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    asyncio.run(extracted(source, tmp_path / "archive"))
    asyncio.run(replayed(source, target, tmp_path / "archive"))
    told = [{"kind": "file", "name": FILE, "reason": "no", "what": f"file {FILE}"}]

    def forge(held: Held) -> None:
        children = [run for _, run in held.world.runs.children(held.guid, "root")]
        (own,) = [run["runId"] for run in children if SELF_TAG.items() <= run["tags"].items()]
        held.blob("outputs/replay/refused.json", own).upload_blob(json.dumps(told), overwrite=True)
        held.blob(FILE, own).delete_blob()

    change(calm, target, forge)
    asyncio.run(extracted(source, tmp_path / "other"))
    found = asyncio.run(replayed(source, target, tmp_path / "other"))

    assert found.verdict is not None
    assert PLAN_CHANGED in {one.kind for one in found.verdict.first}
    assert found.verdict.exit != 0


def omitted(done: SyntheticReplayed, folder: Path, target: WorkspaceFile) -> set[tuple[str, str]]:
    """What of which run was refused, as an omission."""
    reason = f"the target refused it: {WORDS}"
    found = {(run, what) for run, what, why in omissions(folder, target) if why == reason}
    assert alike(done.verdict, folder, target) == len(found)
    return found
