"""Archives of parts: what a killed driver left is folded in, and figures of a lost worker are read off what it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import FileItem, Payload, RunItem
from azureml_replay.archive.merging.parts import Brought
from azureml_replay.archive.receipts import State
from azureml_replay.crew.losses import PartLosses
from azureml_replay.crew.messages import ToExtract, ToSend
from azureml_replay.crew.pool import Errand, Portion
from azureml_replay.crew.seeds import FOLDER, Seeds, bring_leftovers
from azureml_replay.direct.options import Replayed, ReplayOptions
from azureml_replay.direct.parts import Briefing, PartSent
from azureml_replay.errors import UserError
from azureml_replay.extraction.extract import ExtractOptions, PartExtracted
from azureml_replay.model import RunId
from azureml_replay.planning.parts import UnitPart
from azureml_replay.progress import SILENT
from azureml_replay.workspace.profile import AZURE_ML
from unit.archive.test_merge import SOURCE, TARGET, a_run, bring, run, sent

R0, R1 = RunId("r0"), RunId("r1")
PORTION = Portion(Errand("p", 1), (UnitPart("p", (R0,), 1.0), UnitPart("q", (R1,), 1.0)))
NOTHING = Replayed(runs=0, points=0, files=0, bytes=0, conflicts=(), kept=(), failed=())


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Archive]:
    """Lists two runs."""
    with Archive.create(tmp_path / "a", SOURCE) as archive:
        archive.put_listed([run(0), run(1)])
        archive.arrange()
        archive.select([R0, R1])
        yield archive


def test_what_a_killed_driver_left_comes_once_its_workers_have_ended(whole: Archive) -> None:
    """Whatever it had not made whole is no part."""
    seeds = Seeds(whole, None)
    folder = seeds.make(PORTION.errand, [R0], [])
    (seeds.folder / "making").mkdir()
    (seeds.folder / "making" / "archive.db").write_bytes(b"half of one")
    with Archive.open(folder) as part:
        bring(part, [a_run()])
        with pytest.raises(UserError, match=r"still works on .*p\.1: wait until it has ended, in a minute at most"):
            bring_leftovers(whole, SILENT)
        assert {*whole.pending_ids()} == {R0, R1}
    modes = {path.stat().st_mode & 0o077 for path in (folder, folder / "archive.db")}

    assert bring_leftovers(whole, SILENT) == 1
    assert [*whole.pending_ids()] == [R1]
    assert not (whole.folder / FOLDER).exists()
    assert bring_leftovers(whole, SILENT) == 0
    assert modes == {0}, "nobody else reads it"


def test_what_a_lost_worker_extracted_is_counted(whole: Archive) -> None:
    """One of two runs, whole, with the bytes of its files; of the other one it had some rows, which do not count."""
    seeds = Seeds(whole, None)
    work = ToExtract(options=ExtractOptions(download=True), without=frozenset(), shelved=False)
    losses = PartLosses(whole, None, work)
    with Archive.open(seeds.make(PORTION.errand, [R0, R1], [])) as part:
        bring(part, [a_run(rows=5)])
        part.begin(R1)
    losses.note(PORTION)

    found = losses.home(PORTION, lambda: seeds.home(PORTION.errand, [R0, R1], Brought.CONTENT))

    assert [*found] == [PartExtracted(runs=1, points=5, files=1, kept=1, kept_bytes=len("r0/a"))]
    assert [*whole.pending_ids()] == [R1]


@pytest.mark.parametrize("reaped", [True, False])
def test_what_a_lost_worker_sent_is_counted(whole: Archive, *, reaped: bool) -> None:
    """With rows of which only the target could tell the next one; what had been there before the command is not.

    Where nobody can tell whether the worker lives, its archive never comes home, and the next one finds all there.
    """
    bring(whole, [a_run(rows=5), replace(a_run(rows=7), run=run(1))])
    whole.ledger(TARGET).mark(R1, {RunItem.CREATE: Payload(b"c")}, State.SENT)
    seeds, again = Seeds(whole, TARGET), replace(PORTION, errand=Errand("p", 2))
    losses = PartLosses(whole, TARGET, ToSend(options=ReplayOptions(), profile=AZURE_ML, briefing=Briefing({}, {})))

    def ended(errand: Errand) -> None:
        seeds.home(errand, [R0, R1], Brought.SENT)

    with Archive.open(seeds.make(PORTION.errand, [R0, R1], [])) as part:
        sent(part, R0, whole=False)
        files = {FileItem("a"): Payload(b"1", size_bytes=10), FileItem("replay/job.json"): Payload(b"2", size_bytes=3)}
        part.ledger(TARGET).mark(R0, files, State.SENT)
    losses.note(PORTION)
    if reaped:
        assert losses.home(PORTION, lambda: ended(PORTION.errand)) == ()
    with Archive.open(seeds.make(again.errand, [R0, R1], [])) as part:
        sent(part, R0)
        part.ledger(TARGET).mark(R0, files, State.SENT)
        sent(part, R1)
    last = PartSent(replace(NOTHING, runs=1, points=7), frozenset({"e0"}))

    done = losses.done(again, last, lambda: ended(again.errand))

    everything = replace(NOTHING, runs=2, points=12, files=2, own_files=1, bytes=13)
    assert done == PartSent(everything, frozenset({"e0"}))
    seeds.make(again.errand, [R0, R1], [])
    untouched = PartLosses(whole, TARGET, losses.work)
    assert untouched.done(again, last, lambda: ended(again.errand)) == last, "no worker was lost at it"
