"""What a workspace lists: experiments, runs in their trees, jobs; and which of the runs are selected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from azureml_replay.archive.database import PAGE
from azureml_replay.archive.documents import Documents
from azureml_replay.archive.reading import GONE
from azureml_replay.archive.records import (
    details_of,
    details_record,
    dumps,
    experiment_of,
    experiment_record,
    job_code_cell,
    job_of,
    loads,
    moment,
    optional,
    pack,
    unpack,
)
from azureml_replay.model import TERMINAL, Experiment, Job, Json, Listed, Omission, Run, RunDetails, RunId
from azureml_replay.selection import ACTIVE, OVER_LIMIT


class Listing(Documents):
    """The part of an archive that the pages of a listing fill."""

    def put_experiments(self, experiments: Sequence[Experiment]) -> None:
        """Add or replace experiments. Repeatable."""
        with self._transaction():
            for experiment in experiments:
                record, paths = experiment_record(experiment, self._rules)
                name = self._rules.name(experiment.name)
                row = (name, experiment.id, optional(experiment.unknown), *pack(record))
                self._execute("insert or replace into experiment values (?, ?, ?, ?, ?)", row)
                what = [f"value at experiment {name}: {path}" for path in paths]
                what += [f"name of experiment {name}"] if name != experiment.name else []
                self._note("experiment", f"experiment {name}", 0, what)

    def experiments(self) -> Iterator[Experiment]:
        """All experiments, by name."""
        sql = "select name, id, record from experiment where (name, id) > (?, ?) order by name, id limit ?"
        for name, identity, record in self._pages(sql, (), ("", "")):
            yield experiment_of(name, identity, unpack(record, f"experiment {name}"))

    def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name, the first one by id where several have it; None where none has."""
        row = self._one("select id, record from experiment where name = ? order by id", (name,))
        return row and experiment_of(name, row[0], unpack(row[1], f"experiment {name}"))

    def put_listed(self, runs: Sequence[Run]) -> None:
        """Add a page of the listing. A run whose extracted content is still good stays as it is. Repeatable."""
        with self._transaction():
            self._execute(_SEEN)
            self._executemany("insert or ignore into temp.seen values (?, ?)", ((run.id, run.lender) for run in runs))
            for run in runs:
                self._list(run)

    def expect_again(self, reason: str | None = None) -> None:
        """Mark runs that lack something for `reason`, or all runs: each is extracted again once it is listed."""
        with self._transaction():
            self._execute(
                """
                update run set state = 'listed'
                where ?1 is null or id in (
                  select o.run from omission o where o.run = run.id and o.generation = run.generation and o.reason = ?1)
                """,
                (reason,),
            )

    def _list(self, run: Run) -> None:
        known = self._one("select generation, state, status, modified, tags from run where id = ?", (run.id,))
        # below their name, as in the document: a glob may be of the whole path
        tags = dumps(cast("dict[str, Json]", self._rules.document({"tags": run.tags})[0])["tags"]).decode()
        modified = run.modified and str(run.modified)
        unchanged = known and known[1:] == ("extracted", run.status, modified, tags) and _at_rest(run)
        if unchanged and (modified or self._has_document(run, known[0])):
            return
        self._keep_lender(run, 1 + (known[0] if known else 0))
        born = run.created.ticks if run.created else 0
        created = run.created and str(run.created)
        self._execute(
            """
            insert into run (id, parent, experiment, status, kind, created, modified, creator, tags, born,
                             state, unit, age)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'listed', ?, ?)
            on conflict (id) do update set
              parent = excluded.parent, experiment = excluded.experiment, status = excluded.status,
              kind = excluded.kind, created = excluded.created, modified = excluded.modified,
              creator = excluded.creator, tags = excluded.tags, born = excluded.born, state = 'listed'
            """,
            (
                *(run.id, run.parent, self._rules.name(run.experiment), run.status, run.kind, created, modified),
                *(run.creator, tags, born, run.id, -born),
            ),
        )

    def _keep_lender(self, run: Run, staged: int) -> None:
        """The document of a run that shows another's files, for `lenders`; every other comes with its details."""
        if run.lender:
            self._write_version(RunDetails(run=run), staged)
        else:
            self._execute("delete from run_version where run = ? and generation = ?", (run.id, staged))

    def _has_document(self, run: Run, generation: int) -> bool:
        """True where the run's document is as it was extracted: asked where nothing tells when it was changed last."""
        row = self._one("select record from run_version where run = ? and generation = ?", (run.id, generation))
        record, _ = details_record(RunDetails(run=run), self._rules)
        return row is not None and bool(unpack(row[0], f"run {run.id}")["document"] == record["document"])

    def put_jobs(self, jobs: Sequence[Job]) -> None:
        """Adds or replaces. Repeatable."""
        with self._transaction():
            for job in jobs:
                document, paths = self._rules.document(job.document)
                row = (job.name, *pack(document), optional(job.unknown), job_code_cell(job, document, paths))
                self._execute("insert or replace into job values (?, ?, ?, ?, ?)", row)
                self._note("job", job.name, 0, [f"value at job/{path}" for path in paths])

    def job(self, run: RunId) -> Job | None:
        """The job as submitted; None where no job of that name was listed."""
        row = self._one("select record, unknown, code from job where name = ?", (run,))
        return row and job_of(run, *row)

    def jobs_missing_runs(self) -> Iterator[RunId]:
        """Names of listed jobs without a listed run, in order: the service's two listings disagree there."""
        sql = (
            "select name from job where name > ? and not exists (select 1 from run where id = name) order by 1 limit ?"
        )
        return (RunId(row[0]) for row in self._pages(sql, (), ("",)))

    def experiments_missing(self) -> Iterator[str]:
        """Names of experiments that runs give and that no listed experiment has, in order."""
        sql = """
            select distinct experiment from run r where experiment > ?
              and not exists (select 1 from experiment e where e.name = r.experiment) order by 1 limit ?
        """
        return (row[0] for row in self._pages(sql, (), ("",)))

    def arrange(self) -> None:
        """Compute every run's unit and depth. A run whose parent is absent is a root; so is one run of every cycle."""
        with self._transaction():
            self.put_in_order()

    def put_in_order(self) -> None:
        """The same in the caller's transaction."""
        self._execute("create temp table if not exists tree (id text primary key, unit text, depth integer)")
        self._execute("delete from temp.tree")
        self._grow("parent is null or parent = id or not exists (select 1 from run p where p.id = run.parent)", ())
        while orphan := self._one("select min(id) from run where id not in (select id from temp.tree)")[0]:
            self._grow("id = ?", (self._cycle_root(orphan),))
        self._execute(
            """
            update run set (unit, depth, age) =
              (select tree.unit, tree.depth, -root.born from temp.tree join run root on root.id = tree.unit
               where tree.id = run.id)
            """
        )

    def _grow(self, is_root: str, values: Sequence[Any]) -> None:
        self._execute(
            f"""
            insert into temp.tree
            with recursive walk(id, unit, depth) as (
              select id, id, 0 from run where {is_root}
              union all
              select run.id, walk.unit, walk.depth + 1
              from walk join run on run.parent = walk.id and run.id <> walk.unit
            )
            select * from walk
            """,  # noqa: S608  # our own conditions
            values,
        )

    def _cycle_root(self, run: str) -> str:
        """The smallest id of the cycle that the parents of `run` end in."""
        seen: dict[str, None] = {}
        while run not in seen:
            seen[run] = None
            run = self._one("select parent from run where id = ?", (run,))[0]
        walked = list(seen)
        return min(walked[walked.index(run) :])

    def listing(self) -> Iterator[Listed]:
        """Every run, unit by unit, the unit created last first; parents before their children."""
        sql = """
            select age, unit, depth, born, id, parent, experiment, status, kind, created, creator, tags, state
            from run where (age, unit, depth, born, id) > (?, ?, ?, ?, ?)
            order by age, unit, depth, born, id limit ?
        """
        for row in self._pages(sql, (), _FIRST):
            _, unit, depth, _, run, parent, experiment, status, kind, created, creator, tags, state = row
            yield Listed(
                id=run,
                unit=unit,
                depth=depth,
                parent=parent,
                experiment=experiment,
                status=status,
                kind=kind,
                created=moment(created),
                creator=creator,
                tags=loads(tags),
                extracted=state == "extracted",
            )

    def size(self) -> tuple[int, int]:
        """How many units, and how many runs, `listing` has, chosen or not; units as `arrange` left them."""
        units, runs = self._one("select ifnull(sum(depth = 0), 0), count(*) from run")
        return units, runs

    def childless(self) -> Iterator[tuple[RunId, str | None]]:
        """The listed runs without a listed child, by id, each with its kind."""
        sql = """
            select id, kind from run r where id > ? and not exists (select 1 from run c where c.parent = r.id)
            order by id limit ?
        """
        return ((RunId(run), kind) for run, kind in self._pages(sql, (), ("",)))

    def parents_missing(self) -> Iterator[RunId]:
        """Runs that listed ones name as their parent, and that no list has; by id."""
        sql = """
            select distinct parent from run r where parent > ?
              and not exists (select 1 from run p where p.id = r.parent) order by 1 limit ?
        """
        return (RunId(run) for (run,) in self._pages(sql, (), ("",)))

    def select(self, runs: Iterable[RunId]) -> None:
        """Select runs, beside those of former selections. Repeatable."""
        with self._transaction():
            coming = iter(runs)
            while some := [(run,) for run in islice(coming, PAGE)]:
                self._executemany("update run set selected = 1 where id = ?", some)
                self._executemany("delete from omission where run = ? and origin = 'workspace'", some)

    def begin_listing(self) -> None:
        """Begin a new listing: `unseen` names the selected runs that it does not list. Repeatable."""
        with self._transaction():
            self._execute(_SEEN)
            self._execute("delete from temp.seen")

    def leave_out(self, runs: Mapping[RunId, str]) -> None:
        """Note why runs that were named are not brought; until they are selected. Repeatable."""
        with self._transaction():
            for run, why in runs.items():
                if not self.wants(run):
                    self._omit("workspace", 0, [Omission(run, "run", why)])

    def forget_noted(self, reason: str) -> None:
        """Drop what earlier listings noted of the workspace itself for `reason`: what holds is noted again."""
        with self._transaction():
            self._execute("delete from omission where run = '' and origin = 'workspace' and reason = ?", (reason,))

    def left_out(self, names: Iterable[str]) -> dict[str, str]:
        """Those of the names that `leave_out` noted -> why."""
        sql = "select run, reason from omission where origin = 'workspace' and reason in (?, ?) and run = ?"
        rows = (row for name in names for row in self._all(sql, (ACTIVE, OVER_LIMIT, name)))
        return dict(rows)

    def unseen(self) -> Iterator[RunId]:
        """Selected runs that were not listed since `begin_listing`, by id."""
        sql = """
            select id from run where selected and id > ? and not exists (select 1 from temp.seen s where s.id = run.id)
            order by id limit ?
        """
        return (RunId(run) for (run,) in self._pages(sql, (), ("",)))

    def note_gone(self, runs: Iterable[RunId]) -> None:
        """Note the runs that the source has no more, in place of those noted before. Repeatable."""
        with self._transaction():
            self._execute("delete from omission where origin = 'workspace' and reason in (?, ?)", GONE)
            for run in runs:
                (generation,) = self._one("select generation from run where id = ?", (run,)) or (0,)
                self._omit("workspace", 0, [Omission(run, "run", GONE[0] if generation else GONE[1])])

    def at_rest(self) -> Iterator[RunId]:
        """Selected runs that are extracted and were not seen to change, by id."""
        sql = "select id from run where selected and state = 'extracted' and id > ? order by id limit ?"
        return (RunId(run) for (run,) in self._pages(sql, (), ("",)))

    def is_at_rest(self, run: RunId) -> bool:
        """True for a run that `at_rest` names."""
        return self._one("select 1 from run where id = ? and selected and state = 'extracted'", (run,)) is not None

    def bring_again(self, run: RunId) -> None:
        """Mark a run to be extracted anew, from the document that is here. Repeatable."""
        with self._transaction():
            self._execute("update run set state = 'listed' where id = ?", (run,))
            self._execute(
                "insert or ignore into run_version select v.run, v.generation + 1, unknown, record, record_bytes "
                "from run_version v join run on run.id = v.run and run.generation = v.generation where v.run = ?",
                (run,),
            )

    def forget_unselected(self) -> None:
        """Drop runs that were listed and never selected, with their jobs. Repeatable."""
        with self._transaction():
            unwanted = "(select id from run where not selected and generation = 0)"
            self._execute(f"delete from job where name in {unwanted}")  # noqa: S608
            self._execute(f"delete from omission where origin in ('document', 'job') and run in {unwanted}")  # noqa: S608
            self._execute(f"delete from run_version where run in {unwanted}")  # noqa: S608
            self._execute("delete from run where not selected and generation = 0")

    def wants(self, run: RunId) -> bool:
        """True for a selected run, extracted or not."""
        return self._one("select 1 from run where id = ? and selected", (run,)) is not None

    def pending_ids(self) -> Iterator[RunId]:
        """Selected runs that have to be extracted, in the order of `listing`; runs may be completed meanwhile."""
        sql = """
            select age, unit, depth, born, id from run
            where selected and state = 'listed' and (age, unit, depth, born, id) > (?, ?, ?, ?, ?)
            order by age, unit, depth, born, id limit ?
        """
        return (RunId(row[-1]) for row in self._pages(sql, (), _FIRST))

    def pending_experiments(self) -> set[str]:
        """Names of the experiments of pending runs."""
        rows = self._all("select distinct experiment from run where selected and state = 'listed'")
        return {name for (name,) in rows}

    def lenders(self) -> Iterator[RunId]:
        """The runs whose files and points pending ones show; once or more often."""
        sql = """
            select age, unit, depth, born, run.id, seen.id, lender, record
            from run join run_version v on v.run = run.id and v.generation = run.generation + 1
            left join temp.seen on seen.id = run.id
            where selected and state = 'listed' and (seen.id is null or lender is not null)
              and (age, unit, depth, born, run.id) > (?, ?, ?, ?, ?)
            order by age, unit, depth, born, run.id limit ?
        """
        for *_, run, seen, lender, record in self._pages(sql, (), _FIRST):
            shown = lender if seen else details_of(run, unpack(record, f"run {run}")).run.lender
            if shown:
                yield RunId(shown)


_SEEN = "create temp table if not exists seen (id text primary key, lender text) without rowid"
"""What this listing listed."""
_FIRST = (-(2**63), "", -1, -(2**63), "")
"""A key before that of every run in the order of the index `run_unit`."""


def _at_rest(run: Run) -> bool:
    """False for an active run, which is read again every time: it may log on while its document stays as it is."""
    return not run.status or run.status in TERMINAL
