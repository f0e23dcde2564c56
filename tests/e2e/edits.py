"""What owners and strangers do to two workspaces and an archive behind the commands: most edits made again go back."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from azure.storage.blob import ContentSettings

from azureml_sandbox import instants
from azureml_sandbox.fill.sample_runs import empty_run, experiment, finished
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Document, scalar
from e2e.tampering import BEGIN, Change, Held, overwrite, row
from unit.archive.test_check import UNDER_NO_DIGEST

HOME, OTHER, THEIRS = "home", "other", "theirs"
RUNS = ("root", "child", "alone")
FILES_OF = {
    "outputs/model.bin": ("root", b"weights 0123456789"),
    "outputs/small.txt": ("child", b"abc"),
    "logs/a.txt": ("alone", b"a log"),
}


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
        begun = instants.parse(run["createdUtc"])
        held.world.runs.put(held.guid, finished(run, "Completed", begun, BEGIN + 10**9))
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


def _turned(tags: Document) -> Document:
    """With one more, or without it again."""
    return {key: value for key, value in tags.items() if key != "hand"} if "hand" in tags else tags | {"hand": "1"}


def marked(run: str) -> Change:
    """A tag that comes and goes."""
    return _document(run, lambda one: {"tags": _turned(one["tags"])})


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
        overwrite(blob, other if blob.download_blob().readall() == data else data)
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
            if there.exists():  # whoever rewrote it made it a blob of another type, which storage does not write over
                there.delete_blob()
            held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.{run}/{path}", data, append=path.startswith("logs"))
            held.world.artifacts.register(held.guid, address, path)

    return changed


def flipped(run: str, path: str, told: bool) -> Change:
    """The last byte of any file; and back. With `told`, under the MD5 of before."""

    def changed(held: Held) -> None:
        blob = _blob(held, run, path)
        before, data = blob.get_blob_properties(), blob.download_blob().readall()
        if data:
            overwrite(blob, data[:-1] + bytes([data[-1] ^ 1]))
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
    "other tagged": in_experiment(OTHER, lambda one: {"tags": _turned(one["tags"])}),
}


CONTENT = (
    *("artifact", "chunk", "experiment", "job", "omission", "run", "run_version", "series"),
    *("binding", "evidence", "finding", "look", "planned_omission", "receipt", "sent_file", "sent_run"),
)
"""What a verdict is made of."""


_STAGED = """
    select 1 from run_version v join run on run.id = v.run where v.generation > run.generation
    union select 1 from omission o join run on run.id = o.run where o.generation > run.generation
"""
"""What an extraction that was cut has staged is under no digest yet; nor what one with a depth noted of a run that an
earlier one brought: it is told of no run that is here."""


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
