"""Parts that are handed out: each to one attempt at a time, and again only once nothing of an earlier one can leave."""

from __future__ import annotations

from azureml_replay.crew.pool import TRIES, Pool
from azureml_replay.model import RunId
from azureml_replay.planning.parts import UnitPart

PARTS = [UnitPart(f"p{number}", (RunId(f"u{number}"),), 1.0) for number in range(6)]


def pool(now: list[float]) -> Pool:
    return Pool.of(PARTS, 1, lambda: now[0])


def test_all_are_handed_out_once() -> None:
    waiting, seen = pool([0.0]), list[RunId]()
    while portion := waiting.take():
        seen += portion.units
        assert not waiting.is_done
        assert waiting.done(portion.errand) == portion
        assert waiting.done(portion.errand) is None, "an attempt ends once"

    assert seen == [unit for part in PARTS for unit in part.units]
    assert waiting.is_done


def test_what_a_dead_worker_had_goes_out_at_once() -> None:
    waiting = pool([0.0])
    first = waiting.take()
    assert first is not None
    waiting.back(first, fenced_until=None)
    again = waiting.take()

    assert again is not None
    assert again.parts == first.parts
    assert (first.errand.attempt, again.errand.attempt) == (1, 2)
    assert waiting.done(first.errand) is None, "its result is not wanted any more"


def test_what_one_had_that_may_live_waits_for_the_end_of_its_term() -> None:
    now = [0.0]
    waiting = pool(now)
    first = waiting.take()
    assert first is not None
    waiting.back(first, fenced_until=210.0)
    others = []
    while portion := waiting.take():
        others.append(portion)
        waiting.done(portion.errand)
    now[0] = 209.9
    assert (waiting.take(), waiting.is_done) == (None, False)
    now[0] = 210.0
    again = waiting.take()

    assert again is not None
    assert set(again.units) < set(first.units) | {RunId("none")}
    assert not {*first.units}.intersection(unit for one in others for unit in one.units)


def test_a_part_at_which_every_worker_dies_is_given_up() -> None:
    waiting = pool([0.0])
    for attempt in range(1, TRIES + 1):
        portion = waiting.take()
        assert portion is not None
        assert waiting.is_hopeless(portion) == (attempt == TRIES)
        waiting.back(portion, fenced_until=None)
