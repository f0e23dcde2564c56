"""Which units a selection takes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.errors import UserError
from azureml_replay.instants import Instant
from azureml_replay.model import TERMINAL, Listed, RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.redact import STARS, redact
from azureml_replay.selection import (
    ACTIVE,
    OVER_LIMIT,
    STATUSES,
    Selection,
    choose,
    chosen,
    is_type,
    known_status,
    known_type,
    matches,
    moment,
)


def row(name: str, unit: str | None = None, **values: object) -> Listed:
    settings = {"depth": int(unit is not None), "status": "Completed", **values}
    return Listed(id=RunId(name), unit=RunId(unit or name), **settings)  # type: ignore[arg-type]


LISTING = [
    row("old", created=Instant(10), experiment="cats", kind="azureml.scriptrun", creator="Ann Lee"),
    row("new", created=Instant(30), experiment="dogs", kind="azureml.PipelineRun", tags={"team": "a", "k=v": None}),
    row("new-1", "new", created=Instant(31), experiment="dogs", kind="azureml.StepRun", status="Failed"),
    row("new-1-1", "new", depth=2, created=Instant(32), experiment="dogs", tags={"lr": "0.1"}),
    row("busy", created=Instant(20), experiment="cats", kind=None),
    row("busy-1", "busy", created=Instant(21), experiment="cats", status="Running"),
]


def taken(**filters: object) -> list[str]:
    return list(chosen(LISTING, Selection(**filters)).runs(LISTING))  # type: ignore[arg-type]


NEW = ["new", "new-1", "new-1-1"]


def test_without_filters_everything_finished_is_taken_newest_first() -> None:
    choice = chosen(LISTING, Selection())

    assert choice.units == ("new", "old")
    assert (choice.active_units, choice.active_runs) == (1, 1)


@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({"statuses": ("failed",)}, NEW),
        ({"tags": ("lr=0.1",)}, NEW),
        ({"tags": ("team",)}, NEW),
        ({"tags": ("k=v",)}, NEW),
        ({"experiments": ("c*", "nothing")}, ["old"]),
        ({"types": ("Pipeline",)}, NEW),
        ({"types": ("azureml.stepRun",)}, NEW),
        ({"users": ("ann*",)}, ["old"]),
        ({"created_after": Instant(31), "created_before": Instant(32)}, NEW),
        ({"created_before": Instant(10)}, []),
        ({"include": ("old",)}, ["old"]),
        ({"limit": 1}, NEW),
        ({"include_active": True, "limit": 2}, [*NEW, "busy", "busy-1"]),
        ({"include_active": True, "types": ("mlflow",), "experiments": ("cats",)}, ["busy", "busy-1"]),
    ],
)
def test_a_match_of_any_run_takes_the_whole_unit(filters: dict[str, object], runs: list[str]) -> None:
    assert taken(**filters) == runs


def test_filters_are_anded_on_one_run() -> None:
    """No single run of the unit failed and carries the tag."""
    with pytest.raises(UserError, match="no run has all of what --status and --tag name"):
        taken(statuses=("Failed",), tags=("lr",))
    assert taken(statuses=("Failed",), tags=("lr",), created_before=Instant(10)) == []


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"tags": ("team=b",)}, "--tag team=b: no run matches: did you mean team=a or team?"),
        ({"experiments": ("cots",)}, "--experiment cots: no run matches: did you mean cats?"),
        ({"users": ("zoe",)}, "--user zoe: no run matches: there are "),
        ({"statuses": ("Paused",), "created_after": Instant(31)}, "--status Paused: no run matches: there are "),
        ({"types": ("sweep",)}, "--type sweep: no run matches: "),
    ],
)
def test_a_name_that_nothing_has_is_no_success(filters: dict[str, object], said: str) -> None:
    """Misspelt, it would choose nothing, and all of nothing is equal."""
    with pytest.raises(UserError) as refused:
        taken(**filters)

    assert str(refused.value).startswith(said)
    assert chosen([], Selection(**filters)).units == ()  # type: ignore[arg-type]


def test_what_depth_cuts_is_told() -> None:
    choice = chosen(LISTING, Selection(depth=1))

    assert list(choice.runs(LISTING)) == ["old", "new", "new-1"]
    assert [line.id for line in LISTING if choice.cuts(line)] == ["new-1-1"]


def test_an_unfinished_unit_does_not_count_against_the_limit() -> None:
    assert chosen(LISTING, Selection(experiments=("cats",), limit=1)).units == ("old",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("new-1-1", "a child of new: name that one"),
        ("odl", "no such root run: did you mean old?"),
        ("zzz", "no such root run"),
    ],
)
def test_an_include_that_is_no_root_is_named(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        chosen(LISTING, Selection(include=("old", name)))


def test_everything() -> None:
    assert Selection().everything
    assert Selection(include_active=True).everything
    assert not Selection(depth=3).everything


rows = st.builds(
    lambda number, unit, created, status, experiment: Listed(
        id=RunId(f"{unit}" if number == 0 else f"{unit}-{number}"),
        unit=RunId(str(unit)),
        depth=int(number > 0),
        created=created,
        status=status,
        experiment=experiment,
    ),
    st.integers(0, 3),
    st.integers(0, 4),
    st.none() | st.builds(Instant, st.integers(1, 9)),
    st.sampled_from(["Completed", "Failed", "Running"]),
    st.sampled_from(["a", "b"]),
)
listings = st.lists(rows, unique_by=lambda line: line.id)
selections = st.builds(
    Selection,
    limit=st.none() | st.integers(1, 3),
    experiments=st.just(()) | st.just(("a",)),
    statuses=st.just(()) | st.just(("Failed",)),
    depth=st.none() | st.integers(0, 1),
    include_active=st.booleans(),
)


@given(listings, selections, st.randoms())
def test_laws(listing: list[Listed], selection: Selection, random: object) -> None:
    """Units come whole, unfinished ones wait, the limit holds, the order of the rows does not matter."""
    try:
        choice = chosen(listing, selection)
    except UserError:
        assert not any(matches(line, selection) for line in listing)
        return
    shuffled = list(listing)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert chosen(shuffled, selection) == choice
    assert len(choice.units) <= (selection.limit or len(listing))
    for line in listing:
        assert (choice.takes(line) or choice.cuts(line)) == (line.unit in choice.units)
        if line.unit in choice.units and not selection.include_active:
            assert line.status in TERMINAL


@given(listings)
def test_nothing_is_lost_without_filters(listing: list[Listed]) -> None:
    """Every run is taken, or belongs to a unit that waits."""
    choice = chosen(listing, Selection())
    waiting = {line.unit for line in listing if line.status not in TERMINAL}

    assert choice.active_units == len(waiting)
    assert set(choice.units) | waiting == {line.unit for line in listing}


@given(listings, st.booleans())
def test_everything_is_chosen_without_holding_it(listing: list[Listed], include_active: bool) -> None:
    """The selection of everything takes the same runs whether the units are held or those left out."""
    whole = [line for line in listing if any(other.id == line.unit for other in listing)]
    selection = Selection(include_active=include_active)
    held, choice = chosen(whole, selection), choose(whole, selection)

    assert list(choice.runs(whole)) == list(held.runs(whole))
    assert (choice.count, choice.active_runs) == (held.count, held.active_runs)
    assert not any(map(choice.cuts, whole))


def test_words_for_statuses() -> None:
    assert [known_status(text) for text in ("FAILED", "cancelled", "completed")] == ["Failed", "Canceled", "Completed"]
    assert all(known_status(status.upper()) == status for status in STATUSES)
    with pytest.raises(UserError, match="did you mean Completed"):
        known_status("Compelted")
    with pytest.raises(UserError, match="expected one of NotStarted"):
        known_status("zzz")


def test_words_for_types() -> None:
    assert known_type("Sweep") == "sweep"
    assert known_type("azureml.Whatever") == "azureml.Whatever"
    assert is_type("azureml.StepRun", "step")
    assert not is_type(None, "step")
    with pytest.raises(UserError, match="did you mean pipeline"):
        known_type("pipelin")


def test_moments() -> None:
    """A date is its first moment in UTC; offsets and the seventh decimal count."""
    assert moment("2024-05-31") == Instant.of(datetime(2024, 5, 31, tzinfo=UTC))
    assert moment("2024-05-31T02:00:00+02:00") == moment("2024-05-31")
    assert moment("2024-05-31T00:00:00.0000001Z").ticks == moment("2024-05-31").ticks + 1
    for wrong in ("yesterday", "2024-13-01", "", "31.05.2024"):
        with pytest.raises(UserError, match="expected ISO 8601"):
            moment(wrong)


def test_one_misspelt_name_stops_no_other() -> None:
    """It is told; with strict names, and where no other is left, it is an error."""
    choice = chosen(LISTING, Selection(include=("old", "odl"), strict_names=False))

    assert choice.units == ("old",)
    assert choice.unknown == ("--include odl: no such root run: did you mean old?",)
    with pytest.raises(UserError, match="odl: no such root run"):
        chosen(LISTING, Selection(include=("odl", "zzz"), strict_names=False))


def test_what_was_named_and_waits_is_no_misspelt_name() -> None:
    """Over the limit, or active: each says what is the case; also later, where the listing has it no more."""
    limited = chosen(LISTING, Selection(include=("old", "new"), limit=1))
    assert (limited.units, limited.left) == (("new",), {"old": OVER_LIMIT})

    active = chosen(LISTING, Selection(include=("old", "busy")))
    assert (active.units, active.left) == (("old",), {"busy": ACTIVE})

    assert chosen(LISTING, Selection(include=("old", "gone")), {"gone": ACTIVE}).units == ("old",)
    with pytest.raises(UserError, match="--include gone: still active when it was listed"):
        chosen(LISTING, Selection(include=("gone",)), {"gone": ACTIVE})


@pytest.mark.parametrize("name", ["sweep [a-c]", "a[", "*", "x?"])
def test_a_name_means_itself_before_it_is_a_pattern(name: str) -> None:
    assert chosen([row("r", experiment=name)], Selection(experiments=(name,))).units == ("r",)
    assert chosen([row("r", creator=name)], Selection(users=(name,))).units == ("r",)
    assert FileChoice(globs=(name,)).refusal(name, 1) is None
    assert redact({name: "mine"}, [name])[0] == {name: STARS}
