"""What changes on either side after a first replay into a real MLflow server, and what is taken back there."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from typer.testing import CliRunner

from azureml_replay import cli
from azureml_replay.archive.archive import Archive
from azureml_replay.cli.app import app
from azureml_replay.comparison.three_way import Fate
from azureml_replay.connection import config_named
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.errors import UserError
from azureml_replay.mlflow.not_ours import KEPT
from azureml_replay.planning.files import FileChoice
from azureml_replay.selection import Selection
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import Document
from e2e.tampering import FILE, HOME, OTHER_BYTES, Held, change, file_bytes, fill, in_home, in_run, row
from mlflow_servers import MlflowServer
from servers.moving import (
    ALL,
    Sent,
    bindings,
    copied,
    findings,
    kept,
    named,
    omissions,
    opened,
    prefix_of,
    sent,
    sent_now,
    taken_back,
)
from servers.seen import SeenRun, look

SOME = "model.bin"
PRESSING = ("missing", "warning")
LATER = "2030-01-01T00:00:00+00:00"
_YEARS = count(2031)


def now() -> str:
    """Later than ever before: extraction goes by it."""
    return f"{next(_YEARS)}{LATER[4:]}"


class Sides:
    """A source that is changed, and the server that its history goes to."""

    def __init__(self, sandbox: Sandbox, source: WorkspaceFile, server: MlflowServer, folder: Path) -> None:
        self.sandbox, self.source, self.server = sandbox, source, server
        self.folder, self.target = folder / "history", named(server, folder)
        self.client = MlflowClient(tracking_uri=server.url)

    def send(self) -> Sent:
        asyncio.run(kept(self.source, self.folder))
        return sent_now(self.folder, self.target)

    def edit(self, how: Any) -> None:
        change(self.sandbox, self.source, how)

    def there(self, run: str) -> str:
        return bindings(self.folder, self.target)[run]

    def seen(self, run: str) -> SeenRun:
        return look(self.server.url, prefix_of(self.target)).runs[self.there(run)]

    def home(self) -> str:
        """The experiment's id there."""
        return str(self.client.get_experiment_by_name(prefix_of(self.target) + HOME).experiment_id)

    def stage(self, run: str) -> str:
        """Of a run there, by its id."""
        return str(self.client.get_run(run).info.lifecycle_stage)

    def told(self) -> set[tuple[str, str, str]]:
        return {(one.run, one.what, one.kind) for one in findings(self.folder, self.target)}


def of_root(**fields: object) -> Any:
    """As a PATCH of the root would."""
    return in_run(lambda run: {**fields, "lastModifiedUtc": now()})


def more_rows(held: Held) -> None:
    """A row that the source gets later, and the run's note of it."""
    series, _ = held.rows()
    held.world.metrics.append(held.guid, series, [row(9, 0.5)])
    held.world.runs.put(held.guid, held.run() | {"lastModifiedUtc": now()})


def with_tag(**tags: str) -> Any:
    """A tag of the root, changed."""
    return in_run(lambda run: {"tags": run["tags"] | tags, "lastModifiedUtc": now()})


@pytest.fixture
def sides(calm: Sandbox, azure_env: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path) -> Sides:
    """Of the small history; nothing is sent yet."""
    source = calm.add_workspace()
    change(calm, source, fill)
    return Sides(calm, source, mlflow_server, tmp_path)


def test_each_side_keeps_what_it_changed(sides: Sides) -> None:
    """The source's news go over, also to runs that are hidden; what people edited on the server stays, and is told."""
    assert sides.send().verdict.findings == 0
    root = sides.there("root")

    sides.edit(with_tag(team="red"))
    sides.client.set_tag(root, "mlflow.note.content", "edited there")
    sides.client.set_tag(root, "theirs", "added there")
    done = sides.send()

    assert (done.figures[0], done.replayed.failed) == (1, ())
    assert sides.told() == {("root", "description", Fate.EDITED.value), ("root", "tag theirs", Fate.EDITED.value)}
    assert (sides.seen("root").tags["team"], sides.seen("root").tags["theirs"]) == ("red", "added there")

    sides.client.delete_tag(root, "theirs")
    sides.client.set_tag(root, "mlflow.note.content", "as it was")
    sides.edit(of_root(hidden=True))
    assert sides.send().verdict.findings == 0
    assert sides.seen("root").stage == "deleted"

    sides.edit(more_rows)
    done = sides.send()

    assert (done.figures[:2], done.replayed.failed, sides.told()) == ((1, 1), (), set())
    seen = sides.seen("root")
    assert (seen.stage, len(seen.points["loss"])) == ("deleted", 6)
    assert sides.send().figures == (0, 0, 0)


def test_another_prefix_is_refused_before_anybody_is_asked(
    sides: Sides, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan, and what undo would do, are of what was sent under the archive's own."""
    assert sides.send().verdict.findings == 0
    (tmp_path / "elsewhere").mkdir()
    other, archive = str(named(sides.server, tmp_path / "elsewhere")), str(sides.folder)

    for line in (["plan", archive, "--target", other], ["undo", archive, "--target", other, "--dry-run"]):
        assert cli.run(line) == 2
        assert "is under experiment_prefix" in " ".join(capsys.readouterr().err.split())


def test_a_run_that_ended_later_is_proven(sides: Sides) -> None:
    """What the lineage says of its exact times is written anew with it; the server's own field has milliseconds."""
    assert sides.send().verdict.findings == 0

    sides.edit(of_root(endTimeUtc=LATER))
    assert sides.send().verdict.findings == 0
    assert json.loads(sides.client.get_run(sides.there("root")).data.tags["azureml_replay"])["end"] == LATER
    assert sides.send().figures == (0, 0, 0)


def test_files_that_were_sent_before_they_changed_are_not_equal(sides: Sides) -> None:
    """A server tells no checksums; the archive knows that it sent other bytes, of a file that replay makes, too."""
    assert sides.send().verdict.findings == 0
    sides.edit(file_bytes(OTHER_BYTES))
    sides.edit(of_root(runDefinition={"script": "trial.py"}))
    asyncio.run(kept(sides.source, sides.folder))

    async def looked(*, first: bool) -> set[tuple[str, str, str]]:
        async with opened(sides.target) as server:
            with Archive.open(sides.folder) as archive:
                if not first:
                    await replay(archive, None, server, ALL, options=ReplayOptions(files=FileChoice(artifacts=False)))
                await verify(archive, server, ALL)
        return sides.told()

    weights, definition = (("root", f"file {path}: bytes", "differs") for path in (FILE, "replay/job.json"))
    assert asyncio.run(looked(first=True)) == {weights, definition}
    assert asyncio.run(looked(first=False)) == {weights}, "what replay makes of a run goes with --no-artifacts, too"
    assert sides.send().verdict.findings == 0


def reusing(held: Held) -> None:
    """A run of its own unit that shows the root's files and points, as a reused step does."""
    root = held.run("root")
    again = {"runId": "again", "rootRunId": "again", "displayName": "again", "dataContainerId": "dcid.root"}
    held.world.runs.put(held.guid, root | again)


def open_in(sides: Sides) -> tuple[int, int]:
    """How many runs the evidence proves equal, which are those that were sent as they are now; and how many not."""
    with Archive.open(sides.folder, write=False) as archive:
        ledger = archive.ledger(config_named(str(sides.target)).ref)
        of_all = verdict(archive, ledger)
        each = verdict(archive, ledger, Selection(include=("root", "again")))
        sent = sum(one.runs for one in ledger.alike() if one.sent)
    assert (each.equal, each.not_compared, sent) == (of_all.equal, of_all.not_compared, of_all.equal)
    return of_all.equal, of_all.not_compared


def test_a_reused_step_gets_the_files_and_points_of_the_run_that_ran(sides: Sides) -> None:
    """A server shows no run's files with another; what comes to that run later comes to the step, and unproves both."""
    sides.edit(reusing)
    assert sides.send().verdict.findings == 0
    root, again = sides.seen("root"), sides.seen("again")
    assert (again.points, again.files[f"outputs/{SOME}"]) == (root.points, root.files[f"outputs/{SOME}"])
    assert not [one for one in omissions(sides.folder, sides.target) if "files and metrics" in one.what]
    assert open_in(sides) == (3, 0)

    sides.edit(more_rows)
    asyncio.run(kept(sides.source, sides.folder))
    assert open_in(sides) == (1, 2)
    done = sent_now(sides.folder, sides.target)

    assert (done.figures[1], done.verdict.findings, open_in(sides)) == (2, 0, (3, 0))
    assert len(sides.seen("again").points["loss"]) == len(sides.seen("root").points["loss"]) == 6
    assert sides.send().figures == (0, 0, 0)


def test_an_archived_experiment_is_opened_for_news_and_archived_again(
    sides: Sides, mlflow_server: MlflowServer
) -> None:
    """A server deletes its runs with it, and restores all; one that was hidden for itself stays hidden."""
    sides.edit(in_home(archivedTime=LATER))
    sides.edit(in_run(lambda run: {"hidden": True}, "child"))

    assert sides.send().verdict.findings == 0
    assert look(mlflow_server.url, prefix_of(sides.target)).experiments[HOME][0] == "deleted"

    sides.edit(with_tag(team="red"))
    assert (sides.send().figures[0], sides.told()) == (1, set())
    assert sides.seen("root").tags["team"] == "red"
    assert look(mlflow_server.url, prefix_of(sides.target)).experiments[HOME][0] == "deleted"
    assert sides.send().figures == (0, 0, 0)

    sides.edit(in_home(archivedTime=None))
    assert sides.send().verdict.findings == 0
    assert (sides.seen("root").stage, sides.seen("child").stage) == ("active", "deleted")


def test_undo_hides_and_replay_brings_back(sides: Sides) -> None:
    """Runs, files and the experiment; nobody's own run is hidden with them. Nothing can be removed for good."""
    sides.send()
    before = sides.seen("root")
    home = sides.client.get_experiment_by_name(prefix_of(sides.target) + HOME)
    own = sides.client.create_run(home.experiment_id, run_name="theirs")
    sides.client.create_registered_model(model := f"{prefix_of(sides.target)}model")
    sides.client.create_model_version(model, f"runs:/{sides.there('root')}/outputs/{SOME}", sides.there("root"))

    done = asyncio.run(taken_back(sides.folder, sides.target))

    assert (done.runs, done.failed, HOME in done.experiments) == (2, (), False)
    assert sides.seen("root").stage == "deleted"
    assert list(sides.seen("root").files) == [f"outputs/{SOME}"]
    assert [why for _, why in done.left] == [f"file outputs/{SOME} stays: model {model}:1 of the target lies there"]
    listed = sides.client.search_runs([home.experiment_id], run_view_type=ViewType.ACTIVE_ONLY)
    assert [run.info.run_id for run in listed] == [own.info.run_id]
    assert sides.send().verdict.findings == 0
    after = sides.seen("root")
    assert (after.stage, after.files, after.points, after.tags) == ("active", before.files, before.points, before.tags)
    refused = CliRunner().invoke(app, ["undo", str(sides.folder), "--target", str(sides.target), "--delete"])
    assert "mlflow gc" in str(refused.exception)


def test_what_others_have_there_is_neither_deleted_nor_brought_back(sides: Sides) -> None:
    """A server deletes an experiment with everything in it, and restores what was deleted one by one before."""
    sides.send()
    client, home = sides.client, sides.home()
    theirs = client.create_run(home, run_name="theirs").info.run_id

    sides.edit(in_home(archivedTime=LATER))
    done = sides.send()

    assert (done.replayed.failed, done.verdict.findings) == ((), 0)
    held = {one.what: one.reason for one in omissions(sides.folder, sides.target)}
    assert f"run {theirs}, which is not of this source" in held[f"experiment {HOME}: archived"]
    assert (client.get_experiment(home).lifecycle_stage, sides.stage(theirs)) == ("active", "active")

    client.delete_run(theirs)
    client.delete_run(sides.there("child"))
    undone = asyncio.run(taken_back(sides.folder, sides.target))

    assert undone.runs == 1
    assert [what for _, what in undone.left] == [
        f"experiment {HOME}: {KEPT.format(what=f'run {theirs}, which is not of this source')}",
        f"run {sides.there('child')} was edited in the target since: hidden",
    ]
    again = sides.send()
    assert again.replayed.failed == ()
    assert [sides.stage(run) for run in (theirs, sides.there("child"), sides.there("root"))] == [
        *("deleted", "deleted", "active")
    ]
    assert ("child", "hidden", Fate.EDITED.value) in sides.told()


def test_no_run_is_made_twice_where_its_experiment_has_another_name(
    sides: Sides, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Another archive of the source finds them by their tags; the same source under another prefix is none of its."""
    asyncio.run(kept(sides.source, sides.folder))
    other, beside = (copied(sides.folder, tmp_path / name) for name in ("other", "beside"))
    sides.send()
    named_so = prefix_of(sides.target)
    sides.client.rename_experiment(sides.home(), f"vision team / {HOME}")

    again = sent_now(other, sides.target)

    assert (again.replayed.failed, again.replayed.points) == ((), 0)
    assert bindings(other, sides.target) == bindings(sides.folder, sides.target)
    assert ("root", "experiment", "differs") in {(one.run, one.what, one.kind) for one in findings(other, sides.target)}
    (tmp_path / "beside.d").mkdir()
    apart = named(mlflow_server, tmp_path / "beside.d")
    assert prefix_of(apart) != named_so
    sent_now(beside, apart)
    assert not set(bindings(beside, apart).values()) & set(bindings(other, sides.target).values())


def test_an_archive_sends_to_a_server_under_one_prefix(
    sides: Sides, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """It is one target, and what is there stays where it is: another prefix is refused by each command, by name."""
    assert sides.send().verdict.findings == 0
    (tmp_path / "beside").mkdir()
    beside = named(mlflow_server, tmp_path / "beside")

    async def verified() -> None:
        async with opened(beside) as server:
            with Archive.open(sides.folder) as archive:
                await verify(archive, server, ALL)

    for go in (sent(sides.folder, beside), taken_back(sides.folder, beside), verified()):
        with pytest.raises(UserError) as refused:
            asyncio.run(go)
        told = str(refused.value)
        assert f'"{prefix_of(sides.target)}", not "{prefix_of(beside)}"' in told
    assert look(mlflow_server.url, prefix_of(beside)).experiments == {}
    assert sides.send().figures == (0, 0, 0)


def test_an_experiment_with_more_than_runs_stays(sides: Sides, mlflow_server: MlflowServer) -> None:
    """Traces and logged models are of whoever recorded them: no run of ours has any. Nor goes a file of other bytes."""
    sides.send()
    sides.client.log_text(sides.there("child"), "LOG", "logs/a.txt")  # as long as ours, and no server lists checksums
    left = []

    for script in (TRACE, LOGGED_MODEL):
        mlflow_server.does(script.format(home=sides.home()))
        left += [why for _, why in asyncio.run(taken_back(sides.folder, sides.target)).left]

    traces, models = (f"experiment {HOME}: {KEPT.format(what=what)}" for what in ("traces", "logged models"))
    assert left == [traces, "file logs/a.txt was changed in the target since", models]
    assert sides.seen("child").files.keys() == {"logs/a.txt"}
    assert sides.client.get_experiment(sides.home()).lifecycle_stage == "active"


TRACE = """
import mlflow
mlflow.set_experiment(experiment_id="{home}")
with mlflow.start_span(name="chain"):
    pass
mlflow.flush_trace_async_logging()
"""
LOGGED_MODEL = """
import mlflow, time
client = mlflow.MlflowClient()
client.delete_traces(experiment_id="{home}", max_timestamp_millis=int(time.time() * 1000) + 60_000)
client.create_logged_model(experiment_id="{home}", name="theirs")
"""


def test_commands_name_the_server_as_any_workspace(
    calm: Sandbox, azure_env: dict[str, str], mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: Any
) -> None:
    """Doctor first, then one migrate by its address; status, map and report know it."""
    monkeypatch.chdir(tmp_path)
    source = calm.add_workspace()
    change(calm, source, fill)
    target = named(mlflow_server, tmp_path)
    say = ["--source", str(source.path), "--target", str(target)]

    looked = CliRunner().invoke(app, ["doctor", *say, "--json"])
    done = CliRunner().invoke(app, ["migrate", *say, "--archive", "history", "--json"])

    rows: list[Document] = json.loads(looked.stdout)["rows"]
    assert (looked.exit_code, done.exit_code) == (0, 0), (looked.output, done.output)
    assert [
        one for one in rows if one["side"] == "target" and one["outcome"] in PRESSING and one["probe"] != "answers"
    ] == []
    status = CliRunner().invoke(app, ["status", "history"]).output
    assert mlflow_server.url in status
    mapped = CliRunner().invoke(app, ["map", "history", "--json"])
    rows = json.loads(mapped.stdout)
    assert {"root", "child"} <= {one["source_id"] for one in rows}
    pages = {one["target_url"] for one in rows}
    assert pages == {f"{mlflow_server.url}/#/runs/{one['target_id']}" for one in rows}
    assert CliRunner().invoke(app, ["report", "history", "--output", "page.html"]).exit_code == 0
    told = b"".join(_packed(Path("page.html").read_text()))
    assert all(f'["target in MLflow","{page}"]'.encode() in told for page in pages)
    assert f'"{mlflow_server.url}/#/"'.encode() in told


def _packed(page: str) -> Iterator[bytes]:
    """What lies in a report's blocks: texts of base64, some of them packed."""
    for text in re.findall(r"[A-Za-z0-9+/]{40,}=*", page):
        with suppress(ValueError, OSError, EOFError):
            data = base64.b64decode(text)
            yield gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
