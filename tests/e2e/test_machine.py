"""A machine that tries: any order of commands, edits, cuts and damage, to get a verdict that is not true.

After every step its oracle (oracle.py) says what may be claimed: nothing is called equal that was not compared, or not
since it was sent, and nothing differs that was equal.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from azure.storage.blob import ContentSettings
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.workspace import AzureWorkspace
from azureml_replay.direct.replay import ReplayOptions, replay
from azureml_replay.errors import Exit, UserError
from azureml_replay.extraction.extract import ExtractOptions, extract
from azureml_replay.extraction.metrics import Metrics
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.plan import planned_units
from azureml_replay.report_page.write import report
from azureml_replay.selection import Selection
from azureml_replay.state import status
from azureml_replay.synthetic.options import Shape, SyntheticReplayOptions, job_of
from azureml_replay.synthetic.replay import replay_synthetic
from azureml_replay.undoing import undo
from azureml_replay.verbs import MigrateOptions, migrate, verify
from azureml_replay.verification.verdict import NOT_EXTRACTED, Verdict
from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Document, scalar
from e2e.library import DiesAt, PowerCut
from e2e.oracle import (
    BYTES,
    CHILDREN,
    FIELDS,
    FILES,
    MADE,
    POINTS,
    Carried,
    Differences,
    Job,
    Known,
    Seen,
    Side,
    archived,
    compare,
    strangers,
    takes,
    tree_of,
    workspace,
)
from e2e.tampering import BEGIN, Change, Held, change, row
from e2e.test_synthetic import opened
from unit.archive.test_check import UNDER_NO_DIGEST

Result = TypeVar("Result")
Key = tuple[str, str, str]
HOME, OTHER, THEIRS = "home", "other", "theirs"
RUNS = ("root", "child", "alone")
FILES_OF = {
    "outputs/model.bin": ("root", b"weights 0123456789"),
    "outputs/small.txt": ("child", b"abc"),
    "logs/a.txt": ("alone", b"a log"),
}
SELECTIONS = (
    Selection(),
    Selection(include=("root",)),
    Selection(include=("alone",)),
    Selection(experiments=(OTHER,)),
    Selection(limit=1),
    Selection(depth=0),
    Selection(tags=("team",)),
)
CHOICES = (
    FileChoice(),
    FileChoice(artifacts=False),
    FileChoice(globs=("outputs/*",)),
    FileChoice(globs=("logs/*",)),
    FileChoice(most_bytes=5),
)
TO = st.sampled_from((0, 0, 0, 0, 1))
"""Mostly the first target: what happened to it before is what a verdict is about."""
EXTRACTIONS = (
    ExtractOptions(),
    ExtractOptions(metrics=Metrics.NONE),
    ExtractOptions(metrics=Metrics.LAST),
    ExtractOptions(artifacts=False),
    ExtractOptions(check_all=True),
)


def fill(held: Held) -> None:
    """A root with a child, and a run by itself in another experiment; three files, one without a checksum."""
    home, other = experiment(HOME) | {"description": "ours", "tags": {"area": "vision"}}, experiment(OTHER)
    for one in (home, other):
        held.world.experiments.put(held.guid, one)
    root = empty_run("root", home["experimentId"], BEGIN)
    root |= {"displayName": "the root", "tags": {"team": "blue"}, "parameters": {"lr": "0.1"}}
    root |= {"runDefinition": {"script": "train.py"}}
    child = empty_run("child", home["experimentId"], BEGIN + 5, root)
    alone = empty_run("alone", other["experimentId"], BEGIN + 9) | {"displayName": "alone"}
    for run in (root, child, alone):
        held.world.runs.put(held.guid, finished(run, "Completed", BEGIN + 10, BEGIN + 10**9))
    for run in ("root", "alone"):
        held.world.metrics.append(held.guid, scalar(f"dcid.{run}", "loss"), [row(at, 1 / (at + 3)) for at in range(3)])
    for path, (run, data) in FILES_OF.items():
        held.world.artifacts.register(held.guid, (RUN_ORIGIN, f"dcid.{run}"), path)
        held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.{run}/{path}", data, append=path.startswith("logs"))


# Edits: each is made again to take it back, or goes on counting

_count = itertools.count(1)


def _document(run: str, how: Callable[[Document], Document], *, noted: bool = False) -> Change:
    def changed(held: Held) -> None:
        there = held.world.runs.get(held.guid, run)
        if there is not None:
            told = {"lastModifiedUtc": instants.text(instants.now() + next(_count))} if noted else {}
            held.world.runs.put(held.guid, there | how(there) | told)

    return changed


def tagged(run: str, **kept: bool) -> Change:
    """Another value each time."""
    return _document(run, lambda one: {"tags": one["tags"] | {"team": f"n{next(_count)}"}}, **kept)


def marked(run: str) -> Change:
    """A tag that comes and goes."""
    gone = {"hand": None}
    return _document(
        run,
        lambda one: {
            "tags": {k: v for k, v in one["tags"].items() if k not in gone}
            if "hand" in one["tags"]
            else one["tags"] | {"hand": "1"}
        },
    )


def described(run: str, **kept: bool) -> Change:
    """As none, or as one."""
    return _document(run, lambda one: {"description": None if one.get("description") else "by hand"}, **kept)


def hidden(run: str, **kept: bool) -> Change:
    """And shown again."""
    return _document(run, lambda one: {"hidden": not one.get("hidden")}, **kept)


def point(run: str, step: int | None = None) -> Change:
    """One more."""

    def changed(held: Held) -> None:
        if held.world.runs.get(held.guid, run) is not None:
            at = 100 + next(_count) if step is None else step
            held.world.metrics.append(held.guid, scalar(f"dcid.{run}", "loss"), [row(at, 0.5)])

    return changed


def _blob(held: Held, run: str, path: str) -> Any:
    return held.blobs._containers[ARTIFACT_STORE].get_blob_client(f"{RUN_ORIGIN}/dcid.{run}/{path}")


def rewritten(path: str, *, told: bool = False, longer: bool = False) -> Change:
    """Other bytes, of the same size or not; with `told`, under the MD5 of before. And back."""
    run, data = FILES_OF[path]
    other = data + b"!" if longer else data[:-1] + b"#"

    def changed(held: Held) -> None:
        blob = _blob(held, run, path)
        if not blob.exists():
            return
        before = blob.get_blob_properties()
        kind = "AppendBlob" if path.startswith("logs") else "BlockBlob"
        blob.upload_blob(other if blob.download_blob().readall() == data else data, overwrite=True, blob_type=kind)
        if told:
            blob.set_http_headers(ContentSettings(content_md5=before.content_settings.content_md5))

    return changed


def removed(path: str, *, blob: bool = True, entry: bool = True) -> Change:
    """Taken away, its bytes, its entry or both; and put there again."""
    run, data = FILES_OF[path]
    address = (RUN_ORIGIN, f"dcid.{run}")

    def changed(held: Held) -> None:
        if held.world.runs.get(held.guid, run) is None:
            return
        there = _blob(held, run, path)
        is_there = there.exists() and held.world.artifacts.get(held.guid, address, path) is not None
        if is_there:
            if blob:
                there.delete_blob()
            if entry:
                held.world.artifacts.delete(held.guid, address, path)
        else:
            held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.{run}/{path}", data, append=path.startswith("logs"))
            held.world.artifacts.register(held.guid, address, path)

    return changed


def flipped(run: str, path: str, told: bool) -> Change:
    """The last byte of any file; and back. With `told`, under the MD5 of before."""

    def changed(held: Held) -> None:
        blob = _blob(held, run, path)
        before, data = blob.get_blob_properties(), blob.download_blob().readall()
        if data:
            kind = before.blob_type
            blob.upload_blob(data[:-1] + bytes([data[-1] ^ 1]), overwrite=True, blob_type=kind)
        if told:
            blob.set_http_headers(ContentSettings(content_md5=before.content_settings.content_md5))

    return changed


def added(run: str, path: str, *, entry: bool = True) -> Change:
    """A file of nobody's planning; and away."""

    def changed(held: Held) -> None:
        if held.world.runs.get(held.guid, run) is None:
            return
        there, address = _blob(held, run, path), (RUN_ORIGIN, f"dcid.{run}")
        if there.exists():
            there.delete_blob()
            held.world.artifacts.delete(held.guid, address, path)
            return
        there.upload_blob(b"extra file")
        if entry:
            held.world.artifacts.register(held.guid, address, path)

    return changed


def spoiled(run: str) -> Change:
    """One of the files that replay made, with other bytes."""

    def changed(held: Held) -> None:
        there = _blob(held, run, "replay/job.json")
        if there.exists():
            there.upload_blob(b'{"spoiled": %d}' % next(_count), overwrite=True)

    return changed


def below(parent: str, name: str, *, archive: bool = False) -> Change:
    """A run below one of ours, in an experiment of any name; and away."""
    run = f"stranger-{parent}-{name}"

    def changed(held: Held) -> None:
        above = held.world.runs.get(held.guid, parent)
        if held.world.runs.get(held.guid, run) is not None:
            held.world.runs.delete(held.guid, run)
        elif above is not None:
            home = held.world.experiments.obtain(held.guid, name)
            held.world.runs.put(
                held.guid, finished(empty_run(run, home["experimentId"], BEGIN, above), "Completed", BEGIN, BEGIN + 1)
            )
            if archive:
                held.world.experiments.put(held.guid, home | {"archivedTime": "2024-01-01T00:00:00+00:00"})

    return changed


def in_experiment(name: str, how: Callable[[Document], Document]) -> Change:
    """Its document."""

    def changed(held: Held) -> None:
        there = held.world.experiments.named(held.guid, name)
        if there is not None:
            held.world.experiments.put(held.guid, there | how(there))

    return changed


def put_away(name: str) -> Change:
    """Archived, and shown again."""
    return in_experiment(
        name, lambda one: {"archivedTime": None if one["archivedTime"] else "2024-01-01T00:00:00+00:00"}
    )


def newborn(held: Held) -> None:
    """A run that the source gets late, below the root."""
    above = held.world.runs.get(held.guid, "root")
    if above is not None and held.world.runs.get(held.guid, "late") is None:
        run = finished(empty_run("late", above["experimentId"], BEGIN + 20, above), "Completed", BEGIN + 21, BEGIN + 22)
        held.world.runs.put(held.guid, run)
        held.world.metrics.append(held.guid, scalar("dcid.late", "loss"), [row(1, 0.25)])


def both(*changes: Change) -> Change:
    """One after the other."""
    return lambda held: [one(held) for one in changes] and None


AT_SOURCE: dict[str, Change] = {
    "tag of root": tagged("root", noted=True),
    "tag of alone": tagged("alone", noted=True),
    "description of child": _document("child", lambda _: {"description": f"n{next(_count)}"}, noted=True),
    "hidden alone": hidden("alone", noted=True),
    "point of alone": point("alone"),
    "point of root": point("root"),
    "model": both(rewritten("outputs/model.bin"), tagged("root", noted=True)),
    "small, longer": both(rewritten("outputs/small.txt", longer=True), _document("child", lambda _: {}, noted=True)),
    "new child": newborn,
    "experiment archived": put_away(OTHER),
    "experiment described": in_experiment(HOME, lambda _: {"description": f"n{next(_count)}"}),
}
AT_TARGET: dict[str, Change] = {
    **{f"tag of {run}": tagged(run) for run in ("root", "alone")},
    **{f"mark of {run}": marked(run) for run in RUNS},
    **{f"hidden {run}": hidden(run) for run in RUNS},
    "description of root": described("root"),
    "point of root": point("root"),
    "point of child": point("child"),
    "same point again": point("alone", 0),
    **{f"{path} rewritten": rewritten(path) for path in FILES_OF},
    **{f"{path} rewritten, MD5 as before": rewritten(path, told=True) for path in FILES_OF},
    **{f"{path} longer": rewritten(path, longer=True) for path in FILES_OF},
    **{f"{path} removed": removed(path) for path in FILES_OF},
    **{f"{path} without entry": removed(path, blob=False) for path in FILES_OF},
    **{f"{path} without bytes": removed(path, entry=False) for path in FILES_OF},
    "file more": added("child", "outputs/more.txt"),
    "log more": added("root", "logs/more.txt"),
    "file more, no entry": added("alone", "outputs/more.bin", entry=False),
    "file of no reused step": added("root", "replay/reused/nobody/job.json"),
    "made file more": added("child", "replay/more.json"),
    "made file spoiled": spoiled("root"),
    "child in its experiment": below("root", HOME),
    "child in theirs": below("root", THEIRS),
    "child in the other": below("child", OTHER),
    "child in theirs, archived": below("alone", "away", archive=True),
    "home archived": put_away(HOME),
    "other archived": put_away(OTHER),
    "home described": in_experiment(HOME, lambda one: {"description": f"n{next(_count)}"}),
    "other tagged": in_experiment(OTHER, lambda one: {"tags": {} if one["tags"] else {"hand": "1"}}),
}


CONTENT = (
    *("artifact", "chunk", "experiment", "job", "omission", "run", "run_version", "series"),
    *("binding", "evidence", "finding", "look", "planned_omission", "receipt", "sent_file", "sent_run"),
)
"""What a verdict is made of."""


_STAGED = "select 1 from run_version v join run on run.id = v.run where v.generation > run.generation"
"""What an extraction that was cut has staged is under no digest yet."""


def spoil(database: Path, draw: Callable[[int], int]) -> str | None:
    """Change, drop or double one row of a table with content; what was done."""
    with closing(sqlite3.connect(database)) as db, db:
        tables = [name for (name,) in db.execute("select name from sqlite_schema where type = 'table' order by name")]
        tables = [one for one in tables if one in CONTENT and db.execute(f"select 1 from {one}").fetchone()]  # noqa: S608
        if db.execute(_STAGED).fetchone():
            return None
        table = tables[draw(len(tables) - 1)]
        every = [name for _, name, *_ in db.execute(f"pragma table_info({table})")]
        columns = [name for name in every if f"{table}.{name}" not in UNDER_NO_DIGEST]
        (count,) = db.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
        at, column = draw(count - 1), columns[draw(len(columns) - 1)]
        key = ", ".join(columns)
        chosen = db.execute(f"select {key} from {table} order by {key} limit 1 offset {at}").fetchone()  # noqa: S608
        same = " and ".join(f"{one} is ?" for one in columns)
        if draw(1):
            db.execute(f"delete from {table} where {same}", chosen)  # noqa: S608
            return f"{table}: a row dropped: {chosen}"
        value = chosen[columns.index(column)]
        other = value + 1 if isinstance(value, int) else value + b"x" if isinstance(value, bytes) else f"{value or ''}x"
        try:
            db.execute(f"update {table} set {column} = ? where {same}", (other, *chosen))  # noqa: S608
        except sqlite3.IntegrityError:
            return None
        return f"{table}.{column}: {value!r} now {other!r}"


def _in_part(files: FileChoice, wanted: Seen, path: str) -> bool:
    """Whether a look at some files looks at this one: what nobody planned has no size that is known."""
    if path in wanted.files:
        return takes(files, path, wanted.files[path].size)
    return files.most_bytes is None and takes(files, path, 0)


class Tries(RuleBasedStateMachine):
    """One source, two targets, an archive. Everything is sent as runs."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.archive = self.folder / "archive"
        self.source = self.sandbox.add_workspace()
        self.targets = [self.sandbox.add_workspace() for _ in range(2)]
        self.known = [Known(), Known()]
        self.cache: dict[str, bytes] = {}
        change(self.sandbox, self.source, fill)

    def teardown(self) -> None:
        """Also after a failure."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # Reading both sides

    def side(self, of: WorkspaceFile) -> Side:
        """As it is now."""
        found: list[Side] = []
        change(self.sandbox, of, lambda held: found.append(workspace(held, self.cache)))
        return found[0]

    def wanted(self) -> Side:
        """What the archive holds now."""
        if not (self.archive / "archive.db").exists():
            return Side({}, {})
        with Archive.open(self.archive, write=False) as archive:
            return archived(archive)

    def units(self, selection: Selection) -> set[str] | None:
        """Roots; None: all."""
        if selection.everything:
            return None
        with Archive.open(self.archive, write=False) as archive:
            return set(planned_units(archive, selection))

    # Calls

    def call(
        self,
        how: Callable[[Archive, AzureWorkspace, AzureWorkspace], Awaitable[Result]],
        target: int = 0,
        cut: DiesAt | None = None,
        *,
        create: bool = False,
    ) -> Result:
        """With a source, a target and the archive."""

        async def go() -> Result:
            async with AsyncExitStack() as stack:
                reading = await stack.enter_async_context(opened(self.source, cut))
                there = await stack.enter_async_context(opened(self.targets[target], cut))
                made = Archive.create(self.archive, reading.ref) if create else Archive.open(self.archive)
                return await how(stack.enter_context(made), reading, there)

        return asyncio.run(go())

    def writes(self, target: int | None, go: Callable[[], Result]) -> Result | None:
        """A call of ours that may change the archive, or a target: what it changed has to be looked at again.

        None where it was cut, or had nothing to do.
        """
        before = self.wanted()
        sides = [self.side(one) for one in self.targets] if target is not None else []
        try:
            return go()
        except (PowerCut, UserError):
            return None
        finally:
            if target is not None:
                self._changed(target, sides[target], self.side(self.targets[target]), before)
                assert sides[1 - target] == self.side(self.targets[1 - target]), "another target was written to"

    def _changed(self, target: int, before: Side, after: Side, old: Side) -> None:
        known, wanted = self.known[target], self.wanted()
        for run, seen in after.runs.items():
            was = before.runs.get(run)
            if run not in wanted.runs or was == seen or seen.job:
                continue
            known.forget("run", run)
            known.created.add(run)
            made = known.made.setdefault(run, {})
            for path in seen.files.keys() | made.keys() | (was.files.keys() if was else set()):
                now = seen.files.get(path)
                if not path.startswith(MADE) or (was is not None and was.files.get(path) == now):
                    continue
                known.made_of[run] = wanted.runs[run]
                if now is None:
                    made.pop(path, None)
                else:
                    made[path] = now.md5
        for unit, job in known.jobs.items():
            if tree_of(before, job.name) != tree_of(after, job.name):
                known.forget("job", unit)
        for name, one in after.experiments.items():
            if before.experiments.get(name) != one:
                known.forget("experiment", name)

    # What a look sees

    def sees(
        self, target: int, units: set[str] | None, wanted: Side, there: Side, source: Side
    ) -> dict[Key, tuple[object, Differences]]:
        """Everything that a look at these units looks at, and how it is."""
        known, seen = self.known[target], dict[Key, tuple[object, Differences]]()
        chosen = {run: one for run, one in wanted.runs.items() if units is None or one.unit in units}
        for unit in {one.unit for one in chosen.values()} & known.jobs.keys():
            seen |= self.sees_job(target, unit, wanted, there)
        alone = known.jobs.keys() - {wanted.runs[run].unit for run in known.created if run in wanted.runs}
        runs = {run: one for run, one in chosen.items() if one.unit not in alone}
        for run, one in runs.items():
            carried = known.carried.get(run, Carried())
            at = there.runs.get(run)
            found = compare(
                one,
                None if at is None or at.job else at,
                carried,
                known.made.get(run, {}),
                source.runs.get(run),
                known.made_of.get(run) != one,
            )
            seen |= {("run", run, aspect): (one, differing) for aspect, differing in found.items()}
        names = {one.experiment for one in runs.values()}
        strange = strangers(wanted, there)
        for name in names | (wanted.experiments.keys() if units is None else set()):
            differing = Differences()
            if there.experiments.get(name) != wanted.experiments.get(name):
                differing.add(name, sure=name in names)
            extra = strange.pop(name, set())
            against = wanted.experiments.get(name)
            seen["experiment", name, FIELDS] = against, differing
            seen["experiment", name, CHILDREN] = against, Differences(set(extra), set(extra))
        if units is None and names:
            extra = set().union(*strange.values())
            seen["others", "", CHILDREN] = None, Differences(set(extra), set(extra))
        return seen

    def sees_job(self, target: int, unit: str, wanted: Side, there: Side) -> dict[Key, tuple[object, Differences]]:
        """Of a job."""
        originals = {run: one for run, one in wanted.runs.items() if one.unit == unit}
        found = self.known[target].jobs[unit].compare(there, originals)
        return {("job", unit, aspect): (originals, differing) for aspect, differing in found.items()}

    def looked(self, target: int, units: set[str] | None, files: FileChoice, deep: bool, *, whole: bool) -> None:
        """Note what a verification saw, or may have seen."""
        wanted, there, source = self.wanted(), self.side(self.targets[target]), self.side(self.source)
        known = self.known[target]
        aspects = {FIELDS, POINTS, CHILDREN}
        parts = files != FileChoice()
        if not parts:
            aspects |= {FILES, *([BYTES] if deep else [])}
        seen = self.sees(target, units, wanted, there, source)
        if not whole:
            known.blur([key for key in seen if key[2] in aspects], {key: found for key, (_, found) in seen.items()})
            for key, (_, found) in seen.items():
                if key[2] not in aspects:
                    known.rec(*key).differences.maybe |= found.maybe
            return
        for key, (against, found) in seen.items():
            if key[2] in aspects:
                known.look(key, against, found)
            elif parts and files.artifacts and (key[2] == FILES or deep) and key[0] == "job":
                known.rec(*key).differences.maybe |= found.maybe
                known.rec(*key).differences.sure.clear()
            elif parts and files.artifacts and (key[2] == FILES or deep):
                known.look_at_part(key, found, partial(_in_part, files, wanted.runs[key[1]]))

    def claims(self, target: int, verdict: Verdict, units: set[str] | None, deep: bool, what: str) -> None:
        """The verdict may say no more than the oracle does, and find nothing that the oracle does not."""
        known, wanted = self.known[target], self.wanted()
        chosen = {run: one for run, one in wanted.runs.items() if units is None or one.unit in units}
        as_runs = {one.unit for run, one in chosen.items() if run in known.carried}
        standing = {unit for unit, job in known.jobs.items() if not job.undone}
        jobs = {one.unit for one in chosen.values()} & known.jobs.keys()
        jobs = {unit for unit in jobs if unit in standing or unit not in as_runs}
        direct = {run: one for run, one in chosen.items() if one.unit in as_runs or one.unit not in jobs}
        names = {one.experiment for one in direct.values()}
        against: dict[Key, object] = {
            ("run", run, aspect): one for run, one in direct.items() for aspect in (FIELDS, POINTS, FILES)
        }
        for unit in jobs:
            originals = {run: one for run, one in wanted.runs.items() if one.unit == unit}
            against |= {("job", unit, aspect): originals for aspect in (FIELDS, POINTS, FILES, CHILDREN)}
            against |= {("job", unit, BYTES): originals} if deep else {}
        if deep:
            against |= {("run", run, BYTES): one for run, one in direct.items()}
        for name in names:
            against |= {("experiment", name, a): wanted.experiments.get(name) for a in (FIELDS, CHILDREN)}
        if units is None and names:
            against["others", "", CHILDREN] = None
        if verdict.exit == Exit.OK or verdict.proves:
            for key, expected in against.items():
                rec = known.rec(*key)
                assert rec.whole, f"{what}: equal, but {key} was not looked at since it was sent"
                assert rec.against == expected, f"{what}: equal, but {key} was compared with something else"
                assert not rec.differences.sure, f"{what}: equal, but {key} differed: {rec.differences.sure}"
            for group in known.open:
                assert not group <= against.keys(), f"{what}: equal, but a look at it was interrupted"
            assert units is not None or not wanted.lacking, f"{what}: equal, but not all is extracted"
        if verdict.findings:
            about = {key for key in known.recs if key[:2] in {one[:2] for one in against} or units is None}
            possible = [key for key in about if known.recs[key].differences.maybe]
            assert possible, f"{what}: a false alarm: {verdict.first}"
        if verdict.proves:
            assert verdict.exit == Exit.OK, what
            assert verdict.runs == len(chosen), what

    # Rules

    @initialize(begin=st.sampled_from(["migrate", "migrate", "migrate", "extract", "nothing"]))
    def begin(self, begin: str) -> None:
        """Most things begin with a migration."""
        if begin == "extract":
            self.extract(SELECTIONS[0], EXTRACTIONS[0])
        if begin == "migrate":
            self.migrate(0, SELECTIONS[0], CHOICES[0], deep=False)

    @rule(selection=st.sampled_from(SELECTIONS), options=st.sampled_from(EXTRACTIONS))
    def extract(self, selection: Selection, options: ExtractOptions) -> None:
        """The source again."""
        self.writes(
            None,
            lambda: self.call(
                lambda archive, source, _: extract(source, archive, selection, options=options, width=4), create=True
            ),
        )

    @rule(at=st.sampled_from([5, 9, 13, 17, 22]), all_again=st.booleans())
    def extract_cut(self, at: int, all_again: bool) -> None:
        """The power goes at that request."""
        options = ExtractOptions(check_all=all_again)
        self.writes(
            None,
            lambda: self.call(
                lambda archive, source, _: extract(source, archive, Selection(), options=options, width=4),
                cut=DiesAt(at, delivered=True),
                create=True,
            ),
        )

    @rule(name=st.sampled_from(sorted(AT_SOURCE)))
    def edit_source(self, name: str) -> None:
        """By its owners."""
        change(self.sandbox, self.source, AT_SOURCE[name])

    @rule(to=TO, name=st.sampled_from(sorted(AT_TARGET)))
    def edit_target(self, to: int, name: str) -> None:
        """By hand."""
        change(self.sandbox, self.targets[to], AT_TARGET[name])

    @rule(name=st.sampled_from(sorted(name for name in AT_TARGET if "/" in name)), deep=st.booleans())
    def edit_file_and_look(self, name: str, deep: bool) -> None:
        """Found, it has to stay found."""
        self.edit_target(0, name)
        self._verify(0, Selection(), FileChoice(), deep)

    @rule(to=TO, selection=st.sampled_from(SELECTIONS), files=st.sampled_from(CHOICES))
    def replay(self, to: int, selection: Selection, files: FileChoice) -> None:
        """As runs."""
        self._replay(to, selection, files)

    @rule(
        to=TO,
        selection=st.sampled_from(SELECTIONS[:3]),
        at=st.sampled_from([3, 9, 14, 20, 26, 33, 40, 47, 60]),
        delivered=st.booleans(),
    )
    def replay_cut(self, to: int, selection: Selection, at: int, delivered: bool) -> None:
        """The power goes at that request."""
        self._replay(to, selection, FileChoice(), DiesAt(at, delivered=delivered))

    def _replay(self, target: int, selection: Selection, files: FileChoice, cut: DiesAt | None = None) -> None:
        if not self.wanted().runs:
            return
        options = ReplayOptions(files=files)
        done = self.writes(
            target,
            lambda: self.call(
                lambda archive, source, there: replay(archive, source, there, selection, options=options, width=4),
                target,
                cut,
            ),
        )
        if done is not None:
            assert done.failed == ()
            assert not done.conflicts or self.known[target].jobs
        self._carried(target, selection, files, cut=done is None)

    def _carried(self, target: int, selection: Selection, files: FileChoice, *, cut: bool) -> None:
        with suppress(UserError):
            units, there = self.units(selection), self.side(self.targets[target])
            known = self.known[target]
            for run, one in self.wanted().runs.items():
                at = there.runs.get(run)
                if (units is not None and one.unit not in units) or (at is not None and at.job):
                    continue
                if at is None and one.unit in known.jobs:
                    continue  # its id, or a relative's, is the job's
                carried = known.carried.setdefault(run, Carried())
                if not cut:
                    carried.add(files)
                elif carried.choices:
                    carried.unsure = True
                else:
                    carried.doubt = True

    @rule(
        to=TO,
        selection=st.sampled_from(SELECTIONS),
        files=st.sampled_from(CHOICES),
        deep=st.booleans(),
    )
    def migrate(self, to: int, selection: Selection, files: FileChoice, deep: bool) -> None:
        """Everything in one go."""
        options = MigrateOptions(replay=ReplayOptions(files=files), deep=deep)
        done = self.writes(
            to,
            lambda: self.call(
                lambda archive, source, there: migrate(source, there, archive, selection, options=options, width=4),
                to,
                create=True,
            ),
        )
        if done is None:
            return
        assert (done.replayed.failed, done.extracted.failed) == ((), ())
        assert not done.replayed.conflicts or self.known[to].jobs
        self._carried(to, selection, files, cut=False)
        units = self.units(selection)
        self.looked(to, units, FileChoice(), deep, whole=True)
        self.claims(to, done.verdict, units, deep, "migrate")
        assert done.verdict.exit in (Exit.OK, Exit.FINDINGS), "migrate left something uncompared"

    @rule(to=TO, deep=st.booleans())
    def verify(self, to: int, deep: bool) -> None:
        """Everything."""
        self._verify(to, Selection(), FileChoice(), deep)

    @rule(to=TO, selection=st.sampled_from(SELECTIONS), files=st.sampled_from(CHOICES), deep=st.booleans())
    def verify_part(self, to: int, selection: Selection, files: FileChoice, deep: bool) -> None:
        """Some units, some files."""
        self._verify(to, selection, files, deep)

    @rule(files=st.sampled_from(CHOICES[1:]), deep=st.booleans())
    def verify_files(self, files: FileChoice, deep: bool) -> None:
        """Some files of all units."""
        self._verify(0, Selection(), files, deep)

    @rule(
        to=TO, selection=st.sampled_from(SELECTIONS[:3]), at=st.sampled_from([2, 5, 8, 12, 16, 22]), deep=st.booleans()
    )
    def verify_cut(self, to: int, selection: Selection, at: int, deep: bool) -> None:
        """The power goes at that request."""
        self._verify(to, selection, FileChoice(), deep, DiesAt(at, delivered=True))

    def _verify(self, to: int, selection: Selection, files: FileChoice, deep: bool, cut: DiesAt | None = None) -> None:
        if not (self.archive / "archive.db").exists():
            return
        verdict: Verdict | None = None
        began: list[bool] = []

        async def look(archive: Archive, source: AzureWorkspace, there: AzureWorkspace) -> Verdict:
            began.append(True)  # a cut while the connections were made cut no look
            return await verify(archive, there, selection, source=source, deep=deep, files=files, width=4)

        try:
            units = self.units(selection)
            verdict = self.call(look, to, cut)
        except UserError:
            return
        except PowerCut:
            pass
        if verdict is None and not began:
            return
        deep = deep and files.artifacts
        self.looked(to, units, files, deep, whole=verdict is not None)
        if verdict is not None:
            self.claims(to, verdict, units, deep, "verify")
            if files == FileChoice():
                unread = set(verdict.uncompared) <= {NOT_EXTRACTED}
                assert verdict.exit in (Exit.OK, Exit.FINDINGS) or unread, "verify left something uncompared"

    @rule(to=TO)
    def undo(self, to: int) -> None:
        """Everything."""
        if not (self.archive / "archive.db").exists():
            return
        before = self.side(self.targets[to])
        done = self.writes(to, lambda: self.call(lambda archive, _, there: undo(archive, there, width=4), to))
        if done is None:
            return
        assert done.failed == ()
        known = self.known[to]
        for job in known.jobs.values():
            job.undone = True
        for run, one in self.side(self.targets[to]).runs.items():
            if run not in before.runs or not one.fields["hidden"] or run not in known.carried:
                continue
            if not before.runs[run].fields["hidden"]:
                del known.carried[run]
            else:
                known.carried[run].unsure = known.carried[run].doubt = True

    @rule()
    def report(self) -> None:
        """Its sentence is of the first target that was written to."""
        if not (self.archive / "archive.db").exists():
            return
        with Archive.open(self.archive, write=False) as archive:
            if len(archive.targets()) != 1:
                return
            said = report(archive, self.folder / "report.html").verdict
            (one,) = status(archive).targets
        assert said.startswith("All equal") == one.verdict.proves, (said, one.verdict)

    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """By hand, to a copy of the archive: `check` has to find it."""
        if not self.wanted().runs:
            return
        copy = self.folder / "copy"
        shutil.copytree(self.archive, copy)
        try:
            what = spoil(copy / "archive.db", lambda most: data.draw(st.integers(0, most)))
            with Archive.open(copy, write=False) as archive:
                assert what is None or archive.checked(read_data=False).damaged, what
        finally:
            shutil.rmtree(copy)

    @invariant()
    def status_is_true(self) -> None:
        """After every step, of every target."""
        if not (self.archive / "archive.db").exists():
            return
        with Archive.open(self.archive, write=False) as archive:
            told = status(archive).targets
        names = {one.workspace_name: at for at, one in enumerate(self.targets)}
        for one in told:
            at = next(at for name, at in names.items() if name in str(one.target))
            self.claims(at, one.verdict, None, deep=False, what="status")


JOB_EDITS = ("mark", "description", "hidden", "point", "file more", "file flipped", "stranger")


class TriesJobs(Tries):
    """The same, and units are sent as jobs too: few steps, for each job takes a second."""

    @initialize()
    def begin_with_a_job(self) -> None:
        """One unit."""
        if not self.wanted().runs:
            self.extract(Selection(), ExtractOptions())
        self.submit(SELECTIONS[2], FileChoice())

    @rule(selection=st.sampled_from(SELECTIONS[:3]), files=st.sampled_from(CHOICES[:2]))
    def submit(self, selection: Selection, files: FileChoice) -> None:
        """As jobs, into the first target."""
        if not self.wanted().runs:
            return
        options = SyntheticReplayOptions(shape=Shape(files=files))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("azureml_replay.synthetic.wait.SHORTEST_PAUSE_S", 0.2)
            done = self.writes(
                0,
                lambda: self.call(
                    lambda archive, source, there: replay_synthetic(
                        archive, source, there, selection, options=options, width=4
                    )
                ),
            )
        if done is None or done.verdict is None:
            return
        units, wanted, there = self.units(selection), self.wanted(), self.side(self.targets[0])
        known = self.known[0]
        with Archive.open(self.archive, write=False) as archive:
            (target,) = (one for one in archive.targets() if self.targets[0].workspace_name in str(one))
            names = {unit: job_of(archive.ledger(target), unit) for unit in archive.units()}
        for unit, name in names.items():
            if name is None or (units is not None and unit not in units):
                continue
            originals = {run: one for run, one in wanted.runs.items() if one.unit == unit}
            job = known.jobs.setdefault(unit, Job(name, tree_of(there, name), originals))
            job.undone = False
            for key, (against, found) in self.sees_job(0, unit, wanted, there).items():
                if key[2] != BYTES:
                    known.look(key, against, found)
        self.claims(0, done.verdict, units, deep=False, what="replay_synthetic")

    @rule(edit=st.sampled_from(JOB_EDITS), data=st.data())
    def edit_job(self, edit: str, data: st.DataObject) -> None:
        """One of the runs of a job, by hand; then somebody looks, deep or not, or not at all."""
        there = self.side(self.targets[0])
        runs = sorted(run for job in self.known[0].jobs.values() for run in tree_of(there, job.name))
        if not runs:
            return
        run = data.draw(st.sampled_from(runs))
        files = sorted(path for path in tree_of(there, there.runs[run].job)[run].files if "replay" not in path)
        flip = flipped(run, data.draw(st.sampled_from(files)), data.draw(st.booleans())) if files else marked(run)
        how = {
            "mark": marked(run),
            "description": described(run),
            "hidden": hidden(run),
            "point": point(run),
            "file more": added(run, "outputs/more.txt"),
            "file flipped": flip,
            "stranger": below(run, HOME),
        }
        change(self.sandbox, self.targets[0], how[edit])
        look = data.draw(st.sampled_from(["no", "plain", "deep"]))
        if look != "no":
            self._verify(0, Selection(), FileChoice(), look == "deep")


def tries(machine: type[Tries], sandbox: Sandbox, number: int, *, examples: int, steps: int) -> None:
    """So many examples of so many steps, the same ones for a number; not shrunk, for a step takes a second."""
    here = type("Here", (machine,), {"sandbox": sandbox})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(here), settings=chosen)


def test_a_machine_that_tries(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """A few examples."""
    tries(Tries, calm, 1, examples=2, steps=10)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_machine_that_tries_jobs_too(calm: Sandbox, azure_env: dict[str, str]) -> None:
    """A few examples."""
    tries(TriesJobs, calm, 0, examples=6, steps=8)


@pytest.mark.sweep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("number", range(16))
def test_a_machine_that_tries_long(number: int, calm: Sandbox, azure_env: dict[str, str]) -> None:
    """An eighth of these in `make test-all`, another one each day."""
    tries(Tries, calm, 100 + number, examples=30, steps=16)


@pytest.mark.sweep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("number", range(8))
def test_a_machine_that_tries_jobs_long(number: int, calm: Sandbox, azure_env: dict[str, str]) -> None:
    """As above."""
    tries(TriesJobs, calm, 200 + number, examples=15, steps=10)
