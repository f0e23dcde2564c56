"""The folder between the two commands: nothing of it has a secret, and no name leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.errors import UserError
from azureml_replay.formats.mltables.folder import Manifest, tables_in, write_table


def test_what_was_written_is_read(tmp_path: Path) -> None:
    manifest = Manifest(name="t", version="1.0", path="azureml://x", tags={"a": None}, created="2024-01-01T00:00:00Z")

    write_table(tmp_path, manifest, "paths: []\r\n")
    (found,) = tables_in(tmp_path)

    assert (found.text, found.edited) == ("paths: []\r\n", False)
    assert (found.manifest.name, found.manifest.version, found.manifest.tags) == ("t", "1.0", {"a": None})


def test_no_secret_is_written(tmp_path: Path) -> None:
    """A signed URL in a path; the table counts as unchanged, as the source's own bytes are what is copied."""
    word = "".join(("c2ln", "bmF0dXJl", "c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlMTI%3D"))
    url = f"https://a.blob.core.windows.net/c/x.csv?sv=2023-11-03&sr=b&sig={word}"
    write_table(tmp_path, Manifest(name="t", version="1", path=url), f"paths:\n  - file: {url}\n")

    written = "".join(one.read_text() for one in tmp_path.rglob("*") if one.is_file())
    (found,) = tables_in(tmp_path)

    assert word not in written
    assert not found.edited


@pytest.mark.parametrize("version", ["..", ".", "a/b", "", "a\\b", "c:"])
def test_no_version_leads_elsewhere(tmp_path: Path, version: str) -> None:
    with pytest.raises(UserError, match="cannot name a folder"):
        write_table(tmp_path / "out", Manifest(name="t", version=version), "paths: []")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", ["[]", "nonsense", '{"tags": 3}', ""])
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, said: str) -> None:
    place = tmp_path / "t" / "1"
    place.mkdir(parents=True)
    (place / "MLTable").write_text("paths: []")
    with pytest.raises(UserError, match=r"has no manifest\.json: export it again"):
        list(tables_in(tmp_path))
    (place / "manifest.json").write_text(said)

    with pytest.raises(UserError, match=r"manifest\.json cannot be read"):
        list(tables_in(tmp_path))
