"""Runs that were sent with ids of the source for runs that the target names by ids of its own since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Json, RunId
from azureml_replay.planning.files import FileChoice
from azureml_replay.planning.ids import named
from azureml_replay.planning.plan import NAMES, Step, plan_units, planned_units
from azureml_replay.selection import Selection
from azureml_replay.workspace.profile import TargetProfile


@dataclass(frozen=True, slots=True)
class Naming:
    """What one replay sends of names. All methods are repeatable."""

    archive: Archive
    ledger: TargetLedger

    def noted(self, step: Step) -> dict[str, Json]:
        """What the ledger is to keep of a step that is sent now: runs of other units that it names by source ids."""
        own = (step.run.id, step.run.parent, step.run.lender)
        names = [run for run in named(step.run) if run not in own and self._is_open(run, step.unit)]
        return {NAMES: list(dict.fromkeys(names))} if names else {}

    def _is_open(self, there: RunId, unit: RunId) -> bool:
        source = self.ledger.source_id(there)
        return source == there and self.archive.unit_of(source) != unit

    def changed(self, selection: Selection, files: FileChoice, profile: TargetProfile) -> Iterator[Step]:
        """Steps of chosen units that name runs which got other ids since; none of these runs counts as compared."""
        naming = self.ledger.naming()
        if not naming:
            return
        self._note_left(naming)
        chosen = None if selection.everything else frozenset(planned_units(self.archive, selection))
        units = dict.fromkeys(unit for run in naming if (unit := self.archive.unit_of(run)))
        roots = [unit for unit in units if chosen is None or unit in chosen]
        yield from (step for step in plan_units(self.archive, roots, files, profile) if step.source in naming)

    def _note_left(self, naming: dict[RunId, list[RunId]]) -> None:
        told = {run: one for run, one in self.ledger.carried(list(naming)).items() if isinstance(one, dict)}
        there = self.ledger.target_ids(run for names in naming.values() for run in names)
        for run, one in told.items():
            left = [name for name in naming[run] if name not in there]
            told[run] = {key: what for key, what in one.items() if key != NAMES} | ({NAMES: left} if left else {})
        self.ledger.carry(told, Way.RUN)
