"""How targets are named where there are several."""

from __future__ import annotations

import pytest

from azureml_replay.azure.place import azure_place
from azureml_replay.state import names


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([], []),
        ([("s", "g", "a")], ["a"]),
        ([("s", "g", "a"), ("s", "g", "b")], ["a", "b"]),
        ([("s", "g", "a"), ("s", "h", "a"), ("s", "h", "b")], ["g/a", "h/a", "b"]),
        ([("s", "g", "a"), ("t", "g", "a")], ["s/g/a", "t/g/a"]),
    ],
)
def test_a_target_has_the_shortest_name_that_no_other_has(given: list[tuple[str, str, str]], shown: list[str]) -> None:
    assert list(names([azure_place(*one) for one in given]).values()) == shown
