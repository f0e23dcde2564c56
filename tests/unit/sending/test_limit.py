"""The width of a service: learnt, held, and never lost to one burst of refusals."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.sending.limit import (
    FIRST_WIDTH,
    LONGEST_BACKOFF_S,
    Growth,
    Limit,
    Sent,
    backoff_s,
    stated_wait_s,
)

Refuses = Callable[[float, int], bool]
"""Whether a service refuses a request that arrives at a moment, with so many in flight, itself among them."""


@dataclass
class Second:
    """What happened in one second."""

    answered: int = 0
    refused: int = 0
    width: int = 0


def simulated(refuses: Refuses, *, ceiling: int = 128, seconds: int = 30, wait_s: float | None = None) -> list[Second]:
    """Second by second, with a queue that never empties and answers that take 50 to 60 ms, refusals a fifth of it.

    As the gate does: nothing leaves while a wait lasts or before its turn. What was refused comes again by itself.
    """
    limit, clock, next_s, sent_count = Limit(ceiling=ceiling), 0.0, 0.0, 0
    in_flight: list[tuple[float, int, Sent, bool]] = []
    shown = [Second() for _ in range(seconds)]
    while clock < seconds:
        early_s = max(limit.paused_until_s, next_s)
        if clock >= early_s and len(in_flight) < limit.width(clock):
            served = sum(not refused for *_, refused in in_flight)
            limit, sent = limit.sending(len(in_flight), clock)
            refused, sent_count = refuses(clock, served + 1), sent_count + 1
            took_s = 0.01 if refused else 0.05 + sent_count % 7 * 0.0015
            heapq.heappush(in_flight, (clock + took_s, sent_count, sent, refused))
            per_s = limit.per_s(clock)
            next_s = max(clock, next_s) + 1 / per_s if per_s else next_s
            continue
        wakes_s = [early_s] if early_s > clock and len(in_flight) < limit.width(clock) else []
        clock = min([*wakes_s, *(in_flight[:1] and [in_flight[0][0]])])
        if in_flight and in_flight[0][0] <= clock:
            _, _, sent, refused = heapq.heappop(in_flight)
            if refused:
                limit = limit.after_refusal(sent, len(in_flight), clock, wait_s=wait_s)
            else:
                limit = limit.after_answer(sent, len(in_flight), clock)
            second = shown[min(int(clock), seconds - 1)]
            second.answered, second.refused = second.answered + (not refused), second.refused + refused
        shown[min(int(clock), seconds - 1)].width = limit.width(clock)
    return shown


def wasted(shown: Sequence[Second]) -> float:
    """The share of requests that were refused."""
    return sum(one.refused for one in shown) / sum(one.answered + one.refused for one in shown)


def above(most: Callable[[float], int]) -> Refuses:
    """Too many at once."""
    return lambda now_s, level: level > most(now_s)


def bucket(burst: int, per_s: float) -> Refuses:
    """Too many a second."""
    tokens, filled = float(burst), 0.0

    def refuses(now_s: float, _: int) -> bool:
        nonlocal tokens, filled
        tokens, filled = min(burst, tokens + (now_s - filled) * per_s), now_s
        if tokens < 1:
            return True
        tokens -= 1
        return False

    return refuses


@pytest.mark.parametrize("wait_s", [None, 20.0])
def test_the_width_settles_at_what_the_service_bears(wait_s: float | None) -> None:
    """Above 32 in flight it refuses: from the second second on 32 are in flight, whether or not it asks for a wait."""
    shown = simulated(above(lambda _: 32), wait_s=wait_s)

    assert {one.width for one in shown[2:]} == {32}
    assert min(one.answered for one in shown[2:]) >= 32 / 0.06
    assert wasted(shown) <= 0.01


@pytest.mark.parametrize("wait_s", [None, 20.0])
def test_the_width_follows_the_service_both_ways(wait_s: float | None) -> None:
    """It bears 32, then 8 from second 10 on, then 32 again: found within ten seconds of a change or a wait's end."""
    shown = simulated(above(lambda now_s: 8 if 10 <= now_s < 50 else 32), seconds=70, wait_s=wait_s)

    assert {5 <= one.width <= 12 for one in shown[40:50]} == {True}
    assert {28 <= one.width <= 36 for one in shown[60:]} == {True}
    assert wasted(shown) <= 0.02


@pytest.mark.parametrize("ceiling", [8, 32, 128])
def test_a_rate_is_found_and_kept(ceiling: int) -> None:
    """25 a second after a burst of 250, with a wait of 20 s: few are refused, and most of the rate is used."""
    shown = simulated(bucket(250, 25), ceiling=ceiling, seconds=300, wait_s=20.0)

    assert wasted(shown) <= 0.02
    assert wasted(shown[:70]) <= 0.04
    assert sum(one.answered for one in shown) >= 0.75 * (250 + 25 * 300)


def test_a_service_that_refuses_the_first_request_is_left_alone_as_long_as_it_asks() -> None:
    """Another client used up the rate: what is in flight at the start is refused, and nothing is sent for 20 s."""
    shown = simulated(lambda now_s, _: now_s < 1, seconds=30, wait_s=20.0)

    assert sum(one.refused for one in shown) <= FIRST_WIDTH
    assert sum(one.answered for one in shown[:20]) == 0
    assert shown[29].answered > 400


def test_a_rate_that_is_lifted_is_noticed() -> None:
    """Twenty seconds after the last wait has ended at most, there is no pace any more."""
    slow = bucket(250, 25)
    shown = simulated(lambda now_s, level: now_s < 60 and slow(now_s, level), ceiling=32, seconds=160, wait_s=20.0)

    assert {one.answered > 400 for one in shown[140:]} == {True}


def test_a_service_that_refuses_nothing_is_used_to_the_ceiling() -> None:
    """Slow start: each round of answers doubles the width, up to 16 at once and to the double each half second."""
    shown = simulated(above(lambda _: 10_000), ceiling=64, seconds=2)

    assert Limit(ceiling=64).width(0) == FIRST_WIDTH
    assert (shown[0].width, shown[1].width) == (32, 64)
    assert shown[1].answered > 64 * 15


def test_a_burst_of_refusals_is_one_cut() -> None:
    """Of 100 in flight 40 are refused: nothing is sent until all came back; then 60 at a time, or a quarter less."""
    limit = Limit(ceiling=128, proven=100, growth=Growth.NONE, probe_s=9.0)
    for at in range(100):
        assert limit.width(1.0) == (0 if at else 100)
        if at < 40:
            limit = limit.after_refusal(Sent(level=90, within=True), 99 - at, 1.0, wait_s=20.0)
        else:
            limit = limit.after_answer(Sent(level=60, within=True), 99 - at, 1.0)

    assert (limit.width(1.0), limit.cuts) == (60, 1)


def test_one_request_that_takes_long_does_not_stop_the_others() -> None:
    """Storage is busy once, without a wait, while a copy runs for minutes: a quarter goes on, then three quarters."""
    limit = Limit(ceiling=32, proven=32, growth=Growth.NONE, probe_s=9.0)
    limit = limit.after_refusal(Sent(level=32, within=True), 31, 1.0)
    widths = []
    for _ in range(31):
        limit = limit.after_answer(Sent(level=8, within=True), 7, 1.0)
        widths.append(limit.width(1.0))

    assert widths == [8] * 30 + [24]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), max_size=200), st.integers(1, 64))
def test_the_width_stays_between_one_and_the_ceiling(answers: list[tuple[bool, bool, int]], ceiling: int) -> None:
    """Whatever is answered, in whatever order; nought only while requests come back after a refusal."""
    limit = Limit(ceiling=ceiling)
    for at, (throttled, within, left) in enumerate(answers):
        sent = Sent(1 + at % 70, within)
        refused = limit.after_refusal(sent, left, float(at), wait_s=1.0 if within else None)
        limit = refused if throttled else limit.after_answer(sent, left, float(at))
        assert (1 if limit.counted(0, float(at)) is limit else 0) <= limit.width(float(at)) <= ceiling


@pytest.mark.parametrize(
    ("header", "message", "wait_s"),
    [
        (None, "Received too many requests in a short amount of time. Retry again after 20 seconds.", 20.0),
        ("7", "Retry again after 20 seconds.", 7.0),
        (None, "Please try again in 3 s.", 3.0),
        (None, "Run exp_20_s was not found", None),
        (None, "Received 503 from a service request", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "", None),
    ],
)
def test_a_stated_wait_is_found_in_the_header_or_the_message(
    header: str | None, message: str, wait_s: float | None
) -> None:
    """The service's 429 says it in English only."""
    assert stated_wait_s(header, message) == wait_s


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_grow_and_are_bounded(failures: int, spread: float) -> None:
    """Never longer than half a minute and a quarter of it."""
    assert 0 < backoff_s(failures, spread) <= LONGEST_BACKOFF_S * 1.25
