"""The table of what becomes of each value in an MLflow server: complete, and what the documentation says."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from azureml_replay.mlflow.wire.fidelity import EXPERIMENT, MODEL, RUN, page
from azureml_replay.model import Experiment, Run
from azureml_replay.workspace.asset import Asset

ROOT = Path(__file__).parents[4]
OF_THE_ARCHIVE = {"modified", "traits", "form", "document", "unknown", "references", "id"}
"""Of the archive itself, or of how a run is written; an experiment's id is the server's."""


def test_every_field_has_its_row() -> None:
    """A field that is added wants one."""
    told = {row.value for row in RUN}
    assert {field.name for field in fields(Run)} - told == OF_THE_ARCHIVE - {"id"}
    assert {field.name for field in fields(Experiment)} - {row.value for row in EXPERIMENT} <= OF_THE_ARCHIVE
    assert {field.name for field in fields(Asset)} - {row.value for row in MODEL} <= OF_ASSETS


OF_ASSETS = {
    "key",
    "run_path",
    "place",
    "uses",
    "anonymous",
    "output",
    "input",
    "workspace_guid",
    "hidden",
    "managed",
    "at_home",
    "stores",
    "rewrites",
    "redacted",
} | OF_THE_ARCHIVE
"""Of the archive itself, of other kinds than models, or part of another row."""


def test_the_page_is_the_table() -> None:
    """It was written anew after the last change: see the module's docstring."""
    assert (ROOT / "docs" / "concepts" / "fidelity-mlflow.md").read_text() == page() + "\n"
