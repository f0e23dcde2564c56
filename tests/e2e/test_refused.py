"""A value that the target refuses is an omission with its words; everything else of its run is carried, and it ends."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.documents import NESTED
from azureml_replay.azure.config import workspace_config
from azureml_replay.cli.synthetic import summed
from azureml_replay.model import RunId
from azureml_replay.planning.files import FOLDER_MARKER
from azureml_replay.selection import Selection
from azureml_replay.state import status
from azureml_replay.synthetic.foreseen import JobsForeseen
from azureml_replay.synthetic.options import Shape, planned_trees
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.verbs import Migrated, dry_run, verify
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.place import Place
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, scalar
from e2e.library import DiesAt, migrated
from e2e.tampering import FILE, Change, Held, change, fill, in_error, in_home, in_pairs, in_rows, in_run, row
from e2e.test_synthetic import extracted, opened, replayed
from unit.scripted import Said

ODD = "value-0f-n0-use"
WORDS = "this is of no use here"
LATER = "2030-01-01T00:00:00+00:00"


class Refuses(DiesAt):
    """A transport to a service that answers 400 to every write that has the marker in its URL or its JSON."""

    def __init__(self, marker: str, where: str, status: int = 400, code: str = "") -> None:
        super().__init__(0, delivered=True)
        self.marker, self.at, self.times = marker, re.compile(where), 0
        self.status, self.code = status, code

    async def send(self, request: Any, **options: Any) -> Any:
        """As the inner transport, but for the marker."""
        asked, content = f"{request.method} {request.url}", request.content
        sent = content if isinstance(content, bytes) and ".blob." not in request.url else b""
        if self.at.search(asked) and (self.marker in asked or self.marker.encode() in sent):
            self.times += 1
            if self.code:  # as storage says it
                return Said(self.status, f"<Message>{WORDS}</Message>".encode(), {"x-ms-error-code": self.code})
            told = {"error": {"code": "UserError", "message": WORDS, "innerError": {"code": "BadArgument"}}}
            return Said(self.status, orjson.dumps(told), {"Content-Type": "application/json"})
        return await super().send(request, **options)


def planned(folder: Path, target: Place | None = None) -> Mapping[str, int]:
    """Omissions by reason, as `plan` says."""
    with Archive.open(folder, write=False) as archive:
        return dry_run(archive, target).reasons


def metric(held: Held) -> None:
    """A name with the marker."""
    held.world.metrics.append(held.guid, scalar("dcid.root", ODD), [row(step, 0.5, ODD) for step in range(3)])


def file(held: Held) -> None:
    """A path with the marker."""
    path = f"outputs/{ODD}.txt"
    held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.root"), path)
    held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.root/{path}", b"abc")


def strange_rows(held: Held) -> None:
    """One row that the source has, as if it had arrived before, and one that it has not."""
    held.world.metrics.append(held.guid, scalar("dcid.root", ODD), [row(1, 0.5, ODD), row(2, 0.75, ODD)])


def strange_file(held: Held) -> None:
    """Other bytes."""
    held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.root/outputs/{ODD}.txt", b"else")


def asset() -> dict[str, str]:
    """An id with the marker."""
    return {"assetId": ODD, "type": "UriFile"}


@dataclass(frozen=True)
class Case:
    """A value that the target refuses."""

    put: Change
    what: str
    run: str = "root"
    where: str = "^(POST|PATCH) "
    code: str = ""
    """Of storage, for a conflict that stays; else it is a 400."""
    strange: Change | None = None
    """Puts something else under its name into the target: that is seen."""


CASES = {
    "tag": Case(in_pairs("tags", {"odd": ODD}), "tag odd"),
    "property": Case(in_pairs("properties", {"odd": ODD}), "property odd"),
    "parameter": Case(in_pairs("parameters", {"odd": ODD}), "parameter odd"),
    "display name": Case(in_run(lambda _: {"displayName": ODD}), "text display name"),
    "description": Case(in_run(lambda _: {"description": ODD}), "text description"),
    "input": Case(
        in_run(lambda run: {"inputs": run["inputs"] | {"odd": {"assetId": ODD, "type": "UriFile"}}}), "input odd"
    ),
    "dataset": Case(in_run(lambda _: {"inputDatasets": [{"identifier": {"savedId": ODD}}]}), "list input datasets"),
    "error": Case(
        in_error(lambda error: {"error": error["error"] | {"message": ODD}}),
        "text error",
        "child",
    ),
    "metric": Case(metric, f"metric {ODD}", where="/batch(sync)?$", strange=strange_rows),
    "file": Case(file, f"file outputs/{ODD}.txt", strange=strange_file),
    "blob": Case(file, f"file outputs/{ODD}.txt", where="^PUT ", strange=strange_file),
    "immutable blob": Case(file, f"file outputs/{ODD}.txt", where="^PUT ", code="BlobImmutableDueToPolicy"),
    "experiment's tag": Case(in_home(tags={"area": "vision", "odd": ODD}), "experiment verdict: tag odd", ""),
    "experiment's description": Case(in_home(description=ODD), "experiment verdict: description", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_an_omission_and_the_rest_arrives(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, name: str
) -> None:
    """In this call, and for good: the next one asks for nothing that was refused; plan and status say so too."""
    source, target = calm.add_workspace(), calm.add_workspace()
    case, folder = CASES[name], tmp_path / "archive"
    service = Refuses(ODD, case.where, 409 if case.code else 400, case.code)
    change(calm, source, fill)
    change(calm, source, case.put)

    done = asyncio.run(migrated(source, target, folder, cut=service))

    whole(done, case)
    told = omissions(folder, target)
    assert (case.run, case.what, WORDS) in [
        (run, what, WORDS if WORDS in reason else reason) for run, what, reason in told
    ]
    config = workspace_config(str(target.path))
    assert any(WORDS in reason for reason in planned(folder, config.ref))
    with Archive.open(folder, write=False) as archive:
        (now,) = status(archive).targets
    assert now.progress.items_refused == 1
    assert (now.progress.runs_created, now.progress.runs_finished) == (2, 2)
    asked = service.times
    assert asked > 0

    again = asyncio.run(migrated(source, target, folder, cut=service))

    whole(again, case)
    assert (again.replayed.runs, again.replayed.points, again.replayed.files, again.replayed.refused) == (0, 0, 0, ())
    assert service.times == asked
    assert omissions(folder, target) == told
    ended(calm, target)
    if case.strange is not None:
        change(calm, target, case.strange)
        (seen,) = asyncio.run(judged(target, folder)).first
        assert (seen.run, seen.what.removesuffix(" step 2")) == (case.run, case.what)


def test_an_edit_in_the_target_stays_while_the_value_to_blame_is_looked_for(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Of an update: what is tried is what would have been sent."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(migrated(source, target, folder))
    change(calm, target, in_pairs("tags", {"team": "mine"}))
    change(calm, source, in_pairs("tags", {"odd": ODD, "new": "1"}))
    change(calm, source, in_run(lambda _: {"lastModifiedUtc": LATER}))

    done = asyncio.run(migrated(source, target, folder, cut=Refuses(ODD, "^(POST|PATCH) ")))

    assert [(one.what, one.kind) for one in done.verdict.first] == [("tag team", "edited in target")]
    seen: list[dict[str, str]] = []
    change(calm, target, lambda held: seen.append(held.run()["tags"]))
    assert (seen[0]["team"], seen[0]["new"], "odd" in seen[0]) == ("mine", "1", False)


@pytest.mark.parametrize("run", ["root", "child"])
def test_a_run_that_is_refused_bare_is_left_out_with_those_below_it(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, run: str
) -> None:
    """Not failed: it would be refused for ever. The next call asks nothing about it; plan and verdict name it.

    With the root all is left out: then nothing was compared, which is no success.
    """
    source, target = calm.add_workspace(), calm.add_workspace()
    service, folder = Refuses(f'"runId":"{run}"', "/batch/runs$"), tmp_path / "archive"
    change(calm, source, fill)

    done = asyncio.run(migrated(source, target, folder, cut=service))
    asked = service.times
    again = asyncio.run(migrated(source, target, folder, cut=service))

    left = ["root", "child"] if run == "root" else ["child"]
    assert (done.replayed.failed, sorted(done.replayed.refused)) == ((), sorted((one, "run") for one in left))
    assert (again.replayed.failed, again.replayed.refused, service.times) == ((), (), asked)
    for one in (done, again):
        assert (one.verdict.left_out, one.verdict.equal) == (len(left), 2 - len(left))
        assert (one.verdict.findings, one.verdict.exit) == (0, 3 if run == "root" else 0), one.verdict.first
    config = workspace_config(str(target.path))
    assert any(WORDS in reason for reason in planned(folder, config.ref))


@pytest.mark.parametrize("how", ["its experiment has another name", "the service says no"])
def test_a_run_that_was_sent_stays_required_where_a_change_of_it_is_refused(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, how: str
) -> None:
    """It fails, each time: it is there, so nothing of it is left out as planned, and what it loses there is found."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    service = Refuses('"runId":"root"', "/batch/runs$") if "service" in how else None
    change(calm, source, fill)
    assert asyncio.run(migrated(source, target, folder)).verdict.proves
    if service is None:
        change(calm, source, lambda held: held.world.experiments.put(held.guid, held.home() | {"name": "renamed"}))
    change(calm, source, in_run(lambda run: {"tags": run["tags"] | {"team": "green"}, "lastModifiedUtc": LATER}))

    for _ in range(2):
        done = asyncio.run(migrated(source, target, folder, cut=service))
        assert [run for run, _ in done.replayed.failed] == ["root"]
        assert "it stays as it was sent" in done.replayed.failed[0][1]
        assert (done.verdict.left_out, done.verdict.exit) == (0, 5)

    change(calm, target, in_rows(lambda _: []))
    change(calm, target, lambda held: held.blob(FILE).delete_blob())
    seen = {(one.run, one.kind) for one in asyncio.run(judged(target, folder)).first if one.what != "tag team"}
    assert ("root", "absent") in seen


def whole(done: Migrated, case: Case) -> None:
    """Nothing failed, all is equal."""
    assert (done.replayed.failed, done.verdict.first) == ((), ()), case
    assert done.verdict.proves


def omissions(folder: Path, target: WorkspaceFile) -> list[tuple[str, str, str]]:
    """As verify left them: run, what, reason."""
    with Archive.open(folder, write=False) as archive:
        ledger = archive.ledger(workspace_config(str(target.path)).ref)
        return [(one.run, one.what, one.reason) for one in ledger.planned_omissions()]


def ended(calm: Sandbox, target: WorkspaceFile) -> None:
    """Both runs, as the service shows them."""
    seen: dict[str, str] = {}
    change(calm, target, lambda held: seen.update({name: held.run(name)["status"] for name in ("root", "child")}))
    assert seen == {"root": "Completed", "child": "Failed"}


def beyond(held: Held) -> None:
    """What is known beforehand: no name, too long as a tag of an experiment or of a job; and names that do arrive."""
    fill(held)
    in_home(tags={"area": "vision", "long": "x" * 1_001, "k" * 251: "y", "l" * 250: "z"})(held)
    for run in ("root", "child"):
        in_run(lambda _: {"description": "d" * 3_000}, run)(held)
        in_run(lambda run: {"parameters": run["parameters"] | {"long": "p" * 70_000, "a\\b": "\\"}}, run)(held)
    in_run(lambda run: {"tags": run["tags"] | {"a\\b": "c:\\d"}})(held)
    in_run(lambda run: {"parameters": run["parameters"] | {"deep": nested(150)}})(held)
    for name in ("", "a\\b"):
        held.world.metrics.append(held.guid, scalar("dcid.root", name), [row(0, 0.5, name)])
    for path in ("", "outputs/a\\b.txt"):
        held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.root/{path}", path.encode())


def nested(levels: int) -> Any:
    """Lists within each other: more than anything of ours looks at."""
    return orjson.loads("[" * levels + "]" * levels)


NAMELESS = ("root", "metric ", "it has no name; kept in replay/overflow.json")
MARKER = ("root", "file ", FOLDER_MARKER)


def test_what_no_target_takes_is_planned(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """Before anything is sent, and nothing of it is; a name with a backslash arrives like any other."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, beyond)

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.replayed.failed, done.replayed.refused, done.verdict.first) == ((), (), ())
    assert done.verdict.proves
    kept = "kept in the archive"
    assert sorted(omissions(tmp_path / "archive", target)) == [
        ("", f"experiment verdict: tag {'k' * 251}", f"key longer than 250 characters; {kept}"),
        ("", "experiment verdict: tag long", f"value longer than 1000 characters; {kept}"),
        MARKER,
        NAMELESS,
    ]
    told = [NESTED, *(reason for _, _, reason in omissions(tmp_path / "archive", target))]
    assert planned(tmp_path / "archive") == dict.fromkeys(told, 1)


def test_what_no_job_takes_is_planned(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """A parameter that MLflow refuses, a description that is longer than a tag: the job ends well, once."""
    source, target = calm.add_workspace(), calm.add_workspace()
    folder = tmp_path / "archive"
    change(calm, source, beyond)
    asyncio.run(extracted(source, folder))

    done = asyncio.run(replayed(source, target, folder))

    assert (done.submitted, done.completed, done.failed) == (1, 1, ())
    assert done.verdict is not None
    assert (done.verdict.first, done.verdict.exit) == ((), 0)
    told = omissions(folder, target)
    overflow = "kept in replay/overflow.json"
    assert {one for one in told if "value longer" in one[2] or "as a tag" in one[2]} == {
        ("root", "parameter long", f"value longer than 6000 characters; {overflow}"),
        ("child", "parameter long", f"value longer than 6000 characters; {overflow}"),
        ("child", "text description", f"longer than 1000 characters as a tag; {overflow}"),
    }
    assert NAMELESS in told
    again = asyncio.run(replayed(source, target, folder))
    assert (again.submitted, again.failed) == (0, ())


def odd_everywhere(held: Held) -> None:
    """A value with the marker in each place of a job's runs, beside others."""
    fill(held)
    for run in ("root", "child"):
        in_run(lambda _: {"description": f"as it was, {ODD}"}, run)(held)
        in_run(lambda run: {"parameters": run["parameters"] | {"p": ODD, "q": "1"}}, run)(held)
        in_run(lambda run: {"tags": run["tags"] | {"t": ODD, "u": "1"}}, run)(held)
        rows = [row(step, 0.5, ODD) for step in range(3)]
        held.world.metrics.append(held.guid, scalar(f"dcid.{run}", ODD), rows)
    held.world.metrics.append(held.guid, scalar("dcid.child", "loss"), [row(1, 0.5)])


REFUSED_BY_JOBS = sorted(
    (run, slot + what)
    for run, slot in (("root", ""), ("root", "the run of its own values: "), ("child", ""))
    for what in ("description", "parameter p", "tag t", f"metric {ODD}: 3 rows")
)


@pytest.mark.parametrize("strict", [[], ["refuse-parent-tokens"]], ids=["by steps", "from here"])
def test_a_value_that_a_job_is_refused_is_an_omission_and_the_rest_arrives(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, strict: list[str]
) -> None:
    """With the job, by its step, in its parent's run, and afterwards: the job completes, once; nothing is tried again.

    Another archive learns it from the job. What somebody takes away later is excused by no report.
    """
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, odd_everywhere)
    asyncio.run(extracted(source, tmp_path / "archive"))
    calm.set_faults(unwanted=[ODD], strict=strict)

    done = asyncio.run(replayed(source, target, tmp_path / "archive"))

    assert (done.submitted, done.completed, done.failed) == (1, 1, ())
    assert done.verdict is not None
    assert (done.verdict.first, done.verdict.exit) == ((), 0)
    assert {(run, what) for run, what, _ in words_of(tmp_path / "archive", target)} == set(REFUSED_BY_JOBS)
    assert alike(done.verdict, tmp_path / "archive", target) == len(REFUSED_BY_JOBS) <= len(done.refused)
    again = asyncio.run(replayed(source, target, tmp_path / "archive"))
    assert (again.submitted, again.mended, again.parents, again.refused) == (0, 0, 0, ())
    assert again.verdict is not None
    assert (again.verdict.first, again.verdict.omissions) == ((), done.verdict.omissions)
    asyncio.run(extracted(source, tmp_path / "other"))
    learnt = asyncio.run(replayed(source, target, tmp_path / "other"))
    assert learnt.verdict is not None
    assert (learnt.submitted, learnt.verdict.first, learnt.verdict.exit) == (0, (), 0)
    assert learnt.verdict.omissions == done.verdict.omissions
    assert alike(learnt.verdict, tmp_path / "other", target) == len(REFUSED_BY_JOBS)
    calm.set_faults()

    def take_away(held: Held) -> None:
        children = [run for _, run in held.world.runs.children(held.guid, "root")]
        (step,) = [run for run in children if run["tags"].get("original_job_id") == "child"]
        held.world.runs.put(held.guid, step | {"tags": {k: v for k, v in step["tags"].items() if k != "u"}})

    change(calm, target, take_away)
    lost = asyncio.run(judged(target, tmp_path / "archive"))
    assert [(one.run, one.what, one.kind) for one in lost.first] == [("child", "tag u", "absent")]


def test_a_job_that_is_refused_for_its_name_goes_without_it(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """What only goes with the job, and is refused, is told: its name, and the commit that it had."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, in_run(lambda _: {"displayName": ODD}))
    change(calm, source, in_pairs("properties", {"mlflow.source.git.branch": "main"}))
    asyncio.run(extracted(source, tmp_path / "archive"))
    calm.set_faults(unwanted=[ODD])

    done = asyncio.run(replayed(source, target, tmp_path / "archive"))

    calm.set_faults()
    assert (done.submitted, done.completed, done.failed) == (1, 1, ())
    assert done.verdict is not None
    assert (done.verdict.first, done.verdict.exit) == ((), 0)
    whats = {what.removeprefix("the run of its own values: ") for _, what, _ in words_of(tmp_path / "archive", target)}
    assert whats == {"display name", "tag original_name", "property mlflow.source.git.branch"}


def alike(verdict: Verdict | None, folder: Path, target: WorkspaceFile) -> int:
    """How many items a job was refused: plan, verdict and status say the same; nothing is a finding, or left to do."""
    assert verdict is not None
    assert (verdict.first, verdict.exit) == ((), 0)
    with Archive.open(folder, write=False) as archive:
        foreseen = JobsForeseen(archive, archive.ledger(workspace_config(str(target.path)).ref), resubmit=False)
        trees = planned_trees(archive, foreseen.ledger, Selection(), Shape())
        plan = summed(
            foreseen, trees, lambda _: Branch(""), Terminal(io.StringIO(), io.StringIO(), json=True), waiting=0
        )
        (there,) = status(archive).targets
    assert (foreseen.left.there, foreseen.left.changed, foreseen.left.mend) == (1, 0, 0)
    assert (plan.files, sum(plan.reasons.values())) == (verdict.files - verdict.own_files, verdict.omissions)
    assert {there.progress.items_refused, plan.items_refused} == {verdict.items_refused}
    return verdict.items_refused


def words_of(folder: Path, target: WorkspaceFile) -> list[tuple[str, str, str]]:
    """The omissions that have the service's words."""
    return sorted(one for one in omissions(folder, target) if f"{ODD} is not allowed" in one[2])


async def judged(target: WorkspaceFile, folder: Path) -> Verdict:
    """One verify."""
    async with opened(target) as there:
        with Archive.open(folder) as archive:
            return await verify(archive, there, Selection())


def test_runs_below_one_that_failed_are_not_sent(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """They would stand without their parent; once that is there, they come."""
    source, target = calm.add_workspace(), calm.add_workspace()
    forbidden, folder = Refuses('"runId":"root"', "/batch/runs$", 403), tmp_path / "archive"
    change(calm, source, fill)

    done = asyncio.run(migrated(source, target, folder, cut=forbidden))

    assert sorted(run for run, _ in done.replayed.failed) == ["child", "root"]
    assert dict(done.replayed.failed)[RunId("child")] == "its parent root failed"
    there: list[object] = []
    change(calm, target, lambda held: there.extend(held.world.runs.get(held.guid, run) for run in ("root", "child")))
    assert there == [None, None]
    again = asyncio.run(migrated(source, target, folder))
    assert (again.replayed.failed, again.verdict.proves) == ((), True)
