"""Counts as people say them."""

from __future__ import annotations

import pytest

from azureml_replay.counting import counted, omissions_in_words, refused_in_words


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("run",), "0 runs"),
        (1, ("run",), "1 run"),
        (2_000, ("run",), "2,000 runs"),
        (1, ("retry", "retries"), "1 retry"),
        (14, ("retry", "retries"), "14 retries"),
    ],
)
def test_one_of_them_is_no_plural(number: int, words: tuple[str, ...], said: str) -> None:
    assert counted(number, *words) == said


def test_what_was_refused_is_among_the_omissions_by_one_name() -> None:
    assert omissions_in_words(14, "landing", 13) == f"14 omissions planned for landing, {refused_in_words(13)}"
    assert refused_in_words(1) == "1 item refused by the target"
    assert omissions_in_words(1) == "1 omission planned"
