"""Chooses the runs that a command is about (pure). Filters match any run of a unit and take the whole unit.

All filters are and-ed, on one and the same run; several values of one filter are or-ed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches

from azureml_replay.disk.globs import fits
from azureml_replay.errors import UserError
from azureml_replay.instants import Instant
from azureml_replay.model import TERMINAL, Listed, RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which units to take; an empty selection takes every unit that has finished."""

    include: tuple[str, ...] = ()
    """Ids of units, which are those of their root runs."""
    limit: int | None = None
    """At most so many units, newest first."""
    experiments: tuple[str, ...] = ()
    """Globs over the experiment's name."""
    statuses: tuple[str, ...] = ()
    """Statuses as `known_status` gives them."""
    types: tuple[str, ...] = ()
    """Types as `known_type` gives them."""
    tags: tuple[str, ...] = ()
    """`key` or `key=value`."""
    created_after: Instant | None = None
    """The earliest creation time, inclusive."""
    created_before: Instant | None = None
    """The latest creation time, exclusive."""
    users: tuple[str, ...] = ()
    """Globs over the creator's name, whatever the case."""
    depth: int | None = None
    """Levels below the root that are taken; deeper descendants are cut, 0 keeps the roots alone."""
    include_active: bool = False
    """True: also take units with a run that may still change."""
    strict_names: bool = True
    """False: where some names of `include` are none, the others are taken; `Choice.unknown` tells of them."""

    @property
    def everything(self) -> bool:
        """True where a run is left out only because its unit is active."""
        return replace(self, include_active=False, strict_names=True) == Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The result of a selection over one listing. It holds units, not runs: `runs` reads the listing again."""

    units: tuple[RunId, ...]
    """The chosen units, newest first."""
    active_units: int
    """Units that match and are left for later, whole, because one of their runs has not finished."""
    active_runs: int
    """The unfinished runs of those units."""
    depth: int | None
    chosen: frozenset[RunId]
    unknown: tuple[str, ...] = ()
    """What is said of each name of `include` that is none."""
    left: Mapping[RunId, str] = field(default_factory=dict)
    """Named unit -> why it is left for later all the same."""

    @property
    def count(self) -> int:
        """The number of chosen units."""
        return len(self.units)

    def takes(self, row: Listed) -> bool:
        """True where the run is in a chosen unit and not below the depth."""
        return row.unit in self.chosen and not self._below(row)

    def cuts(self, row: Listed) -> bool:
        """True where the run is in a chosen unit, but below the depth: an omission."""
        return row.unit in self.chosen and self._below(row)

    def runs(self, listing: Iterable[Listed]) -> Iterator[RunId]:
        """Ids of the runs that are taken, in the listing's order."""
        return (row.id for row in listing if self.takes(row))

    def _below(self, row: Listed) -> bool:
        return self.depth is not None and row.depth > self.depth


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of the selection of everything: like `Choice`, but only what is left out is in memory.

    The names of 100,000 roots would be 35 MB, a third of what an extraction takes in all.
    """

    count: int
    active: Mapping[RunId, int]
    """Unit that waits -> how many of its runs have not finished."""

    @property
    def active_runs(self) -> int:
        """The unfinished runs of those units."""
        return sum(self.active.values())

    def takes(self, row: Listed) -> bool:
        """True where the run's unit does not wait."""
        return row.unit not in self.active

    def cuts(self, _: Listed) -> bool:
        """Always False: no depth was given."""
        return False

    def runs(self, listing: Iterable[Listed]) -> Iterator[RunId]:
        """Ids of the runs that are taken, in the listing's order."""
        return (row.id for row in listing if self.takes(row))


def choose(listing: Iterable[Listed], selection: Selection) -> Choice | Finished:
    """The result of a selection; memory grows with the units only where the selection is not of everything."""
    return _finished(listing, selection) if selection.everything else chosen(listing, selection)


def _finished(listing: Iterable[Listed], selection: Selection) -> Finished:
    roots, active = 0, Counter[RunId]()
    for row in listing:
        roots += row.id == row.unit
        if row.status not in TERMINAL and not selection.include_active:
            active[row.unit] += 1
    return Finished(roots - len(active), active)


@dataclass(slots=True)
class _Unit:
    matched: bool = False
    active: int = 0
    created: int = 0
    """Ticks of the root's creation; 0 where unknown, which counts as the oldest."""


ACTIVE = "still active when it was listed: extract again once it has ended, or give --include-active"
OVER_LIMIT = "left out by --limit when it was listed: extract it without, or with a larger one"


def chosen(listing: Iterable[Listed], selection: Selection, known: Mapping[str, str] | None = None) -> Choice:
    """The result of a selection, in one pass over rows in any order; memory grows with the units.

    `known`: names that the listing need not have, each with why it has not. Raises UserError where `include` names
    something else that is not a root of the listing, or nothing that is one; or where there are runs and no one has
    what a filter names. That no run is of the chosen days is no error.
    """
    units: dict[RunId, _Unit] = {}
    parents: dict[str, RunId] = {}
    names = _Named(selection)
    for row in listing:
        names.see(row)
        unit = units.setdefault(row.unit, _Unit())
        unit.matched |= matches(row, selection)
        unit.active += row.status not in TERMINAL
        if row.id == row.unit:
            unit.created = row.created.ticks if row.created else 0
        elif row.id in selection.include:
            parents[row.id] = row.unit
    unknown = _unknown(selection, units, parents, known or {})
    names.check(any(unit.matched for unit in units.values()))
    return _choice({root: unit for root, unit in units.items() if unit.matched}, selection, unknown)


@dataclass(slots=True)
class _Named:
    """Whether any run has what the filters name, and what the runs have instead."""

    selection: Selection
    seen: dict[str, set[str]] = field(default_factory=dict)
    """Option -> values of all runs, of those options that were given."""
    named: set[str] = field(default_factory=set)
    """Options of which some run has a value that was named."""

    def see(self, row: Listed) -> None:
        for option, (name, values) in _BY_NAME.items():
            given = getattr(self.selection, name)
            if not given:
                continue
            known = self.seen.setdefault(option, set())
            if len(known) < _REMEMBERED:
                known.update(values(row))
            if option not in self.named and matches(row, Selection(**{name: given})):
                self.named.add(option)

    def check(self, matched: bool) -> None:
        """Raises UserError where runs were seen, and the filters by name are why none is chosen."""
        if matched or not self.seen:
            return
        for option, known in self.seen.items():
            if option not in self.named:
                raise UserError(_no_run(option, getattr(self.selection, _BY_NAME[option][0]), known))
        if self.selection.created_after is None and self.selection.created_before is None:
            raise UserError(f"no run has all of what {' and '.join(self.seen)} name: give fewer filters, or others")


_REMEMBERED = 10_000
"""Values of one kind that are held to find the nearest ones."""
_BY_NAME: Mapping[str, tuple[str, Callable[[Listed], Iterable[str]]]] = {
    "--experiment": ("experiments", lambda row: [row.experiment]),
    "--status": ("statuses", lambda row: [row.status]),
    "--type": ("types", lambda row: [_word(row.kind)]),
    "--tag": ("tags", lambda row: _keys_and_pairs(row.tags)),
    "--user": ("users", lambda row: [row.creator or ""]),
}
"""Filters by name: the field of a selection, and what a run has."""


def _word(kind: str | None) -> str:
    folded = kind.casefold() if kind else kind
    return next((word for word, kinds in TYPES.items() if folded in kinds), kind or "")


def _keys_and_pairs(tags: Mapping[str, str | None]) -> Iterator[str]:
    for key, value in tags.items():
        yield key
        yield f"{key}={value}"


def _no_run(option: str, given: Sequence[str], known: Collection[str]) -> str:
    near = list(dict.fromkeys(one for name in given for one in get_close_matches(name, known, n=3, cutoff=0.6)))
    few = sorted(one for one in known if one)[:5]
    hint = (
        f"did you mean {' or '.join(near[:3])}?"
        if near
        else f"there are {', '.join(few)}, ..."
        if few
        else "no run has any"
    )
    return f"{option} {', '.join(given)}: no run matches: {hint}"


def _choice(matched: Mapping[RunId, _Unit], selection: Selection, unknown: tuple[str, ...]) -> Choice:
    waiting = [] if selection.include_active else [unit for unit in matched.values() if unit.active]
    ready = [root for root, unit in matched.items() if selection.include_active or not unit.active]
    ready.sort(key=lambda root: (-matched[root].created, root))
    taken = tuple(ready[: selection.limit])
    return Choice(
        units=taken,
        active_units=len(waiting),
        active_runs=sum(unit.active for unit in waiting),
        depth=selection.depth,
        chosen=frozenset(taken),
        unknown=unknown,
        left={
            root: OVER_LIMIT if root in ready else ACTIVE for root in matched if selection.include and root not in taken
        },
    )


def _unknown(
    selection: Selection, units: Mapping[RunId, _Unit], parents: Mapping[str, RunId], known: Mapping[str, str]
) -> tuple[str, ...]:
    """What is said of names that are none. Raises UserError for the first, unless others are taken all the same."""
    none = [name for name in selection.include if name not in units]
    said = [f"--include {name}: {_why_not(name, units, parents)}" for name in none if name not in known]
    if said and (selection.strict_names or len(none) == len(selection.include)):
        raise UserError(said[0])
    if none and len(none) == len(selection.include):
        raise UserError(f"--include {none[0]}: {known[none[0]]}")
    return tuple(said)


def _why_not(name: str, units: Mapping[RunId, _Unit], parents: Mapping[str, RunId]) -> str:
    if name in parents:
        return f"a child of {parents[name]}: name that one, it comes with all its runs"
    near = get_close_matches(name, units, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "give the id that Studio shows for the whole job"
    return f"no such root run: {hint}"


def matches(row: Listed, selection: Selection) -> bool:
    """True where the run passes every filter. `limit`, `depth` and activity are about units, and not checked here."""
    return (
        (not selection.include or row.unit in selection.include)
        and _glob(row.experiment, selection.experiments)
        and (not selection.statuses or row.status.casefold() in map(str.casefold, selection.statuses))
        and (not selection.types or any(is_type(row.kind, wanted) for wanted in selection.types))
        and (not selection.tags or any(_tagged(row.tags, wanted) for wanted in selection.tags))
        and _created(row.created, selection)
        and _glob((row.creator or "").casefold(), tuple(map(str.casefold, selection.users)))
    )


def _glob(text: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fits(text, pattern) for pattern in patterns)


def _tagged(tags: Mapping[str, str | None], wanted: str) -> bool:
    """True where a tag matches `key` or `key=value`. The whole text is tried as a key first: keys may contain `=`."""
    key, separator, value = wanted.partition("=")
    return wanted in tags or bool(separator and tags.get(key) == value)


def _created(created: Instant | None, selection: Selection) -> bool:
    """True where the creation time is within the bounds; a run without one passes no bound."""
    after, before = selection.created_after, selection.created_before
    if after is None and before is None:
        return True
    return created is not None and (after is None or after <= created) and (before is None or created < before)


STATUSES = (
    *("NotStarted", "Starting", "Provisioning", "Preparing", "Queued", "Running", "Finalizing", "CancelRequested"),
    *("Completed", "Failed", "Canceled", "NotResponding", "Paused", "Unknown"),
)
"""The statuses: JobStatus of the swagger (mfe-2024-04-01.json), as in run history (clients.md 3.2)."""
TYPES: Mapping[str, frozenset[str | None]] = {
    "command": frozenset({"azureml.scriptrun"}),
    "pipeline": frozenset({"azureml.pipelinerun"}),
    "step": frozenset({"azureml.steprun", "azureml.reusedsteprun"}),
    "sweep": frozenset({"hyperdrive", "azureml.hyperdriverun"}),
    "automl": frozenset({"automl", "azureml.automl", "azureml.automlrun"}),
    "promptflow": frozenset({"azureml.promptflow.flowrun"}),
    "mlflow": frozenset({None, ""}),
}
"""Friendly word -> `runType` in lower case (responses.md 4.1; sweep and AutoML as in azureml-core)."""


def known_status(text: str) -> str:
    """The service's spelling of a status, whatever the case; `cancelled` too. Raises UserError."""
    spelt = {status.casefold(): status for status in STATUSES} | {"cancelled": "Canceled"}
    return _spelt(text, spelt, "status", STATUSES)


def known_type(text: str) -> str:
    """The type that a text names: a friendly word, or a `runType`, which has a dot. Raises UserError."""
    return text if "." in text else _spelt(text, {word: word for word in TYPES}, "type", TYPES)


def _spelt(text: str, spelt: Mapping[str, str], what: str, allowed: Iterable[str]) -> str:
    found = spelt.get(text.casefold())
    if found:
        return found
    near = get_close_matches(text.casefold(), spelt, n=1)
    hint = f"did you mean {spelt[near[0]]}?" if near else f"expected one of {', '.join(allowed)}"
    raise UserError(f"unknown {what} {text!r}: {hint}")


def is_type(kind: str | None, wanted: str) -> bool:
    """True where `kind`, a run's `runType`, is of the wanted type."""
    folded = kind.casefold() if kind else kind
    return folded in TYPES.get(wanted.casefold(), ()) or folded == wanted.casefold()


def moment(text: str) -> Instant:
    """The moment of an ISO date (midnight) or date and time; UTC where no zone is given. Raises UserError."""
    try:
        return Instant.parse(text)
    except ValueError:
        pass  # not the service's own form; a shorter ISO form may do
    try:
        parsed = datetime.fromisoformat(text)
        return Instant.of(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UserError(f"not a date: {text!r}: expected ISO 8601, like 2024-05-31 or 2024-05-31T18:00:00Z") from None
