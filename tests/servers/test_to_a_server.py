"""From an Azure ML workspace to a real MLflow server: what arrives, as MLflow's own client sees it."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from azureml_replay.archive.archive import Archive
from azureml_replay.model import Run, RunId, SeriesKey
from azureml_replay.planning.files import NO_SUCH_PATH
from azureml_replay.planning.plain import RENAMED
from azureml_replay.planning.rows import NO_TABLE
from e2e.library import DiesAt
from mlflow_servers import OLDER, MlflowServer, serving
from servers.moving import bindings, copied, findings, named, omissions, prefix_of, sent_again, sent_now
from servers.seen import SeenRun, look

STATUSES = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED", "NotStarted": "SCHEDULED"}
PLAIN = re.compile(r"[/\w.\- :]+")
OURS = ("azureml_replay", "original_job_id", "property.", "mlflow.")


def test_everything_of_a_hostile_workspace_arrives_as_the_table_says(
    hostile: Path, mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    """Run by run, value by value, without any code of ours but the archive's; a second replay writes nothing."""
    expect_all_of_it(hostile, mlflow_server, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", OLDER)
def test_the_same_of_an_older_server(hostile: Path, tmp_path: Path, version: str) -> None:
    """Those that refuse a NaN which is there, names with a colon, and files of other names than Latin ones."""
    with serving(tmp_path, version) as server:
        expect_all_of_it(hostile, server, tmp_path)


def expect_all_of_it(hostile: Path, server: MlflowServer, folder: Path) -> None:
    """Sent, looked at, and sent again."""
    history, target = copied(hostile, folder / "history"), named(server, folder)
    before, making = server.log.stat().st_size, DiesAt(0, delivered=True, where="/experiments/create$")

    first = sent_now(history, target, cut=making)

    expect_nothing_asked_that_was_told(server.log.read_bytes()[before:].decode(), making.count, history, target)
    assert (first.replayed.failed, first.replayed.refused, findings(history, target)) == ((), (), [])
    ids, seen = bindings(history, target), look(server.url, prefix_of(target))
    assert set(ids.values()) == seen.runs.keys()
    with Archive.open(history, write=False) as archive:
        for experiment in archive.experiments():
            stage, tags = seen.experiments[experiment.name]
            assert stage == ("deleted" if experiment.archived else "active")
            assert {key: value or "" for key, value in experiment.tags.items()}.items() <= tags.items()
        archived = {one.name for one in archive.experiments() if one.archived}
        for run, there in ids.items():
            source = archive.run(RunId(run))
            assert source is not None
            expect_as_the_table_says(archive, source, seen.runs[there], ids, archived)
    expect_whole_beside(history, target, server.url, ids)
    again = sent_again(history, target)
    assert (again.runs, again.points, again.files) == (0, 0, 0)


def expect_nothing_asked_that_was_told(log: str, made: int, history: Path, target: Path) -> None:
    """Where files lie, the making of their run told; an experiment is made once, for all that wait for it.

    The log is the server's, which other tests may use meanwhile.
    """
    asked = re.findall(r"/runs/get\?run_id=(\w+)", log)
    assert not set(asked) & set(bindings(history, target).values())
    with Archive.open(history, write=False) as archive:
        most = len(list(archive.experiments())) + 2  # of throw-away runs, and of leases
    assert 0 < made <= most


def expect_as_the_table_says(
    archive: Archive, source: Run, there: SeenRun, ids: dict[str, str], archived: set[str]
) -> None:
    """Each row of the table of fidelity that is about a run."""
    start = source.start or source.created
    assert there.experiment == source.experiment
    assert there.tags["original_job_id"] == source.id
    assert json.loads(there.tags["azureml_replay"])["run"] == source.id
    assert there.info.start_time == (start.ticks // 10_000 if start else 0)
    assert there.info.end_time == (source.end.ticks // 10_000 if source.end else None)
    assert there.info.status == STATUSES.get(source.status, "RUNNING")
    assert there.tags.get("azureml_replay.status", source.status) == source.status
    name = source.display_name or source.id
    assert there.info.run_name == (name if len(name) <= 250 else f"{name[:249]}…")
    assert (there.stage == "deleted") == (source.hidden or source.experiment in archived)
    if source.parent in ids:
        assert there.tags["mlflow.parentRunId"] == ids[source.parent]
    for key, value in source.tags.items():
        if PLAIN.fullmatch(key) and not key.startswith(OURS) and len(value or "") <= 5_000:
            assert there.tags[key] in ((value or ""), ids.get(str(value), value)), (source.id, key)
    for key, value in source.properties.items():
        if PLAIN.fullmatch(key) and f"property.{key}" in there.tags:
            assert there.tags[f"property.{key}"] == ids.get(str(value), value or "")
    for key, parameter in source.parameters.items():
        if PLAIN.fullmatch(key) and isinstance(parameter, str) and len(parameter) <= 6_000:
            assert there.params[key] == parameter
    expect_points(archive, source, there)
    expect_files(archive, source, there)


def expect_points(archive: Archive, source: Run, there: SeenRun) -> None:
    """Each number, at its millisecond and step."""
    wanted: dict[str, set[tuple[int, int, str]]] = {}
    contents = source.lender or source.id
    for series, _ in archive.history(contents).series if archive.history(contents) else ():
        name, ((column, kind), *more) = series.key.name, series.columns
        if more or kind not in ("Double", "Int") or series.key.namespace is not None or column != name:
            continue
        if unicodedata.normalize("NFC", name) != name or not PLAIN.fullmatch(name) or len(name) > 250:
            continue
        rows = (row for points in archive.points(contents, series.key) for row in points.rows())
        wanted[name] = {(row[0] or 0, (row[1] or 0) // 10_000, _bits(row[2][0])) for row in rows}
    assert {name: set(there.points[name]) for name in wanted} == wanted


def _bits(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]
    if math.isinf(number):
        number = math.copysign(sys.float_info.max, number)
    return "nan" if math.isnan(number) else (number + 0.0).hex()


def expect_files(archive: Archive, source: Run, there: SeenRun) -> None:
    """Each byte, at its path or at the one that `replay/files.json` names."""
    held = list(_held(archive, source))
    lying = {path for path in there.files if not path.startswith("replay/")}
    moved = {path for path in there.files if path.startswith(("replay/source/", "replay/unindexed/"))}
    assert {digest for _, digest in held} == {there.files[path] for path in lying | moved}
    assert {(path, there.files[path]) for path in lying} <= set(held)


def _held(archive: Archive, source: Run) -> Iterator[tuple[str, str]]:
    for file in archive.artifacts(source.lender or source.id):
        bytes_of = archive.held(file.stored) if file.stored and file.path else None
        if bytes_of is not None:
            yield file.path, hashlib.sha256(b"".join(bytes_of.pieces(1 << 20))).hexdigest()


def expect_whole_beside(history: Path, target: Path, url: str, ids: dict[str, str]) -> None:
    """Names, paths, tables and exact rows lie in files that the client downloads; omissions say which."""
    told = omissions(history, target)
    client = MlflowClient(tracking_uri=url)

    def read(run: str, path: str) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            return json.loads(Path(client.download_artifacts(ids[run], path, folder)).read_bytes())

    named_so = {(one.run, one.what) for one in told if one.reason == RENAMED}
    for run in {run for run, _ in named_so}:
        names = read(run, "replay/names.json")
        wanted = {
            f"name of {kind} {old}, which is {new} there" for kind, pairs in names.items() for old, new in pairs.items()
        }
        assert {what for one, what in named_so if one == run} == wanted
    moved = {(one.run, one.what) for one in told if one.reason == NO_SUCH_PATH}
    for run in {run for run, _ in moved}:
        paths = read(run, "replay/files.json")
        wanted = {f"path of file {old}, which is {new} there" for new, old in paths.items()}
        assert {what for one, what in moved if one == run} == wanted
    lost = {one.run for one in told if "replay/rows.json" in one.reason}
    assert len(lost) > 3
    with Archive.open(history, write=False) as archive:
        for run in lost:
            for series in read(run, "replay/rows.json"):
                rows = [
                    row for points in archive.points(RunId(run), SeriesKey(series["name"])) for row in points.rows()
                ]
                assert series["rows"] == [
                    [step, ticks, [repr(one) if isinstance(one, float) else one for one in cells]]
                    for step, ticks, cells in rows
                ]
    tables = [one for one in told if one.reason == NO_TABLE]
    assert tables
    for one in tables:
        name, _, path = one.what.removeprefix("metric ").partition(", which ")
        assert [series["name"] for series in read(one.run, path.removesuffix(" has"))] == [name]
