"""Runs of another archive, each whole from one side: document, series with their rows, files, omissions, its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from azureml_replay.archive.merging.both import Both, listed, within
from azureml_replay.archive.merging.choice import Chosen, RunFacts, chosen, same, takes_out
from azureml_replay.archive.reading import FILES_AS_BEFORE, FILES_LEFT_OUT, HISTORY_LEFT_OUT, METRICS_LEFT_OUT
from azureml_replay.archive.schema import STAGED_TABLES
from azureml_replay.archive.sums import ROOT_PART
from azureml_replay.errors import UserError
from azureml_replay.json_text import spaced

_FACTS = (
    f"generation, state, substr(content_digest, 1, {ROOT_PART}), ifnull(modified, ''), "
    "json_array(parent, experiment, status, kind, created, modified, creator, tags), extracted_at"
)
_THOSE = "(select value from json_each(?))"
_WANTED = "(selected or generation > 0)"
"""A listing that was cut leaves others, which nobody asked for."""
_LESS = {
    METRICS_LEFT_OUT: ("series", 2),
    HISTORY_LEFT_OUT: ("series", 1),
    FILES_LEFT_OUT: ("files", 1),
    FILES_AS_BEFORE: ("files", 1),
}
"""Reasons for which an extraction leaves out what another one brings -> of which part of the digest, and how much."""


class RunFold(Both):
    """The part of a merge that brings runs. Afterwards `temp.taken` has those that came."""

    def fold_runs(self) -> Counter[str]:
        """All that the other archive was to bring; how many came, took the place of ours, or stay as they are."""
        self._execute(
            "create temp table if not exists taken "
            "(id text primary key, theirs integer, generation integer, now integer)"
        )
        self._execute("delete from temp.taken")
        (count,) = self._one(f"select count(*) from theirs.run where {_WANTED}")  # noqa: S608
        self.progress.expect("runs merged", count)
        counts = Counter[str]()
        sql = f"select id from theirs.run where {_WANTED} and id > ? order by id limit ?"  # noqa: S608  # our own words
        for runs in self._batches(sql, ()):
            counts.update(self._fold(runs))
            self.progress.done("runs merged", len(runs))
        self._fold_other_jobs()
        return counts

    def _fold(self, runs: Sequence[str]) -> Counter[str]:
        ours, theirs = self._facts("main", runs), self._facts("theirs", runs)
        unlike = [run for run in runs if run in ours and not same(ours[run], theirs[run])]
        ours |= self._weighed("main", {run: ours[run] for run in unlike})
        theirs |= self._weighed("theirs", {run: theirs[run] for run in unlike})
        self._refuse_halves(run for run in unlike if takes_out(ours[run], theirs[run]))
        whats = {run: chosen(ours.get(run), theirs[run]) for run in runs}
        taken = {run: what for run, what in whats.items() if what.theirs}
        self._keep_ours({run: what for run, what in whats.items() if not what.theirs})
        self._note_later(ours, theirs)
        self._take(taken, theirs)
        new = sum(run not in ours for run in taken)
        (points,) = self._one("select ifnull(sum(rows), 0) from series s join temp.taken t on t.id = s.run where now")
        return Counter(new=new, renewed=len(taken) - new, same=len(runs) - len(taken), points=points)

    def _refuse_halves(self, runs: Iterable[str]) -> None:
        """Raise UserError for runs of which each side has what the other one left out: half of them would go."""
        if some := list(runs):
            raise UserError(
                f"run {some[0]}{f' and {len(some) - 1:,} more' if some[1:] else ''}: of archive {self.folder} and "
                f"{self.other.folder} one has the files and the other one more of the metrics, and a run comes whole "
                "from one of them: extract both into one of the two, or keep these archives apart"
            )

    def _facts(self, archive: str, runs: Sequence[str]) -> dict[str, RunFacts]:
        rows = self._all(f"select id, {_FACTS} from {archive}.run where id in {_THOSE}", (spaced(runs),))  # noqa: S608
        return {run: RunFacts(*facts) for run, *facts in rows}

    def _weighed(self, archive: str, runs: Mapping[str, RunFacts]) -> dict[str, RunFacts]:
        """The same with what decides where the listing says the same of both, and how much was left out."""
        return {run: self._weigh(archive, run, facts) for run, facts in runs.items()}

    def _weigh(self, archive: str, run: str, facts: RunFacts) -> RunFacts:
        key = (run, facts.generation)
        of, where = f"from {archive}", "where run = ? and generation = ?"
        sql = f"select reason {of}.omission {where} and origin = 'extract'"  # our own words
        less = [_LESS[reason] for (reason,) in self._all(sql, key) if reason in _LESS]
        (rows,) = self._one(f"select ifnull(sum(rows), 0) {of}.series {where}", key)
        (files,) = self._one(f"select count(size_bytes) {of}.artifact {where}", key)
        parts, lacking = frozenset(part for part, _ in less), sum(much for _, much in less)
        return replace(facts, less=parts, lacking=lacking, rows=rows, files=files)

    def _keep_ours(self, runs: Mapping[str, Chosen]) -> None:
        """Ours, which may be chosen there alone, or be known there to be of an older state."""
        self._executemany(
            "update run set state = ?, selected = selected or (select selected from theirs.run t where t.id = run.id) "
            "where id = ?",
            ((what.state, run) for run, what in runs.items()),
        )

    def _note_later(self, ours: Mapping[str, RunFacts], theirs: Mapping[str, RunFacts]) -> None:
        """Of runs that both read as the same, when that was last."""
        alike = [(run, ours[run].extracted or 0) for run in theirs if run in ours and same(ours[run], theirs[run])]
        later = [(at, run) for run, before in alike if (at := theirs[run].extracted or 0) > before]
        self._executemany("update run set extracted_at = ? where id = ?", later)

    def _take(self, runs: Mapping[str, Chosen], theirs: Mapping[str, RunFacts]) -> None:
        self._execute("update temp.taken set now = 0 where now")
        rows = [(run, theirs[run].generation, what.generation, 1) for run, what in runs.items()]
        self._executemany("insert into temp.taken values (?, ?, ?, ?)", rows)
        now = "(select id from temp.taken where now)"
        self._execute(
            "delete from receipt where item = 'whole' and run in "
            "(select t.id from temp.taken t join run on run.id = t.id where now and run.generation > 0)"
        )
        for table in (*STAGED_TABLES, "run_version"):
            self._execute(f"delete from {table} where run in {now}")  # noqa: S608  # our own words
        self._execute(f"delete from omission where run in {now} and origin in ('extract', 'document')")  # noqa: S608
        for table in STAGED_TABLES:
            self._bring(table, "x.generation = t.theirs")
        self._bring("run_version", "x.generation in (t.theirs, t.theirs + 1)")
        self._bring("omission", "x.origin in ('extract', 'document') and x.generation = t.theirs")
        self._bring("omission", "x.origin = 'document' and x.generation = t.theirs + 1")
        self._take_rows(runs)
        self._take_jobs(now)
        self._take_contents()

    def _bring(self, table: str, which: str) -> None:
        """Rows of runs that come, under the generation that these get here; what is half extracted stays there."""
        moved = listed(table, "x.", generation="x.generation - t.theirs + t.generation")
        self._execute(
            f"insert into {table} ({listed(table)}) select {moved} "  # noqa: S608  # our own words
            f"from temp.taken t join theirs.{table} x on x.run = t.id where now and {which}"
        )

    def _take_rows(self, runs: Mapping[str, Chosen]) -> None:
        chosen_by_both = "x.selected or ifnull((select selected from run o where o.id = x.id), 0)"
        cells = listed("run", "x.", generation="t.generation", selected=chosen_by_both)
        self._execute(
            f"insert or replace into run ({listed('run')}) select {cells} "  # noqa: S608  # our own words
            "from temp.taken t join theirs.run x on x.id = t.id where now"
        )
        self._executemany("update run set state = ? where id = ?", ((what.state, run) for run, what in runs.items()))

    def _take_jobs(self, now: str) -> None:
        """The job of a run that comes; where there is none, ours stays."""
        come = f"(select name from theirs.job where name in {now})"  # noqa: S608  # our own words
        self._execute(f"delete from omission where origin = 'job' and run in {come}")  # noqa: S608  # our own words
        self._execute(f"insert into omission select * from theirs.omission where origin = 'job' and run in {come}")  # noqa: S608
        self._execute(f"insert or replace into job select * from theirs.job where name in {come}")  # noqa: S608

    def _take_contents(self) -> None:
        """Which object has the bytes of a file, at the state in which a run that comes has it."""
        self._execute(
            "insert or replace into content select c.* from temp.taken t "
            "join theirs.artifact a on a.run = t.id and a.generation = t.theirs "
            "join theirs.content c "
            "on c.datastore = a.datastore and c.path = a.location and c.etag = ifnull(a.etag, '') "
            "where now and c.sha256 is not null group by c.datastore, c.path"
        )

    def _fold_other_jobs(self) -> None:
        """Those that ours has not: of runs that stay as they are, and of none."""
        for span in self._spans("job", "name"):
            lacking = f"{within('name')} and not exists (select 1 from job o where o.name = j.name)"  # noqa: S608
            come = f"(select name from theirs.job j where {lacking})"  # noqa: S608  # our own words
            told = f"select * from theirs.omission where origin = 'job' and run in {come}"  # noqa: S608  # our own words
            self._execute(f"insert or ignore into omission {told}", span)
            self._execute(f"insert or ignore into job select * from theirs.job where {within('name')}", span)  # noqa: S608
