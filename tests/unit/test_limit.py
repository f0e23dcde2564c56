"""The width of a service: learnt, held, and never lost to one burst of refusals."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.azure.limit import FIRST_WIDTH, LONGEST_BACKOFF_S, Limit, backoff_s, stated_wait_s


def simulated(bears: int, ceiling: int, requests: int) -> list[int]:
    """Widths over time, against a service that takes a second and refuses what exceeds `bears` at once."""
    limit, clock, widths = Limit(ceiling=ceiling), 0.0, []
    in_flight: list[tuple[float, int, bool]] = []
    for sent in range(requests):
        while len(in_flight) >= limit.width:
            clock, cuts, refused = heapq.heappop(in_flight)
            limit = limit.after(throttled=refused, sent_at_cut=cuts)
            widths.append(limit.width)
        clock += 0.001
        heapq.heappush(in_flight, (clock + 1 + (sent % 7) * 0.01, limit.cuts, len(in_flight) >= bears))
    return widths


def test_the_width_settles_below_what_the_service_bears() -> None:
    """Against a service that refuses above 32, the width stays near 32: cutting on every 429 fell to 1."""
    later = simulated(bears=32, ceiling=128, requests=6_000)[2_000:]

    assert min(later) >= 20
    assert max(later) <= 34


def test_a_service_that_refuses_nothing_is_used_to_the_ceiling() -> None:
    """Slow start: each round of answers doubles the width."""
    widths = simulated(bears=10_000, ceiling=64, requests=1_000)

    assert widths[0] == FIRST_WIDTH + 1
    assert widths.index(64) <= 64
    assert set(widths[100:]) == {64}


def test_a_burst_of_refusals_is_one_cut() -> None:
    """What was sent before the cut says nothing new."""
    limit = Limit(ceiling=128, width=100, cuts=3)
    after_one = limit.after(throttled=True, sent_at_cut=3)
    after_all = after_one
    for _ in range(99):
        after_all = after_all.after(throttled=True, sent_at_cut=3)

    assert after_one.width == 80
    assert after_all == after_one


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=200), st.integers(1, 64))
def test_the_width_stays_between_one_and_the_ceiling(answers: list[tuple[bool, int]], ceiling: int) -> None:
    """Whatever is answered, in whatever order."""
    limit = Limit(ceiling=ceiling)
    for throttled, ago in answers:
        limit = limit.after(throttled=throttled, sent_at_cut=max(0, limit.cuts - ago))
        assert 1 <= limit.width <= ceiling


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
