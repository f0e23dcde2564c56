"""Findings in words, as people read them."""

from __future__ import annotations

import pytest

from azureml_replay.comparison.three_way import ACCEPTED, REMOVED, Fate
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, RunId
from azureml_replay.verification.wording import MENDS, Cause, Kind, cause_of, clock, differences, kind_of, told
from azureml_replay.workspace.mark import JOB_TAKEN_BACK, TAKEN_BACK

GUID = RunId("387c51a0-0000-4000-8000-000000000001")
EDITED, CONFLICT = Fate.EDITED.value, Fate.CONFLICT.value
NOON = Instant.parse("2026-03-04T12:00:59.5Z")


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding(GUID, "tag owner", EDITED, "", "me"), '"Entraînement 19.1" (387c51a0…): tag owner: nothing → "me"'),
        (Finding(GUID, "description", "differs", "''", "x"), '"Entraînement 19.1" (387c51a0…): description: "" → "x"'),
        (Finding(GUID, "run", "absent", GUID, ""), '"Entraînement 19.1" (387c51a0…): not in the target'),
        (
            Finding(GUID, "start", "differs", "2026-03-04T12:00:59.5+00:00", ""),
            '"Entraînement 19.1" (387c51a0…): start: 2026-03-04 12:00:59.5 UTC → nothing',
        ),
        (
            Finding(GUID, f"metric loss at tick {NOON.ticks}", "extra", "", "0.5"),
            '"Entraînement 19.1" (387c51a0…): metric loss at 2026-03-04 12:00:59.5 UTC: nothing → 0.5',
        ),
        (
            Finding(GUID, "tag at", "differs", "2026-03-04T12:00:59+00:00", "x" * 200),
            f'"Entraînement 19.1" (387c51a0…): tag at: "2026-03-04T12:00:59+00:00" → "{"x" * 79}…"',
        ),
        (
            Finding(RunId(""), "experiment e: state", "differs", "active", "archived"),
            "experiment e: state: active → archived",
        ),
    ],
)
def test_a_finding_says_whose_what_and_both_sides(finding: Finding, text: str) -> None:
    assert told(finding, "Entraînement 19.1").text == text


@pytest.mark.parametrize(
    ("run", "shown"),
    [("root", "root"), (GUID, GUID), ("mango_lobster_0123456789_HD_17", "mango_lobster_0123456789_HD_17")],
)
def test_a_run_without_a_name_has_its_whole_id(run: str, shown: str) -> None:
    assert told(Finding(RunId(run), "status", "differs", "a", "b"), "").text == f"run {shown}: status: a → b"


def test_of_a_long_id_stays_what_tells_runs_apart() -> None:
    text = told(Finding(RunId("mango_lobster_0123456789_HD_17"), "status", "differs", "a", "b"), "trial").text

    assert text == '"trial" (mango_lo…89_HD_17): status: a → b'


@pytest.mark.parametrize(
    ("kind", "what", "since", "cause", "heading"),
    [
        ("differs", "tag a", None, Cause.FAULT, Kind.DIFFERS),
        ("absent", "run", None, Cause.FAULT, Kind.ABSENT),
        (REMOVED, "run", None, Cause.FAULT, Kind.REMOVED),
        ("extra", "metric a", None, Cause.FAULT, Kind.EXTRA),
        (EDITED, "tag a", None, Cause.UNSEEN, Kind.UNSEEN),
        (CONFLICT, "tag a", None, Cause.UNSEEN, Kind.UNSEEN),
        (EDITED, "tag a", NOON, Cause.CHANGE, Kind.EDITED),
        (EDITED, "hidden", NOON, Cause.CHANGE, Kind.HIDDEN),
        (CONFLICT, "tag a", NOON, Cause.CHANGE, Kind.CONFLICT),
        (EDITED, "file a", NOON, Cause.CHANGE, Kind.CHANGED),
        (CONFLICT, "status", NOON, Cause.CHANGE, Kind.CHANGED),
        (EDITED, "tag original_job_id", NOON, Cause.CHANGE, Kind.CHANGED),
        (Fate.OLDER.value, "tag a", None, Cause.ANOTHER, Kind.OLDER),
        (Fate.NEWER.value, "tag a", None, Cause.ANOTHER, Kind.NEWER),
        (TAKEN_BACK, "hidden", None, Cause.TAKEN_BACK, Kind.TAKEN_BACK),
        (JOB_TAKEN_BACK, "hidden", None, Cause.TAKEN_BACK, Kind.JOB_TAKEN_BACK),
        (ACCEPTED, "tag a", NOON, Cause.ACCEPTED, Kind.ACCEPTED),
        ("plan changed since it was submitted", "plan of the job", None, Cause.REPLANNED, Kind.REPLANNED),
    ],
)
def test_only_what_was_seen_as_it_was_sent_is_somebodys_change(
    kind: str, what: str, since: Instant | None, cause: Cause, heading: Kind
) -> None:
    """And for each kind it is said what to do, but for what is no finding."""
    finding = Finding(GUID, what, kind, "1", "2", since)

    assert (cause_of(finding), kind_of(finding)) == (cause, heading)
    assert (heading in MENDS) == (heading is not Kind.ACCEPTED)


def test_the_headline_tells_faults_from_changes() -> None:
    """A moment of today is a time of day; all are UTC."""
    said = differences(
        faults=0,
        changes=5,
        since=NOON,
        unseen=1,
        accepted=1,
        kinds={TAKEN_BACK: 1, JOB_TAKEN_BACK: 1, Fate.OLDER.value: 1, Fate.NEWER.value: 2},
        now=NOON.after(3_600),
    )

    assert said == (
        "0 transfer faults; 5 changes in the target since 12:00 UTC; "
        "1 value not as sent, edited or lost: nobody looked in between; 1 accepted change beside them; "
        "3 values sent by another archive; 2 taken back by undo"
    )
    assert clock(NOON, NOON.after(86_400)) == "2026-03-04 12:00 UTC"
