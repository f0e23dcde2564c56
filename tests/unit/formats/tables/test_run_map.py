"""Where each run is now, and why one is nowhere."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Topic, Way
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.cli.app import app
from azureml_replay.formats.tables.run_map import mapped
from azureml_replay.model import Omission, Run, RunId
from azureml_replay.synthetic.tree.grow import NO_FLAG
from azureml_replay.synthetic.tree.nodes import RUN

SOURCE, TARGET = azure_place("sub", "group", "source"), azure_place("sub", "group", "target")
SWEEP, TRIAL, LOST = RunId("sweep"), RunId("sweep_1"), RunId("lost")


def test_a_run_that_was_left_out_says_why(tmp_path: Path) -> None:
    """A trial that nobody asked for is left out on purpose; of another run only a file is."""
    folder = tmp_path / "archive"
    with Archive.create(folder, SOURCE) as archive:
        archive.put_listed([Run(id=run, status="Completed") for run in (SWEEP, TRIAL, LOST)])
        archive.select([SWEEP, TRIAL, LOST])
        for run in (SWEEP, TRIAL, LOST):
            archive.begin(run)
            archive.complete(run)
        ledger = archive.ledger(TARGET)
        ledger.mark(SWEEP, [RunItem.SHAPE, RunItem.JOB], State.SENT, "sweep")
        ledger.put_planned_omissions(Topic(Way.JOB, TRIAL), [Omission(TRIAL, RUN, NO_FLAG)])
        ledger.put_planned_omissions(Topic(Way.JOB, LOST), [Omission(LOST, "file a.txt", "left out by --files")])

        rows = {row.source_id: (row.target_id, row.left_out) for row in mapped(archive)}

    told = CliRunner().invoke(app, ["map", str(folder)]).stdout
    assert rows == {SWEEP: ("sweep", None), TRIAL: (None, NO_FLAG), LOST: (None, None)}
    assert f"sweep_1 -> left out ({NO_FLAG})  [" in told
    assert "lost -> not in sub/group/target  [" in told
