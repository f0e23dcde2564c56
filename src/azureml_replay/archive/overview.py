"""What the report reads: every run at a glance, and the omissions of one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azureml_replay.archive.database import Database
from azureml_replay.archive.reading import SELECTED_OMISSIONS
from azureml_replay.archive.records import details_of, moment, unpack
from azureml_replay.model import Omission, Run, RunId

_RUNS_PER_PAGE = 200
_FIRST = (-(2**63), "", -1, -(2**63), "")


@dataclass(frozen=True, slots=True)
class Holding:
    """How much a run holds."""

    series: int = 0
    points: int = 0
    """Rows of all series."""
    files: int = 0
    bytes: int = 0


class Overview(Database):
    """The part of an archive that the report reads beside `Reading`."""

    def overview(self) -> Iterator[tuple[Run, bool]]:
        """Every selected run and whether it is extracted: the newest unit first, parents before children.

        A run that is not extracted has only what the listing told.
        """
        sql = """
            select age, unit, depth, born, id, parent, experiment, status, kind, created, creator, record
            from run left join run_version v on v.run = id and v.generation = run.generation and run.generation > 0
            where selected and (age, unit, depth, born, id) > (?, ?, ?, ?, ?)
            order by age, unit, depth, born, id limit ?
        """
        for row in self._pages(sql, (), _FIRST, _RUNS_PER_PAGE):
            _, _, _, _, run, parent, experiment, status, kind, created, creator, record = row
            if record is not None:
                yield details_of(run, unpack(record, f"run {run}")).run, True
            else:
                yield (
                    Run(
                        id=RunId(run),
                        parent=parent,
                        experiment=experiment,
                        status=status,
                        kind=kind,
                        created=moment(created),
                        creator=creator,
                    ),
                    False,
                )

    def holdings(self) -> Iterator[tuple[RunId, Holding]]:
        """How much each selected run holds, by run; runs without points and files are left out."""
        sql = """
            select id,
              (select count(*) from series s where s.run = id and s.generation = run.generation),
              (select ifnull(sum(s.rows), 0) from series s where s.run = id and s.generation = run.generation),
              (select count(*) from artifact a where a.run = id and a.generation = run.generation),
              (select ifnull(sum(size_bytes), 0) from artifact a where a.run = id and a.generation = run.generation)
            from run where selected and generation > 0 and id > ? order by id limit ?
        """
        return ((RunId(run), Holding(*counts)) for run, *counts in self._pages(sql, (), ("",)))

    def omissions_of(self, run: RunId) -> list[Omission]:
        """The archive's own omissions of one run."""
        rows = self._all(f"select what, reason from ({SELECTED_OMISSIONS}) where run = ?", (run,))  # noqa: S608
        return [Omission(run, *row) for row in rows]
