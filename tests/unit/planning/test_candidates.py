"""Which run of a target stands for a run of the source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azureml_replay.azure.place import azure_place
from azureml_replay.instants import Instant
from azureml_replay.model import Run, RunId
from azureml_replay.planning import lineage
from azureml_replay.planning.candidates import Original
from azureml_replay.workspace.limits import DOCUMENTED
from azureml_replay.workspace.mark import SENT_TAG, SentMark, undo_mark
from azureml_replay.workspace.profile import AZURE_ML, PARENT_TAG, TargetProfile, WriteRoute, by_route

SOURCE = azure_place("sub", "group", "source")
RUN, PARENT = RunId("run"), RunId("parent-there")
START = Instant.parse("2023-04-05T06:07:08.123+00:00")
LATER = Instant.parse("2024-04-05T06:07:08.123+00:00")
PROFILE = by_route(AZURE_ML, WriteRoute.MLFLOW)
DROPS = replace(PROFILE, lost=frozenset({"properties"}))
PLANNED = Run(
    id=RUN,
    start=START,
    created=START,
    display_name="a name",
    tags={lineage.TAG: RUN, "team": "blue"},
    properties={lineage.PROPERTY: lineage.encode(lineage.lineage_of(Run(id=RUN), SOURCE))},
)
MARK = SentMark.of({"tag team": "blue"}, None)


def original(profile: TargetProfile = PROFILE, planned: Run = PLANNED) -> Original:
    return Original(SOURCE, planned, RUN, profile)


def made(name: str = "there", **more: Any) -> Run:
    """As `runs/create` leaves it, and the service shows it."""
    shown = {
        "parent": PARENT,
        "status": "Running",
        "modified": LATER,
        "properties": {"mlflow.artifactUri": "azureml://"},
    }
    run = lineage.made(PLANNED, SOURCE)
    return replace(run, id=RunId(name), **{**shown, "tags": {**run.tags, PARENT_TAG: PARENT}, **more})


def filled(name: str = "there", bearer: str = "", **more: Any) -> Run:
    """With everything; its property says what was sent with `bearer`."""
    told = lineage.signed(replace(PLANNED, id=RunId(bearer or name)), MARK, DOCUMENTED.value).properties
    return replace(
        made(name), **{"properties": told, "status": "Completed", "end": LATER, "parameters": {"lr": "1"}, **more}
    )


def test_what_says_so_comes_first_then_what_was_made_first() -> None:
    """Wherever what says so lies by now; what was made alone counts below the run's own parent only."""
    early, late = made("x", modified=START), made("a")
    says = filled("z", parent=None, start=None)

    assert original().first([late, says, early], PARENT) == says
    assert original().first([late, early], PARENT) == early
    assert original().first([late, early], RunId("another")) is None
    assert original().first([filled("b"), filled("a")], PARENT) == filled("a")


@pytest.mark.parametrize(
    "clone",
    [
        filled("clone", bearer="there"),
        made("clone", start=LATER),
        made("clone", start=None),
        made("clone", parameters={"lr": "0.1"}),
        made("clone", status="Completed"),
        made("clone", hidden=True),
        made("clone", tags={**made().tags, "mine": "1"}),
        made("clone", tags={lineage.TAG: RUN}),
        made("clone", properties={"mine": "1"}),
        replace(made("clone"), properties={lineage.PROPERTY: lineage.encode({"workspace": "other", "run": RUN})}),
    ],
)
def test_what_bears_our_tags_and_is_not_as_we_make_it_is_somebodys(clone: Run) -> None:
    """A clone with its original's property says by its mark whose that is."""
    assert original().first([clone], PARENT) is None
    assert original().first([clone, made()], PARENT) == made()


def test_what_the_service_and_undo_add_is_nobodys_work() -> None:
    """As MLflow's own keys; where no start tells, those alone that the throw-away run got, and the name has to fit."""
    more = made(tags={**made().tags, "mlflow.rootRunId": "x", **undo_mark(RunId("there"))}, hidden=True)
    timeless = original(planned=replace(PLANNED, start=None))
    known = original(replace(PROFILE, added=PROFILE.added | {"mlflow.rootRunId"}), replace(PLANNED, start=None))

    assert original().is_made(more)
    assert not timeless.is_made(more)
    assert known.is_made(more)
    assert not known.is_made(replace(more, display_name="another"))


def test_a_run_without_a_start_was_made_with_its_creation_time() -> None:
    """It may have begun since at the source: then what was made before is found all the same."""
    began = replace(PLANNED, start=LATER, created=START)

    assert original(planned=began).is_made(made())


def test_where_properties_are_dropped_a_tag_bears_the_mark() -> None:
    """It names the run, too. Where it has no room, the start has to do."""
    there = made("x", status="Completed", properties={}, parameters={"lr": "1"})
    marked, copied = (
        replace(there, tags={**there.tags, SENT_TAG: MARK.to_text(RUN, RunId(bearer))}) for bearer in ("x", "y")
    )

    assert original(DROPS).first([made("a"), marked], PARENT) == marked
    assert original(DROPS).first([copied], PARENT) is None
    assert original(DROPS).first([made("a"), there], PARENT) == there
    assert original(DROPS).first([replace(there, start=LATER)], PARENT) is None
    assert original().first([there], PARENT) is None
