"""Archives of one source, folded into one: in any order what one extraction of everything holds."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.assets import NO_VERSION
from azureml_replay.archive.checking import check
from azureml_replay.archive.database import Database
from azureml_replay.archive.edits import Acceptance, Edit, digest
from azureml_replay.archive.evidence import Aspect, Looked, Topic, Way
from azureml_replay.archive.items import ChunkItem, ExperimentItem, Payload, RunItem
from azureml_replay.archive.merging.merge import Merged, merge
from azureml_replay.archive.reading import FILES_LEFT_OUT, HISTORY_LEFT_OUT
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.azure.place import azure_place
from azureml_replay.errors import Exit, IntegrityError, UserError
from azureml_replay.instants import Instant
from azureml_replay.model import (
    Artifact,
    CodeReference,
    Experiment,
    Finding,
    Job,
    Location,
    Omission,
    Points,
    Run,
    RunDetails,
    RunId,
    Series,
    SeriesKey,
    StoredFile,
)
from azureml_replay.planning.experiments import OWNER
from azureml_replay.selection import Selection
from azureml_replay.verification.verdict import verdict
from azureml_replay.workspace.asset import AssetKind
from looks import looked_at
from old_archives import NUMBERS, unpacked
from unit.archive.full import SOURCE as FULL_SOURCE
from unit.archive.full import full

SOURCE, TARGET, OTHER = (azure_place("sub", "group", name) for name in ("source", "target", "other"))
LOSS = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
CHOICE = {"files": {"artifacts": True, "globs": [], "most_bytes": None}}


@dataclass(frozen=True)
class Held:
    """A run of the source, with all that an extraction brings of it."""

    run: Run
    rows: int = 0
    files: tuple[str, ...] = ()
    job: bool = False
    left_out: tuple[Omission, ...] = ()


def run(at: int, parent: int | None = None, modified: int = 1, **fields: Any) -> Run:
    above = None if parent is None or parent == at else RunId(f"r{parent}")
    moment = Instant(10_000_000 * (1_000 + at))
    return Run(
        id=RunId(f"r{at}"),
        parent=above,
        experiment=f"e{at % 2}",
        status="Completed",
        created=moment,
        modified=Instant(10_000_000 * modified),
        **fields,
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[Held]:
    """Runs in trees and cycles, some with secrets; files that they share."""
    count = draw(st.integers(1, 5))
    parents = [draw(st.none() | st.integers(0, count)) for _ in range(count)]
    return [
        Held(
            run(at, parent, tags={"key": draw(st.sampled_from(["plain", "AccountKey=" + "a" * 86 + "=="]))}),
            rows=draw(st.integers(0, 3)),
            files=tuple(draw(st.sets(st.sampled_from(["a", "b", "shared"])))),
            job=draw(st.booleans()),
        )
        for at, parent in enumerate(parents)
    ]


def extracted(folder: Path, world: Sequence[Held], more: Callable[[Archive], object] = lambda _: None) -> Path:
    """As commands do it."""
    with Archive.create(folder, SOURCE) as archive:
        bring(archive, world)
        more(archive)
    return folder


def bring(archive: Archive, world: Sequence[Held]) -> None:
    archive.put_experiments([Experiment(id=str(at), name=f"e{at}", description="of all") for at in (0, 1)])
    archive.put_jobs([Job(one.run.id, {"properties": {"of": one.run.id}}) for one in world if one.job])
    archive.put_listed([one.run for one in world])
    archive.arrange()
    archive.select([one.run.id for one in world])
    for one in world:
        archive.begin(one.run.id)
        archive.put_details(RunDetails(run=one.run))
        if one.rows:
            archive.put_chunk(one.run.id, [points(one.run.id, 0, one.rows)])
        archive.put_artifacts(one.run.id, [artifact(one.run.id, name) for name in one.files])
        archive.put_omissions([Omission(one.run.id, "metric x", "left out"), *one.left_out])
        archive.complete(one.run.id)
        for name in one.files:
            keep(archive, artifact(one.run.id, name))


def points(name: str, start: int, stop: int) -> Points:
    first = int(name.removeprefix("r") or 0) * 1_000
    return Points.of(LOSS, [(step, first + step, (0.5 + step,)) for step in range(start, stop)])


def artifact(name: str, path: str) -> Artifact:
    place = Location("store", path if path == "shared" else f"{name}/{path}")
    stored = StoredFile(location=place, size_bytes=len(place.path), etag="1")
    return Artifact(path=path, location=place, indexed=True, stored=stored)


def keep(archive: Archive, one: Artifact) -> None:
    assert one.stored is not None
    with archive.incoming(one.stored) as incoming:
        incoming.add(one.location.path.encode())
        archive.keep(incoming)


def merged(folder: Path, *others: Path) -> Merged:
    with Archive.open(folder) as archive:
        return merge(archive, others)


def sound(folder: Path) -> tuple[str, list[Any]]:
    """The content root of an archive without damage, and how its runs stand."""
    with Archive.open(folder, write=False) as archive:
        found = check(archive, read_data=True)
        assert found.damages == ()
        rows = list(archive.listing())
    return found.content.kept, rows


def dump(folder: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    with closing(sqlite3.connect(folder / "archive.db")) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")]
        return {name: sorted(map(repr, database.execute(f"select * from {name}"))) for name in tables}  # noqa: S608


@given(world=worlds(), parts=st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=2, max_size=4), data=st.data())
@settings(max_examples=12, deadline=None)
def test_any_split_in_any_order_is_one_extraction_of_everything(
    world: list[Held], parts: list[set[int]], data: st.DataObject
) -> None:
    """Overlapping or not; and once more changes nothing."""
    parts = [*parts, set(range(len(world))).difference(*parts) or {0}]
    parts = [some for part in parts if (some := {at % len(world) for at in part})]
    with TemporaryDirectory() as place:
        whole = extracted(Path(place) / "whole", world)
        folders = [
            extracted(Path(place) / str(number), [world[at] for at in sorted(part)])
            for number, part in enumerate(parts)
        ]
        first, *others = data.draw(st.permutations(folders))

        done = merged(first, *others)

        assert sound(first) == sound(whole)
        assert done.archives == len(others)
        before = dump(first)
        again = merged(first, *others)
        assert (again.runs, again.renewed, again.points, again.kept, again.receipts) == (0, 0, 0, 0, 0)
        assert dump(first) == before


def a_run(modified: int = 1, rows: int = 2, *left_out: Omission, **fields: Any) -> Held:
    return Held(run(0, modified=modified, **fields), rows=rows, files=("a",), job=True, left_out=left_out)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_run(2, 3, description="later"), a_run(1, 5)),
        (a_run(1, 5), a_run(2, 1, Omission(RunId("r0"), "metrics beyond the last value of each", HISTORY_LEFT_OUT))),
        (a_run(1, 3), a_run(1, 2)),
    ],
    ids=["the later one", "the one that leaves out less", "the one with more rows"],
)
def test_a_run_comes_whole_from_one_side(tmp_path: Path, one: Held, other: Held, turned: bool) -> None:
    """Whichever is folded into whichever; with a generation above both, by which nothing counts as sent."""
    second, first = extracted(tmp_path / "2", [other]), extracted(tmp_path / "1", [one])
    expected = sound(first)[0]
    into, come = (second, first) if turned else (first, second)
    with Archive.open(into) as archive:
        archive.ledger(TARGET).mark_whole({one.run.id: Payload(b"whole")})

    done = merged(into, come)

    assert sound(into)[0] == expected
    assert (done.renewed, done.same) == ((1, 0) if turned else (0, 1))
    with Archive.open(into, write=False) as archive:
        assert archive.generation(one.run.id) == (2 if turned else 1)
        assert (archive.ledger(TARGET).receipt(one.run.id, RunItem.WHOLE) is None) is turned
        older = one.run.modified < other.run.modified  # type: ignore[operator]
        assert [row.extracted for row in archive.listing()] == [not older]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("known", ["both", "one", "none"])
def test_a_file_that_was_replaced_is_as_whoever_read_it_last(tmp_path: Path, known: str, turned: bool) -> None:
    """Nothing of the run says so. Where nobody knows who read it last, it is to be read again."""
    folders = [extracted(tmp_path / name, [a_run()]) for name in ("old", "same", "new")]
    replaced(folders[2], "2")
    forget(folders[0] if known == "one" else None, *(folders if known == "none" else ()))
    first = tmp_path / "first"
    shutil.copytree(folders[2], first)

    # the third read what the first had, before: that makes it no newer
    merged(*([folders[0], folders[1], first] if turned else [first, folders[1], folders[0]]))

    into = folders[0] if turned else first
    assert [row.extracted for row in sound(into)[1]] == [known != "none"]
    if known != "none":
        assert sound(into)[0] == sound(folders[2])[0]
    with Archive.open(into, write=False) as archive:
        (etag,) = {one.stored.etag for one in archive.artifacts(RunId("r0")) if one.stored}
    assert known == "none" or etag == "2"
    told = sound(into)
    merged(into, folders[1], folders[2])
    assert sound(into) == told


@pytest.mark.parametrize("turned", [False, True])
def test_what_has_less_and_was_read_later_is_to_be_read_again(tmp_path: Path, turned: bool) -> None:
    """It may have lost a file, and got others; what it left out by choice says nothing."""
    more = replace(a_run(), files=("a", "b"))
    no_files = replace(a_run(1, 2, Omission(RunId("r0"), "files", FILES_LEFT_OUT)), files=())
    for number, (other, left) in enumerate(((a_run(), False), (no_files, True))):
        first = extracted(tmp_path / f"1{number}", [more])
        second = extracted(tmp_path / f"2{number}", [other])
        expected = sound(first)[0]
        into, come = (second, first) if turned else (first, second)

        merged(into, come)

        assert sound(into)[0] == expected
        assert [row.extracted for row in sound(into)[1]] == [left]


@pytest.mark.parametrize("turned", [False, True])
def test_where_each_side_has_what_the_other_left_out_nothing_is_taken_out(tmp_path: Path, turned: bool) -> None:
    """All values and no files, or the last values and the files: a run comes whole from one side."""
    no_files = Omission(RunId("r0"), "files", FILES_LEFT_OUT)
    last = Omission(RunId("r0"), "metrics beyond the last value of each", HISTORY_LEFT_OUT)
    first = extracted(tmp_path / "1", [replace(a_run(1, 5, no_files), files=())])
    second = extracted(tmp_path / "2", [a_run(1, 1, last)])
    into, come = (second, first) if turned else (first, second)
    before = dump(into)

    with pytest.raises(UserError, match=r"run r0: of archive .* one has the files and the other one more of the metr"):
        merged(into, come)

    assert dump(into) == before


def replaced(folder: Path, etag: str) -> None:
    """The run is extracted again, with a file that somebody replaced at the source."""
    with Archive.open(folder) as archive:
        archive.bring_again(RunId("r0"))
        archive.begin(RunId("r0"))
        archive.put_chunk(RunId("r0"), [points("r0", 0, 2)])
        one = artifact("r0", "a")
        assert one.stored is not None
        one = replace(one, stored=replace(one.stored, etag=etag))
        archive.put_artifacts(RunId("r0"), [one])
        archive.put_omissions([Omission(RunId("r0"), "metric x", "left out")])
        archive.complete(RunId("r0"))
        keep(archive, one)


def forget(*folders: Path | None) -> None:
    """As an older version left it, which noted no moments."""
    for folder in filter(None, folders):
        with closing(sqlite3.connect(folder / "archive.db")) as database, database:
            database.execute("update run set extracted_at = null")


def test_what_was_only_listed_waits_for_the_next_extraction(tmp_path: Path) -> None:
    """Selected on one side, extracted on the other, left out by a third; and half an extraction stays where it is."""
    other = extracted(tmp_path / "2", [a_run()])
    with Archive.create(tmp_path / "1", SOURCE) as archive:
        archive.put_listed([run(0), run(1), run(3)])
        archive.arrange()
        archive.select([RunId("r0"), RunId("r1")])
    with Archive.create(tmp_path / "3", SOURCE) as archive:
        archive.put_omissions([Omission(RunId("r0"), "run", "cut by --depth"), Omission(RunId("r9"), "run", "cut")])
    with Archive.open(other) as archive:
        archive.bring_again(RunId("r0"))
        archive.begin(RunId("r0"))
        archive.put_chunk(RunId("r0"), [points("r0", 0, 1)])

    merged(tmp_path / "3", tmp_path / "1", other)

    sound(tmp_path / "3")
    with Archive.open(tmp_path / "3", write=False) as archive:
        assert sorted(archive.pending_ids()) == ["r0", "r1"]
        assert archive.generation(RunId("r0")) == 1
        assert sum(rows for _, rows in archive.series(RunId("r0"))) == 2
        assert [(one.run, one.what) for one in archive.omissions() if one.what == "run"] == [("r9", "run")]


# What reached a target


def sent(
    archive: Archive, run: RunId, *, whole: bool = True, state: State = State.SENT, target: Any = TARGET
) -> TargetLedger:
    """A replay of what the archive has of a run."""
    ledger = archive.ledger(target)
    ledger.carry({run: CHOICE}, Way.RUN)
    chunks = {ChunkItem(seq): payload for seq, payload in archive.chunk_payloads(run).items()}
    ledger.mark(run, {RunItem.CREATE: Payload(b"c"), RunItem.FINISH: Payload(b"f")}, State.SENT)
    ledger.mark(run, chunks, state)
    ledger.put_sent({run: {"tag key": "plain"}})
    if whole:
        ledger.mark_whole({run: Payload(b"w", detail=ledger.content_of(run))})
    return ledger


def ledger_of(folder: Path, run: str) -> dict[str, Any]:
    """Item -> state of the run's receipts, and which of its aspects are compared."""
    with Archive.open(folder, write=False) as archive:
        ledger = archive.ledger(TARGET)
        kept = ledger.kept(Topic(Way.RUN, run))
        current = {
            aspect.value for aspect, look in kept.compared.items() if look.against == ledger.content_of(RunId(run))
        }
        found = [(one.what, one.kind) for one in ledger.findings_of_run(RunId(run))]
        items = {one.item: one.state.value for one in ledger.receipts(RunId(run)).values()}
    return {"items": items, "current": current, "found": found}


LOOKED = {"fields", "points", "files"}


def test_what_each_sent_and_compared_counts_for_both(tmp_path: Path) -> None:
    """Parts of one target, and another one; numbers of targets and of looks are an archive's own."""
    world = [replace(a_run(), run=run(at)) for at in range(3)]
    first, second = extracted(tmp_path / "1", world[:2]), extracted(tmp_path / "2", world[1:])
    with Archive.open(first) as archive:
        looked_at(sent(archive, RunId("r0")), RunId("r0"), counts={"points": 2})
    with Archive.open(second) as archive:
        sent(archive, RunId("r2"), target=OTHER)
        looked_at(sent(archive, RunId("r1")), RunId("r1"), [Finding(RunId("r1"), "tag key", "differs", "a", "b")])
        looked_at(sent(archive, RunId("r2")), RunId("r2"), counts={"points": 2})

    merged(first, second)

    sound(first)
    for name in ("r0", "r1", "r2"):
        known = ledger_of(first, name)
        assert known["current"] == LOOKED
        assert set(known["items"].values()) == {"sent"}
        assert RunItem.WHOLE in known["items"]
        assert known["found"] == ([("tag key", "differs")] if name == "r1" else [])
    with Archive.open(first, write=False) as archive:
        assert [one.short for one in archive.targets()] == ["target", "other"]
        assert archive.ledger(OTHER).progress().runs_finished == 1
        assert archive.ledger(TARGET).progress().points == 6
        assert {archive.ledger(TARGET).sent(RunId(name)) == {"tag key": "plain"} for name in ("r0", "r2")} == {True}
    with closing(sqlite3.connect(first / "archive.db")) as database:
        looks = "select json_extract(fields, '$.look'), target from evidence where fields is not null order by 1"
        assert database.execute(looks).fetchall() == database.execute("select number, target from look").fetchall()
    before = dump(first)
    merged(first, second)
    assert dump(first) == before


def test_what_sorts_before_all_digits_comes_along(tmp_path: Path) -> None:
    """Receipts of experiments, which are no run's; omissions of the workspace; runs and jobs with names like `-1`.

    A part is given them, too.
    """
    folders = [extracted(tmp_path / str(at), [replace(a_run(), run=run(at))]) for at in range(2)]
    odd = replace(run(0), id=RunId("-1"))
    for at, folder in enumerate(folders):
        with Archive.open(folder) as archive:
            item = {ExperimentItem(f"e{at}"): Payload(b"as it was")}
            archive.ledger(TARGET).mark(OWNER, item, State.SENT)
            archive.ledger(TARGET).put_sent({RunId(f"experiment e{at}"): {"description": "of all"}})
    with Archive.open(folders[1]) as archive:
        archive.put_jobs([Job(RunId("-2"), {"properties": {}})])
        archive.put_omissions([Omission(RunId(""), "schedules", "not carried")])
        archive.put_listed([odd])
        archive.arrange()
        archive.select([odd.id, RunId("r1")])
        archive.begin(odd.id)
        archive.put_details(RunDetails(run=odd))
        archive.complete(odd.id)
        archive.ledger(TARGET).mark(odd.id, {RunItem.CREATE: Payload(b"c")}, State.SENT)
        archive.ledger(TARGET).bind({odd.id: RunId("there")})

    merged(*folders)

    sound(folders[0])
    with Archive.open(folders[0]) as archive, Archive.create(tmp_path / "part", SOURCE) as part:
        part.take_part(archive, [RunId("r1"), odd.id], TARGET, ())
        for one in (archive, part):
            ledger = one.ledger(TARGET)
            assert {*ledger.receipts(OWNER)} == {ExperimentItem("e0"), ExperimentItem("e1")}
            assert [ledger.sent(RunId(f"experiment e{at}")) for at in range(2)] == [{"description": "of all"}] * 2
            assert [*ledger.receipts(odd.id)] == [RunItem.CREATE]
            assert ledger.target_id(odd.id) == "there"
            assert one.generation(odd.id) == 1
        assert archive.job(RunId("-2")) is not None
        assert "schedules" in {one.what for one in archive.omissions()}


def test_receipts_of_rows_follow_their_rows(tmp_path: Path) -> None:
    """The same rows in other chunks have other numbers: none is lost, and none is taken for another's."""
    name = RunId("r0")
    pieces = [points("r0", 0, 2), points("r0", 2, 4)]
    folders = []
    for number, some in enumerate([pieces, [pieces[1], pieces[0]]]):
        with Archive.create(tmp_path / str(number), SOURCE) as archive:
            archive.put_listed([run(0, modified=2 - number)])
            archive.arrange()
            archive.select([name])
            archive.begin(name)
            for piece in some:
                archive.put_chunk(name, [piece])
            archive.complete(name)
        folders.append(archive.folder)
    with Archive.open(folders[1]) as archive:
        only = {ChunkItem(0): archive.chunk_payloads(name)[0]}
        archive.ledger(TARGET).mark(name, only, State.SENT)
        archive.ledger(TARGET).mark(name, {ChunkItem(7): Payload(b"of rows that are gone", rows=9)}, State.SENDING)

    merged(*folders)

    sound(folders[0])
    with Archive.open(folders[0], write=False) as archive:
        chunks, found = archive.chunk_payloads(name), archive.ledger(TARGET).receipts(name)
        assert {item: one.digest for item, one in found.items()} == {
            ChunkItem(1): chunks[1].digest,
            ChunkItem(7): b"of rows that are gone",
        }


def test_a_proof_does_not_outlive_what_the_other_sent(tmp_path: Path) -> None:
    """Another archive sent other values: what ours compared before is open, and nothing counts as whole."""
    first, second = extracted(tmp_path / "1", [a_run()]), extracted(tmp_path / "2", [a_run()])
    name = RunId("r0")
    with Archive.open(first) as archive:
        looked_at(sent(archive, name), name)
    with Archive.open(second) as archive:
        ledger = sent(archive, name, whole=False)
        ledger.mark(name, {RunItem.FINISH: Payload(b"of another state")}, State.SENT)
        ledger.put_sent({name: {"tag key": "of another state"}})

    merged(first, second)

    known = ledger_of(first, "r0")
    assert (known["current"], RunItem.WHOLE in known["items"]) == (set(), False)
    with Archive.open(first) as archive:
        assert archive.ledger(TARGET).sent(name) == {"tag key": "of another state"}
        looked_at(archive.ledger(TARGET), name)
    merged(first, second)
    assert ledger_of(first, "r0")["current"] == LOOKED


def test_evidence_of_another_content_is_no_proof(tmp_path: Path) -> None:
    """Their run was later and came: what ours compared is old; theirs counts."""
    first, second = extracted(tmp_path / "1", [a_run(1)]), extracted(tmp_path / "2", [a_run(2, description="x")])
    third = tmp_path / "3"
    shutil.copytree(first, third)
    name = RunId("r0")
    for folder in (first, third):
        with Archive.open(folder) as archive:
            looked_at(sent(archive, name), name, [Finding(name, "tag key", "differs", "a", "b")])

    merged(first, second)
    merged(second, third)

    for folder in (first, second):
        sound(folder)
        assert ledger_of(folder, "r0")["current"] == set()
        assert ledger_of(folder, "r0")["found"] == [("tag key", "differs")]


def test_the_later_look_counts(tmp_path: Path) -> None:
    """Two that sent the same looked one after the other; what either accepted stays accepted."""
    first, second = extracted(tmp_path / "1", [a_run()]), tmp_path / "2"
    name = RunId("r0")
    one, two = (digest("tag key", {"tag key": value}) for value in "12")
    edit = Edit(what="tag key", expected="1", actual="2", sent=one, wanted=one, found=two, since=Instant(1))
    with Archive.open(first) as archive:
        sent(archive, name)
    shutil.copytree(first, second)
    with Archive.open(first) as archive:
        looked_at(archive.ledger(TARGET), name)
        archive.ledger(TARGET).put_edits(name, [replace(edit, accepted=Acceptance("an auditor", Instant(2)))])
    with Archive.open(second) as archive:
        looked_at(archive.ledger(TARGET), name, [Finding(name, "tag key", "edited", "1", "2")])
        archive.ledger(TARGET).put_edits(name, [edit])

    merged(first, second)

    sound(first)
    assert ledger_of(first, "r0")["found"] == [("tag key", "accepted")]
    with Archive.open(first, write=False) as archive:
        assert archive.ledger(TARGET).edits(name)["tag key"].accepted == Acceptance("an auditor", Instant(2))
    merged(second, first)
    assert ledger_of(second, "r0") == ledger_of(first, "r0")


@pytest.mark.parametrize("scope", [None, ["r0"], ["r1"]])
def test_what_an_interrupted_look_did_not_come_to_is_not_compared(tmp_path: Path, scope: list[str] | None) -> None:
    """Theirs, of everything, of this unit, or of another one."""
    first, second = extracted(tmp_path / "1", [replace(a_run(), run=run(1))]), extracted(tmp_path / "2", [a_run()])
    name = RunId("r0")
    with Archive.open(second) as archive:
        looked_at(sent(archive, name), name)
        archive.ledger(TARGET).begin_look([Aspect.FIELDS, Aspect.POINTS], scope, [])

    merged(first, second)

    left = {"files"} if scope != ["r1"] else LOOKED
    assert ledger_of(first, "r0")["current"] == left


@pytest.mark.parametrize("turned", [False, True])
def test_what_an_interrupted_look_found_and_what_it_left_keeps_an_older_proof_from_counting(
    tmp_path: Path, turned: bool
) -> None:
    """It began after ours ended: of one run it found a tag, of the other it came to nothing."""
    first, second = extracted(tmp_path / "1", [replace(a_run(), run=run(at)) for at in range(2)]), tmp_path / "2"
    name, other = RunId("r0"), RunId("r1")
    with Archive.open(first) as archive:
        for one in (name, other):
            looked_at(sent(archive, one), one)
    shutil.copytree(first, second)
    with Archive.open(second) as archive:
        ledger = archive.ledger(TARGET)
        look = ledger.begin_look([*Aspect], None, None)
        against = {Aspect.FIELDS: ledger.content_of(name)}
        found = Looked([Finding(name, "tag key", "differs", "a", "b")])
        ledger.put_outcomes(Topic(Way.RUN, name), look, against, {Aspect.FIELDS: found})
    into, come = (second, first) if turned else (first, second)

    merged(into, come)

    sound(into)
    assert ledger_of(into, "r0")["found"] == [("tag key", "differs")]
    with Archive.open(into, write=False) as archive:
        told = verdict(archive, archive.ledger(TARGET), Selection())
    assert (told.exit, told.proves, bool(told.uncompared)) == (Exit.FINDINGS, False, True)
    if not turned:  # theirs keeps its own look, which is open
        assert (ledger_of(into, "r0")["current"], ledger_of(into, "r1")["current"]) == (set(), set())


def test_where_a_later_look_at_another_content_found_something_ours_is_old(tmp_path: Path) -> None:
    """What it found may be of what it lacks: nothing is said of ours, but that it was not compared since."""
    left = Omission(RunId("r0"), "files", FILES_LEFT_OUT)
    first = extracted(tmp_path / "1", [a_run()])
    second = extracted(tmp_path / "2", [replace(a_run(1, 2, left), files=())])
    name = RunId("r0")
    with Archive.open(first) as archive:
        looked_at(sent(archive, name), name)
    with Archive.open(second) as archive:
        looked_at(archive.ledger(TARGET), name, [Finding(name, "tag key", "extra", "", "b")])

    merged(first, second)

    assert ledger_of(first, "r0")["current"] == {"points", "files"}
    assert ledger_of(first, "r0")["found"] == []


def test_what_was_taken_back_is(tmp_path: Path) -> None:
    """Deleted there after ours sent it: no receipt of ours counts. Sent by ours after that: it is there again."""
    name = RunId("r0")
    for number, later in enumerate((False, True)):
        folders = [extracted(tmp_path / f"{number}{one}", [a_run()]) for one in "12"]
        steps: list[tuple[Path, Callable[[Archive], object]]] = [
            (folders[0], lambda archive: looked_at(sent(archive, name), name)),
            (folders[1], lambda archive: archive.ledger(TARGET).void(name)),
        ]
        for folder, step in reversed(steps) if later else steps:
            with Archive.open(folder) as archive:
                step(archive)

        merged(*folders)

        sound(folders[0])
        known = ledger_of(folders[0], "r0")
        assert (RunItem.DELETED in known["items"], RunItem.CREATE in known["items"]) == (not later, later)
        assert known["current"] == (LOOKED if later else set())


# Refusals


def archive_of(folder: Path, name: str = "source", **options: Any) -> Path:
    with Archive.create(folder, azure_place("sub", "group", name), **options):
        return folder


def bound(folder: Path, source: str, there: str) -> Path:
    with Archive.create(folder, SOURCE) as archive:
        archive.ledger(TARGET).bind({RunId(source): RunId(there)})
    return folder


REFUSED: Mapping[str, tuple[Callable[[Path], Path], str]] = {
    "no archive": (lambda folder: folder, "is not an archive"),
    "another source": (lambda folder: archive_of(folder, "elsewhere"), "only archives of one source"),
    "the same folder": (lambda folder: folder.parent / "ours", "is the archive that the others are folded into"),
    "no promise": (archive_of, "holds what --redact"),
    "two runs for one": (lambda folder: bound(folder, "r0", "y"), "run r0 stands there as x, by .* as y"),
    "one run for two": (lambda folder: bound(folder, "r1", "x"), "x stands there for run r0, by .* for run r1"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_go_together_is_refused(tmp_path: Path, why: str) -> None:
    """By a line that says what to do; nothing is written."""
    make, said = REFUSED[why]
    ours = archive_of(bound(tmp_path / "ours", "r0", "x"), redact=("*.private",) if why == "no promise" else ())
    good, theirs = extracted(tmp_path / "good", [a_run()]), make(tmp_path / "theirs")
    if why == "no promise":
        archive_of(good, redact=("*.private",))
    before = dump(ours)

    with pytest.raises(UserError, match=said):
        merged(ours, *([] if why.endswith(("for one", "for two")) else [good]), theirs)

    assert dump(ours) == before
    with Archive.open(ours):
        pass  # let go


def test_one_that_is_in_use_is_refused(tmp_path: Path) -> None:
    ours, theirs = archive_of(tmp_path / "1"), extracted(tmp_path / "2", [a_run()])

    with Archive.open(theirs), pytest.raises(UserError, match="in use by another command"):
        merged(ours, theirs)
    with Archive.open(ours) as archive, pytest.raises(UserError, match="name another archive"):
        merge(archive, [])


def test_another_version_of_the_table_of_secrets_is_refused(tmp_path: Path) -> None:
    ours, theirs = archive_of(tmp_path / "1"), archive_of(tmp_path / "2")
    with Archive.open(theirs) as archive, archive._transaction():
        archive._execute("update archive set redaction = 1")

    with pytest.raises(UserError, match="version 1 of the table"):
        merged(ours, theirs)


def test_what_the_other_takes_out_is_read_again_of_ours(tmp_path: Path) -> None:
    """As where --redact is given to an archive that has its runs already."""
    ours, theirs = extracted(tmp_path / "1", [a_run()]), archive_of(tmp_path / "2", redact=("*.private",))

    assert merged(ours, theirs).again == 1

    with Archive.open(ours, write=False) as archive:
        assert list(archive.pending_ids()) == ["r0"]
        assert archive.takes_out()[1] == {"*.private"}
    assert merged(ours, theirs).again == 0


@pytest.mark.parametrize("statement", ["update run set status = 'Failed'", "object"])
def test_a_damaged_one_is_refused(tmp_path: Path, statement: str) -> None:
    """It would get sums of what it holds now. Bytes are read as they are copied."""
    ours, theirs = archive_of(tmp_path / "1"), extracted(tmp_path / "2", [a_run()])
    before = dump(ours)
    if statement == "object":
        (file,) = theirs.glob("artifacts/??/*")
        file.write_bytes(b"x" * file.stat().st_size)
    else:
        with closing(sqlite3.connect(theirs / "archive.db", isolation_level=None)) as database:
            database.execute(statement)

    with pytest.raises(
        IntegrityError, match="damaged" if statement == "object" else "run r0: .*nothing of it was merged"
    ):
        merged(ours, theirs)

    assert dump(ours) == before
    sound(ours)


# Killed, rehearsed


def test_killed_is_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each statement: what lies on the disk then is the archive as it was; after the last it is merged."""
    ours, theirs, copies = extracted(tmp_path / "ours", [a_run()]), full(tmp_path / "theirs"), tmp_path / "copies"
    with Archive.open(theirs) as archive, archive._transaction():
        archive._execute("delete from redact_glob")
    with Archive.open(ours) as archive:
        archive.ledger(TARGET).mark(RunId("r1"), [RunItem.CREATE], State.SENDING)
    copies.mkdir()
    before, count = dump(ours), [0]
    really = Database._execute

    def execute(self: Database, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        done = really(self, sql, values)
        if self.folder == ours and sql.lstrip().split()[0] in ("insert", "update", "delete", "begin", "attach"):
            shutil.copytree(ours, copies / str(count[0]))
            count[0] += 1
        return done

    with Archive.open(ours) as archive, monkeypatch.context() as patch:
        patch.setattr(Database, "_execute", execute)
        merge(archive, [theirs])

    after = dump(ours)
    assert count[0] > 50
    for number in range(count[0]):
        assert dump(copies / str(number)) == before, number
    sound(copies / "5")
    last = copies / str(count[0] - 1)
    merged(last, theirs)
    merged(last, theirs)
    assert dump(last) == after
    assert sound(last) == sound(ours)


def test_a_rehearsal_says_what_would_come_and_writes_nothing(tmp_path: Path) -> None:
    ours, theirs = archive_of(tmp_path / "1"), extracted(tmp_path / "2", [a_run()])
    before = dump(ours)

    with Archive.open(ours) as archive:
        said = merge(archive, [theirs, theirs], dry_run=True)

    assert (said.archives, said.runs, said.points, said.kept) == (1, 1, 2, 1)
    assert dump(ours) == before
    assert not (ours / "artifacts").exists()
    assert merged(ours, theirs) == said


def test_code_and_bytes_come_where_ours_lacks_them(tmp_path: Path) -> None:
    """And an object that a merge had copied before it was killed is not copied again, unless it is damaged."""
    reference = CodeReference(snapshot="s1")

    def with_code(archive: Archive) -> None:
        file = archive.code_file(reference)
        file.write_bytes(b"zip")
        archive.keep_code(reference, file)

    ours = extracted(tmp_path / "1", [replace(a_run(), job=False)], lambda archive: archive.lack_code(reference, "404"))
    with Archive.open(ours) as archive, archive._transaction():
        archive._execute("delete from content")
        archive._execute("delete from object")
    shutil.rmtree(ours / "artifacts")
    theirs = extracted(tmp_path / "2", [a_run()], with_code)
    name = hashlib.sha256(b"zip").hexdigest()
    left = ours / "artifacts" / name[:2] / name
    left.parent.mkdir(parents=True)
    left.write_bytes(b"zi")

    assert merged(ours, theirs).kept == 2

    sound(ours)
    with Archive.open(ours) as archive:
        archive.sweep()
        assert archive.held(artifact("r0", "a").stored) is not None  # type: ignore[arg-type]
        assert archive.job(RunId("r0")) is not None
        held = archive.code(reference)
        assert not isinstance(held, str)
        assert held is not None
        assert held.is_sound()
    assert merged(theirs, ours).kept == 0


@pytest.mark.parametrize("number", [NUMBERS[0], NUMBERS[-1]])
def test_older_formats_are_brought_forward(tmp_path: Path, number: int) -> None:
    """Both sides; of two copies nothing comes twice."""
    ours, theirs = unpacked(number, tmp_path / "1"), unpacked(number, tmp_path / "2")

    done = merged(ours, theirs)

    assert (done.runs, done.renewed, done.receipts, done.kept) == (0, 0, 0, 0)
    assert done.same > 0
    assert sound(ours) == sound(theirs)


def test_a_read_only_disk_is_read(tmp_path: Path) -> None:
    ours, theirs = archive_of(tmp_path / "1"), extracted(tmp_path / "2", [a_run()])
    theirs.chmod(0o500)
    try:
        assert merged(ours, theirs).runs == 1
    finally:
        theirs.chmod(0o700)


def test_assets_come_with_what_became_of_them(tmp_path: Path) -> None:
    """What ours lacks, with its files, who names it, and the receipt of the target; twice is as once.

    A name that has a version in either is none without one.
    """
    full(tmp_path / "other")
    with Archive.create(tmp_path / "ours", FULL_SOURCE, redact=("*.private",)) as archive:
        archive.put_empty_names(AssetKind.MODEL, ("m", "n"))
        for _ in range(2):
            merge(archive, [tmp_path / "other"])
        (asset,) = archive.assets()
        receipts = archive.ledger(TARGET).asset_receipts()

        assert (str(asset.key), len(archive.asset_files(asset.key))) == ("model m:1", 1)
        assert [one.there.version for one in receipts.values()] == ["2"]
        assert archive.runs_that_use(asset.key) == [RunId("r1")]
        assert archive.asset_extraction() is not None
        assert [str(key) for key, why in archive.lacking_assets().items() if why == NO_VERSION] == ["model n"]
        assert check(archive).damages == ()
