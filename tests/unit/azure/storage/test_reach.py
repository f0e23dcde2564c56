"""No single answer decides about a host, and none for ever."""

from __future__ import annotations

from azureml_replay.azure.storage.reach import ASKED_AGAIN, REFUSALS, Reach


def test_a_host_is_left_alone_after_refusals_in_a_row_and_found_again() -> None:
    """Of two hosts, one: after a copy that went, the count begins anew."""
    reach = Reach()
    for _ in range(REFUSALS - 1):
        reach.refused("a")
    reach.fetched("a")
    for _ in range(REFUSALS - 1):
        reach.refused("a")
    assert reach.worth_asking("a")

    reach.refused("a")

    asked = [reach.worth_asking("a") for _ in range(2 * ASKED_AGAIN)]
    assert [at + 1 for at, one in enumerate(asked) if one] == [ASKED_AGAIN, 2 * ASKED_AGAIN]
    assert reach.worth_asking("b")
    reach.fetched("a")
    assert reach.worth_asking("a")
