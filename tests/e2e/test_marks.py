"""What a target's run says was sent of it never makes somebody's edit a value of ours, wherever its tags came from."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import workspace_config
from azureml_replay.comparison.three_way import Fate
from azureml_replay.workspace.mark import SENT_TAG
from azureml_sandbox.server.sandbox import Sandbox
from e2e.library import migrated
from e2e.tampering import change, fill, in_run
from e2e.test_refused import judged
from e2e.test_sync import root_of, tag, untag
from e2e.test_two_archives import left, verified

EDITED = Fate.EDITED.value
FULL = {f"t{at}": "" for at in range(45)}
"""With the sample's two and the one that is edited 48: ours are beside it, and the mark has no room."""


@pytest.mark.parametrize("full", [True, False], ids=["no room for the mark", "the mark removed"])
def test_an_edit_back_to_what_was_sent_first_stays(
    full: bool, calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The mark of the run's creation bears it; yet it was sent another value since, and somebody set this one."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    change(calm, source, tag(x="1", **(FULL if full else {})))
    assert asyncio.run(migrated(source, target, folder)).verdict.exit == 0
    change(calm, source, tag(x="2"))
    assert asyncio.run(migrated(source, target, folder)).verdict.exit == 0
    assert (SENT_TAG in root_of(calm, target)["tags"]) != full
    change(calm, target, untag(SENT_TAG))
    change(calm, target, tag(x="1"))

    first = verified(target, folder)
    to_send = left(target, folder)
    change(calm, source, in_run(lambda _: {"description": "newer", "lastModifiedUtc": "2031-01-01T00:00:00+00:00"}))
    done = asyncio.run(migrated(source, target, folder))
    fresh = asyncio.run(migrated(source, target, tmp_path / "fresh"))

    assert first == {"tag x": EDITED}
    assert to_send.runs == 0
    assert done.verdict.exit == fresh.verdict.exit == 5
    root = root_of(calm, target)
    assert (root["tags"]["x"], root["description"]) == ("1", "newer")
    assert verified(target, folder) == {"tag x": EDITED}
    assert fresh.replayed.kept == (("root", "tag x"),)


def test_tags_that_are_copied_from_run_to_run_are_not_what_the_source_lost(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The mark among them is about the run that it was written on."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(migrated(source, target, folder))
    change(calm, source, tag(owner="anna", approved="yes"))
    asyncio.run(migrated(source, target, folder))
    change(
        calm, source, in_run(lambda _: {"tags": {"b": "1"}, "lastModifiedUtc": "2031-01-01T00:00:00+00:00"}, "child")
    )
    assert asyncio.run(migrated(source, target, folder)).verdict.exit == 0
    theirs = root_of(calm, target)["tags"]
    assert SENT_TAG in theirs
    change(calm, target, in_run(lambda run: {"tags": theirs | run["tags"] | {SENT_TAG: theirs[SENT_TAG]}}, "child"))

    asyncio.run(judged(target, folder))

    with Archive.open(folder, write=False) as archive:
        ledger = archive.ledger(workspace_config(str(target.path)).ref)
        found = {one.what for one in ledger.findings() if one.run == "child"}
    assert found >= {"tag owner", "tag approved"}
    fresh = asyncio.run(migrated(source, target, tmp_path / "fresh"))
    assert fresh.verdict.exit == 5
