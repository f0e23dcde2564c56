"""Names of assets as they are typed, and as files list them."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.cli.asset_names import names_in, read_name
from azureml_replay.errors import UserError

SELECTION = """
batch_id: 7
source: {workspace_name: a}
mltables:
  - name: table
    versions: [1, "2", 1.10, 010]
  - name: other
"""


def test_names_of_files(tmp_path: Path) -> None:
    """One a line; or the selection file of the original's MLTable commands, whose versions may be numbers."""
    lines, chosen = tmp_path / "names.txt", tmp_path / "mltables.yaml"
    lines.write_text("churn\n  table:1  # the first\n\n")
    chosen.write_text(SELECTION)

    assert [str(one) for one in names_in(lines)] == ["churn", "table:1"]
    assert [str(one) for one in names_in(chosen)] == ["table:1", "table:2", "table:1.10", "table:010", "other"]


@pytest.mark.parametrize(
    ("name", "told", "words"),
    [
        ("a.yaml", "mltables: [{versions: [1]}]", "expected name and versions"),
        ("a.yaml", "mltables: [{name: a, versions: 1}]", "expected name and versions"),
        ("a.yaml", "mltables: [", "not YAML"),
        ("a.yaml", "- a", "names no asset"),
        ("a.txt", "# nothing", "names no asset"),
        ("a.txt", "a@latest", "expected NAME, for all versions, or NAME:VERSION"),
        ("none.txt", None, "No such file or directory"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, told: str | None, words: str) -> None:
    if told is not None:
        (tmp_path / name).write_text(told)
    with pytest.raises(UserError, match=words) as refused:
        names_in(tmp_path / name)
    assert "--asset-list" in str(refused.value)


@pytest.mark.parametrize("text", ["", ":1", "a:", "a@latest", "data/a"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--asset .*expected NAME"):
        read_name("--asset", text)
