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
from azureml_replay.model import Editable, Location, Run, RunId, StoredFile

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
