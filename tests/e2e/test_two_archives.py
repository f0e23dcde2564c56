"""Two archives of one source, made at different times, and one target: what either brought is nobody's edit."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.comparison.three_way import OF_ANOTHER, Fate, Prefer
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.direct.replay import replay
from azureml_replay.planning.left import Left
from azureml_replay.selection import Selection
from azureml_replay.verbs import dry_run
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from azureml_sandbox.world import Document
from e2e.library import migrated
from e2e.tampering import change, fill, in_run
from e2e.test_refused import judged
from e2e.test_synthetic import extracted, opened
from e2e.witness import look

NEWER, OLDER, EDITED = Fate.NEWER.value, Fate.OLDER.value, Fate.EDITED.value
LATER = {"lastModifiedUtc": "2099-01-01T00:00:00+00:00"}


def newer(run: Document) -> Document:
    """Another description, another tag, a new one, one that is gone."""
    tags = {key: value for key, value in run["tags"].items() if key != "null"}
    return {"description": "newer", "tags": tags | {"team": "green", "new": "1"}, **LATER}


def verified(target: WorkspaceFile, folder: Path) -> dict[str, str]:
    """Value of the root -> kind of its finding."""
    asyncio.run(judged(target, folder))
    with Archive.open(folder, write=False) as archive:
        found = list(archive.ledger(workspace_config(str(target.path)).ref).findings())
    assert {one.run for one in found} <= {"root"}
    return {one.what: one.kind for one in found}


async def replayed(
    target: WorkspaceFile, source: WorkspaceFile, folder: Path, prefer: Prefer = Prefer.TARGET
) -> Replayed:
    """One `replay`, of what is in the archive."""
    async with opened(source) as reading, opened(target) as writing:
        with Archive.open(folder) as archive:
            return await replay(archive, reading, writing, Selection(), options=ReplayOptions(prefer=prefer))


def left(target: WorkspaceFile, folder: Path) -> Left:
    """What a plan says is to be sent."""
    with Archive.open(folder, write=False) as archive:
        found = dry_run(archive, workspace_config(str(target.path)).ref).left
    assert found is not None
    return found


@pytest.fixture
def both(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> tuple[WorkspaceFile, WorkspaceFile, Path]:
    """Source and target: `one` went into it, then the source changed. `old` is of the same state, and never went."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    asyncio.run(extracted(source, tmp_path / "old"))
    shutil.copytree(tmp_path / "old", tmp_path / "one")
    assert asyncio.run(replayed(target, source, tmp_path / "one")).failed == ()
    change(calm, source, in_run(newer))
    return source, target, tmp_path


def test_a_newer_archive_brings_what_changed_and_the_older_one_blames_nobody(
    calm: Sandbox, both: tuple[WorkspaceFile, WorkspaceFile, Path]
) -> None:
    """No conflict where nobody edited; a real edit is still told as one, by both."""
    source, target, folder = both
    asyncio.run(extracted(source, folder / "two"))
    before = verified(target, folder / "two")
    assert before == {"description": OLDER, "tag team": OLDER, "tag new": "absent"} | job_file("differs")

    done = asyncio.run(migrated(source, target, folder / "two"))

    assert (done.replayed.kept, done.verdict.first, done.verdict.exit) == ((), (), 0)
    first = verified(target, folder / "one")
    assert first == {"description": NEWER, "tag team": NEWER, "tag new": NEWER} | job_file(NEWER)
    change(calm, target, in_run(lambda run: {"tags": run["tags"] | {"team": "mine"}}))
    assert verified(target, folder / "two") == {"tag team": EDITED}
    assert verified(target, folder / "one")["tag team"] == EDITED
    change(calm, target, in_run(lambda run: {"tags": run["tags"] | {"team": "green"}}))

    again = asyncio.run(migrated(source, target, folder / "one"))

    assert (again.replayed.kept, again.verdict.first) == ((), ())


def test_an_older_archive_overwrites_no_newer_value_unless_it_is_told_to(
    both: tuple[WorkspaceFile, WorkspaceFile, Path],
) -> None:
    """Then the newer one says so, and sends its own again."""
    source, target, folder = both
    asyncio.run(migrated(source, target, folder / "two"))

    done = asyncio.run(replayed(target, source, folder / "old"))

    stays = [f"{name}{OF_ANOTHER}" for name in ("description", "tag team")]
    assert [what for _, what in done.kept if not what.startswith("file ")] == stays
    assert verified(target, folder / "old").items() >= {"description": NEWER, "tag team": NEWER}.items()
    asyncio.run(replayed(target, source, folder / "old", Prefer.SOURCE))
    assert verified(target, folder / "two").items() >= {"description": OLDER, "tag team": OLDER}.items()
    assert left(target, folder / "two").runs == 1

    assert asyncio.run(replayed(target, source, folder / "two")).kept == ()

    assert verified(target, folder / "two") == {}
    assert left(target, folder / "two").runs == 0


def test_a_run_that_ended_since_is_no_edit(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """The older archive has it as it ran; nothing lets it begin anew."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    change(calm, source, in_run(lambda run: {"status": "Running", "endTimeUtc": None}))
    selection = Selection(include_active=True)
    asyncio.run(migrated(source, target, tmp_path / "one", selection=selection))
    change(
        calm, source, in_run(lambda run: {"status": "Completed", "endTimeUtc": "2023-05-01T00:00:00+00:00", **LATER})
    )
    done = asyncio.run(migrated(source, target, tmp_path / "two"))
    assert done.verdict.first == ()

    assert verified(target, tmp_path / "one")["status"] == NEWER
    asyncio.run(replayed(target, source, tmp_path / "one", Prefer.SOURCE))
    assert verified(target, tmp_path / "two") == {}


def job_file(kind: str) -> dict[str, str]:
    """A file of ours that tells of the run."""
    return {"file replay/job.json": kind}


def test_a_file_that_somebody_changed_is_not_replaced_by_an_archive_that_never_sent_it(
    calm: Sandbox, both: tuple[WorkspaceFile, WorkspaceFile, Path]
) -> None:
    """What was sent last is not known there, so what is there is taken for an edit; --prefer source sends it."""
    source, target, folder = both
    change(calm, target, lambda held: held.blob("logs/a.txt", "child").upload_blob(b"theirs", overwrite=True))

    there = look(target).files["child", "logs/a.txt"]

    done = asyncio.run(replayed(target, source, folder / "old"))

    assert ("child", "file logs/a.txt") in done.kept
    assert look(target).files["child", "logs/a.txt"] == there
    done = asyncio.run(replayed(target, source, folder / "old", Prefer.SOURCE))
    assert done.kept == ()
    assert look(target).files["child", "logs/a.txt"] != there
