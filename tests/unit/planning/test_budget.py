"""Which files of a run a budget takes, and how the choice is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.model import Artifact, Location, StoredFile
from azureml_replay.planning.budget import Worth, beyond, worth_of
from azureml_replay.planning.files import ALL_FILES, OVER_BUDGET, FileChoice


def a_file(path: str, size: int | None, store: str = "s") -> Artifact:
    place = Location(store, path)
    stored = None if size is None else StoredFile(location=place, size_bytes=size)
    return Artifact(path=path, location=place, indexed=True, stored=stored)


def taken(budget: int, **sizes: int) -> list[str]:
    files = [a_file(path.replace("_", "/", 1), size) for path, size in sizes.items()]
    left = beyond(files, budget)
    return [one.path for one in files if (one.path, one.location) not in left]


@pytest.mark.parametrize(
    ("path", "worth"),
    [
        ("metrics.json", Worth.METRICS),
        ("outputs/eval/Confusion_Matrix.png", Worth.METRICS),
        ("outputs/score_model.pkl", Worth.MODEL),
        ("model/MLmodel", Worth.MODEL),
        ("outputs/model/conda.yaml", Worth.MODEL),
        ("outputs/net.safetensors", Worth.MODEL),
        ("user_logs/std_log.txt", Worth.LOG),
        ("logs/azureml/metrics.txt", Worth.LOG),
        ("outputs/train.log", Worth.LOG),
        ("outputs/data.parquet", Worth.REST),
        ("outputs/logs.zip", Worth.REST),
    ],
)
def test_what_a_file_is_is_told_by_its_path(path: str, worth: Worth) -> None:
    assert worth_of(path) is worth


def test_the_most_telling_come_first_and_of_these_the_smallest() -> None:
    sizes = {"outputs_data.csv": 1, "logs_a.txt": 2, "outputs_m.pkl": 3, "outputs_metrics.json": 4, "outputs_b.pkl": 9}

    assert taken(4, **sizes) == ["outputs/metrics.json"]
    assert taken(7, **sizes) == ["outputs/m.pkl", "outputs/metrics.json"]
    assert taken(10, **sizes) == ["outputs/data.csv", "logs/a.txt", "outputs/m.pkl", "outputs/metrics.json"]
    assert taken(19, **sizes) == [path.replace("_", "/", 1) for path in sizes]


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(0, 50))), st.integers(0, 200))
def test_a_budget_is_never_passed_and_nothing_is_left_out_that_fits(sizes: list[tuple[str, int]], budget: int) -> None:
    """Equal paths at several places count each."""
    files = [a_file(path, size, store=str(at)) for at, (path, size) in enumerate(sizes)]

    left = beyond(files, budget)

    carried = [one.stored.size_bytes for one in files if one.stored and (one.path, one.location) not in left]
    assert sum(carried) <= budget
    room = budget - sum(carried)
    assert all(one.stored.size_bytes > room for one in files if one.stored and (one.path, one.location) in left)


def test_other_choices_leave_the_budget_to_the_rest() -> None:
    """What is too large, or matches no pattern, or has no bytes, takes no room."""
    files = [a_file("a.pkl", 60), a_file("b.pkl", 30), a_file("c.pkl", 30), a_file("gone", None), a_file("z.txt", 1)]
    choice = FileChoice(budget=60, most_bytes=50, globs=("*.pkl", "gone"))

    told = {one.path: reason for one, _, reason in choice.of(files)}

    assert told == {
        "a.pkl": "left out by --max-file-size",
        "b.pkl": None,
        "c.pkl": None,
        "gone": None,
        "z.txt": "left out by --files",
    }
    assert {reason for *_, reason in FileChoice(budget=0).of(files[:2])} == {OVER_BUDGET}


@pytest.mark.parametrize("choice", [ALL_FILES, FileChoice(most_bytes=3, globs=("a*",)), FileChoice(budget=0)])
def test_the_choice_is_read_as_it_was_kept(choice: FileChoice) -> None:
    """Without a budget in the form of versions that knew none, whose receipts stay sound."""
    assert FileChoice.from_json(choice.to_json()) == choice
    if choice.budget is None:
        before = {"artifacts": True, "most_bytes": choice.most_bytes, "globs": list(choice.globs)}
        assert choice.to_json() == before
    assert FileChoice.from_json({"artifacts": True, "most_bytes": None, "globs": []}) == ALL_FILES


def test_what_either_choice_takes_is_taken() -> None:
    """Whatever was carried once stays to be carried; a budget counts within its own choice."""
    files = [a_file("a.txt", 5), a_file("b.pkl", 7), a_file("c.pkl", 9)]
    notes, small = FileChoice(globs=("*.txt",)), FileChoice(globs=("*.pkl",), budget=7)
    both = notes.joined(small).joined(FileChoice(artifacts=False)).joined(notes)

    assert [reason for *_, reason in both.of(files)] == [None, None, "left out by --files"]
    assert FileChoice.from_json(both.to_json()) == both
    assert both.joined(ALL_FILES) == ALL_FILES == ALL_FILES.joined(both)
    assert FileChoice(artifacts=False).joined(notes) == notes


def test_the_choice_is_told_as_flags() -> None:
    assert FileChoice(budget=2 << 30).flags() == "--artifact-budget 2GB"
    assert FileChoice(budget=0).narrowed
