"""Parts for several workers: all units, once each, families whole, under names that stay."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.model import RunId
from azureml_replay.planning.parts import HEAVY, LEAST, UnitPart, cut, families, handful, name_of, weight_of

UNITS = st.dictionaries(st.integers(0, 60).map(lambda n: RunId(f"unit-{n:02}")), st.floats(1, 1_000), min_size=1)
LINKS = st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=40)


def linked(numbers: list[tuple[int, int]]) -> list[tuple[RunId, RunId]]:
    return [(RunId(f"unit-{one:02}"), RunId(f"unit-{other:02}")) for one, other in numbers]


def part_of(parts: list[UnitPart]) -> dict[RunId, str]:
    return {unit: part.name for part in parts for unit in part.units}


@given(UNITS, LINKS, st.integers(1, 20))
def test_every_unit_lies_in_one_part_with_its_family(
    weights: dict[RunId, float], numbers: list[tuple[int, int]], least: int
) -> None:
    links = linked(numbers)
    wanted = [family for family in families(weights, links) if not weights.keys().isdisjoint(family)]
    parts = cut(weights, links, least=least)
    found = Counter(unit for part in parts for unit in part.units)

    assert found.keys() >= weights.keys()
    assert set(found.values()) == {1}
    assert all(part_of(parts).get(one) == part_of(parts).get(other) for one, other in links)
    assert len(parts) == min(least, len(wanted))
    assert [part.weight for part in parts] == sorted((part.weight for part in parts), reverse=True)
    assert len({part.name for part in parts}) == len(parts)


def test_names_stay_as_others_come() -> None:
    """A part is called after its smallest unit; an equal history is cut equally."""
    weights = {RunId(f"unit-{number:03}"): float(number + 1) for number in range(300)}
    more = {**weights, RunId("unit-999"): 1.0}

    assert cut(weights, []) == cut(dict(reversed(weights.items())), [])
    assert {part.name for part in cut(weights, [])} == {part.name for part in cut(more, [])}
    assert name_of([RunId("b"), RunId("a")]) == name_of([RunId("a")])


def test_heavy_histories_have_more_parts_and_equal_ones() -> None:
    light = cut({RunId(str(number)): 1.0 for number in range(LEAST * 3)}, [])
    heavy = cut({RunId(str(number)): HEAVY / 2 for number in range(LEAST * 4)}, [])

    assert (len(light), {part.weight for part in light}) == (LEAST, {3.0})
    assert (len(heavy), {part.weight for part in heavy}) == (LEAST * 2, {HEAVY})
    assert weight_of(1, 500, 8 * 1024 * 1024) == 5


def test_fewer_and_fewer_are_handed_out() -> None:
    """So that the last ones end together, and the first ones are few."""
    left, taken = 64, []
    while left:
        taken.append(handful(left, 4))
        left -= taken[-1]

    assert taken[0] == 8
    assert taken[-1] == 1
    assert taken == sorted(taken, reverse=True)
    assert len(taken) < 32
