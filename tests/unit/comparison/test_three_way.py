"""Which side wins, value by value, and what is then remembered as sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import FileItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.three_way import (
    BEGUN,
    NOTHING,
    Fate,
    OneValue,
    Prefer,
    brings,
    decided,
    editable,
    fates,
    kept,
    sent_now,
    without,
)
from azureml_replay.instants import Instant
from azureml_replay.model import Editable, Location, Run, RunId, StoredFile
from azureml_replay.workspace.mark import SENT_TAG, UNDO_TAG, VOID_MARK, Borne, SentMark, undo_mark

RUN = Run(id=RunId("r"), status="Completed", description="d", tags={"t": "sent", "null": None})
SENT = editable(RUN)
THERE = RunId("there")
ONE, TWO = (azure_place("sub", "group", name) for name in ("one", "two"))


def tagged(value: str | None) -> Run:
    """`RUN` with another value of its tag; None: without it."""
    return replace(RUN, tags={"null": None} | ({} if value is None else {"t": value}))


@pytest.mark.parametrize(
    ("source", "target", "sent", "fate"),
    [
        ("sent", "sent", SENT, None),
        ("new", "sent", SENT, Fate.SEND),
        ("sent", "mine", SENT, Fate.EDITED),
        ("sent", None, SENT, Fate.EDITED),
        ("new", "mine", SENT, Fate.CONFLICT),
        ("new", None, SENT, Fate.CONFLICT),
        ("new", "new", SENT, None),
        (None, "sent", SENT, Fate.GONE),
        (None, "mine", SENT, Fate.EDITED),
        (None, None, SENT, None),
        ("new", "mine", None, Fate.CONFLICT),
        ("new", None, None, Fate.SEND),
        (None, "mine", None, Fate.EDITED),
    ],
)
def test_every_case_of_the_table(
    source: str | None, target: str | None, sent: Editable | None, fate: Fate | None
) -> None:
    """Where nobody knows what was sent, what the target has is taken for an edit."""
    assert fates(tagged(source), tagged(target), sent).get("tag t") == fate


EARLY, NOW, LATE = (Instant.parse(f"202{year}-01-01T00:00:00Z") for year in range(3))


@pytest.mark.parametrize("known", [SENT, None])
@pytest.mark.parametrize(
    ("source", "target", "borne", "as_of", "fate"),
    [
        ("new", "theirs", "theirs", EARLY, Fate.OLDER),
        ("new", "theirs", "theirs", LATE, Fate.NEWER),
        ("new", "theirs", "theirs", NOW, Fate.NEWER),
        ("new", "theirs", "theirs", None, Fate.NEWER),
        ("sent", "theirs", "theirs", EARLY, Fate.OLDER),
        ("sent", "theirs", "theirs", LATE, Fate.NEWER),
        (None, "theirs", "theirs", LATE, Fate.NEWER),
        (None, "theirs", "theirs", NOW, Fate.GONE),
        (None, "theirs", "theirs", EARLY, Fate.GONE),
        ("new", "mine", "theirs", EARLY, Fate.CONFLICT),
        (None, "mine", "theirs", EARLY, Fate.EDITED),
        ("same", "same", "theirs", EARLY, None),
    ],
)
def test_what_another_archive_sent_is_no_edit(
    source: str | None, target: str, borne: str, as_of: Instant | None, fate: Fate | None, known: Editable | None
) -> None:
    """The newer state of the source wins, whether this archive ever sent anything; an edit stays one."""
    wanted = replace(tagged(source), modified=NOW)

    told = fates(wanted, tagged(target), known, SentMark.of({"tag t": borne}, as_of))

    assert told.get("tag t") == fate
    assert ("tag t" in kept(told, Prefer.TARGET)) == (fate not in (None, Fate.OLDER))
    assert ("tag t" in kept(told, Prefer.SOURCE)) == (fate in (Fate.EDITED, Fate.GONE))


def test_a_mark_says_what_was_sent_and_is_no_value_itself() -> None:
    """Of a value under its own name; what is no mark says nothing."""
    mark = SentMark.of(editable(RUN), NOW)
    text = mark.to_text(RUN.id, THERE)
    read = SentMark.of_text(text, RUN.id, THERE)

    assert read == mark
    assert all(mark.bears(*one) for one in (("tag t", "sent"), ("tag null", None), ("hidden", False)))
    assert not any(mark.bears(*one) for one in (("tag u", "sent"), ("tag t", "other"), ("tag null", "null")))
    assert len(SentMark.of({f"tag {at}": "x" for at in range(60)}, NOW).to_text(RUN.id, THERE)) < 500
    nothing = (None, "", "x", "yesterday abc", 5, f"{text} ", text[:-1], text.replace("2", "1", 1))
    assert [SentMark.of_text(one, RUN.id, THERE) for one in nothing] == [None] * len(nothing)
    assert editable(replace(RUN, tags={**RUN.tags, SENT_TAG: text})) == editable(RUN)


def test_a_mark_is_about_one_run_of_one_target() -> None:
    """Copied to another run it says nothing, and one of a former version, which named none, excuses nothing."""
    mark = SentMark.of({"tag t": "theirs"}, NOW)
    text = mark.to_text(RUN.id, THERE)
    former = SentMark.of_text(text.rpartition(" ")[0], RunId("any"), RunId("other"))

    assert SentMark.of_text(text, RunId("other"), THERE) is SentMark.of_text(text, RUN.id, RunId("other")) is None
    assert former == replace(mark, bound=False)
    told = {as_of: replace(former, as_of=as_of).says("tag t", "theirs", NOW) for as_of in (EARLY, NOW, LATE, None)}
    assert told == {EARLY: None, NOW: None, LATE: Borne.UNSURE_NEWER, None: Borne.UNSURE_NEWER}


# What the target has, by whose value it is: as sent by this archive last, as its mark says (of a replay of another
# archive), as the source has it now, somebody's own, or none.
LEDGER_ALONE = {
    "sent": Fate.SEND,
    "marked": Fate.CONFLICT,
    "source": None,
    "mine": Fate.CONFLICT,
    "none": Fate.CONFLICT,
}
UNKNOWN = {**LEDGER_ALONE, "sent": Fate.CONFLICT, "none": Fate.SEND}
UNCHANGED = {"sent": None, "marked": Fate.EDITED, "source": None, "mine": Fate.EDITED, "none": Fate.EDITED}
LOST = {"sent": Fate.GONE, "marked": Fate.EDITED, "source": None, "mine": Fate.EDITED, "none": None}
LOST_UNKNOWN = {**LOST, "sent": Fate.EDITED}
BY_LEDGER = {
    ("new", True): LEDGER_ALONE,
    ("new", False): UNKNOWN,
    ("sent", True): UNCHANGED,
    ("sent", False): {**UNKNOWN, "sent": None},
    ("gone", True): LOST,
    ("gone", False): LOST_UNKNOWN,
}
"""What the source has now, whether this archive knows what it sent -> what the target has -> fate without a mark."""
BY_MARK = {Borne.OLDER: Fate.OLDER, Borne.SAME: Fate.NEWER, Borne.NEWER: Fate.NEWER}
"""Of a value that the mark bears, where the source has one."""
GONE_BY_MARK = {Borne.OLDER: Fate.GONE, Borne.SAME: Fate.GONE, Borne.NEWER: Fate.NEWER}


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("borne", [None, *Borne])
@pytest.mark.parametrize(("source", "known"), BY_LEDGER)
def test_the_ledger_comes_first_and_then_the_mark(source: str, borne: Borne | None, known: bool, state: bool) -> None:
    """Every combination. None stands for a mark that is absent, of another run, of another value, or no longer true."""
    ours: object = NOTHING if source == "gone" else source
    before: object = "sent" if known else NOTHING

    for there, by_ledger in BY_LEDGER[source, known].items():
        theirs = {"source": ours, "none": NOTHING}.get(there, there)
        said = borne if there == "marked" else None
        fate = decided(OneValue(ours, theirs, before), said, known=known, state=state)
        expected = by_ledger
        if said is Borne.UNSURE_NEWER:
            expected = Fate.NEWER if by_ledger is Fate.CONFLICT else by_ledger
        elif said is not None:
            expected = (GONE_BY_MARK if source == "gone" else BY_MARK)[said]
            if state and expected in (Fate.OLDER, Fate.GONE):
                expected = by_ledger if known else Fate.CONFLICT
        assert fate is expected, (there, said)
        if said is None or state or said is Borne.UNSURE_NEWER:
            assert fate not in (Fate.OLDER, Fate.GONE) or there == "sent"  # nothing is overwritten, nothing excused


@pytest.mark.parametrize("borne", Borne)
@pytest.mark.parametrize("ours", ["new", NOTHING])
def test_a_value_that_this_archive_sent_last_is_its_own_whatever_a_mark_says(ours: object, borne: Borne) -> None:
    """It was sent by nobody later."""
    expected = Fate.GONE if ours is NOTHING else Fate.SEND
    assert decided(OneValue(ours, "sent", "sent"), borne, known=True, state=False) is expected


def test_somebody_shows_a_run_again_that_was_hidden_without_a_new_mark() -> None:
    """The mark of its creation bears that it was to be seen: no reason to hide it again."""
    wanted, found = replace(RUN, hidden=True, modified=NOW), replace(RUN, hidden=False)
    mark = SentMark.of(editable(found), EARLY)

    assert fates(wanted, found, {**SENT, "hidden": True}, mark) == {"hidden": Fate.EDITED}


@pytest.mark.parametrize("sent", [None, SENT])
@pytest.mark.parametrize(
    ("mark", "fate"),
    [
        (undo_mark(RUN.id), Fate.SEND),
        (undo_mark(RunId("other")), Fate.EDITED),
        ({UNDO_TAG: "hidden"}, Fate.CONFLICT),
        (VOID_MARK, Fate.EDITED),
        ({}, Fate.EDITED),
    ],
    ids=["its own", "another run's", "a former version's", "void", "none"],
)
def test_a_run_is_shown_again_by_a_mark_of_its_own_alone(
    mark: Mapping[str, str], fate: Fate, sent: Editable | None
) -> None:
    """What else hides it is somebody's edit."""
    assert fates(RUN, replace(RUN, hidden=True, tags={**RUN.tags, **mark}), sent) == {"hidden": fate}


def test_a_run_that_was_only_begun_is_finished() -> None:
    """Running and visible is how a new run is left, also where the ledger knows nothing of it."""
    begun = replace(RUN, status="Running")

    assert fates(RUN, begun, None) == fates(RUN, begun, {**SENT, **BEGUN}) == {"status": Fate.SEND}
    assert fates(RUN, replace(begun, status="Canceled"), None) == {"status": Fate.CONFLICT}


def test_what_stays_is_not_named_in_an_update_and_not_remembered_as_sent() -> None:
    """An update leaves as it is what it does not name."""
    told = fates(replace(tagged("new"), description="new"), tagged("mine"), SENT)
    stay = kept(told, Prefer.TARGET)

    assert (stay, kept(told, Prefer.SOURCE)) == ({"tag t"}, frozenset())
    assert without(tagged("new"), stay).tags == {"null": None}
    assert not brings(without(tagged("new"), stay), tagged("mine"))
    assert not brings(replace(tagged("mine"), lender=RunId("other"), parent=RunId("p")), tagged("mine"))
    assert brings(tagged("new"), tagged("mine"))
    now = sent_now(replace(tagged("new"), description="new"), SENT, stay, state=False)
    assert (now["tag t"], now["description"]) == ("sent", "new")


def test_the_state_is_remembered_when_it_is_sent() -> None:
    first = sent_now(RUN, None, frozenset(), state=False)

    assert first == {**SENT, **BEGUN}
    assert sent_now(RUN, first, frozenset(), state=True) == SENT


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive.create(tmp_path / "archive", azure_place("sub", "group", "source")) as made:
        yield made


def test_the_archive_keeps_what_each_target_was_told(archive: Archive) -> None:
    """Values with their nulls, files with size and MD5; forgotten receipts are gone, the others stay."""
    file = StoredFile(location=Location("", "a"), size_bytes=3, md5=b"\0" * 16)
    one, two = archive.ledger(ONE), archive.ledger(TWO)
    one.put_sent({RUN.id: SENT})
    one.put_sent_files(RUN.id, {"a": file})
    one.mark(RUN.id, [RunItem.CREATE, FileItem("a")], State.SENT)

    one.forget(RUN.id, [FileItem("a"), FileItem("never")])

    assert (one.sent(RUN.id), two.sent(RUN.id)) == (SENT, None)
    assert (one.sent_file(RUN.id, "a"), one.sent_file(RUN.id, "b")) == (file, None)
    assert (list(one.receipts(RUN.id)), one.runs_with(RunItem.CREATE)) == ([RunItem.CREATE], [RUN.id])
    assert two.runs_with(RunItem.CREATE) == []
