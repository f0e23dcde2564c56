"""What all versions of a name share goes along, is compared, and keeps what somebody edits in the target."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.assets import NO_VERSION
from azureml_replay.cli.assets import lines_of, rows_of
from azureml_replay.direct.options import AssetsSent
from azureml_replay.planning.asset_names import NAME_HELD
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import figures
from azureml_replay.verbs import verify
from azureml_replay.workspace.asset import AssetKind
from azureml_sandbox.server.sandbox import Sandbox
from e2e.assets import SHORT, client_of, small
from e2e.library import configured, migrated
from e2e.test_assets import EVERYTHING, called, token
from sandbox.conftest import plane
from sandbox.jobs import API
from sandbox.plane import Plane
from sandbox.test_models import of_run, put

__all__ = ["plane"]
SAID = ("description", "tags", "isArchived")


def say(plane: Plane, name: str, **properties: Any) -> None:
    plane.document("arm", "PUT", f"/{name}", API, {"properties": properties})


def said(plane: Plane, name: str) -> list[Any]:
    properties = plane.arm(f"/{name}")["properties"]
    return [properties[key] for key in SAID]


def test_descriptions_tags_and_archiving_of_names(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """Three ways: what the source changes comes, what the target changes stays and is told, and is told again."""
    small(plane)
    say(plane, "models/own", description="churn", tags={"team": "a", "old": "x"})
    say(plane, "data/numbers", dataType="uri_file", description="of 2024")
    client_of(plane.workspace).environments.archive("own")
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    go = partial(migrated, plane.workspace, target, folder, options=EVERYTHING)

    first, again = asyncio.run(go()), asyncio.run(go())

    names = ("models/own", "data/numbers", "environments/own", "components/leaf")
    assert [said(there, name) for name in names] == [said(plane, name) for name in names]
    assert said(there, "environments/own")[2] is True
    assert (first.verdict.findings, first.verdict.complete, first.replayed.assets.names) == (0, True, 3)
    assert (again.replayed.assets, again.verdict.proves) == (AssetsSent(), True)

    say(plane, "models/own", description="churn of 2025", tags={"team": "b"})
    say(there, "models/own", description="churn", tags={"team": "a", "old": "mine"})
    told = asyncio.run(called(target, folder, verify))
    later, last = asyncio.run(go()), asyncio.run(go())

    assert said(there, "models/own") == ["churn of 2025", {"team": "b", "old": "mine"}, False]
    edited = [("model own: tag old", "edited in target", "mine")]
    for verdict in (told, later.verdict, last.verdict):
        assert [(one.what, one.kind, one.actual) for one in verdict.first] == edited
    assert (later.replayed.assets.names, last.replayed.assets) == (1, AssetsSent())


def test_what_somebody_says_of_a_name_in_the_target_stays(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """A name that the target had before: its description stays, and a tag that it lacks comes."""
    small(plane)
    say(plane, "models/own", description="churn", tags={"team": "a"})
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    say(there, "models/own", description="of ours", tags={"b": "1"})

    done = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))

    assert said(there, "models/own") == ["of ours", {"team": "a", "b": "1"}, False]
    assert [(one.what, one.kind) for one in done.verdict.first] == [("model own: description", "edited in target")]


def test_what_somebody_gives_a_name_that_replay_made_is_told(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """The source's says nothing of it: a description and a tag there are somebody's, and are found as such."""
    small(plane)
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    go = partial(migrated, plane.workspace, target, folder, options=EVERYTHING)

    first = asyncio.run(go())
    say(there, "models/own", description="do not use", tags={"owner": "mallory"})
    told, again = asyncio.run(called(target, folder, verify)), asyncio.run(go())

    edited = [("model own: description", "edited in target"), ("model own: tag owner", "edited in target")]
    assert first.verdict.proves
    assert [(one.what, one.kind) for one in told.first] == edited
    assert [(one.what, one.kind) for one in again.verdict.first] == edited
    assert said(there, "models/own") == ["do not use", {"owner": "mallory"}, False]


def test_a_name_under_which_somebody_has_versions_is_not_archived(
    plane: Plane, sandbox: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """It would hide theirs: an omission, in their name from before and in one that replay made."""
    small(plane)
    client_of(plane.workspace).environments.archive("own")
    client_of(plane.workspace).data.archive("numbers")
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    there = Plane(target, token())
    say(there, "data/numbers/versions/9", dataType="uri_file", dataUri=f"{SHORT}theirs.csv")

    done = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))
    again = asyncio.run(migrated(plane.workspace, target, folder, options=EVERYTHING))

    assert (said(there, "data/numbers")[2], said(there, "environments/own")[2]) == (False, True)
    assert (done.verdict.findings, done.verdict.reasons[NAME_HELD]) == (0, 1)
    assert (again.replayed.assets, again.verdict.findings) == (AssetsSent(), 0)


def test_a_fresh_archive_leaves_what_somebody_edited(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """An asset bears a mark of what it was made with: so an edit is told from what the source had then."""
    small(plane)
    version = "models/own/versions/1"
    before = plane.arm(f"/{version}")["properties"]
    target = sandbox.add_workspace()
    there = Plane(target, token())
    go = partial(migrated, plane.workspace, target, options=EVERYTHING)
    assert asyncio.run(go(tmp_path / "first")).verdict.proves

    say(plane, version, **{**before, "description": "newer"})
    changed = asyncio.run(go(tmp_path / "second"))
    assert (changed.verdict.proves, said(there, version)[0]) == (True, "newer")

    edited = there.arm(f"/{version}")["properties"]
    say(there, version, **{**edited, "description": "bobs words", "tags": {"bob": "approved"}})
    say(plane, version, **{**before, "description": "newest"})
    fresh = asyncio.run(go(tmp_path / "third"))

    assert said(there, version)[:2] == ["bobs words", {"bob": "approved"}]
    assert {(one.what, one.kind) for one in fresh.verdict.first} >= {
        ("model own:1: description", "edited in target"),
        ("model own:1: tag bob", "edited in target"),
    }


def test_a_name_without_a_version_is_told(plane: Plane, sandbox: Sandbox, tmp_path: Path) -> None:
    """An omission of plan, replay and `assets`, as long as it has none; nothing of it is made."""
    small(plane)
    say(plane, "models/empty", description="no version yet", tags={"owner": "me"})
    target, folder = sandbox.add_workspace(), tmp_path / "archive"
    go = partial(migrated, plane.workspace, target, folder, options=EVERYTHING)

    done = asyncio.run(go())

    with Archive.open(folder, write=False) as archive:
        told_of = figures(archive, archive.ledger(configured(target).ref), Selection(), EVERYTHING.replay).plan
        lines = [str(line) for line in lines_of(archive, list(rows_of(archive, None)))]
        kept = archive.asset_container(AssetKind.MODEL, "empty")
    assert told_of is not None
    assert told_of.omitted == (("model empty", NO_VERSION),)
    assert (done.verdict.findings, done.verdict.reasons[NO_VERSION]) == (0, 1)
    assert [line for line in lines if "named, and not to be had" in line] == []
    assert sum(f"model empty: {NO_VERSION}" in line for line in lines) == 1
    assert kept is not None
    assert (kept.description, kept.tags) == ("no version yet", {"owner": "me"})
    put(plane, "empty/versions/1", modelType="custom_model", modelUri=of_run(plane, "trained"))
    say(plane, "models/gone-empty")
    later = asyncio.run(go())
    plane.document("arm", "DELETE", "/models/gone-empty", API)
    last = asyncio.run(go())
    assert [one.verdict.reasons.get(NO_VERSION, 0) for one in (later, last)] == [1, 0]
    assert said(Plane(target, token()), "models/empty") == ["no version yet", {"owner": "me"}, False]
