"""An archive that an older version began to replay goes on: the target is asked once, and gets nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import names_of
from azureml_replay.azure.workspace import connect
from azureml_replay.direct.options import Replayed
from azureml_replay.direct.replay import replay
from azureml_replay.progress import Silent
from azureml_replay.selection import Selection
from azureml_replay.verbs import verify
from azureml_replay.verification.verdict import Verdict
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import FastClock, configured
from e2e.tampering import change, in_run
from old_archives import unpacked

MOVED = "update target set subscription_id = ?, resource_group = ?, workspace = ?, arm_id = ?"
RECEIPTS = ("receipt", "sent_run", "sent_file", "finding", "verification")


@dataclass
class Heard(Silent):
    """What was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)


def begun(number: int, folder: Path, target: WorkspaceFile, *, receipts: bool) -> Path:
    """The archive of a format, as it was replayed into this target; without `receipts`, as before that."""
    ref = configured(target).ref
    with closing(sqlite3.connect(unpacked(number, folder) / "archive.db", isolation_level=None)) as database:
        database.execute(MOVED, (*names_of(ref), ref.key))
        held = {name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")}
        for table in () if receipts else held.intersection(RECEIPTS):
            database.execute(f"delete from {table}")  # noqa: S608  # our own words
    return folder


async def replayed(folder: Path, target: WorkspaceFile) -> tuple[Replayed, Verdict, list[str]]:
    """From the archive alone; with what was said on the way."""
    heard = Heard()
    async with AsyncExitStack() as stack:
        archive = stack.enter_context(Archive.open(folder))
        there = await stack.enter_async_context(connect(configured(target), clock=FastClock()))
        done = await replay(archive, None, there, Selection(), progress=heard)
        return done, await verify(archive, there, Selection(), deep=True), heard.lines


@pytest.mark.parametrize("number", [4, 6, 11])
def test_an_older_archive_goes_on(number: int, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """No point or file twice, an edit stays, one line says it; the next call asks no more. Up to format 5 nobody knows
    what was sent."""
    target = calm.add_workspace()
    first, verdict, lines = asyncio.run(replayed(begun(number, tmp_path / "new", target, receipts=False), target))
    assert (first.runs, first.points, first.files, verdict.findings) == (3, 330, 4, 0)
    assert [line.partition(f" {configured(target).ref}")[0] for line in lines] == [
        "an older version of this tool looked at"
    ]
    old = begun(number, tmp_path / "old", target, receipts=True)
    with Archive.open(old) as archive:
        (root,) = archive.units()
    change(calm, target, in_run(lambda run: {"tags": run["tags"] | {"team": "red"}}, root))
    calm.reset_requests()

    done, verdict, lines = asyncio.run(replayed(old, target))

    writes = [one["route"] for one in calm.requests()["routes"] if one["effect"] == "write"]
    assert writes == []
    assert (done.runs, done.points, done.files, done.bytes, done.failed) == (0, 0, 0, 0, ())
    assert [(one.what, one.actual) for one in verdict.first] == [("tag team", "red")]
    assert (verdict.runs, verdict.points, verdict.files, verdict.findings) == (3, 330, 4, 1)
    assert lines == ["an older version of this tool sent 3 runs: the target is asked once what it holds of them"]
    _, verdict, lines = asyncio.run(replayed(old, target))
    assert (verdict.findings, lines) == (1, [])


def test_an_older_archive_that_was_killed_while_it_sent_points_asks(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Its intents are known by their digests, too: what arrived is not sent again."""
    target = calm.add_workspace()
    asyncio.run(replayed(begun(10, tmp_path / "new", target, receipts=False), target))
    old = begun(10, tmp_path / "old", target, receipts=True)
    with closing(sqlite3.connect(old / "archive.db", isolation_level=None)) as database:
        database.execute("update receipt set state = 'sending' where item like 'points/%'")
        database.execute("delete from receipt where item in ('finish', 'whole')")

    done, verdict, _ = asyncio.run(replayed(old, target))

    assert (done.points, done.files, verdict.points, verdict.findings) == (0, 0, 330, 0)
