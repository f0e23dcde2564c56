"""Archives of format 10, whose records say in documents alone what acts, which code a run had and whom it names."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.older_records import code_of, ties_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.azure.place import azure_place
from azureml_replay.azure.wire.decode_ties import PROPERTIES, TAGS, job_code, tied
from azureml_replay.azure.wire.fates import Fidelity
from azureml_replay.azure.wire.fidelity import keys
from azureml_replay.model import Run, RunId
from azureml_replay.planning.ids import new_id
from azureml_replay.planning.lineage import PROPERTY
from azureml_replay.planning.plan import SHOWN, Step, plan
from azureml_replay.selection import Selection
from azureml_replay.workspace.profile import TargetProfile

HERE = Path(__file__).parent
TARGET = azure_place("sub", "group", "new")
VALUE = st.none() | st.sampled_from(["", "r1", "dcid.r1", "dcid.", "x"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Made by the version that wrote format 10: a pipeline with a reused step, AutoML, a sweep, a command job."""
    with sqlite3.connect(tmp_path / "archive.db") as database:
        database.executescript((HERE / "format_10.sql").read_text())
    database.close()
    return tmp_path


def told(step: Step) -> dict[str, Any]:
    """As the plan of that version was written down; the lineage names who wrote it."""
    run = step.run
    return {
        "source": step.source,
        "id": run.id,
        "parent": run.parent,
        "container": f"dcid.{run.lender}" if run.lender else "",
        "tags": dict(run.tags),
        "properties": {key: value for key, value in run.properties.items() if key != PROPERTY},
        "own_files": list(step.own_files),
        "overflow": dict(step.overflow),
        "omissions": [[one.run, one.what.replace(SHOWN, "container dcid."), one.reason] for one in step.omissions],
    }


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("ids", ["own ids", "new ids"])
def test_an_older_archive_is_planned_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ids: str, *, write: bool
) -> None:
    """The same ids and references, the same omissions."""
    with Archive.open(folder, write=write) as archive:
        runs = [run.id for unit in archive.units() for run in archive.unit(unit)]
        new = {run: new_id(archive.source, run, TARGET) for run in runs} if ids == "new ids" else {}
        monkeypatch.setattr(TargetLedger, "target_ids", lambda *_: new)
        steps = plan(archive, Selection(), profile=TargetProfile(ref=TARGET))

        assert [told(step) for step in steps] == json.loads((HERE / "format_10_plan.json").read_text())[ids]


@given(
    document=st.none() | st.dictionaries(st.sampled_from(sorted(keys("Run", Fidelity.NEVER_SENT))), VALUE, max_size=5),
    properties=st.dictionaries(st.sampled_from([*PROPERTIES, "CancelUri", "ContentSnapshotId", "own"]), VALUE),
    tags=st.dictionaries(st.sampled_from([*TAGS, "own"]), VALUE),
)
def test_what_is_read_late_is_what_decoding_says(document: Any, properties: Any, tags: Any) -> None:
    """Until decoding learns more: then this holds for what format 10 knew."""
    run = tied(Run(id=RunId("r"), document=document, properties=properties, tags=tags))

    assert ties_of(document, tags, properties) == (run.acting, run.code, run.references)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"properties": None},
        {"properties": {"codeId": "/subscriptions/s/codes/c"}},
        {"properties": {"codeId": "azureml:c:1", "trial": {"codeId": "/subscriptions/s/codes/t"}}},
        {"properties": {"trial": {"codeId": 7}}},
    ],
)
def test_so_is_the_code_of_a_job(document: Any) -> None:
    assert code_of(document) == job_code(document)
