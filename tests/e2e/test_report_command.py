"""The report at the end of a migration, and after a target was changed: from real requests to the page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.config import WorkspaceConfig
from azureml_replay.azure.workspace import connect
from azureml_replay.model import RunId
from azureml_replay.report_page.blocks import Numbers
from azureml_replay.report_page.curves import MetricFindings, metrics_of
from azureml_replay.report_page.write import BUNDLE, NOT_BUILT
from azureml_replay.selection import Selection
from azureml_replay.sending.transport import open_transport
from azureml_replay.verbs import verify
from azureml_replay.verification import points
from azureml_replay.workspace.place import Place
from azureml_sandbox.server.sandbox import Sandbox
from e2e.library import FastClock
from e2e.tampering import change, fill, in_rows, row
from e2e.test_migration import replay
from environment import point_at

built = pytest.mark.skipif(not (BUNDLE / "report.js").exists(), reason=NOT_BUILT)


@pytest.fixture(scope="module")
def changed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory):
    """An archive whose target lost a point, got another one and a wrong value after the migration; what was said."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        folder = tmp_path_factory.mktemp("reported")
        patch.chdir(folder)
        source, target = sandbox.add_workspace(), sandbox.add_workspace()
        change(sandbox, source, fill)
        ends = ("--source", source.path, "--target", target.path)
        moved = replay("migrate", *ends, "--archive", folder / "archive")
        first = (folder / "archive" / "report.html").exists()
        change(sandbox, target, in_rows(lambda rows: [*rows[:2], *rows[3:4], row(4, 9.5), row(77, 1.0)]))
        verified = replay("verify", folder / "archive", "--target", target.path)
        yield folder / "archive", moved, verified, first, target


@built
def test_migrate_ends_with_a_report(changed) -> None:
    """In the archive's folder, and said."""
    archive, moved, _, first, _ = changed

    assert moved.returncode == 0, moved.stderr
    assert first
    assert f"report: {archive / 'report.html'} (" in moved.stderr
    assert "1 file without a checksum: only --deep can compare them." in (archive / "report.html").read_text()


def test_verify_keeps_what_the_target_holds_of_a_curve_that_differs(changed) -> None:
    """Its rows, and those that differ, are absent or extra; of curves that are equal nothing."""
    archive, _, verified, *_ = changed
    assert verified.returncode == 5, verified.stderr

    with Archive.open(archive, write=False) as held:
        (target,) = held.targets()
        (kept,) = held.ledger(target).target_points(RunId("root"))
        assert list(held.ledger(target).target_points(RunId("child"))) == []

    assert (kept.series.key.name, kept.rows, kept.differing) == ("loss", 5, 3)
    assert list(kept.held.steps) == [0, 1, 3, 4, 77]
    assert (list(kept.expected.steps), list(kept.expected.values[0])) == ([4], [1 / 7])
    assert (list(kept.actual.steps), list(kept.actual.values[0])) == ([4], [9.5])
    assert (list(kept.absent.steps), list(kept.extra.steps)) == ([2], [77])


def test_the_archive_remembers_how_its_commands_went(changed) -> None:
    """Start, end, what each verb moved, requests and widths of both sides."""
    archive, *_ = changed

    with Archive.open(archive, write=False) as held:
        moved, verified = held.sessions()

    assert [(part.verb, part.counts["runs"]) for part in moved.parts] == [("extract", 2), ("replay", 2), ("verify", 2)]
    assert (moved.command, moved.outcome, verified.command, verified.outcome) == ("migrate", "done", "verify", "done")
    assert verified.parts[0].counts["findings"] == 3
    assert moved.began < moved.ended <= verified.began
    assert moved.traffic["source history"].requests > 0
    assert moved.traffic["target metric"].requests > 0
    assert all(told.widths[0][0] == 0 and told.widths[0][1] >= 1 for told in moved.traffic.values())
    assert not [name for name in verified.traffic if name.startswith("source")]


@built
def test_the_command_answers_what_it_wrote(changed, tmp_path: Path) -> None:
    """One file, or a folder; exit 0 even with findings, because the report was written."""
    archive, *_ = changed

    one = replay("report", archive, "--output", tmp_path / "page.html", "--json")
    many = replay("report", archive, "--output", tmp_path / "all", "--shards", "--quiet")

    told = json.loads(one.stdout)
    assert (one.returncode, many.returncode) == (0, 0), (one.stderr, many.stderr)
    assert (told["runs"], told["findings"], told["left_out"]) == (2, 3, 0)
    assert told["verdict"] == "Not equal: 3 findings in 1 run of 2: 3 transfer faults."
    assert (tmp_path / "page.html").stat().st_size == told["bytes"]
    assert sorted(path.name for path in (tmp_path / "all").rglob("*") if path.is_file()) == ["c0.js", "index.html"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--max-size", "much"), "--max-size much: expected bytes, or a number with kB, MB or GB"),
        (("--target", "sub/group/elsewhere"), "nothing of this archive was written to sub/group/elsewhere"),
        (("--output", "."), "name a file, or give --shards for a folder"),
    ],
)
@built
def test_bad_input_is_one_line(changed, tmp_path: Path, monkeypatch, flags: tuple[str, str], said: str) -> None:
    """Exit 2, and nothing is written."""
    archive, *_ = changed
    monkeypatch.chdir(tmp_path)

    refused = replay("report", archive, *flags)

    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_curves_beyond_the_bound_are_said_to_be_lost(changed, monkeypatch, azure_env) -> None:
    """The finding stays; the page says that the target's rows were not kept, and draws no guess."""
    archive, *_ = changed
    monkeypatch.setattr(points, "KEPT_BYTES", -1)

    with Archive.open(archive) as held:
        (target,) = held.targets()
        asyncio.run(_verified(held, target))
        kept = list(held.ledger(target).target_points(RunId("root")))
        named = tuple(one.what for one in held.ledger(target).findings_of_run(RunId("root")))
        found = metrics_of(held, RunId("root"), MetricFindings(True, kept, named), Numbers())

    assert kept == []
    assert {curve.name: (curve.state, curve.target) for curve in found.curves} == {
        "loss": ("lost", None),
        "accuracy": ("equal", None),
    }


def test_of_a_run_that_is_gone_no_curve_is_kept(changed, sandbox: Sandbox, azure_env) -> None:
    """What an earlier verify kept of it goes: the page would draw what is no longer there."""
    archive, *_, there = changed

    with Archive.open(archive) as held:
        (target,) = held.targets()
        asyncio.run(_verified(held, target, findings=3))
        before = list(held.ledger(target).target_points(RunId("root")))
        change(sandbox, there, lambda held: held.world.runs.delete(held.guid, "root"))
        asyncio.run(_verified(held, target, findings=1))
        after = list(held.ledger(target).target_points(RunId("root")))

    assert (len(before), after) == (1, [])


async def _verified(archive: Archive, target: Place, findings: int = 3) -> None:
    async with open_transport() as wire, connect(WorkspaceConfig(target), transport=wire, clock=FastClock()) as there:
        assert (await verify(archive, there, Selection())).findings == findings
