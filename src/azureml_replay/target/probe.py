"""What a target was seen to keep by its throw-away runs, as the archive keeps it.

The live service could not be tried while this was written. So the first use of a target writes runs into an experiment
of its own (throw_away.py), reads them back as verify does, hides them, and records which fields survived.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace

from azureml_replay.archive.cells import read_back
from azureml_replay.archive.items import ExperimentItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.instants import Instant
from azureml_replay.model import Json, Run, RunForm, RunId
from azureml_replay.planning.experiments import OWNER
from azureml_replay.target.doubtful import NULLS
from azureml_replay.workspace.lease import OWN_EXPERIMENT
from azureml_replay.workspace.profile import WriteRoute
from azureml_replay.workspace.tried import Trait

EXPERIMENT = OWN_EXPERIMENT
VITAL = ("id", "status", "points", "files")
"""What a target must keep: otherwise replay stops."""
OPTIONAL = (
    *("start", "end", "display_name", "description", "tags", "properties", "parameters", "hidden"),
    *("error", "error_origin", "lender", "input_datasets", "output_datasets"),
)
"""Fields of Run that a target may lose: each becomes a planned omission of every run that has it."""
_OLD_NAMES = {"container": "lender"}
"""Names that earlier versions wrote -> names in `OPTIONAL`."""
_FIELDS = {name: name for name in (*VITAL, *OPTIONAL, NULLS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a target was seen to keep."""

    run: RunId
    """The throw-away run, hidden afterwards."""
    lost: tuple[str, ...]
    """Names in `VITAL`, `OPTIONAL` and `DOUBTFUL` that the target does not keep."""
    experiments: tuple[str, ...]
    """Experiments that the target had before our first write into them: what is theirs of their own is left alone."""
    added: tuple[str, ...]
    """Keys of tags and properties that the service added to the run by itself."""
    made: tuple[str, ...] = ()
    """Experiments that are ours, but were not sent by this ledger last: what they hold is looked at first."""
    late: bool = False
    """True where events show only some time later: replay waits for the ends that it sent."""
    settles: bool | None = None
    """True where rows are there once `append_settled` is answered; None where an older version made the probe."""
    created_at_start: bool | None = None
    """True where the run's creation time is the start that was sent; None where an older version made the probe."""
    oldest: Mapping[str, Instant] = field(default_factory=dict)
    """`start`, `end` -> the oldest that was kept, where one further back was not."""
    route: WriteRoute = WriteRoute.HISTORY
    """By which the runs were written."""
    form: RunForm = RunForm.NEUTRAL
    """The first form of which the target lets a client end runs: without a type, or as external ones."""
    type_kept: bool | None = None
    """True where it lets a client end runs that keep their type; None where nobody tried."""
    lifted: Mapping[str, int] = field(default_factory=dict)
    """Name in `Limits` -> how much the target took beyond the documented limit."""
    server: str | None = None
    """The version of a plain MLflow server, empty where it says none; None for other targets."""
    traits: frozenset[Trait] = frozenset()
    """What that server does and others do not."""

    @property
    def knows_all(self) -> bool:
        """False where an older version made it, which did not look at all that counts."""
        return self.server is not None or None not in (self.settles, self.created_at_start)

    @property
    def vital(self) -> tuple[str, ...]:
        """Names in `VITAL` that the target does not keep; and tags, where only they tell which run was made."""
        needed = VITAL if self.route is WriteRoute.HISTORY else (*VITAL, "tags")
        return tuple(name for name in needed if name in self.lost)

    def to_json(self) -> dict[str, Json]:
        """The probe as the archive keeps it."""
        return {
            "run": self.run,
            "lost": list(self.lost),
            "experiments": list(self.experiments),
            "added": list(self.added),
            "made": list(self.made),
            "late": self.late,
            "settles": self.settles,
            "created_at_start": self.created_at_start,
            "route": self.route.value,
            "form": self.form.name,
            "type_kept": self.type_kept,
            "oldest": {name: str(moment) for name, moment in self.oldest.items()},
            "lifted": dict(self.lifted),
            **({} if self.server is None else {"server": self.server, "traits": sorted(self.traits)}),
        }

    @classmethod
    def from_json(cls, document: Json) -> Probe:
        """The probe in a document of `to_json`, of any version. Raises TypeError, KeyError for anything else."""
        assert isinstance(document, dict)  # noqa: S101 - our own archive row; a type narrowing
        return cls(
            run=RunId(document["run"]),
            lost=tuple(_FIELDS[_OLD_NAMES.get(name, name)] for name in document["lost"]),
            experiments=tuple(document["experiments"]),
            added=tuple(document["added"]),
            made=tuple(document.get("made", ())),
            late=document.get("late", False),
            settles=document.get("settles"),
            created_at_start=document.get("created_at_start"),
            route=WriteRoute(document.get("route", WriteRoute.HISTORY)),
            form=RunForm[document.get("form", RunForm.NEUTRAL.name)],
            type_kept=document.get("type_kept"),
            oldest={_FIELDS[name]: Instant.parse(told) for name, told in document.get("oldest", {}).items()},
            lifted=document.get("lifted", {}),
            server=document.get("server"),
            traits=frozenset(map(Trait, document.get("traits", ()))),
        )

    def after(self, known: Probe | None) -> Probe:
        """The probe in the place of an earlier one.

        What the target held before our first write stays what it was then: later names may be ours.
        """
        return self if known is None else replace(self, experiments=known.experiments, made=known.made)


_OTHER = "other"
"""The key, in the document of a probe, of one by the other route."""


def known_probe(ledger: TargetLedger, route: WriteRoute | None = None) -> Probe | None:
    """The probe that an earlier replay or `doctor` made, None where there is none.

    Without a `route` it is that of the one by which new runs go; what is known by another one stands beside it.
    """
    known = ledger.probe()
    if not isinstance(known, dict):
        return None
    with read_back(f"what {ledger.target} was seen to keep"):
        probe = Probe.from_json(known)
        if route in (None, probe.route):
            return probe
        return Probe.from_json(known[_OTHER]).after(probe) if _OTHER in known else None


def keep_probe(ledger: TargetLedger, probe: Probe) -> None:
    """Keep what was seen, beside what is known by the other route; new runs go by this one from now on. Repeatable."""
    other = known_probe(ledger, probe.route.other)
    document: dict[str, Json] = {**probe.to_json(), **({_OTHER: other.to_json()} if other else {})}
    ledger.put_probe(document)


def note_made(ledger: TargetLedger, names: Collection[str]) -> None:
    """Note that experiments are ours whatever the ledger says of them later. Repeatable."""
    note_experiments(ledger, own=(), made=names)


def note_experiments(ledger: TargetLedger, *, own: Collection[str], made: Collection[str]) -> None:
    """Note experiments that the target has of its own, and such as a replay made, which are so no more. Repeatable."""
    probe = known_probe(ledger)
    if probe is None or (set(own) <= set(probe.experiments) and set(made) <= set(probe.made) - set(probe.experiments)):
        return
    more = replace(
        probe,
        experiments=tuple(sorted({*probe.experiments, *own} - set(made))),
        made=tuple(sorted({*probe.made, *made})),
    )
    keep_probe(ledger, more)


def forget_experiments(ledger: TargetLedger, gone: Collection[str]) -> None:
    """Note that experiments that the target had of its own are not there any more: a replay makes them. Repeatable."""
    probe = known_probe(ledger)
    if probe is None or not (theirs := set(probe.experiments) & set(gone)):
        return
    ledger.forget(OWNER, [ExperimentItem(name) for name in theirs])
    keep_probe(ledger, replace(probe, experiments=tuple(sorted(set(probe.experiments) - theirs))))


def note_unsettled(ledger: TargetLedger) -> None:
    """Note that the target has no `append_settled` any more: nobody asks for it again. Repeatable."""
    probe = known_probe(ledger)
    if probe is not None and probe.settles is not False:
        keep_probe(ledger, replace(probe, settles=False))


assert set(OPTIONAL) <= {field.name for field in fields(Run)}  # noqa: S101 - a name misspelt would be a check that can't fail
