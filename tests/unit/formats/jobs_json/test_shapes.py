"""Whatever an entry of a jobs.json holds in whatever field: it is read, or refused in one line that names the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from azureml_replay.errors import UserError
from azureml_replay.formats.jobs_json import shapes
from azureml_replay.formats.jobs_json.entry import ADDED, FIELDS
from azureml_replay.formats.jobs_json.index import JobsIndex
from azureml_replay.planning.plan import plan
from azureml_replay.selection import Selection
from unit.formats.jobs_json.test_jobs_json import SOURCE, imported, original, saved

HUGE = 10**399
DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
STRANGE = (None, 7, HUGE, True, "", "\ud800", ["a"], [HUGE], {"a": 1}, {"a": HUGE}, DEEP)
STRANGE_INSIDE = (
    {"artifacts": [{"path": "a", "datastore": "d", "location": "l", "indexed": True, "size_bytes": HUGE}]},
    {"artifacts": [{"path": "\udfff", "datastore": "d", "location": "l", "indexed": True}]},
    {"artifacts": [{"path": "a", "datastore": "d", "location": "l", "indexed": True, "size_bytes": 1, "md5": "x"}]},
    *(
        {"metric_history": [{"name": "m", "columns": [["m", kind]], "rows": [row]}]}
        for kind in ("Double", "String")
        for row in (
            7,
            [],
            [0],
            [HUGE, None, 1.0],
            [0, 7, 1.0],
            [0, None, HUGE],
            [0, None, []],
            [0, None],
        )
    ),
    {"metric_history": [{"name": "m", "columns": [["m", "Double"]], "rows": [[0, None, "x"]]}]},
    {"metric_history": [{"name": "m", "columns": 7, "rows": []}]},
    {"metric_history": [{"name": 7, "columns": [], "rows": []}]},
    {"metric_history": [{"name": "m", "columns": [["m", "Double"]]}]},
)


async def taken(path: Path, folder: Path) -> None:
    """As build_pipeline takes a file without an archive."""
    archive = await imported(path, folder, SOURCE)
    try:
        list(plan(archive, Selection(include_active=True)))
    finally:
        archive.close()


@pytest.mark.parametrize("ours", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("value", STRANGE, ids=range(len(STRANGE)))
async def test_a_strange_field_is_read_or_named(tmp_path: Path, value: Any, ours: bool) -> None:
    """One job for each field; those that can be read are imported and planned together."""
    read = []
    for at, field in enumerate([*FIELDS, *ADDED]):
        entry = original(f"job{at}") | ({"metric_history": []} if ours else {}) | {field: value}
        if field not in ("name", "id") and shapes.wrong(entry) is None:
            read.append(entry)
        else:
            await refused_or_read(saved(tmp_path, entry), field, tmp_path / f"archive {at}")
    if read:
        await refused_or_read(saved(tmp_path, *read), "", tmp_path / "archive")


async def refused_or_read(path: Path, field: str, folder: Path) -> None:
    try:
        await taken(path, folder)
    except UserError as error:
        said = str(error)
    else:
        return
    assert "\n" not in said
    assert field in said


@pytest.mark.parametrize("more", STRANGE_INSIDE, ids=range(len(STRANGE_INSIDE)))
async def test_what_is_strange_inside_is_named(tmp_path: Path, more: dict[str, Any]) -> None:
    entry = original("a") | {"metric_history": []} | more

    with pytest.raises(UserError, match=f"job a, {next(iter(more))}"):
        await taken(saved(tmp_path, entry), tmp_path / "archive")


def test_a_number_of_more_digits_than_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    path.write_text('[{"name": "a", "duration_seconds": ' + "9" * 5_000 + "}]")

    with pytest.raises(UserError, match="line 1: a number has too many digits"):
        JobsIndex(path)


def test_an_entry_as_it_is_written_is_right() -> None:
    assert shapes.wrong(json.loads(json.dumps(original("a")))) is None
