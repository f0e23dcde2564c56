"""What is remembered of a target, and what a plan makes of it."""

from __future__ import annotations

from azureml_replay.instants import Instant
from azureml_replay.model import RunId
from azureml_replay.target.probe import Probe
from azureml_replay.workspace.limits import DOCUMENTED

KEPT = Probe(
    run=RunId("p"),
    lost=("start",),
    experiments=("old",),
    added=("key",),
    late=True,
    lifted={"value": 2_000},
    oldest={"start": Instant(7)},
    created_at_start=True,
)


def test_a_probe_comes_back_as_it_was_kept() -> None:
    assert Probe.from_json(KEPT.to_json()) == KEPT


def test_a_probe_of_an_older_version_knows_less() -> None:
    """Its archive goes on: ends are believed, and the documented limits hold."""
    older = Probe.from_json({"run": "p", "lost": [], "experiments": [], "added": []})

    assert (older.late, older.limits) == (False, DOCUMENTED)
    assert (older.oldest, older.created_at_start) == ({}, None)


def test_an_older_version_called_the_lender_the_container() -> None:
    """What it saw lost is lost still."""
    older = Probe.from_json({"run": "p", "lost": ["end", "container"], "experiments": [], "added": []})

    assert older.lost == ("end", "lender")


def test_a_limit_that_was_lifted_is_planned_with() -> None:
    """Only as far as was tried."""
    assert (KEPT.limits.value, KEPT.limits.tags) == (2_000, DOCUMENTED.tags)


def test_only_what_cannot_be_done_without_is_vital() -> None:
    lost = Probe(run=RunId("p"), lost=("end", "status", "files"), experiments=(), added=())

    assert (lost.vital, KEPT.vital) == (("status", "files"), ())
