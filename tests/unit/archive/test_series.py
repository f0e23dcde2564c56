"""Points to bytes and back."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.archive import series
from azureml_replay.model import Points, Row, Series, SeriesKey

LONG = st.integers(min_value=-(2**80), max_value=2**80)
ANY = st.none() | st.booleans() | LONG | st.floats(allow_nan=True) | st.text(max_size=8)
TICKS = st.none() | st.integers(min_value=-(2**63), max_value=2**63 - 1)


def column(values: Any) -> Any:
    """Mostly of one type, as a declared column is; sometimes anything."""
    one_kind = [st.floats(), st.integers(), LONG, st.booleans(), st.text(), st.none(), ANY]
    return st.one_of([st.lists(kind, min_size=values, max_size=values) for kind in one_kind])


@st.composite
def piece(draw: Any, number: int) -> Points:
    width, rows = draw(st.integers(0, 3)), draw(st.integers(0, 12))
    of = Series(key=SeriesKey(f"m{number}"), columns=tuple((f"c{at}", "Double") for at in range(width)))
    ticks = draw(st.lists(TICKS, min_size=rows, max_size=rows))
    return Points(
        of, draw(st.lists(TICKS, min_size=rows, max_size=rows)), ticks, tuple(draw(column(rows)) for _ in range(width))
    )


def test_a_chunk_of_the_first_version_is_read() -> None:
    """As an archive of that time holds it: two steps and none, times ten million ticks apart, three doubles."""
    chunk = bytes.fromhex(
        "017801636464400046108719ca077360b2ff41a22c2c0c8c4c08d50c6015703e4c29588005ac1e625459a4498b354343c3b469336600"
        "8d87990fd708663c60f860df500f003cff095b"
    )
    of = Series(key=SeriesKey("loss"), columns=(("loss", "Double"),))
    times = [16_752_384_000_000_000 + at * 10_000_000 for at in range(3)]

    assert [exactly(one) for one in series.decode(chunk, lambda _: of)] == [
        exactly(Points(of, [0, 1, None], times, ([0.5, -0.0, math.inf],)))
    ]


def bits(value: Any) -> tuple[type, Any]:
    """Equal for equal bits of the same type: True is not 1, NaN is NaN."""
    return type(value), struct.pack("<d", value) if isinstance(value, float) else value


def exactly(points: Points) -> list[Any]:
    return [
        points.series,
        list(map(bits, points.steps)),
        list(map(bits, points.times)),
        [list(map(bits, c)) for c in points.values],
    ]


@given(st.data())
def test_what_was_encoded_is_decoded_bit_for_bit(data: Any) -> None:
    pieces = [data.draw(piece(number)) for number in range(data.draw(st.integers(0, 4)))]
    numbers = [3 * at for at in range(len(pieces))]
    known = dict(zip(numbers, [p.series for p in pieces], strict=True))

    decoded = series.decode(series.encode(pieces, numbers), known.__getitem__)

    assert [exactly(p) for p in pieces] == [exactly(p) for p in decoded]


@pytest.mark.parametrize(
    "values",
    [
        [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308],
        [struct.unpack("<d", bytes.fromhex("0100000000f0ff7f"))[0], math.nan],  # a NaN with a payload stays itself
        [2**53 + 1, -(2**63), 2**63 - 1, 0],
        [2**63, -(2**200), 10**5000],
        [True, 1, 1.0, None, "1", "", "\ud800 lone", "é\0"],
    ],
)
def test_corner_values_survive(values: list[Any]) -> None:
    of = Series(key=SeriesKey("m"), columns=(("c", "Double"),))
    points = Points(of, [None] * len(values), list(range(len(values))), (values,))

    (decoded,) = series.decode(series.encode([points], [0]), lambda _: of)

    assert exactly(points) == exactly(decoded)


def test_short_series_packed_together_take_at_most_eleven_bytes_a_point() -> None:
    """The figure that chose the format (random doubles are the worst case)."""
    import random

    chance = random.Random(7)
    of = Series(key=SeriesKey("m"), columns=(("m", "Double"),))

    def rows(value: Any) -> list[Row]:
        ticks, made = 17_000_000_000_000_000, []
        for step in range(20):
            ticks += 10_000_000 + chance.randrange(100_000)
            made.append((step, ticks, (value(),)))
        return made

    doubles = [Points.of(of, rows(chance.random)) for _ in range(5)]
    singles = [Points.of(of, rows(lambda: struct.unpack("f", struct.pack("f", chance.random()))[0])) for _ in range(5)]

    assert len(series.encode(doubles, range(5))) <= 1_130
    assert len(series.encode(singles, range(5))) <= 850


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x02abc", b"\x01abc"])
def test_foreign_bytes_are_refused(damage: bytes) -> None:
    with pytest.raises(series.Undecodable):
        series.decode(damage, lambda _: pytest.fail("no series asked for"))


@pytest.mark.parametrize(
    "delta", [sign * size + off for size in (2**7, 2**15, 2**31) for sign in (1, -1) for off in (-1, 0, 1)]
)
def test_a_difference_at_the_edge_of_a_width_survives(delta: int) -> None:
    """128, 32,768 and 2**31 need the next width; their negatives do not."""
    of = Series(key=SeriesKey("m"), columns=(("c", "Int"),))
    values = [7, 7 + delta, 8 + delta]  # no unit is shared
    points = Points(of, values, [2 * value for value in values], (values,))

    (decoded,) = series.decode(series.encode([points], [0]), lambda _: of)

    assert exactly(points) == exactly(decoded)
