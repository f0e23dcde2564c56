"""Values that no request can bring arrive in files of ours, or stay in the archive: each is said beforehand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.documents import KEPT
from azureml_replay.model import RunId
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from azureml_replay.target.probe import Probe
from azureml_sandbox.server.sandbox import Sandbox
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, scalar
from e2e.library import configured, migrated
from e2e.tampering import BYTES, FILE, Held, change, fill, row

LONG = "a text of more than two hundred and fifty-five characters, " * 5
ROOM = 1_024 - len("ExperimentRun/dcid.root/")
LONGEST, MOVED = "outputs/".ljust(ROOM, "x"), "replay/".ljust(ROOM, "x")
WARNINGS = [{"source": "compute", "message": "one node was lost"}]


def odd(held: Held) -> None:
    """Longer than a target takes, or of a kind that it does not take at all."""
    fill(held)
    held.world.runs.put(held.guid, held.run() | {"warnings": WARNINGS})
    words = replace(scalar("dcid.root", "words"), columns={"words": "String"}, properties={"uxMetricType": "x"})
    held.world.metrics.append(held.guid, words, [row(0, LONG, "words"), row(1, "short", "words")])
    held.world.metrics.append(held.guid, scalar("dcid.root", "n" * 300), [row(0, 0.5, "n" * 300)])
    located = replace(scalar("dcid.child", "located"), properties={"uxMetricType": "x", "dataLocation": "aml://y"})
    held.world.metrics.append(held.guid, located, [row(0, 0.5, "located")])
    held.world.metrics.append(held.guid, scalar("dcid.root", "timed"), [row(0, 0.5, "timed"), row(1, 0.25, "timed")])
    stored = "update metric_row set document = ? where document like '%timed-1%'"
    held.world.metrics._database.sql.execute(stored, (orjson.dumps(untimed()).decode(),))
    lone = row(0, 0.25, "lone") | {"step": "first"}
    held.world.metrics.append(held.guid, scalar("dcid.root", "lone"), [lone])
    for path in (LONGEST, MOVED):
        held.world.artifacts.register(held.guid, (RUN_ORIGIN, "dcid.root"), path)
        held.blobs.put(ARTIFACT_STORE, f"{RUN_ORIGIN}/dcid.root/{path}", path.encode())


def test_values_beyond_the_most_of_a_run_go_into_its_overflow(
    calm: Sandbox, azure_env: dict[str, str], tmp_path: Path
) -> None:
    """A target that takes 6 of a run's 11: the metric that would lead beyond is planned, named, whole in the file."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, fill)
    with Archive.create(tmp_path / "archive", configured(source).ref) as archive:
        small = Probe(run=RunId("p"), lost=(), experiments=(), added=(), lifted={"metric_values": 6})
        archive.ledger(configured(target).ref).put_probe(small.to_json())

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.replayed.points, done.verdict.findings) == (6, 0)
    assert done.verdict.reasons == {"more than 6 values of a run; kept in replay/overflow.json": 1}
    files: dict[str, bytes] = {}
    change(calm, target, lambda held: files.update(ours(held, "replay/overflow.json")))
    (accuracy,) = orjson.loads(files["replay/overflow.json"])["metrics"]
    assert (accuracy["name"], len(accuracy["rows"])) == ("accuracy", 5)


def test_each_arrives_or_is_listed(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    """No run fails at the service's refusal; what the plan said is what verify found, and the files hold the rest."""
    source, target = calm.add_workspace(), calm.add_workspace()
    change(calm, source, odd)

    done = asyncio.run(migrated(source, target, tmp_path / "archive"))

    assert (done.extracted.failed, done.replayed.failed, done.verdict.findings) == ((), (), 0)
    with Archive.open(tmp_path / "archive", write=False) as archive:
        planned = [one for step in plan(archive, Selection()) for one in step.omissions]
        (timed,) = [series for series, _ in archive.series(RunId("root")) if series.key.name == "timed"]
        told = {(one.run, one.what, one.reason) for one in [*planned, *archive.omissions()]}
    overflow = "; kept in replay/overflow.json"
    assert told == {
        ("root", "metric words", f"a text longer than 255 characters{overflow}"),
        ("root", f"metric {'n' * 300}", f"a name longer than 255 characters{overflow}"),
        ("child", "metric located: dataLocation", KEPT),
        ("root", "metric timed: unreadable row timed-1", KEPT),
        ("root", "metric lone: unreadable row lone-0", KEPT),
        ("root", f"file {MOVED}", "the target's storage holds no name of more than 1,024 characters"),
    }
    assert timed.more["unreadable row timed-1"] == untimed()
    assert done.verdict.omissions == len(told)
    files: dict[str, bytes] = {}
    all_of_them = ("replay/job.json", "replay/overflow.json", FILE, LONGEST)
    change(calm, target, lambda held: files.update(ours(held, *all_of_them)))
    assert orjson.loads(files["replay/job.json"])["warnings"] == WARNINGS
    (named, words) = orjson.loads(files["replay/overflow.json"])["metrics"]
    assert [cells for _, _, cells in words["rows"]] == [[LONG], ["short"]]
    assert (named["name"], named["rows"][0][2]) == ("n" * 300, ["0.5"])
    assert (files[FILE], files[LONGEST]) == (BYTES, LONGEST.encode())


def untimed() -> dict[str, Any]:
    """A row whose time no clock tells."""
    return row(1, 0.25, "timed") | {"createdUtc": "yesterday"}


def ours(held: Held, *paths: str) -> dict[str, Any]:
    """Bytes of the root's files by path."""
    return {path: held.blob(path).download_blob().readall() for path in paths}
