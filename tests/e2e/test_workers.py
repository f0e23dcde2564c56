"""Several workers for one command: what comes of them is what one process would have made."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from azureml_replay.cli.app import app
from azureml_sandbox.fill.sample import sample
from azureml_sandbox.fill.sample_shape import Wanted
from azureml_sandbox.server.sandbox import Sandbox
from e2e.test_lease import rows_of
from e2e.test_merge import root_of


def command(*words: str | Path, code: int = 0) -> str:
    """As it is typed."""
    ended = CliRunner().invoke(app, [*map(str, words)])
    assert ended.exit_code == code, ended.output
    return ended.output


def test_a_migration(calm: Sandbox, azure_env: dict[str, str], tmp_path: Path) -> None:
    source, one, two = (calm.add_workspace() for _ in range(3))
    sample(calm.folder, source.workspace_name, Wanted(runs=24, experiments=2, series=2, points=4, artifacts=2))
    alone, crew = tmp_path / "alone", tmp_path / "crew"
    command("migrate", "--source", source.path, "--target", one.path, "--archive", alone)
    command("migrate", "--source", source.path, "--target", two.path, "--archive", crew, "--workers", "2")
    assert root_of(alone) == root_of(crew)
    assert rows_of(calm, one) == rows_of(calm, two)
