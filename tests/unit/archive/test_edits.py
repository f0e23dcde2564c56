"""What is known of edits ends where our own writes begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.edits import Acceptance, Edit, digest
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.instants import Instant
from azureml_replay.model import Editable, Location, StoredFile
from unit.archive.full import R1, R2, SOURCE, TARGET

SENT: Editable = {"tag a": "1", "tag b": "1"}
THERE: Editable = {"tag a": "2", "tag b": "2", "tag c": "2"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[TargetLedger]:
    """Three tags and a file of a run were edited, and accepted."""
    with Archive.create(tmp_path / "archive", SOURCE) as archive:
        made = archive.ledger(TARGET)
        made.put_sent({R1: SENT})
        names = ("tag a", "tag b", "tag c", "file x")
        made.put_edits(R1, [accepted(name) for name in names])
        yield made


def accepted(name: str) -> Edit:
    """From what was sent."""
    sent, found = digest(name, SENT), digest(name, THERE)
    edit = Edit(what=name, expected="1", actual="2", sent=sent, wanted=sent, found=found, since=Instant(1))
    return replace(edit, accepted=Acceptance("somebody", Instant(2)))


def test_a_value_that_is_sent_anew_is_no_edit_of_then(ledger: TargetLedger) -> None:
    """Whatever stands in its place afterwards may be what the write did not change."""
    ledger.put_sent({R1: SENT})
    assert [*ledger.edits(R1)] == ["file x", "tag a", "tag b", "tag c"], "nothing went"

    ledger.put_sent({R1: {**SENT, "tag a": "3", "tag c": "3"}})
    assert [*ledger.edits(R1)] == ["file x", "tag b"]

    ledger.put_sent_files(R1, {"x": StoredFile(location=Location("", "x"), size_bytes=1)})
    assert [*ledger.edits(R1)] == ["tag b"]


def test_what_is_taken_back_is_judged_anew(ledger: TargetLedger) -> None:
    """As a run; what stands as a job has none."""
    ledger.drop_evidence([R1], Way.JOB)
    ledger.drop_evidence([R2], Way.RUN)
    assert len([*ledger.accepted()]) == 4
    ledger.drop_evidence([R1], Way.RUN)
    assert ledger.edits(R1) == {}


def test_only_the_same_three_values_stay(ledger: TargetLedger) -> None:
    """Name, what was sent, what the archive has, what the target has."""
    assert ledger.stays(R1, SENT, THERE, SENT) == {"tag a", "tag b", "tag c"}
    assert ledger.stays(R1, {**SENT, "tag a": "4"}, THERE, SENT) == {"tag b", "tag c"}
    assert ledger.stays(R1, SENT, {**THERE, "tag c": "4"}, SENT) == {"tag a", "tag b"}
    assert ledger.stays(R1, SENT, THERE, {**SENT, "tag b": "4"}) == {"tag a", "tag c"}
    assert ledger.stays(R2, SENT, THERE, SENT) == frozenset()
    ledger.forget_accepted([R1])
    assert ledger.stays(R1, SENT, THERE, SENT) == frozenset()
