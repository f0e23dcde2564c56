"""Runs with everything that planning needs to know of them: a hundred take as many queries as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from azureml_replay.archive.assets import AssetContents
from azureml_replay.archive.codes import Codes
from azureml_replay.archive.digests import of_generation
from azureml_replay.archive.items import FileItem, RunItem, SeriesItem, ValueItem
from azureml_replay.archive.reading import BEFORE_ALL, EXTRACTED, HISTORY_LEFT_OUT, RUNS_TOGETHER, WANTED, Reading
from azureml_replay.archive.receipts import Receipt
from azureml_replay.archive.records import details_of, job_of, unpack
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.azure.wire.naming import named_in
from azureml_replay.azure.wire.outputs import outputs_of
from azureml_replay.model import FileTotals, Job, Omission, RunDetails, RunId, SeriesKey
from azureml_replay.planning.code import code_of
from azureml_replay.planning.history import NOTHING_REFUSED, History, Refusals, named_outputs
from azureml_replay.planning.ids import named
from azureml_replay.planning.references import Became
from azureml_replay.workspace.place import Place

BYTES_TOGETHER = 1_000_000
"""Bytes of documents read together, as text: a recorded run has 3.6 KB, but one job's graph may have a megabyte."""


class _Row(NamedTuple):
    depth: int
    born: int
    id: RunId
    unit: RunId
    record: bytes
    record_bytes: int
    job: bytes | None
    job_unknown: str | None
    job_code: str | None
    job_bytes: int | None


_COLUMNS = "unit, v.record, v.record_bytes, job.record, job.unknown, job.code, job.record_bytes"
_FROM = f"{EXTRACTED} left join job on job.name = id"


class Histories(Codes, AssetContents, Reading):
    """The part of an archive that plans are made from."""

    def histories(self, roots: Iterable[RunId] | None = None, target: Place | None = None) -> Iterator[History]:
        """The selected, extracted runs of these units, or of all units, newest unit first.

        Within a unit parents come first, siblings in the order of their creation. With `target`, each has what that
        target's ledger says of it at the moment at which its hundred is read.
        """
        rows = self._rows() if roots is None else (row for root in roots for row in self._rows_of_unit(root))
        return (history for together in _together(rows) for history in self._histories(together, target))

    def history(self, run: RunId, target: Place | None = None) -> History | None:
        """One run as extracted, None where it is not."""
        return next(self._histories(self._row(run), target), None)

    def _row(self, run: RunId) -> list[_Row]:
        sql = f"select depth, born, id, {_COLUMNS} from {_FROM} where id = ?"  # noqa: S608  # our own words
        return [_Row(*row) for row in self._all(sql, (run,))]

    def named_outputs(self, run: RunId | None = None) -> Iterator[Omission]:
        """The named outputs of a run, or of all that are selected and extracted: their bytes are no files of a run."""
        rows = self._rows() if run is None else self._row(run)
        return (one for row in rows for one in named_outputs(row.id, self._outputs(row)))

    def _outputs(self, row: _Row) -> Mapping[str, str]:
        outputs = outputs_of(_details(row), _job(row))
        return _left(outputs, self.carried_outputs([row.id]).get(row.id, frozenset())) if outputs else outputs

    def _rows(self) -> Iterator[_Row]:
        sql = f"""
            select age, unit, depth, born, id, {_COLUMNS} from {_FROM}
            where {WANTED} and (age, unit, depth, born, id) > (?, ?, ?, ?, ?)
            order by age, unit, depth, born, id limit ?
        """  # noqa: S608  # our own words
        rows = self._pages(sql, (), (-(2**63), "", *BEFORE_ALL), RUNS_TOGETHER)
        return (_Row(*row) for _, _, *row in rows)

    def _rows_of_unit(self, root: RunId) -> Iterator[_Row]:
        return (_Row(*row) for row in self._rows_of(root, _COLUMNS, _FROM))

    def _histories(self, rows: Sequence[_Row], target: Place | None) -> Iterator[History]:
        runs = [row.id for row in rows]
        details = [_details(row) for row in rows]
        jobs = [_job(row) for row in rows]
        references = [code_of(one.run, job) for one, job in zip(details, jobs, strict=True)]
        codes = self._codes([reference for reference in references if reference])
        series, files = self._series_of(runs), self._file_totals(runs)
        only_last = self._lack(runs, HISTORY_LEFT_OUT)
        carried_outputs = self.carried_outputs(runs)
        borrowers = {one.run.id: one.run.lender for one in details if one.run.lender}
        experiments = self._experiments_of(list(borrowers.values()))
        ledger = TargetLedger(self.folder, self._db, target) if target else None
        ids = ledger.target_ids(run for one in details for run in named(one.run)) if ledger else {}
        alone = ledger.created_alone(list(borrowers)) if ledger else frozenset()
        carried = ledger.carried(runs) if ledger else {}
        refused = ledger.refused(runs) if ledger else {}
        became = self._became(runs, ledger) if ledger else {}
        routes = ledger.routes([*runs, *(row.unit for row in rows)]) if ledger else {}
        for row, one, job, reference in zip(rows, details, jobs, references, strict=True):
            yield History(
                unit=row.unit,
                details=one,
                job=job,
                series=self._counted(row.id, series.get(row.id, {})),
                files=files.get(row.id, FileTotals()),
                code=codes.get(reference.key, False) if reference else None,
                outputs=_left(outputs_of(one, job), carried_outputs.get(row.id, frozenset())),
                only_last=row.id in only_last,
                lender_experiment=experiments.get(borrowers.get(row.id, row.id)) if row.id in borrowers else None,
                ids=ids,
                stands_alone=row.id in alone,
                carried=carried.get(row.id),
                refused=self._refusals(row.id, refused[row.id]) if row.id in refused else NOTHING_REFUSED,
                references=became.get(row.id, ()),
                route=routes.get(row.id, routes.get(row.unit)),
            )

    def _became(self, runs: Sequence[RunId], ledger: TargetLedger) -> Mapping[str, Sequence[Became]]:
        """Run -> the assets that it names; none where nothing of any asset ever went into the target."""
        if not ledger.has_assets:
            return {}
        like, found = self.asset_naming(ledger.target), dict[str, list[Became]]()
        for run, use, (fate, there, why) in ledger.fates_of_references(runs):
            text = named_in(use.text, there, like) if there and like else None
            found.setdefault(run, []).append(Became(use=use, fate=fate, there=there, text=text, why=why))
        return found

    def _refusals(self, run: RunId, receipts: Sequence[Receipt]) -> Refusals:
        """Those of the run as it was extracted last: anything else is tried again."""
        now = of_generation(self.generation(run))
        told = {one.item: one.detail or "" for one in receipts if one.digest == now}
        return Refusals(
            run=told.get(RunItem.CREATE),
            values={(item.kind, item.name): words for item, words in told.items() if isinstance(item, ValueItem)},
            series={
                SeriesKey(item.name, item.namespace): words
                for item, words in told.items()
                if isinstance(item, SeriesItem)
            },
            files={item.path: words for item, words in told.items() if isinstance(item, FileItem)},
        )

    def _experiments_of(self, runs: Sequence[RunId]) -> dict[RunId, str]:
        """Run -> name of its experiment, of extracted runs."""
        rows = self._among(
            "select v.run, record from run_version v join run on run.id = v.run and run.generation = v.generation "
            "where v.run in",
            runs,
        )
        return {RunId(run): details_of(run, unpack(record, f"run {run}")).run.experiment for run, record in rows}


def _left(outputs: Mapping[str, str], carried: frozenset[str]) -> Mapping[str, str]:
    return {name: place for name, place in outputs.items() if name not in carried} if carried else outputs


def _details(row: _Row) -> RunDetails:
    return details_of(row.id, unpack(row.record, f"run {row.id}"))


def _job(row: _Row) -> Job | None:
    return None if row.job is None else job_of(row.id, row.job, row.job_unknown, row.job_code)


def _together(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """The rows in groups that are asked about at once: by number of runs and by bytes of documents."""
    held: list[_Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += row.record_bytes + (row.job_bytes or 0)
        if len(held) == RUNS_TOGETHER or size > BYTES_TOGETHER:
            yield held
            held, size = [], 0
    if held:
        yield held
