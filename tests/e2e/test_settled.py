"""Rows go by a request that is answered once they are there; a target without that way is asked for it once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.extraction.extract import ExtractOptions
from azureml_replay.target.probe import keep_probe, known_probe
from azureml_replay.target.profile import known_profile
from azureml_replay.verbs import MigrateOptions
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.edits import fill, point
from e2e.library import DiesAt, PowerCut, configured, migrated
from e2e.tampering import change

LAG_MS = 150
ALL = MigrateOptions(extract=ExtractOptions(check_all=True), deep=True)
"""A point that comes later changes nothing that the list of runs shows."""
APPENDS = r"/metric/v2\.0/.*/batch(sync)?$"


def asked(calm: Sandbox) -> Counter[str]:
    """Requests about rows since the count began."""
    ways = ("batch", "batchsync", "wait")
    counts = Counter[str]()
    for row in calm.requests()["routes"]:
        last = row["route"].rpartition("/")[2]
        if last in ways and ("/metric/" in row["route"] or last == "wait"):
            counts[last] += row["count"]
    return counts


def settles(folder: Path, target: WorkspaceFile) -> bool:
    """By what the archive knows of the target."""
    with Archive.open(folder, write=False) as archive:
        return known_profile(archive.ledger(configured(target).ref)).settles


@pytest.mark.parametrize(
    "strict", [[], pytest.param(["no-batchsync"], marks=pytest.mark.slow)], ids=["with", "without"]
)
def test_rows_after_a_kill(calm: Sandbox, azure_env, tmp_path: Path, strict: list[str]) -> None:
    """What was not answered may still be on its way, however it was sent: that settles first. None is doubled."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    calm.set_faults(ingestion_lag_ms=LAG_MS, strict=strict)
    with pytest.raises(PowerCut):  # the throw-away run asks both ways
        asyncio.run(migrated(source, target, folder, cut=DiesAt(3, delivered=True, where=APPENDS)))
    calm.reset_requests()

    done = asyncio.run(migrated(source, target, folder))

    counts = asked(calm)
    assert (done.verdict.findings, done.replayed.failed) == (0, ())
    assert settles(folder, target) is (not strict)
    assert (counts["batchsync"] > 0, counts["batch"] > 0) == (not strict, bool(strict))
    assert counts["wait"] > 0


def test_a_way_that_is_lost_is_asked_for_once(calm: Sandbox, azure_env, tmp_path: Path) -> None:
    """By one command; later ones know. Until then nobody waits for rows that were answered."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(migrated(source, target, folder))
    change(calm, source, point("root"))
    calm.reset_requests()
    asyncio.run(migrated(source, target, folder, options=ALL))
    assert (asked(calm)["batchsync"], asked(calm)["wait"]) == (1, 0)
    calm.set_faults(strict=["no-batchsync"])
    for run, expected in (("root", 1), ("alone", 0)):
        change(calm, source, point(run))
        calm.reset_requests()

        done = asyncio.run(migrated(source, target, folder, options=ALL))

        assert (done.verdict.findings, done.replayed.failed) == (0, ())
        assert done.replayed.points > 0
        assert asked(calm)["batchsync"] == expected
        assert not settles(folder, target)


def test_what_an_older_version_did_not_look_at_is_found_out_once_something_is_to_be_sent(
    calm: Sandbox, azure_env, tmp_path: Path
) -> None:
    """Rows of such an archive go by the better way then, too; where nothing is to be sent nothing is written."""
    source, target, folder = calm.add_workspace(), calm.add_workspace(), tmp_path / "archive"
    change(calm, source, fill)
    asyncio.run(migrated(source, target, folder))
    with Archive.open(folder) as archive:
        ledger = archive.ledger(configured(target).ref)
        known = known_probe(ledger)
        assert known is not None
        older = replace(known, settles=None, created_at_start=None, experiments=("theirs",), lifted={"value": 1_001})
        keep_probe(ledger, older)
    calm.reset_requests()

    asyncio.run(migrated(source, target, folder))

    assert {one["effect"] for one in calm.requests()["routes"]} == {"read"}
    change(calm, source, point("root"))
    done = asyncio.run(migrated(source, target, folder, options=ALL))
    counts = asked(calm)
    assert (done.replayed.points, done.verdict.findings, done.replayed.failed) == (1, 0, ())
    assert (counts["batch"], counts["batchsync"]) == (1, 2), "one each of the throw-away run, and the point"
    with Archive.open(folder, write=False) as archive:
        now = known_probe(archive.ledger(configured(target).ref))
    assert now == replace(older, settles=True, created_at_start=True, run=now.run)
    calm.reset_requests()
    asyncio.run(migrated(source, target, folder, options=ALL))
    assert asked(calm).total() == 0
