"""Intents to send points are on the disk before the wire, many runs' at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import ChunkItem, Payload
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.direct.intents import Intents
from azureml_replay.model import Points, Run, RunDetails, RunId, Series, SeriesKey
from azureml_replay.planning.plan import Step, plan_run
from azureml_replay.workspace.profile import AZURE_ML

SOURCE, TARGET = (azure_place("sub", "group", name) for name in ("source", "target"))
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
NEW, BEGUN = RunId("new"), RunId("begun")


def steps_of(archive: Archive, *runs: RunId) -> list[Step]:
    """The plan of each run."""
    steps = (plan_run(archive, run, AZURE_ML, root=run, depth=0) for run in runs)
    return [step for step in steps if step]


def test_intents_ahead_are_on_the_disk_for_runs_of_which_nothing_was_sent(tmp_path: Path) -> None:
    """Another process sees them, so that after a kill it asks; a run with receipts keeps those; none is told twice."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        for name in (NEW, BEGUN):
            archive.put_listed([Run(id=name, experiment="e", status="Completed")])
            archive.begin(name)
            archive.put_details(RunDetails(run=Run(id=name, experiment="e", status="Completed")))
            archive.put_chunk(name, [Points.of(LOSS, [(0, 100, (0.5,))])])
            archive.complete(name)
        archive.ledger(TARGET).mark(BEGUN, {ChunkItem(0): Payload(b"earlier")}, State.SENDING)
        intents = Intents(archive, archive.ledger(TARGET))

        intents.mark_ahead(steps_of(archive, NEW, BEGUN))

        with Archive.open(tmp_path / "archive", write=False) as other:
            ahead, earlier = (other.ledger(TARGET).receipt(run, ChunkItem(0)) for run in (NEW, BEGUN))
            payload = other.chunk_payloads(NEW)[0]
        assert ahead
        assert (ahead.state, ahead.digest, ahead.rows) == (State.SENDING, payload.digest, 1)
        assert earlier
        assert earlier.digest == b"earlier"
        assert intents.ahead == {(NEW, ChunkItem(0))}
        asyncio.run(intents.mark(NEW, {ChunkItem(0): payload}))
        assert not intents.ahead
        assert not intents.waiting


def test_runs_of_many_chunks_are_marked_as_they_are_begun(tmp_path: Path) -> None:
    """After a kill only those begun are asked about."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        archive.put_listed([Run(id=NEW, experiment="e", status="Completed")])
        archive.begin(NEW)
        archive.put_details(RunDetails(run=Run(id=NEW, experiment="e", status="Completed")))
        for number in range(3):
            archive.put_chunk(NEW, [Points.of(LOSS, [(number, 100, (0.5,))])])
        archive.complete(NEW)
        intents, payloads = Intents(archive, archive.ledger(TARGET)), archive.chunk_payloads(NEW)

        intents.mark_ahead(steps_of(archive, NEW))
        assert archive.ledger(TARGET).receipts(NEW) == {}

        asyncio.run(intents.mark(NEW, {ChunkItem(seq): payloads[seq] for seq in (0, 2)}))
        with Archive.open(tmp_path / "archive", write=False) as other:
            assert list(other.ledger(TARGET).receipts(NEW)) == [ChunkItem(0), ChunkItem(2)]
