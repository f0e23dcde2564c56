"""Which series of a run a target holds, how their rows stand there, and what is kept of them in files (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from azureml_replay.model import RunId, Series, SeriesKey
from azureml_replay.planning.fit import Fitting
from azureml_replay.planning.history import Recorded
from azureml_replay.planning.made_files import ROWS_FILE, TABLES_FOLDER
from azureml_replay.planning.names import fit_path
from azureml_replay.planning.normalise import EXACT, Losses, RowsThere, is_scalar, series_there
from azureml_replay.planning.plain import Renamed
from azureml_replay.workspace.profile import PathRule, TargetProfile

NO_TABLE = f"no table, text or namespace is a metric there; kept in a file below {TABLES_FOLDER}"
DOUBLES = "its whole numbers are doubles there"
Logged = Sequence[tuple[Series, int]]
"""Series, each with its number of rows."""


@dataclass(frozen=True, slots=True)
class PlannedRows:
    """The rows of one run."""

    series: tuple[tuple[Series, int], ...]
    """As the target should show them, with the number of rows."""
    there: RowsThere = EXACT
    tables: Mapping[SeriesKey, str] = field(default_factory=dict)
    """Series of the source that are no metrics there -> the file that they are kept in."""
    exact: tuple[SeriesKey, ...] = ()
    """Series of the source whose rows are kept whole in a file besides."""

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of these files."""
        return (*sorted(set(self.tables.values())), *((ROWS_FILE,) if self.exact else ()))


NO_ROWS = PlannedRows(())
"""Of a run without any."""


def planned_rows(
    recorded: Recorded, run: RunId, logged: Logged, fitting: Fitting, *, profile: TargetProfile, renamed: Renamed
) -> PlannedRows:
    """The plan for the series of a run; notes what is lost of them, counted row by row where anything may be."""
    if profile.tables or not logged:
        return PlannedRows(tuple(logged))
    tables = {one.key: _file_of(one.key) for one, _ in logged if not is_scalar(one)}
    for key, path in tables.items():
        fitting.omit(f"metric {key.name}, which {path} has", NO_TABLE)
    scalars = [one for one, _ in logged if one.key not in tables]
    for one in scalars:
        renamed.of("metric", one.key.name, profile.names, fitting)
    there = {one.key: series_there(one, profile) for one in scalars}
    losses = _losses(recorded, run, scalars, profile)
    exact = []
    for one in scalars:
        lost, name = losses[one.key], one.key.name
        if one.columns[0][1] != "Double":
            fitting.omit(f"type of metric {name}", DOUBLES)
        for count, why in lost.words():
            fitting.omit(f"metric {name}: {count}", why + (f"; kept in {ROWS_FILE}" if lost.exact_elsewhere else ""))
        exact += [one.key] if lost.exact_elsewhere else []
    held = tuple((there[one.key], losses[one.key].held) for one in scalars if losses[one.key].held)
    unequal = frozenset(there[key].key for key, lost in losses.items() if not lost.equal)
    return PlannedRows(held, RowsThere(profile.rows, there, unequal), tables, tuple(exact))


def _losses(
    recorded: Recorded, run: RunId, scalars: Sequence[Series], profile: TargetProfile
) -> Mapping[SeriesKey, Losses]:
    losses = {one.key: Losses(profile.rows) for one in scalars}
    for _, pieces in recorded.chunks(run) if scalars else ():
        for piece in pieces:
            if piece.series.key in losses:
                losses[piece.series.key].add(piece)
    return losses


def _file_of(key: SeriesKey) -> str:
    name = f"{key.namespace}/{key.name}" if key.namespace is not None else key.name
    path = f"{TABLES_FOLDER}{name}.json"
    made = fit_path(path, PathRule(unicode=False))
    return made if made == path else f"{TABLES_FOLDER}{made.rpartition('/')[2]}"
