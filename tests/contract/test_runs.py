"""What every Source and Target promises of experiments and runs."""

from __future__ import annotations

import dataclasses

import pytest

from azureml_replay.instants import Instant
from azureml_replay.model import Experiment, Run, RunId
from azureml_replay.workspace.limits import RUNS_PER_REQUEST
from azureml_replay.workspace.profile import TICKS_PER_MS
from azureml_replay.workspace.put_files import NewFile
from azureml_replay.workspace.target import Refused, Target
from contract.histories import (
    END,
    EXPERIMENT,
    RUN,
    START,
    bearing_its_id,
    begin,
    begin_one,
    everything,
    expect_as_written,
    files_of,
    finish,
    history,
    names,
    opened_again,
)
from contract.subjects import Subject, Troubled, needs, needs_field


async def test_a_profile_names_its_workspace(target: Target, other: Target) -> None:
    """The archive's ledger of a target is found by it."""
    assert target.profile.ref == target.ref
    assert other.profile.ref == other.ref != target.ref


async def test_a_history_comes_back_as_it_was_written(subject: Subject, target: Target) -> None:
    """Every field that a target can hold, for every end of a run; hidden ones are listed too."""
    runs = await begin(subject, target, *history())
    await finish(target, runs)

    there = await everything(target)
    assert {run.id for run in runs} <= set(there)
    for run in runs:
        expect_as_written(target, there[run.id], run)
        assert there[run.id].unknown == ()
    if target.profile.keeps("error"):
        (error,) = [there[run.id].error for run in runs if run.error]
        assert isinstance(error, dict)
        assert error["message"] == "boom"


async def test_writing_twice_is_writing_once(subject: Subject, target: Target) -> None:
    """Also what has ended already: a service moves it no more, and its new tags arrive all the same."""
    runs = await begin(subject, target, *history()[:3])
    await finish(target, runs)
    again = [dataclasses.replace(run, tags={**run.tags, "second": "yes"}) for run in runs]

    ours = target.profile.ids == "ours"
    await opened_again(target, again)
    put = await (target.put_runs if ours else target.update_runs)(EXPERIMENT, again)
    assert set(put.values()) == {None}
    await finish(target, again)
    there = await everything(target)
    assert len(there) == len(runs)
    for run in again:
        expect_as_written(target, there[run.id], run)


async def test_a_refused_run_does_not_take_the_others_with_it(subject: Subject, target: Target) -> None:
    """One of them has a tag that is longer than the target takes, with a character that none keeps."""
    await begin_one(subject, target)
    tags = {"long": "x" * (target.profile.limits.value + 1) + "\0"}
    outcomes = await target.put_runs(
        EXPERIMENT, [Run(id=RunId("good-1")), Run(id=RunId("bad"), tags=tags), Run(id=RunId("good-2"))]
    )

    assert isinstance(outcomes[RunId("bad")], Refused)
    assert (outcomes[RunId("good-1")], outcomes[RunId("good-2")]) == (None, None)
    assert len(await everything(target)) == 3


async def test_an_end_whose_error_was_refused_is_no_end(subject: Subject, target: Target) -> None:
    """The run ended as it should, but its error is not there: that is said, now and when it is tried again."""
    needs_field(target, "error")
    if not subject.features.limits_errors:
        pytest.skip("planning alone cuts errors")
    error = {"code": "UserError", "message": "x" * (target.profile.limits.error_message + 1)}
    (failed,) = await begin(subject, target, Run(id=RUN, status="Failed", start=START, end=END, error=error))

    for _ in range(2):
        outcomes = await target.finish_runs(EXPERIMENT, [failed])
        assert isinstance(outcomes[failed.id], Refused)


async def test_runs_may_have_ids_of_the_targets_own(target: Target) -> None:
    """Each call makes one. It is found by a tag, archived or not; all else of it, and its end, may be written twice."""
    await target.put_experiment(Experiment(id="", name=EXPERIMENT))
    start, end = (Instant(moment.ticks // TICKS_PER_MS * TICKS_PER_MS) for moment in (START, END))
    wanted = Run(id=RUN, experiment=EXPERIMENT, start=start, display_name="made", tags={"mark": "a", "of": "parent"})
    wanted = bearing_its_id(target, wanted)
    parent = await target.make_run(EXPERIMENT, wanted)
    assert not isinstance(parent, Refused)
    below = dataclasses.replace(wanted, parent=parent, tags={**wanted.tags, "of": "child"})
    child = await target.make_run(EXPERIMENT, below)
    assert not isinstance(child, Refused)
    error = {"code": "UserError", "message": "boom"}
    more = {"status": "Failed", "end": end, "hidden": True, "error": error, "description": "told later"}
    whole = [dataclasses.replace(run, id=there, **more) for run, there in ((wanted, parent), (below, child))]

    for _ in range(2):
        await opened_again(target, whole)
        assert await target.update_runs(EXPERIMENT, whole) == {parent: None, child: None}
        assert await target.end_runs(EXPERIMENT, whole) == {parent: None, child: None}

    home = await target.experiment(EXPERIMENT)
    assert home is not None
    found = await target.tagged_runs(home, "mark", "a")
    assert {there: tags["of"] for there, tags in found.items()} == {parent: "parent", child: "child"}
    assert await target.tagged_runs(home, "mark", "b") == {}
    assert len(await everything(target)) == 2
    for run in whole:
        there = (await target.details([run.id]))[run.id].run
        for name in ("parent", "start", "end", "status", "hidden", "display_name", "description"):
            assert getattr(there, name) == getattr(run, name), name
        assert isinstance(there.error, dict)
        assert there.error["message"] == "boom"


async def test_children_and_single_runs_know_their_experiments_name(subject: Subject, target: Target) -> None:
    """On the wire a run has an id only."""
    if not subject.features.lists_children:
        pytest.skip("runs are listed by their experiment alone")
    parent, *begun = await begin(subject, target, *history())

    children = [run async for page in target.children(parent.id) for run in page]
    assert {run.id for run in children} == {run.id for run in begun}
    assert {run.experiment for run in children} == {EXPERIMENT}
    alone = await target.run(begun[0].id)
    assert alone is not None
    assert (alone.experiment, alone.parent) == (EXPERIMENT, parent.id)


async def test_what_is_not_there_is_none_or_left_out(subject: Subject, target: Target) -> None:
    """Absence is no error."""
    run = await begin_one(subject, target)

    assert await target.run(RunId("nobody")) is None
    assert set(await target.details([run, RunId("nobody")])) == {run}
    assert await target.series(run) == []


async def test_details_hold_inputs(subject: Subject, target: Target) -> None:
    """Plain reads may leave them out."""
    needs_field(target, "inputs")
    (parent,) = await begin(subject, target, history()[0])

    assert (await target.details([parent.id]))[parent.id].run.inputs == parent.inputs


async def test_an_update_leaves_what_it_does_not_name(subject: Subject, target: Target) -> None:
    """State, other tags, and a name that is not given stay."""
    runs = await begin(subject, target, *history())
    await finish(target, runs)
    update = dataclasses.replace(runs[0], display_name=None, description="anew", tags={"more": "1"})

    for _ in range(2):
        assert await target.update_runs(EXPERIMENT, [update]) == {update.id: None}

    (there,) = [run for run in (await everything(target)).values() if run.id == update.id]
    expect_as_written(
        target, there, dataclasses.replace(runs[0], description="anew", tags={**runs[0].tags, "more": "1"})
    )


async def test_runs_are_hidden_and_shown_again(subject: Subject, target: Target) -> None:
    """However often."""
    needs_field(target, "hidden")
    run = await begin_one(subject, target)
    for hidden in (True, True, False):
        assert await target.hide_runs(EXPERIMENT, [run], hidden=hidden) == {run: None}
        found = await target.run(run)
        assert found is not None
        assert found.hidden == hidden


async def test_a_hidden_run_gets_a_tag_by_the_same_request_and_loses_it_alone(subject: Subject, target: Target) -> None:
    """The other tags stay, in whichever state the run is; a tag that is gone is removed without complaint."""
    needs_field(target, "hidden")
    needs_field(target, "tags")
    run = await begin_one(subject, target)
    before = await target.run(run)
    assert before is not None

    assert await target.hide_runs(EXPERIMENT, [run], hidden=True, tags={run: {"mark": "a"}}) == {run: None}
    marked = await target.run(run)
    assert await target.hide_runs(EXPERIMENT, [run], hidden=False, tags={run: {"mark": "b"}}) == {run: None}
    void = await target.run(run)
    for _ in range(2):
        await target.remove_tags(EXPERIMENT, run, ["mark"])
    after = await target.run(run)

    assert marked is not None
    assert void is not None
    assert after is not None
    assert (marked.hidden, marked.tags) == (True, {**before.tags, "mark": "a"})
    assert (void.hidden, void.tags) == (False, {**before.tags, "mark": "b"})
    assert after.tags == before.tags


async def test_a_run_shows_the_files_of_another_where_the_profile_says_so(subject: Subject, target: Target) -> None:
    """As a reused step does; elsewhere it is refused, or has files of its own."""
    owner = await begin_one(subject, target)
    assert set((await target.put_files(EXPERIMENT, owner, [NewFile(path="f", data=b"owner's")])).values()) == {None}
    reused = bearing_its_id(target, Run(id=RunId("reused"), experiment=EXPERIMENT, lender=owner))
    outcomes = await target.put_runs(EXPERIMENT, [reused])
    if not target.profile.reuse and outcomes[reused.id] is not None:
        return

    assert outcomes == {reused.id: None}
    there = await target.run(await subject.id_of(target, reused.id))
    assert there is not None
    shown = [one.path async for page in target.artifacts(there) for one in page]
    assert (there.lender, shown) == ((owner, ["f"]) if target.profile.reuse else (None, []))


async def test_an_experiment_is_brought_up_to_date(target: Target) -> None:
    """And listed, archived or not, whatever its name."""
    wanted = Experiment(id="", name=EXPERIMENT, description="why", tags={"team": "a"})
    await target.put_experiment(wanted)
    await target.put_experiment(dataclasses.replace(wanted, archived=START))

    (found,) = [e async for page in target.experiments() for e in page if e.name == EXPERIMENT]
    assert (found.description, found.tags, found.archived is not None) == ("why", {"team": "a"}, True)
    await target.put_experiment(wanted)
    (found,) = [e async for page in target.experiments() for e in page if e.name == EXPERIMENT]
    assert found.archived is None


async def test_a_list_of_several_pages_is_read_to_its_end(subject: Subject, target: Target) -> None:
    """A service's own clients stop after the first."""
    if not subject.features.lists_children:
        pytest.skip("runs are listed by their experiment alone")
    parent = await begin_one(subject, target)
    children = [Run(id=RunId(f"child-{at:04d}"), parent=parent) for at in range(700)]
    for at in range(0, len(children), RUNS_PER_REQUEST):
        assert set((await target.put_runs(EXPERIMENT, children[at : at + RUNS_PER_REQUEST])).values()) == {None}
    ids = [await subject.id_of(target, child.id) for child in children]

    pages = [page async for page in target.children(parent)]
    assert sorted(run.id for page in pages for run in page) == sorted(ids)
    assert set(await everything(target)) == {parent, *ids}


@pytest.mark.parametrize("trouble", ["throttle", "html502", "reset", "reset-after", "truncate"])
async def test_passing_trouble_costs_time_and_nothing_else(subject: Subject, trouble: str) -> None:
    """Every third request fails; the history is there all the same, on a clock that waits without waiting."""
    async with needs(subject, Troubled).opened_in(trouble) as target:
        runs = await begin(subject, target, *history())
        put = [NewFile(path=name, data=name.encode()) for name in names(target)]
        assert set((await target.put_files(EXPERIMENT, runs[0].id, put)).values()) == {None}

        assert len(await everything(target)) == len(runs)
        assert set(await files_of(target, runs[0].id)) == set(names(target))
