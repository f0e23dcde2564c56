"""How a target is treated: the one value that planning, replay, verify and undo read their decisions from (pure).

What the target was seen to keep fills it (target/profile.py), the way of replay and the user's wishes complete it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from azureml_replay.instants import Instant
from azureml_replay.model import Json, RunForm
from azureml_replay.workspace.limits import (
    DOCUMENTED,
    MLFLOW_SERVER,
    ROWS_PER_REQUEST,
    ROWS_PER_SERIES_AND_REQUEST,
    Limits,
)
from azureml_replay.workspace.place import Place


class WriteRoute(StrEnum):
    """How runs come into a target, and end there."""

    HISTORY = "history"
    """By the run history, under ids of ours."""
    MLFLOW = "mlflow"
    """By MLflow's routes, under ids of the target's own."""

    @property
    def other(self) -> WriteRoute:
        """There are two."""
        return WriteRoute.MLFLOW if self is WriteRoute.HISTORY else WriteRoute.HISTORY

    @property
    def words(self) -> str:
        """For people: runs are written by ..."""
        return "the history" if self is WriteRoute.HISTORY else "MLflow's routes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """What a target keeps of a metric's row. The defaults: all of it."""

    tick: int = 1
    """Of times, in 100 ns: what is finer is cut off, and a time before 1970, or none, is 1970."""
    stepless: bool = True
    """A row without a step stays without; else it gets step 0."""
    every_double: bool = True
    """False where -0.0 becomes 0.0, and an infinity the largest double of its sign."""
    repeats: bool = True
    """Equal rows stay several; else one of them is left."""


EVERY_ROW = RowRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """Which names of metrics, parameters and tags a target takes; files have others."""

    colon: bool = True
    """False where `:` is refused besides what every MLflow server refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRule:
    """Which paths of files a target keeps as they are."""

    unicode: bool = True
    """False where a file whose name is not Latin-1 cannot be read back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProfile:
    """How a target is treated; the defaults are for an Azure ML workspace that was never tried."""

    ref: Place | None = None
    """The workspace, whose ledger planning reads; None: no run has been sent anywhere."""
    route: WriteRoute = WriteRoute.HISTORY
    """By which runs go whose families are not there yet. What follows from it stands in the fields below."""
    others: Mapping[WriteRoute, TargetProfile] = field(default_factory=dict)
    """How runs are treated that went by another route. Empty: all are treated alike."""
    ids: Literal["ours", "theirs"] = "ours"
    """Theirs: making a run is not repeatable. Its intent goes to the disk, then it is looked for, then it is made."""
    tick: int = 1
    """Of starts and ends, in 100 ns: what is finer is lost."""
    limits: Limits = DOCUMENTED
    """The limits of one run."""
    own_tags: int = 0
    """Of a run's tags, those that the route needs for itself."""
    own_properties: int = 0
    """Of a run's properties, those that the target writes by itself."""
    values_with_rows: bool = False
    """True where one request takes the values of a run that was just made, and its rows: `append_with_values`."""
    lost: frozenset[str] = frozenset()
    """Fields of Run that the target was seen to drop: planned omissions, not findings."""
    added: frozenset[str] = frozenset()
    """Keys of tags and properties that the target adds to runs by itself: they are no difference."""
    experiments: frozenset[str] = frozenset()
    """Experiments that the target had before our first write into them: they keep description, tags and state."""
    made: frozenset[str] = frozenset()
    """Experiments that replays from the same source had made before this ledger sent them, or that it took back."""
    reuse: bool = True
    """True where a run may show the files and points of another run, as a reused step does."""
    own_contents: bool = False
    """True where every run has points and files of its own: a reused step gets those of the run that it shows."""
    nulls: bool = True
    """False where a tag or a property whose value is null is refused, or not shown: it is a planned omission."""
    oldest: Mapping[str, Instant] = field(default_factory=dict)
    """`start`, `end` -> the oldest one that the target was seen to keep; older ones are planned omissions."""
    created_at_start: bool | None = None
    """True where a run that a client makes gets the start that it sent as its creation time, False where another one.

    None: nobody has looked, and it is planned as if it were True (recorded of MLflow's `runs/create`).
    """
    settles: bool = False
    """True where rows were seen to be there as soon as a request of `append_settled` was answered: they go so."""
    ends_late: bool = False
    """True where sent ends show only some time later: they are waited for."""
    written_once: bool = False
    """True where nothing is added to a run later: a metric of which only the last value is known is sent so.

    Otherwise such a metric waits for its history.
    """
    form: RunForm = RunForm.NEUTRAL
    """As what runs are written that do not keep their type: the first form that the target lets clients end."""
    foreign_datasets: tuple[Json, Json] = (None, None)
    """Input and output datasets in the form of its kind that it never saved, for the throw-away run to try."""
    datasets_of: frozenset[str] = frozenset({"azureml"})
    """Kinds of workspaces whose documents of datasets it takes: each kind has a form of its own."""
    keep_run_type: bool = False
    """True: new runs are written with the type that they have in the source, not with a neutral one."""
    rows: RowRule = EVERY_ROW
    """What is kept of a metric's row."""
    rows_of_series: int = ROWS_PER_SERIES_AND_REQUEST
    """Rows of one metric that one request takes."""
    tables: bool = True
    """True where tables and texts are metrics; else they go as files of ours."""
    names: NameRule | None = None
    """Which names metrics, parameters and tags may have; None: any."""
    paths: PathRule | None = None
    """Which paths files may have; None: any that is short enough."""
    files: bool = True
    """False where the target takes no files at all: they are omissions, ours too."""
    closes: bool = False
    """True where nothing can be written to an archived run, or to one of an archived experiment."""
    plain: bool = False
    """True for a plain MLflow server: properties are tags there, parameters are texts, errors have a code and a
    message, and tags of MLflow's own mean something."""

    @property
    def room(self) -> Limits:
        """What of one run's limits is left for what is planned of it."""
        limits = self.limits
        if not self.own_tags and not self.own_properties:
            return limits
        return replace(limits, tags=limits.tags - self.own_tags, properties=limits.properties - self.own_properties)

    def by(self, route: WriteRoute | None) -> TargetProfile:
        """How a run is treated that went by this route; None: by none yet."""
        return self if route is None else self.others.get(route, self)

    def keeps(self, field: str) -> bool:
        """False for a field of Run that the target was seen to drop."""
        return field not in self.lost


CREATED = "creation time"
"""What omissions, findings and sent values call it; the sent one is the start with which a run was made."""
PARENT_TAG = "mlflow.parentRunId"
"""The tag by which MLflow's routes make a child: the run keeps it beside its own."""
NAME_TAG = "mlflow.runName"
"""The tag that has a run's name there."""
NOTE_TAG = "mlflow.note.content"
"""The tag that has the description of a run, and of an experiment, on MLflow servers."""
PROPERTY_BEGINS = "property."
"""What stands before the name of a property where properties are tags. `azureml.` is how tags of pipelines begin."""
TICKS_PER_MS = 10_000


def by_route(profile: TargetProfile, route: WriteRoute) -> TargetProfile:
    """The profile of the same target, of which nothing by another route is known, where runs are written by `route`."""
    if route is profile.route:
        return profile
    assert route is WriteRoute.MLFLOW  # noqa: S101 - a profile begins by history
    return replace(
        profile,
        route=route,
        ids="theirs",
        tick=TICKS_PER_MS,
        reuse=False,  # a run's container is named when it is made, and these routes do not
        keep_run_type=False,
        added=profile.added | {PARENT_TAG},
        own_tags=2,  # SOURCE_TAG and PARENT_TAG
        own_properties=1,  # where MLflow finds the files
    )


AZURE_ML = TargetProfile()
"""The profile of an Azure ML workspace of which nothing is known."""
MLFLOW = TargetProfile(
    route=WriteRoute.MLFLOW,
    values_with_rows=True,
    ids="theirs",
    tick=TICKS_PER_MS,
    limits=MLFLOW_SERVER,
    reuse=False,
    own_contents=True,
    rows=RowRule(tick=TICKS_PER_MS, stepless=False, every_double=False, repeats=False),
    rows_of_series=ROWS_PER_REQUEST,
    tables=False,
    names=NameRule(colon=False),
    paths=PathRule(unicode=False),
    datasets_of=frozenset({"mlflow"}),
    settles=True,
    closes=True,
    plain=True,
    added=frozenset({PARENT_TAG}),
)
"""The profile of a plain MLflow server of which nothing is known: what the oldest one takes."""
_OF_KIND: Mapping[str, TargetProfile] = {"mlflow": MLFLOW}


def of_kind(place: Place) -> TargetProfile:
    """The profile of a workspace of which only its kind is known."""
    return replace(_OF_KIND.get(place.kind, AZURE_ML), ref=place)
