"""Which side wins, value by value, and what is then remembered as sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.items import FileItem, RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.azure.place import azure_place
from azureml_replay.comparison.three_way import BEGUN, Fate, Prefer, brings, editable, fates, kept, sent_now, without
from azureml_replay.instants import Instant
from azureml_replay.model import Editable, Location, Run, RunId, StoredFile
from azureml_replay.workspace.mark import SENT_TAG, SentMark

RUN = Run(id=RunId("r"), status="Completed", description="d", tags={"t": "sent", "null": None})
SENT = editable(RUN)
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
    read = SentMark.of_text(mark.to_text())

    assert read == mark
    assert all(mark.bears(*one) for one in (("tag t", "sent"), ("tag null", None), ("hidden", False)))
    assert not any(mark.bears(*one) for one in (("tag u", "sent"), ("tag t", "other"), ("tag null", "null")))
    assert len(SentMark.of({f"tag {at}": "x" for at in range(60)}, NOW).to_text()) < 500
    assert [SentMark.of_text(text) for text in (None, "", "x", "yesterday abc", 5)] == [None] * 5
    assert editable(replace(RUN, tags={**RUN.tags, SENT_TAG: mark.to_text()})) == editable(RUN)


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
