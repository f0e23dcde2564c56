"""Which run of a target stands for which run of the source: the map that scripts, papers and dashboards need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.connection import page_of_run
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.synthetic.tree.nodes import RUN
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """One run of the source, and where it is now."""

    source_id: RunId
    target_id: RunId | None
    """The run's id, or a job's name where real jobs were submitted; None where nothing was sent."""
    target: str
    """The workspace: subscription/resource-group/name."""
    root_id: RunId
    """The root run above it, in the source."""
    experiment: str
    status: str
    """The status in the source."""
    source_url: str | None
    """The run's page in Studio or on the MLflow server; None where the workspace named no Studio."""
    target_url: str | None
    left_out: str | None
    """Why the target was sent no such run, where a synthetic replay left it out on purpose."""


def mapped(archive: Archive, target: Place | None = None) -> Iterator[Mapped]:
    """Every extracted run, once for each target of the archive or for the one that is named; in the archive's order.

    Raises UserError where the archive was never replayed, or not into `target`.
    """
    known = archive.targets()
    wanted = [one for one in known if target is None or one == target]
    if not wanted:
        where = f" into {target}" if target else ""
        raise UserError(f"{archive.folder} was never replayed{where}: there is no map yet")
    return (row for one in wanted for row in _of(archive, one))


def _of(archive: Archive, target: Place) -> Iterator[Mapped]:
    ledger = archive.ledger(target)
    here, there = archive.studio(archive.source), archive.studio(target)
    for row in archive.listing():
        if not row.extracted:
            continue
        stands = ledger.stands_for(row.id)
        yield Mapped(
            source_id=row.id,
            target_id=stands,
            target=str(target),
            root_id=row.unit,
            experiment=row.experiment,
            status=row.status,
            source_url=page_of_run(archive.source, here, row.id),
            target_url=page_of_run(target, there, stands) if stands else None,
            left_out=None if stands else _left_out(ledger, row.id),
        )


def _left_out(ledger: TargetLedger, run: RunId) -> str | None:
    """The plan's reason for a whole run, as verify kept it; None where the plan leaves out parts only, or nothing."""
    return next((one.reason for one in ledger.planned_omissions_of(run) if one.what == RUN), None)
