"""Which value of an experiment stays: by the three sides, without a workspace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azureml_replay.comparison.experiments import (
    changes,
    fates_of_experiment,
    sent_of_experiment,
    update_of,
    values_of,
)
from azureml_replay.comparison.three_way import Fate, Prefer, kept
from azureml_replay.instants import Instant
from azureml_replay.model import Editable, Experiment

SENT = Experiment(id="", name="e", description="sent", tags={"t": "sent", "gone": None})
AT = Instant.parse("2024-01-02T03:04:05+00:00")
TEXT, TAG, STATE = "experiment e: description", "experiment e: tag t", "experiment e: state"


def of(**fields: object) -> Experiment:
    return replace(SENT, **fields)  # type: ignore[arg-type]


MINE, NEW = of(description="mine", tags={"t": "mine", "gone": None}), of(description="new", tags={"t": "new"})


@pytest.mark.parametrize(
    ("wanted", "found", "sent", "fates"),
    [
        (SENT, SENT, SENT, {}),
        (NEW, SENT, SENT, {TEXT: Fate.SEND, TAG: Fate.SEND, "experiment e: tag gone": Fate.GONE}),
        (SENT, MINE, SENT, {TEXT: Fate.EDITED, TAG: Fate.EDITED}),
        (of(description="new"), MINE, SENT, {TEXT: Fate.CONFLICT, TAG: Fate.EDITED}),
        (MINE, MINE, SENT, {}),
        (SENT, MINE, None, {TEXT: Fate.CONFLICT, TAG: Fate.CONFLICT}),
        (SENT, of(description="", tags={"gone": None}), None, {TEXT: Fate.SEND, TAG: Fate.SEND}),
        (SENT, of(description=""), SENT, {TEXT: Fate.EDITED}),
        (of(description=None), of(description=""), SENT, {}),
        (of(description=None), SENT, SENT, {TEXT: Fate.GONE}),
        (SENT, of(archived=AT), SENT, {STATE: Fate.EDITED}),
        (SENT, of(archived=AT), None, {STATE: Fate.EDITED}),
        (of(archived=AT), SENT, None, {STATE: Fate.SEND}),
        (of(archived=AT), SENT, of(archived=AT), {STATE: Fate.EDITED}),
        (SENT, of(archived=AT), of(archived=AT), {STATE: Fate.SEND}),
    ],
)
def test_three_sides_decide(
    wanted: Experiment, found: Experiment, sent: Experiment | None, fates: dict[str, Fate]
) -> None:
    before = None if sent is None else values_of(sent)
    assert fates_of_experiment(wanted, found, before, taken_back=False) == fates


def test_what_undo_archived_is_shown_again_and_keeps_its_edits() -> None:
    found = replace(MINE, archived=AT)
    by_name = fates_of_experiment(SENT, found, values_of(SENT), taken_back=True)

    stay = kept(by_name, Prefer.TARGET)
    update = update_of(SENT, found, stay)

    assert by_name == {TEXT: Fate.EDITED, TAG: Fate.EDITED, STATE: Fate.SEND}
    assert (update.description, update.tags, update.archived) == (None, {}, None)
    assert changes(update, found)
    assert not changes(update, replace(found, archived=None))


def test_only_what_differs_is_written_and_remembered() -> None:
    """What stays is not named, and was not sent: it stays a conflict."""
    wanted, before = replace(NEW, description="sent"), values_of(SENT)
    stay = kept(fates_of_experiment(wanted, MINE, before, taken_back=False), Prefer.TARGET)

    update = update_of(wanted, replace(MINE, archived=AT), stay | {STATE})
    now: Editable = sent_of_experiment(wanted, before, stay)

    assert (update.description, update.tags, update.archived) == (None, {}, AT)
    assert (now[TEXT], now[TAG], now[STATE]) == ("sent", "sent", False)
    assert not changes(update, replace(MINE, archived=AT))


def test_a_state_that_stays_at_the_first_look_stays_at_the_next() -> None:
    """Nothing was sent before: what is kept then says that one is made active."""
    found = of(archived=AT)
    stay = kept(fates_of_experiment(SENT, found, None, taken_back=False), Prefer.TARGET)
    now: Editable = sent_of_experiment(SENT, None, stay)

    assert fates_of_experiment(SENT, found, now, taken_back=False) == {STATE: Fate.EDITED}
