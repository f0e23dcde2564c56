"""What an archive holds is handed out: the map of ids, and tables that other tools read."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from azureml_replay.archive.archive import Archive
from azureml_replay.cli.app import app
from azureml_sandbox.server.sandbox import Sandbox, WorkspaceFile
from e2e.library import migrated
from e2e.witness import look

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def there(small_history: WorkspaceFile, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The small history migrated: source, target, archive."""
    import asyncio

    from environment import point_at

    with pytest.MonkeyPatch.context() as patch:
        point_at(sandbox, patch)
        target, folder = sandbox.add_workspace(), tmp_path_factory.mktemp("took") / "archive"
        asyncio.run(migrated(small_history, target, folder))
        yield small_history, target, folder


def asked(*arguments: object) -> Result:
    """One command line."""
    return RUNNER.invoke(app, [str(one) for one in arguments], standalone_mode=False)


def test_the_map_names_every_run_and_where_it_is(there: tuple[WorkspaceFile, WorkspaceFile, Path]) -> None:
    """As JSON and CSV, with links to Studio on both sides."""
    source, target, folder = there
    runs = look(source, files=False).runs

    as_json = json.loads(asked("map", folder, "--json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(asked("map", folder, "--csv", "--target", target.path).stdout)))

    assert {row["target_id"] for row in as_json} == set(runs) == {row["source_id"] for row in as_json}
    assert [row["source_id"] for row in as_csv] == [row["source_id"] for row in as_json]
    for row in as_json:
        for side, workspace in (("source", source), ("target", target)):
            expected = f"/workspaces/{workspace.workspace_name}"
            assert row[f"{side}_url"].startswith(f"https://ml.azure.com/runs/{row[f'{side}_id']}?wsid=/subscriptions/")
            assert row[f"{side}_url"].endswith(expected)


def test_no_map_before_a_replay(small_history: WorkspaceFile, tmp_path: Path, there: Any) -> None:
    """An archive that was only extracted says so; so does one that was never sent to the workspace that is named."""
    _, _, folder = there
    nowhere = "00000000-0000-0000-0000-000000000001/group/nowhere"

    ended = asked("map", folder, "--target", nowhere)

    assert "was never replayed into" in str(ended.exception)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_every_value_is_in_the_tables(
    there: tuple[WorkspaceFile, WorkspaceFile, Path], tmp_path: Path, form: str
) -> None:
    """What MLflow and azure-storage-blob see in the source: points to the bit, parameters, tags, files."""
    source, _, folder = there
    seen = look(source, files=False)
    out = tmp_path / "tables"

    told = json.loads(asked("export", folder, "--format", form, "--output", out, "--json").stdout)

    query = duckdb.connect()
    for table, count in told["rows"].items():
        if count:
            query.execute(f"create view {table} as select * from '{out}/{table}.{form}'")  # noqa: S608
    points = query.execute(
        "select run::text, metric, coalesce(step, 0), coalesce(value, text::double) from points where type = 'Double'"
    ).fetchall()
    assert sorted((run, name, step, bits(value)) for run, name, step, value in points) == sorted(
        (run, name, step, value) for (run, name), rows in seen.points.items() for step, _, value in rows
    )
    assert {run for (run,) in query.execute("select run::text from runs").fetchall()} == set(seen.runs)
    logged = {(run, key): value for run, told in seen.runs.items() for key, value in told["params"].items()}
    assert {
        (run, key): value
        for run, key, value in query.execute("select run::text, key, value from parameters").fetchall()
    } == logged


def bits(value: float) -> str:
    """As the witness tells a value."""
    return "nan" if math.isnan(value) else value.hex()


def test_jobs_json_is_a_format_too(there: tuple[WorkspaceFile, WorkspaceFile, Path], tmp_path: Path) -> None:
    _, _, folder = there

    asked("export", folder, "--format", "seed-json", "--output", tmp_path / "jobs.json")

    with Archive.open(folder, write=False) as archive:
        assert len(json.loads((tmp_path / "jobs.json").read_text())) == archive.totals().extracted


def test_a_place_that_is_taken_is_left_alone(there: tuple[WorkspaceFile, WorkspaceFile, Path], tmp_path: Path) -> None:
    _, _, folder = there
    (tmp_path / "mine").write_text("precious")

    ended = asked("export", folder, "--format", "jsonl", "--output", tmp_path / "mine")

    assert "exists already" in str(ended.exception)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["precious"]
