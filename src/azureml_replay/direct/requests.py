"""Divides the rows of a run into as few requests as possible, taken from four places at a time (pure).

A request takes 250 rows of a series, or as many as the target says, and 1,000 in all. Sent series by series, long ones
would take four times as many requests; taken from all series at once, every chunk of the archive would be open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest

from azureml_replay.model import Share
from azureml_replay.workspace.limits import ROWS_PER_REQUEST, ROWS_PER_SERIES_AND_REQUEST


def requests(lengths: Sequence[int], of_series: int = ROWS_PER_SERIES_AND_REQUEST) -> Iterator[list[Share]]:
    """The shares of each request in series of these lengths: each at most once a request, in the order of its rows.

    The number of requests n is the larger of rows / 1,000 and the longest / 250, rounded up. McNaughton's rule reaches
    it: all rows in one line are cut into lanes of 250 n rows; each request takes the next 250 of every lane. A series
    that continues in the next lane is at the end of the one and at the beginning of the other: as none is longer than a
    lane, the two never meet in a request.
    """
    count = max(
        -(-sum(lengths) // ROWS_PER_REQUEST),
        -(-max(lengths, default=0) // of_series),
    )
    lanes = _lanes(lengths, count * of_series)
    for handfuls in zip_longest(*(_handfuls(lane, of_series) for lane in lanes), fillvalue=()):
        yield list(_joined(sorted(chain.from_iterable(handfuls))))


def after_others(batches: Iterable[list[Share]], lengths: Sequence[int]) -> Iterator[tuple[list[Share], Sequence[int]]]:
    """Beside each request the places of earlier ones that must be answered before: those of a series that ends here.

    What a service calls the last value of a metric may be what came last.
    """
    earlier: defaultdict[int, list[int]] = defaultdict(list)
    for place, batch in enumerate(batches):
        yield batch, [one for at, _, stop in batch if stop == lengths[at] for one in earlier[at]]
        for at, _, _ in batch:
            earlier[at].append(place)


def _lanes(lengths: Sequence[int], rows_of_lane: int) -> list[list[Share]]:
    lanes: list[list[Share]] = [[]]
    room = rows_of_lane
    for at, rows in enumerate(lengths):
        here = min(rows, room)
        if here:
            lanes[-1].append((at, rows - here, rows))
        room -= here
        if rows > here:
            lanes.append([(at, 0, rows - here)])
            room = rows_of_lane - (rows - here)
    return lanes


def _handfuls(lane: Sequence[Share], most: int) -> Iterator[list[Share]]:
    """The shares of a lane, so many rows at a time."""
    handful: list[Share] = []
    room = most
    for at, start, stop in lane:
        taken = start
        while taken < stop:
            upto = min(stop, taken + room)
            handful.append((at, taken, upto))
            room -= upto - taken
            taken = upto
            if not room:
                yield handful
                handful, room = [], most
    if handful:
        yield handful


def _joined(shares: Sequence[Share]) -> Iterator[Share]:
    """The shares of a request, where beginning and end of one series become one share."""
    waiting: Share | None = None
    for share in shares:
        if waiting and waiting[0] == share[0] and waiting[2] == share[1]:
            waiting = (waiting[0], waiting[1], share[2])
            continue
        if waiting:
            yield waiting
        waiting = share
    if waiting:
        yield waiting
