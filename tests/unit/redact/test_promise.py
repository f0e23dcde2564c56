"""SECURITY.md says what the code does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from azureml_replay.redact.promise import page
from azureml_replay.redact.shapes import SHAPES

ROOT = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    """`python -m azureml_replay.redact.promise > SECURITY.md` was run after the last change."""
    command = [sys.executable, "-m", "azureml_replay.redact.promise"]
    printed = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"})

    assert (ROOT / "SECURITY.md").read_text() == printed.stdout.decode() == page().strip() + "\n"


def test_each_row_names_its_source_and_is_on_the_page() -> None:
    told = page()

    assert all(row.source.startswith("https://") for row in SHAPES)
    for row in SHAPES:
        came = f" (since version {row.since})" if row.since > 2 else ""
        assert f"| {row.what}{came} | <{row.source}> |" in told
    assert "Bytes of files are not searched" in told
    assert [key for key in {row.key for row in SHAPES} if sum(row.key == key for row in SHAPES) > 1] == []
