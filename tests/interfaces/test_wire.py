"""A whole migration, both ways, held against the interfaces: the product's requests, and every answer."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from azureml_replay.selection import Selection
from azureml_sandbox.server.sandbox import Sandbox
from e2e.histories import small
from e2e.library import examined, migrated
from e2e.test_both_modes import as_jobs
from e2e.test_undo import undone
from e2e.test_undo_delete import deleted
from interfaces import held as holding
from interfaces.deviations import ANSWERS, REQUESTS
from interfaces.held import held
from sandbox.plane import Plane


def test_a_migration_speaks_as_the_interfaces_say(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filled, examined, extracted, replayed, verified, taken back, brought back; then as jobs; deleted at both."""
    monkeypatch.chdir(tmp_path)
    source, target, other = (calm.add_workspace() for _ in range(3))
    folder = tmp_path / "archive"

    with held(calm) as found:
        small(source)
        asyncio.run(examined(source, target))
        asyncio.run(migrated(source, target, folder))
        asyncio.run(undone(target, folder))
        asyncio.run(migrated(source, target, folder))
        asyncio.run(as_jobs(source, other, folder, Selection()))
        asyncio.run(deleted(other, folder))
        asyncio.run(deleted(target, folder))

    assert len(found.routes) > 20
    for known, seen in ((REQUESTS, found.requests), (ANSWERS, found.answers)):
        idle = [one.where for one in known if not any(re.fullmatch(one.where, str(each)) for each in seen)]
        assert idle == [], "deviations that no longer occur"


def test_a_wrong_key_is_found(plane: Plane, calm: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """As sent by us, of a wrong kind, and a route that nobody knows; of other clients only answers are judged."""
    wrong = ("history", "PATCH", "/experiments/train/runs/r1", None, {"runId": "r1", "hidden": 5})
    with pytest.raises(AssertionError, match="the product asked nothing"), held(calm):
        plane(*wrong)

    plane.session.headers["User-Agent"] = holding.USER_AGENT
    with pytest.raises(AssertionError, match="request/hidden: integer, not boolean"), held(calm):
        plane(*wrong)
    with pytest.raises(AssertionError, match=r"/nowhere: in no interface file"), held(calm):
        plane("history", "GET", "/nowhere")


def test_nothing_is_recorded_unasked(plane: Plane, calm: Sandbox) -> None:
    """And what was recorded does not stay."""
    plane.put("r1")
    with calm.recorded() as exchanges:
        plane.put("r2")
    plane.put("r3")

    assert [(one["method"], one["status"], "r2" in one["request"]) for one in exchanges] == [("PATCH", 200, True)]
    assert "authorization" not in str(exchanges).lower()
    assert list(calm.folder.glob("exchanges*")) == []
