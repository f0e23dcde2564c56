"""Which rows go into which request."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from azureml_replay.direct.requests import after_others, requests
from azureml_replay.workspace.limits import ROWS_PER_REQUEST, ROWS_PER_SERIES_AND_REQUEST

LENGTHS = st.one_of(st.integers(0, 3_000), st.sampled_from([1, 249, 250, 251, 500, 1_000]))


@given(st.lists(LENGTHS, max_size=12))
@example([100, 100, 100, 100])  # the third goes on in the next lane, within one request
@example([50_000, 50_000])
def test_every_row_goes_once_in_order_and_no_request_is_too_large(lengths: list[int]) -> None:
    """Each series arrives whole and in order; both limits hold; the number of requests is the floor."""
    batches = list(requests(lengths))

    for at, rows in enumerate(lengths):
        taken = [range(start, stop) for batch in batches for series, start, stop in batch if series == at]
        assert [row for part in taken for row in part] == list(range(rows))
    for batch in batches:
        sizes = [stop - start for _, start, stop in batch]
        assert 0 < sum(sizes) <= ROWS_PER_REQUEST
        assert max(sizes) <= ROWS_PER_SERIES_AND_REQUEST
        assert len({series for series, _, _ in batch}) == len(batch)
    longest = max(lengths, default=0)
    assert len(batches) == max(-(-sum(lengths) // ROWS_PER_REQUEST), -(-longest // ROWS_PER_SERIES_AND_REQUEST))


def test_long_series_are_taken_from_four_places_at_a_time() -> None:
    """Twenty curves of 50,000 rows: what a request takes, and goes on taking, is from four of them at most."""
    batches = list(requests([50_000] * 20))

    assert len(batches) == 1_000
    assert max(len(batch) for batch in batches) == 4


@given(st.lists(LENGTHS, max_size=12))
def test_the_end_of_a_series_waits_for_the_rest_of_it(lengths: list[int]) -> None:
    """And nothing else waits."""
    told = list(after_others(requests(lengths), lengths))

    for place, (batch, after) in enumerate(told):
        ending = {at for at, _, stop in batch if stop == lengths[at]}
        earlier = {one for one in range(place) if ending & {at for at, _, _ in told[one][0]}}
        assert set(after) == earlier
