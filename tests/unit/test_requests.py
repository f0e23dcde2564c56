"""How rows are cut into requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.limits import ROWS_PER_REQUEST, ROWS_PER_SERIES_AND_REQUEST
from azureml_replay.model import Points, Series, SeriesKey
from azureml_replay.send_points import requests


def points(name: str, rows: int) -> Points:
    """Rows that tell themselves apart."""
    series = Series(key=SeriesKey(name), columns=((name, "Double"),))
    return Points(series, list(range(rows)), list(range(rows)), ([float(i) for i in range(rows)],))


@given(st.lists(st.integers(0, 3_000), max_size=12))
def test_every_row_goes_once_in_order_and_no_request_is_too_large(lengths: list[int]) -> None:
    """Each series arrives whole and in order; both limits hold; the number of requests is the floor."""
    pieces = [points(f"m{at}", rows) for at, rows in enumerate(lengths)]

    batches = list(requests(pieces))

    for at, rows in enumerate(lengths):
        steps = [
            step for batch in batches for piece in batch if piece.series.key.name == f"m{at}" for step in piece.steps
        ]
        assert steps == list(range(rows))
    assert all(sum(map(len, batch)) <= ROWS_PER_REQUEST for batch in batches)
    assert all(len(piece) <= ROWS_PER_SERIES_AND_REQUEST for batch in batches for piece in batch)
    assert all(len({piece.series.key for piece in batch}) == len(batch) for batch in batches)
    floor = max(
        -(-sum(lengths) // ROWS_PER_REQUEST), *(-(-rows // ROWS_PER_SERIES_AND_REQUEST) for rows in [0, *lengths])
    )
    assert len(batches) == floor
