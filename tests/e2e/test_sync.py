"""A second migration: what changed on which side since the first, row by row of FIDELITY's table."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import GONE, HISTORY_LEFT_OUT
from azureml_replay.azure.config import workspace_config
from azureml_replay.comparison.experiments import kept_under
from azureml_replay.comparison.three_way import GONE_REASON, Fate, Prefer
from azureml_replay.direct.options import ReplayOptions
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.extraction.metrics import Metrics
from azureml_replay.planning.lineage import EXPERIMENT_TAG
from azureml_replay.planning.plan import LAST_ONLY, plan
from azureml_replay.planning.refused import HIDES
from azureml_replay.selection import Selection
from azureml_replay.verbs import Migrated, MigrateOptions, dry_run
from azureml_replay.workspace.profile import TargetProfile
from azureml_sandbox.fill.sample_runs import empty_run
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import RUN_ORIGIN, Document
from e2e.library import migrated
from e2e.tampering import (
    BEGIN,
    BYTES,
    FILE,
    HOME,
    OTHER_BYTES,
    Change,
    Held,
    change,
    file_bytes,
    fill,
    in_home,
    in_run,
    row,
)
from e2e.test_taken_back import verified
from e2e.test_undo import undone

LATER = "2030-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Case:
    """What each side does after a first migration, and what the target has after the second."""

    source: Change | None
    target: Change | None
    read: Callable[[Document], object]
    """Of the target's root."""
    then: object
    finding: tuple[str, str] | None = None
    """What and kind; the second migration finds nothing else."""
    gone: str | None = None
    writes: bool = False
    """Whether the second migration writes to a run of the target."""


def edit(**fields: object) -> Change:
    """As a PATCH would: the service notes when."""
    return in_run(lambda run: {**fields, "lastModifiedUtc": LATER})


def tag(**tags: str | None) -> Change:
    """Added or changed on the root."""
    return in_run(lambda run: {"tags": run["tags"] | tags, "lastModifiedUtc": LATER})


def untag(*names: str) -> Change:
    """Removed from the root."""
    return in_run(
        lambda run: {"tags": {k: v for k, v in run["tags"].items() if k not in names}, "lastModifiedUtc": LATER}
    )


def team(run: Document) -> object:
    """The root's tag."""
    return run["tags"].get("team")


CASES = {
    "nobody changed anything": Case(None, None, team, "blue"),
    "a tag in the source": Case(tag(team="red"), None, team, "red", writes=True),
    "a new tag in the source": Case(tag(new="1"), None, lambda run: run["tags"]["new"], "1", writes=True),
    "a tag in the target": Case(None, tag(team="green"), team, "green", ("tag team", "edited in target")),
    "a tag in both": Case(tag(team="red"), tag(team="green"), team, "green", ("tag team", "conflict")),
    # Its mark is written: from now on the value is one that was sent, for other archives too.
    "a tag in both, alike": Case(tag(team="red"), tag(team="red"), team, "red", writes=True),
    "a tag gone at the source": Case(untag("team"), None, team, "blue", gone="tag team"),
    "a tag gone at the source, changed in the target": Case(
        untag("team"), tag(team="green"), team, "green", ("tag team", "edited in target")
    ),
    "a tag gone in the target": Case(None, untag("team"), team, None, ("tag team", "edited in target")),
    "a tag changed in the source, gone in the target": Case(
        tag(team="red"), untag("team"), team, None, ("tag team", "conflict")
    ),
    "another tag in the source, one in the target": Case(
        tag(new="1"), tag(team="green"), team, "green", ("tag team", "edited in target"), writes=True
    ),
    "the description in the source": Case(
        edit(description="new"), None, lambda run: run["description"], "new", writes=True
    ),
    "the description in both": Case(
        edit(description="new"),
        edit(description="mine"),
        lambda run: run["description"],
        "mine",
        ("description", "conflict"),
    ),
    "the display name in the source": Case(
        edit(displayName="new"), None, lambda run: run["displayName"], "new", writes=True
    ),
    "archived in the source": Case(edit(hidden=True), None, lambda run: run["hidden"], True, writes=True),
    "archived in the target": Case(
        None, edit(hidden=True), lambda run: run["hidden"], True, ("hidden", "edited in target")
    ),
    "archived in the target, a tag in the source": Case(
        tag(team="red"), edit(hidden=True), lambda run: run["hidden"], True, ("hidden", "edited in target"), writes=True
    ),
}


ALWAYS = (
    "nobody changed anything",
    "a tag in the source",
    "a tag in the target",
    "a tag in both",
    "a tag gone at the source",
    "another tag in the source, one in the target",
    "archived in the source",
)
"""One for each row of the table; the others are `make test-all`'s.

Without a workspace, unit/comparison/test_three_way.py has them all."""


def twice(
    case: Case, sandbox: Sandbox, folder: Path, prefer: Prefer = Prefer.TARGET
) -> tuple[WorkspaceFile, WorkspaceFile, Migrated, int]:
    """Migrated, changed, migrated again; and how many requests of the second wrote runs."""
    source, target = sandbox.add_workspace(), sandbox.add_workspace()
    change(sandbox, source, fill)
    first = asyncio.run(migrated(source, target, folder))
    assert first.verdict.findings == 0
    for side, how in ((source, case.source), (target, case.target)):
        if how is not None:
            change(sandbox, side, how)
    sandbox.reset_requests()
    options = MigrateOptions(replay=ReplayOptions(prefer=prefer))
    done = asyncio.run(migrated(source, target, folder, options=options))
    routes = sandbox.requests()["routes"]
    # the file replay/job.json holds the source's tags too, and may go: then a lease is taken and given back
    writes = [one for one in routes if one["effect"] == "write" and re.search(r"batch/(runs|events)$", one["route"])]
    of_lease = [one for one in routes if one["route"] == "blob PUT lease"]  # each beside a term in a run's parameter
    return source, target, done, sum(one["count"] for one in writes) - sum(one["count"] for one in of_lease)


def root_of(sandbox: Sandbox, workspace: WorkspaceFile, run: str = "root") -> Document:
    """As it is stored."""
    found: list[Document] = []
    change(sandbox, workspace, lambda held: found.append(held.run(run)))
    return found[0]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in CASES]
)
def test_who_wins(name: str, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """The value, the finding, and nothing written where nothing is to be sent."""
    case = CASES[name]

    _, target, done, writes = twice(case, calm, tmp_path / "archive")

    assert case.read(root_of(calm, target)) == case.then
    with Archive.open(tmp_path / "archive", write=False) as archive:
        (ref,) = archive.targets()
        assert [(one.what, one.kind) for one in archive.ledger(ref).findings()] == (
            [case.finding] if case.finding else []
        )
    assert done.verdict.findings == (case.finding is not None)
    assert done.verdict.reasons == ({GONE_REASON: 1} if case.gone else {})
    assert bool(writes) == case.writes
    assert done.replayed.kept == ((("root", case.finding[0]),) if case.finding and "conflict" in case.finding else ())


def test_prefer_source_ends_a_conflict_later_too(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """The conflict stays open from call to call, and is sent once the source is preferred; then all is equal."""
    case = Case(tag(team="red"), tag(team="green"), team, "red")
    source, target, done, _ = twice(case, calm, tmp_path / "archive")
    again = asyncio.run(migrated(source, target, tmp_path / "archive"))

    options = MigrateOptions(replay=ReplayOptions(prefer=Prefer.SOURCE))
    ended = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))

    assert [one.replayed.kept for one in (done, again, ended)] == [(("root", "tag team"),)] * 2 + [()]
    assert team(root_of(calm, target)) == "red"
    assert (ended.replayed.runs, ended.verdict.findings) == (1, 0)


@dataclass(frozen=True)
class Homes:
    """An experiment in two workspaces, migrated by archives of any name; all of what was found, by its kind."""

    sandbox: Sandbox
    source: WorkspaceFile
    target: WorkspaceFile
    folder: Path

    def migrate(self, archive: str = "first", prefer: Prefer = Prefer.TARGET) -> dict[str, str]:
        options = MigrateOptions(replay=ReplayOptions(prefer=prefer))
        asyncio.run(migrated(self.source, self.target, self.folder / archive, options=options))
        return self.found(archive)

    def verify(self, archive: str = "first") -> dict[str, str]:
        asyncio.run(verified(self.target, self.folder / archive))
        return self.found(archive)

    def found(self, archive: str = "first") -> dict[str, str]:
        with Archive.open(self.folder / archive, write=False) as opened:
            findings = opened.ledger(workspace_config(str(self.target.path)).ref).findings()
            return {one.what.removeprefix(f"experiment {HOME}: "): one.kind for one in findings}

    def whys(self, archive: str = "first") -> list[str]:
        """Why the experiment is not archived, as verify left it."""
        with Archive.open(self.folder / archive, write=False) as opened:
            told = opened.ledger(workspace_config(str(self.target.path)).ref).planned_omissions()
            return [one.reason for one in told if one.what == f"experiment {HOME}: archived"]

    def left(self, archive: str = "first", prefer: Prefer = Prefer.TARGET) -> int:
        """Experiments that a plan has left to send."""
        with Archive.open(self.folder / archive, write=False) as opened:
            target = workspace_config(str(self.target.path)).ref
            left = dry_run(opened, target, options=ReplayOptions(prefer=prefer)).left
            return left.experiments if left else -1

    def edit(self, workspace: WorkspaceFile, tags: dict[str, str] | None = None, **fields: object) -> None:
        change(self.sandbox, workspace, lambda held: in_home(tags=held.home()["tags"] | (tags or {}), **fields)(held))

    def there(self) -> tuple[object, ...]:
        """Description, own tags, archived or not, as the target has them."""
        found: list[Document] = []
        change(self.sandbox, self.target, lambda held: found.append(held.home()))
        tags = {key: value for key, value in found[0]["tags"].items() if key != EXPERIMENT_TAG}
        return found[0]["description"], tags, found[0].get("archivedTime") is not None


@pytest.fixture
def homes(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> Homes:
    made = Homes(calm, calm.add_workspace(), calm.add_workspace(), tmp_path)
    change(calm, made.source, fill)
    assert made.migrate() == {}
    return made


ANOTHER = Fate.ANOTHER.value
EDITED, CONFLICT = "edited in target", "conflict"


def test_an_edit_of_an_experiment_stays(homes: Homes) -> None:
    """What the source changed beside it is sent; a fresh archive's second migration overwrites it as little."""
    homes.edit(homes.target, {"area": "MINE"}, description="MINE", archivedTime=LATER)
    homes.edit(homes.source, {"new": "1"})

    assert homes.migrate() == {"description": EDITED, "tag area": EDITED, "state": EDITED}
    assert homes.there() == ("MINE", {"area": "MINE", "new": "1"}, True)
    homes.edit(homes.target, archivedTime=None)
    for _ in range(2):
        assert homes.migrate("second") == {"description": CONFLICT, "tag area": CONFLICT}
        assert homes.left("second") == 0
    assert homes.left("second", Prefer.SOURCE) == 1
    homes.edit(homes.source, {"area": "new"})
    assert homes.migrate() == {"description": EDITED, "tag area": CONFLICT}
    assert homes.there() == ("MINE", {"area": "MINE", "new": "1"}, False)
    assert (homes.migrate(prefer=Prefer.SOURCE), homes.there()[1]) == (
        {"description": EDITED},
        {"area": "new", "new": "1"},
    )
    assert (homes.left(), homes.left(prefer=Prefer.SOURCE)) == (0, 0)


def test_what_another_archive_sent_of_an_experiment_is_no_edit(homes: Homes) -> None:
    """The older one blames nobody, and has nothing to remove; what somebody wrote beside it is an edit."""
    homes.edit(homes.source, {"new": "1", "area": "red"})
    assert homes.migrate("second") == {"tag area": CONFLICT}
    assert homes.migrate("second", Prefer.SOURCE) == {}
    homes.edit(homes.target, {"mine": "1"})

    assert homes.verify() == {"tag new": ANOTHER, "tag area": ANOTHER, "tag mine": EDITED}
    assert homes.migrate() == {"tag mine": EDITED}
    assert homes.there()[1] == {"area": "red", "new": "1", "mine": "1"}


def test_undo_neither_overwrites_nor_forgets_an_edit_of_an_experiment(homes: Homes) -> None:
    """Brought back, the experiment is shown, has what was written there since, and verify says so."""
    homes.edit(homes.target, description="MINE")
    asyncio.run(undone(homes.target, homes.folder / "first"))
    assert homes.there()[::2] == ("MINE", True)

    assert homes.migrate() == {"description": EDITED}
    assert homes.there()[::2] == ("MINE", False)


def test_an_experiment_with_somebodys_run_is_not_archived(homes: Homes) -> None:
    """It came after the copies did: archived, it would be seen no more. A later call archives, once it is gone."""
    somebodys(homes, "theirs")
    homes.edit(homes.source, {"new": "1"}, archivedTime=LATER)

    for found in (homes.migrate(), homes.verify()):
        assert (found, homes.there()[1:]) == ({}, ({"area": "vision", "new": "1"}, False))
        assert homes.whys() == [f"{HIDES}run theirs, which is not of this source; kept in the archive"]
        assert homes.left() == 0
    somebodys(homes, "theirs", hidden=True)
    somebodys(homes, "below", parentRunId="child", rootRunId="root")
    homes.migrate()
    assert homes.whys() == [f"{HIDES}run below, which is not of this source; kept in the archive"]
    asyncio.run(undone(homes.target, homes.folder / "first"))
    assert homes.there()[2] is False

    somebodys(homes, "below", hidden=True)
    homes.migrate()
    assert (homes.there()[2], homes.whys(), homes.left()) == (True, [], 0)


def somebodys(homes: Homes, name: str, **fields: object) -> None:
    """A run that somebody makes in the target's experiment."""

    def made(held: Held) -> None:
        run = empty_run(name, held.home()["experimentId"], BEGIN) | {"rootRunId": name, "status": "Completed"}
        held.world.runs.put(held.guid, run | fields)

    change(homes.sandbox, homes.target, made)


def test_a_receipt_tells_what_an_early_version_sent_of_an_experiment(homes: Homes) -> None:
    """It kept no values: what stands as the receipt says is no edit, anything else is taken for one."""
    for mine, found in (("one", {}), ("two", {"description": CONFLICT, "tag area": CONFLICT})):
        with closing(sqlite3.connect(homes.folder / "first" / "archive.db")) as db, db:
            assert db.execute("delete from sent_run where run = ?", (kept_under(HOME),)).rowcount == 1
        homes.edit(homes.source, description=mine)
        if found:
            homes.edit(homes.target, {"area": "MINE"})
        assert (homes.migrate(), homes.there()[0]) == (found, "one")


def rewritten(data: bytes) -> Change:
    """The root's file with other bytes, noted."""

    def changed(held: Held) -> None:
        file_bytes(data)(held)
        edit()(held)

    return changed


@pytest.mark.parametrize(
    ("theirs", "prefer", "then", "finding"),
    [
        (None, Prefer.TARGET, OTHER_BYTES, None),
        (b"mine", Prefer.TARGET, b"mine", "conflict"),
        (b"mine", Prefer.SOURCE, OTHER_BYTES, None),
    ],
    ids=["source only", "both", "both, source preferred"],
)
def test_a_file_that_changed(
    theirs: bytes | None, prefer: Prefer, then: bytes, finding: str | None, calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """As a value: the target's edit stays, unless the source is preferred."""
    case = Case(rewritten(OTHER_BYTES), file_bytes(theirs) if theirs else None, team, "blue")

    _, target, done, _ = twice(case, calm, tmp_path / "archive", prefer)

    change(calm, target, lambda held: _holds(held, then))
    with Archive.open(tmp_path / "archive", write=False) as archive:
        (ref,) = archive.targets()
        kinds = {one.kind for one in archive.ledger(ref).findings() if one.what == f"file {FILE}"}
    assert kinds == ({finding} if finding else set())
    assert done.replayed.kept == ((("root", f"file {FILE}"),) if finding else ())


def _holds(held: Held, data: bytes) -> None:
    assert held.blob(FILE).download_blob().readall() == data


def late_point(held: Held) -> None:
    """Logged after the end; the run's document stays as it is."""
    series, _ = held.rows()
    held.world.metrics.append(held.guid, series, [row(9, 0.125)])


def late_file(held: Held) -> None:
    """Uploaded after the end; the run's document stays as it is."""
    held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.child"), "outputs/late.txt")
    held.blob("outputs/late.txt", "child").upload_blob(b"late")


def test_points_and_files_that_came_after_the_end_are_brought(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """The runs' documents do not tell; what was there is neither read nor sent again."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    asyncio.run(migrated(source, target, tmp_path / "archive"))
    before = root_of(calm, source)

    change(calm, source, late_point)
    point = asyncio.run(migrated(source, target, tmp_path / "archive"))
    change(calm, source, late_file)
    file = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert root_of(calm, source) == before
    assert (point.extracted.runs, point.replayed.points, point.replayed.files) == (1, 1, 0)
    assert (file.extracted.runs, file.replayed.points, file.replayed.files) == (1, 0, 1)
    assert (file.verdict.findings, file.verdict.points) == (0, 12)


def test_last_values_wait_for_their_history_and_no_row_is_twice(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """MLflow cuts times to milliseconds and calls no step 0: such a row is sent once, whole; a history stays one."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    bare, folder = MigrateOptions(extract=ExtractOptions(metrics=Metrics.LAST)), tmp_path / "archive"
    first = asyncio.run(migrated(source, target, folder, options=bare))
    with Archive.open(folder, write=False) as archive:
        jobs = sum(step.points for step in plan(archive, Selection(), profile=TargetProfile(written_once=True)))

    second = asyncio.run(migrated(source, target, folder))
    change(calm, source, tag(team="red"))
    edited = asyncio.run(migrated(source, target, folder, options=bare))
    change(calm, source, late_point)
    late = asyncio.run(migrated(source, target, folder, options=bare))
    other = asyncio.run(migrated(source, target, tmp_path / "other", options=bare))

    assert (first.extracted.points, first.replayed.points, jobs) == (3, 0, 3)
    assert first.verdict.reasons == {HISTORY_LEFT_OUT: 2, LAST_ONLY: 3}
    assert (second.extracted.points, second.replayed.points, second.verdict.reasons) == (11, 11, {})
    assert (edited.extracted.runs, edited.extracted.points, edited.replayed.points) == (1, 11, 0)
    assert (late.extracted.points, late.replayed.points, late.verdict.points) == (12, 1, 12)
    assert other.replayed.points == 0
    assert [done.verdict.findings for done in (first, second, edited, late, other)] == [0] * 5
    change(calm, target, lambda held: _rows_are(held, loss=6, accuracy=5, stepless=1))


def _rows_are(held: Held, **counts: int) -> None:
    assert {name: len(held.rows(name)[1]) for name in counts} == counts


def test_nothing_new_is_cheap(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """No write; of the source only lists: not one request for a run."""
    source, _, done, _ = twice(CASES["nobody changed anything"], calm, tmp_path / "archive")

    asked = [one["route"] for one in calm.requests()["routes"] if one["workspace"] == source.workspace_name]
    assert calm.requests()["writes"] == 0
    assert (done.extracted.runs, done.replayed.runs) == (0, 0)
    assert [route for route in asked if "runs:query" in route]
    assert not [route for route in asked if re.search(r"\{run_id\}|batchrundata|/metric/|/artifact/", route)]


def test_check_all_reads_every_run_and_sends_nothing(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """Where even that is not to be believed."""
    source, target, _, _ = twice(CASES["nobody changed anything"], calm, tmp_path / "archive")
    calm.reset_requests()
    options = MigrateOptions(extract=ExtractOptions(check_all=True))

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))

    assert (done.extracted.runs, done.extracted.points) == (2, 11)
    assert (done.replayed.runs, done.replayed.points, done.replayed.files, calm.requests()["writes"]) == (0, 0, 0, 0)


def test_a_run_that_disappeared_is_kept_and_said(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """In the archive and in the target, counted as an omission with its reason, however often."""
    gone = Case(lambda held: held.world.runs.delete(held.guid, "child"), None, team, "blue")

    source, target, done, _ = twice(gone, calm, tmp_path / "archive")
    again = asyncio.run(migrated(source, target, tmp_path / "archive"))

    for one in (done, again):
        assert (one.extracted.gone, one.extracted.failed, one.verdict.runs, one.verdict.findings) == (1, (), 2, 0)
        assert one.verdict.reasons == {GONE[0]: 1}
    assert root_of(calm, target, "child")["status"] == "Failed"


def test_a_file_that_disappeared_is_kept_and_said(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """The target's stays, and is no finding."""

    def remove(held: Held) -> None:
        held.world.artifacts.delete(held.guid, (RUN_ORIGIN, "dcid.root"), FILE)
        held.blob(FILE).delete_blob()

    _, target, done, _ = twice(Case(remove, None, team, "blue"), calm, tmp_path / "archive")

    assert (done.extracted.runs, done.verdict.findings) == (1, 0)
    assert done.verdict.reasons == {GONE_REASON: 1}
    change(calm, target, lambda held: _holds(held, BYTES))


def test_a_running_run_is_written_as_it_is_and_finished_later(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """`--include-active` freezes it; what it logs and how it ends comes by a later call, once."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, in_run(lambda run: {"status": "Running", "endTimeUtc": None}))
    waiting = asyncio.run(migrated(source, target, tmp_path / "archive"))
    active = Selection(include_active=True)
    first = asyncio.run(migrated(source, target, tmp_path / "archive", selection=active))
    frozen = root_of(calm, target)
    change(calm, source, late_point)
    change(calm, source, edit(status="Completed", endTimeUtc=LATER))

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (waiting.extracted.active, waiting.verdict.runs) == (1, 0)
    assert (frozen["status"], first.verdict.runs, first.verdict.findings) == ("Running", 2, 0)
    assert (root_of(calm, target)["status"], done.replayed.points, done.verdict.findings) == ("Completed", 1, 0)


@pytest.mark.parametrize("keep", [False, True], ids=["neutral", "kept"])
def test_a_new_run_keeps_its_type_where_asked(keep: bool, calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """With its traits, and verified; else the type is in the lineage alone."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, in_run(lambda run: {"runTypeV2": {**(run["runTypeV2"] or {}), "traits": ["automl", "x"]}}))
    options = MigrateOptions(replay=ReplayOptions(keep_run_type=keep))

    done = asyncio.run(migrated(source, target, tmp_path / "archive", options=options))

    root = root_of(calm, target)
    kept = (root["runType"], (root["runTypeV2"] or {}).get("traits") or [])
    assert (kept == ("azureml.scriptrun", ["automl", "x"])) == keep
    assert done.verdict.findings == 0

    change(calm, target, in_run(lambda _: {"runType": "other"}))
    again = asyncio.run(migrated(source, target, tmp_path / "archive"))
    assert again.verdict.findings == keep
