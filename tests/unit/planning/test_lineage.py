"""Whose a run of the target is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.workspace.limits import Limits
from azureml_replay.workspace.mark import SENT_TAG, SentMark

SOURCE, OTHER = (azure_place("sub", "group", name) for name in ("source", "other"))
RUN, ELSE = RunId("run"), RunId("else")


def replayed(source: object = SOURCE, run: RunId = RUN) -> Run:
    """As replay writes it, from a run of that id."""
    facts = lineage.lineage_of(Run(id=run), source)  # type: ignore[arg-type]
    return Run(id=RUN, tags={lineage.TAG: run}, properties={lineage.PROPERTY: lineage.encode(facts)})


def test_a_run_is_ours_by_workspace_and_id() -> None:
    """Both: ids are chosen by people, and two workspaces may have the same."""
    assert lineage.is_ours(replayed(), SOURCE, RUN)
    assert lineage.is_ours(replayed(azure_place("SUB", "Group", "Source")), SOURCE, RUN)
    assert not lineage.is_ours(replayed(OTHER), SOURCE, RUN)
    assert not lineage.is_ours(replayed(run=ELSE), SOURCE, RUN)
    assert not lineage.is_ours(Run(id=RUN), SOURCE, RUN)


@pytest.mark.parametrize("properties_kept", [True, False])
def test_a_job_that_stands_for_a_run_is_not_the_run(properties_kept: bool) -> None:
    """It has the tag and the property too, and none of the history."""
    marks = [{lineage.JOB_PROPERTY: lineage.job_mark(SOURCE, RUN, name)} for name in (RUN.upper(), None, ELSE)]
    job, former, copied = (replace(replayed(), properties={**replayed().properties, **mark}) for mark in marks)

    assert not lineage.is_ours(job, SOURCE, RUN, properties_kept=properties_kept)
    assert lineage.is_our_job(job, SOURCE, RUN)
    assert lineage.is_our_job(former, SOURCE, RUN)
    assert not lineage.is_our_job(copied, SOURCE, RUN)  # as Studio copies a job, properties and all
    assert not lineage.is_our_job(job, OTHER, RUN)


def test_where_properties_are_dropped_the_tag_has_to_do() -> None:
    """Only there."""
    tagged = Run(id=RUN, tags={lineage.TAG: RUN})

    assert lineage.is_ours(tagged, SOURCE, RUN, properties_kept=False)
    assert not lineage.is_ours(tagged, SOURCE, RUN)
    assert not lineage.is_ours(replayed(OTHER), SOURCE, RUN, properties_kept=False)


@pytest.mark.parametrize(
    "said", ["[" * 100_000 + "]" * 100_000, '{"a":' * 500 + "1" + "}" * 500, '"\ud83d"', "no JSON"]
)
def test_a_property_that_nobody_can_read_is_not_ours(said: str) -> None:
    """A target's run may say whatever it likes: no reason to stop."""
    run = Run(id=RUN, properties={lineage.PROPERTY: said})

    assert not lineage.is_ours(run, SOURCE, RUN)
    assert lineage.origin(run) is None


def test_what_is_sent_is_said_in_the_property_where_it_has_room() -> None:
    """By its mark, which is no fact about the original: neither a difference, nor a link of the chain."""
    mark = SentMark.of({"tag t": "sent"}, None)
    run = replayed()

    signed = lineage.signed(run, mark, 1_000)

    assert lineage.sent_mark(signed, RUN, 50) == mark
    assert lineage.sent_mark(run, RUN, 50) is None
    assert lineage.signed(run, mark, len(signed.properties[lineage.PROPERTY] or "") - 1) == run
    assert lineage.signed(Run(id=RUN), mark, 1_000) == Run(id=RUN)
    assert list(lineage.differences(run, signed)) == []
    assert lineage.is_alike(run.properties[lineage.PROPERTY], signed.properties[lineage.PROPERTY])
    assert lineage.is_ours(signed, SOURCE, RUN)
    assert lineage.SENT not in lineage.lineage_of(signed, SOURCE)["before"]


FIRST, SECOND = (SentMark.of({"tag t": value}, None) for value in ("one", "two"))
LIMITS = Limits()


def tags(count: int) -> dict[str, str | None]:
    """So many of somebody's."""
    return {f"t{at}": "" for at in range(count)}


def created(tags: dict[str, str | None]) -> Run:
    """As replay made it, with its mark."""
    return lineage.signed(replace(replayed(), tags=tags), FIRST, LIMITS.value)


@pytest.mark.parametrize(("room", "said"), [(48, SECOND), (49, None), (50, None)])
def test_the_mark_of_its_creation_no_longer_holds_once_another_was_due(room: int, said: SentMark | None) -> None:
    """Whether it had no room (that of `undo` stays free), or somebody removed it, or copied another run's over it."""
    there = created(tags(room))
    updated = lineage.with_mark(there, there, SECOND, RUN, LIMITS)

    assert lineage.sent_mark(there, RUN, LIMITS.properties) == FIRST
    assert lineage.sent_mark(updated, RUN, LIMITS.properties) == said
    without = {key: value for key, value in updated.tags.items() if key != SENT_TAG}
    assert lineage.sent_mark(replace(updated, tags=without), RUN, LIMITS.properties) is None
    copied = {**without, SENT_TAG: SECOND.to_text(ELSE, ELSE)}
    assert lineage.sent_mark(replace(updated, tags=copied), RUN, LIMITS.properties) is None
    assert lineage.sent_mark(replace(there, tags=copied), RUN, LIMITS.properties) == FIRST


def test_a_mark_that_is_there_is_written_anew_however_full_the_run_is() -> None:
    """It takes no more room than it has."""
    there = created({**tags(49), SENT_TAG: FIRST.to_text(RUN, RUN)})

    assert lineage.sent_mark(lineage.with_mark(there, there, SECOND, RUN, LIMITS), RUN, 50) == SECOND


def test_a_run_without_room_to_say_that_its_mark_no_longer_holds_is_not_believed() -> None:
    """Of 50 properties: so many are somebody's."""
    there = created(tags(50))
    full = replace(there, properties={**there.properties, **tags(49)})

    assert lineage.with_mark(full, full, SECOND, RUN, LIMITS) == full
    assert lineage.sent_mark(full, RUN, LIMITS.properties) is None
    assert lineage.sent_mark(replace(full, properties={**there.properties, **tags(48)}), RUN, 50) == FIRST


def test_an_experiment_is_ours_by_its_own_name() -> None:
    """Tags are copied from one to another: somebody's own is neither taken for one of ours nor brought back over it."""
    now = Instant.parse("2020-01-01T00:00:00Z")
    told = {lineage.EXPERIMENT_TAG: lineage.of_experiment(SOURCE, "made", taken_back=True)}
    former = {lineage.EXPERIMENT_TAG: lineage.encode({"workspace": SOURCE.key, "undo": "archived"})}
    made, copied = (Experiment(id=name, name=name, tags=told, archived=now) for name in ("made", "mine"))
    early = replace(made, tags=former)

    said = [(lineage.made_experiment(one, SOURCE), lineage.is_taken_back(one, SOURCE)) for one in (made, copied, early)]
    assert said == [(True, True), (False, False), (True, False)]
    assert not lineage.made_experiment(made, OTHER)
    assert not lineage.is_taken_back(replace(made, archived=None), SOURCE)


def test_a_copy_of_the_property_says_nothing_of_the_run_that_has_it() -> None:
    """Its mark names another run; one that is too long for a mark, or of a former version, counts as it did."""
    signed = lineage.signed(replayed(), FIRST, LIMITS.value)
    copied = replace(signed, id=ELSE)

    assert lineage.is_ours(signed, SOURCE, RUN)
    assert not lineage.is_ours(copied, SOURCE, RUN)
    assert lineage.is_ours(replace(replayed(), id=ELSE), SOURCE, RUN)
