"""Counts as people say them."""

from __future__ import annotations

import pytest

from azureml_replay.counting import counted


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
