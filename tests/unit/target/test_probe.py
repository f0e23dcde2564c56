"""What is remembered of a target, and what a plan makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from azureml_replay.archive.archive import Archive
from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.mlflow.place import mlflow_place
from azureml_replay.model import RunId
from azureml_replay.target.probe import Probe, keep_probe, known_probe
from azureml_replay.target.profile import profile_of
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.profile import MLFLOW, NameRule, PathRule, WriteRoute, of_kind
from azureml_replay.workspace.tried import Trait

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

OF_SERVER = Probe(
    run=RunId("p"),
    lost=(),
    experiments=(),
    added=(),
    route=WriteRoute.MLFLOW,
    lifted={"value": 8_000},
    server="3.17.2",
    traits=frozenset({Trait.COLON, Trait.FILES}),
)


def test_a_probe_comes_back_as_it_was_kept() -> None:
    assert Probe.from_json(KEPT.to_json()) == KEPT


def test_two_ways_are_known_side_by_side(tmp_path: Path) -> None:
    """Whichever is taken: what the target held before our first write stays what it was then."""
    mlflow = Probe(run=RunId("q"), lost=(), experiments=("late",), added=(), route=WriteRoute.MLFLOW)
    source, target = (azure_place("sub", "group", name) for name in ("source", "target"))
    with Archive.create(tmp_path, source) as archive:
        ledger = archive.ledger(target)
        assert known_probe(ledger) is None
        for probe in (KEPT, mlflow.after(KEPT), replace(mlflow, late=True).after(KEPT)):
            keep_probe(ledger, probe)
            assert (known_probe(ledger), known_probe(ledger, probe.route)) == (probe, probe)
            assert known_probe(ledger, WriteRoute.HISTORY) == KEPT
        assert probe.experiments == ("old",)
        keep_probe(ledger, KEPT)
        assert (known_probe(ledger), known_probe(ledger, WriteRoute.MLFLOW)) == (KEPT, probe)


def test_a_probe_of_an_older_version_knows_less() -> None:
    """Its archive goes on: ends are believed, and the documented limits hold."""
    older = Probe.from_json({"run": "p", "lost": [], "experiments": [], "added": []})

    assert (older.late, older.lifted) == (False, {})
    assert (older.oldest, older.created_at_start) == ({}, None)


def test_an_older_version_called_the_lender_the_container() -> None:
    """What it saw lost is lost still."""
    older = Probe.from_json({"run": "p", "lost": ["end", "container"], "experiments": [], "added": []})

    assert older.lost == ("end", "lender")


def test_a_limit_that_was_lifted_is_planned_with() -> None:
    """Only as far as was tried."""
    known, server = profile_of(azure_place("s", "g", "w"), KEPT), profile_of(mlflow_place("http://h"), OF_SERVER)

    assert (known.limits.value, known.limits.tags) == (2_000, DOCUMENTED.tags)
    assert (server.limits.value, server.limits.parameter) == (8_000, MLFLOW.limits.parameter)


def test_what_a_server_was_seen_to_do_is_planned_with() -> None:
    """Its kind says the rest; of one that was never tried, what the oldest does."""
    seen, unseen = profile_of(mlflow_place("http://h"), OF_SERVER), of_kind(mlflow_place("http://h"))

    assert Probe.from_json(OF_SERVER.to_json()) == OF_SERVER
    assert (seen.names, seen.paths, seen.files) == (NameRule(), PathRule(unicode=False), True)
    assert (unseen.names, unseen.paths) == (NameRule(colon=False), PathRule(unicode=False))
    assert (seen.ids, seen.rows, seen.plain, seen.tick) == ("theirs", MLFLOW.rows, True, 10_000)


def test_only_what_cannot_be_done_without_is_vital() -> None:
    lost = Probe(run=RunId("p"), lost=("end", "status", "files"), experiments=(), added=())

    assert (lost.vital, KEPT.vital) == (("status", "files"), ())
