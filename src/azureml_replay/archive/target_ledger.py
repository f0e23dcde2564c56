"""The record of what reached one target, and of what was found there; `Archive.ledger` makes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from azureml_replay import redact
from azureml_replay.archive.alike import Alikes
from azureml_replay.archive.asset_receipts import AssetReceipts
from azureml_replay.archive.digests import of_generation, of_value
from azureml_replay.archive.evidence import Aspect, Topic, Way
from azureml_replay.archive.items import (
    CHUNK_PREFIX,
    FILE_PREFIX,
    JOB_PREFIX,
    STAGED_PREFIX,
    ExperimentItem,
    Item,
    JobItem,
    RunItem,
    ValueItem,
    is_of_job,
)
from azureml_replay.archive.receipts import Receipt, Receipts, State
from azureml_replay.archive.records import dumps, loads
from azureml_replay.archive.sent import SentValues
from azureml_replay.archive.target_rows import TargetRows
from azureml_replay.model import Experiment, Json, Omission, RunId
from azureml_replay.planning.experiments import OWNER
from azureml_replay.planning.files import UNINDEXED_FOLDER
from azureml_replay.planning.fit import MOVED_FOLDER, OWN_FOLDER
from azureml_replay.planning.ids import is_chosen
from azureml_replay.planning.plan import NAMES
from azureml_replay.planning.refused import REFUSED, fitted_experiment
from azureml_replay.workspace.limits import Limits
from azureml_replay.workspace.profile import WriteRoute


@dataclass(frozen=True, slots=True)
class TargetProgress:
    """How much of the archive a target has."""

    runs_created: int
    runs_finished: int
    """Created runs whose end, and whether they are archived, arrived too."""
    runs_compared: int
    """Runs that verify read back, or looked for: also those that stand as jobs."""
    runs_with_findings: int
    jobs_submitted: int
    """Jobs that this archive put: several for a root run whose job failed and was put anew."""
    jobs_standing: int
    """Root runs for which a job stands that `undo` did not archive, whichever archive put it."""
    points: int
    """Rows of the chunks that were sent."""
    files: int
    """Files that were sent, `own_files` among them."""
    own_files: int
    """Files that we make; those of the source that had to move below `replay/` are none."""
    bytes: int
    """Bytes of those files."""
    items_refused: int
    """Runs, values, metrics and files that the service did not take as they are now, from us or from a job."""
    items_unsettled: int
    """Items that were being sent when a command stopped: the next call asks the target about them."""


class TargetLedger(Receipts, SentValues, Alikes, TargetRows, AssetReceipts):
    """The parts are the base classes: receipts, values as they were sent, evidence, points that differ.

    Valid while its archive is open. Receipts are read without the archive's content, which may be extracted anew.
    """

    @property
    def began(self) -> bool:
        """True once anything was sent to this target, or was about to be."""
        sql = "select 1 from receipt where target = ? and item not in (?, ?) limit 1"
        if self._one(sql, (self._number, RunItem.FAILED.value, RunItem.THROWN.value)) is not None:
            return True
        return self.has_assets

    def bind(self, pairs: Mapping[RunId, RunId]) -> None:
        """Note which target run stands for which source run; on the disk when this returns. Repeatable."""
        with self._transaction(durable=True):
            owner = self._owner()
            rows = ((owner, run, there) for run, there in pairs.items())
            self._executemany("insert or replace into binding values (?, ?, ?)", rows)

    def unbind(self, runs: Iterable[RunId]) -> None:
        """Forget which target runs stood for these; on the disk when this returns. Repeatable."""
        with self._transaction(durable=True):
            owner = self._owner()
            self._executemany("delete from binding where target = ? and run = ?", ((owner, run) for run in runs))

    def unsettle_files(self, runs: Iterable[RunId]) -> None:
        """Other files are to be there of these runs: none counts as whole, and what was seen of files counts no more.

        On the disk when this returns. Repeatable.
        """
        with self._transaction(durable=True):
            rows = [(self._number, run) for run in runs]
            sql = "update evidence set files = null, bytes = null where target = ? and whose = ? and way in (?, ?)"
            self._executemany(sql, ((*row, Way.RUN.value, Way.JOB.value) for row in rows))
            self._drop((run, RunItem.WHOLE) for _, run in rows)

    def target_id(self, run: RunId) -> RunId | None:
        """The run of the target that `bind` named for a run of the source, None where it named none."""
        row = self._one("select target_run from binding where target = ? and run = ?", (self._number, run))
        return row and RunId(row[0])

    def target_ids(self, runs: Iterable[RunId]) -> dict[RunId, RunId]:
        """Source run -> target run, as `bind` named them; runs for which it named none are left out."""
        if self._one("select 1 from binding where target = ? limit 1", (self._number,)) is None:
            return {}  # true of most targets: then not even the names are gathered
        sql = "select run, target_run from binding where run in"
        rows = self._among(sql, list(dict.fromkeys(runs)), "and target = ?", (self._number,))
        return {RunId(run): RunId(there) for run, there in rows}

    def routes(self, runs: Iterable[RunId]) -> dict[RunId, WriteRoute]:
        """Run -> the route by which it went into the target, by its receipt and its id there; others are left out.

        So is one that was to be made under an id of the target's own, as long as nobody knows that id.
        """
        rows = self._among(
            "select run, detail, target_run from receipt left join binding using (target, run) where run in",
            list(dict.fromkeys(runs)),
            "and target = ? and item = ? and state <> ?",
            (self._number, RunItem.CREATE.value, State.REFUSED.value),
        )
        found: dict[RunId, WriteRoute] = {}
        for run, detail, there in rows:
            if there is not None or detail != WriteRoute.MLFLOW.value:
                ours = there is None or is_chosen(RunId(run), RunId(there))
                found[RunId(run)] = WriteRoute.HISTORY if ours else WriteRoute.MLFLOW
        return found

    def created_alone(self, runs: Sequence[RunId]) -> frozenset[RunId]:
        """The runs among these that were created, or may have been, without files and points of another one."""
        create, container = RunItem.CREATE.value, RunItem.CONTAINER.value
        rows = self._among(
            "select run from receipt where run in",
            runs,
            "and target = ? and item in (?, ?) group by run having max(item = ?) and not max(item = ?)",
            (self._number, create, container, create, container),
        )
        return frozenset(RunId(run) for (run,) in rows)

    def source_id(self, there: RunId) -> RunId:
        """The run of the source that a run of the target stands for; the same id where `bind` never named it."""
        sql = "select run from binding where target = ? and target_run = ?"
        row = self._one(sql, (self._number, there))
        return RunId(row[0]) if row else there

    def original_of(self, there: RunId) -> RunId | None:
        """The run of the source that a run of the target may stand for.

        None where that id belongs to a run of the source that stands elsewhere: this one has nothing but its name.
        """
        source = self.source_id(there)
        return source if source != there or self.target_id(there) in (None, there) else None

    def stands_for(self, run: RunId) -> RunId | None:
        """The run or job of the target that stands for a run of the source; None where none was sent."""
        sql = """
            select case when item = ?1 then detail
                        else ifnull((select target_run from binding b where b.target = r.target and b.run = r.run), run)
                   end
            from receipt r where target = ?3 and run = ?4 and item in (?2, ?1) and state = 'sent' order by item desc
        """
        row = self._one(sql, (RunItem.JOB.value, RunItem.CREATE.value, self._number, run))
        return row and row[0] and RunId(row[0])

    def void(self, run: RunId) -> None:
        """Note that a run is gone for good: what was sent of it counts for nothing. Its job is not touched. Repeatable.

        On the disk when this returns.
        """
        with self._transaction(durable=True):
            owner = self._owner()
            self._drop((run, item) for item in self.receipts(run) if not is_of_job(item))
            for table in ("sent_run", "sent_file"):
                self._execute(f"delete from {table} where target = ? and run = ?", (owner, run))  # noqa: S608
            self._note(run, RunItem.DELETED)

    def void_job(self, root: RunId, unit: Iterable[RunId]) -> None:
        """The same of the jobs that stand for a root run, and of what stands for the runs of its unit."""
        with self._transaction(durable=True):
            names = [*self.names_gone(root), *(item.name for item in self.receipts(root) if isinstance(item, JobItem))]
            self._drop((root, item) for item in self.receipts(root) if is_of_job(item))
            self._drop((run, item) for run in unit for item in self.receipts(run) if is_of_job(item))
            self._note(root, RunItem.JOB_DELETED)
            self._note_gone(root, names)

    def void_names(self, root: RunId, names: Collection[str]) -> None:
        """Note names that no job for a root run can have any more, as jobs of these were deleted. Repeatable."""
        with self._transaction(durable=True):
            self._drop((root, JobItem(name)) for name in names)
            self._note_gone(root, [*self.names_gone(root), *names])

    def _note_gone(self, root: RunId, names: Iterable[str]) -> None:
        self._note(root, RunItem.NAMES_GONE, " ".join(dict.fromkeys(names)))

    def sent_over(self, run: RunId, names: Collection[str]) -> None:
        """Drop what was found about the bytes of files that are sent anew: from now on these are to be read back.

        `names`: what findings about them are called. On the disk when this returns, where there were any. Repeatable.
        """
        differed = [one.what for one in self.findings_of(Topic(Way.RUN, run), Aspect.BYTES) if one.what in names]
        if differed:
            with self._transaction(durable=True):
                self._executemany(
                    "delete from finding where target = ? and way = ? and aspect = ? and whose = ? and what = ?",
                    [(self._owner(), Way.RUN.value, Aspect.BYTES.value, run, what) for what in differed],
                )
                self._put_unread(run, self._unread(run).union(map(_token, differed)))

    def unread(self, run: RunId, names: Iterable[str]) -> frozenset[str]:
        """Those among the names of findings about bytes whose files are to be read back."""
        tokens = self._unread(run)
        return frozenset(name for name in names if _token(name) in tokens) if tokens else frozenset()

    def read_back(self, run: RunId, names: Iterable[str] | None) -> None:
        """Note that these were read, or, with None, that nothing is to be read any more. Repeatable."""
        tokens = self._unread(run)
        left = tokens.difference(map(_token, names)) if names is not None else frozenset()
        if left != tokens:
            with self._transaction():
                self._put_unread(run, left)

    def _unread(self, run: RunId) -> frozenset[str]:
        receipt = self.receipt(run, RunItem.UNREAD)
        return frozenset(loads(receipt.detail.encode())) if receipt and receipt.detail else frozenset()

    def _put_unread(self, run: RunId, tokens: frozenset[str]) -> None:
        if tokens:
            self._note(run, RunItem.UNREAD, dumps(sorted(tokens)).decode())
        else:
            self._drop([(run, RunItem.UNREAD)])

    def names_gone(self, root: RunId) -> list[str]:
        """Names of jobs that stood for a root run and were deleted."""
        receipt = self.receipt(root, RunItem.NAMES_GONE)
        return receipt.detail.split() if receipt and receipt.detail else []

    def bindings(self) -> Iterator[tuple[RunId, RunId]]:
        """Pairs of source run and target run, by source run."""
        sql = "select run, target_run from binding where target = ? and run > ? order by run limit ?"
        return ((RunId(run), RunId(there)) for run, there in self._pages(sql, (self._number,), ("",)))

    def naming(self) -> dict[RunId, list[RunId]]:
        """Run -> those that it names under ids of the source, of which some have others in the target by now."""
        if self._one("select 1 from binding where target = ? limit 1", (self._number,)) is None:
            return {}  # true of most targets
        rows = self._all(
            f"""
            select whose, carried from evidence e where target = ? and way = '{Way.RUN.value}' and exists (
              select 1 from json_each(carried, '$.{NAMES}') n join binding b on b.target = e.target and b.run = n.value)
            """,  # noqa: S608  # our own words
            (self._number,),
        )
        return {RunId(run): [RunId(name) for name in loads(carried)[NAMES]] for run, carried in rows}

    def refuse_of_experiment(self, name: str, refused: Mapping[tuple[str, str], str]) -> None:
        """Note values of an experiment, by kind and name, that the target refused, with its words. Repeatable."""
        items: dict[Item, str] = {ValueItem(*value, name): words for value, words in refused.items()}
        self.refuse(OWNER, items, self._now_of(name))

    def experiment_as_carried(self, experiment: Experiment, limits: Limits) -> tuple[Experiment, list[Omission]]:
        """The experiment as the target is to hold it, without what the limits and the target itself refuse; and that.

        Its refusals count as long as the archive holds the experiment as it was then.
        """
        now = self._now_of(experiment.name)
        refused = {
            (one.item.kind, one.item.name): one.detail or ""
            for one in self.refused([OWNER]).get(OWNER, ())
            if isinstance(one.item, ValueItem) and one.item.experiment == experiment.name and one.digest == now
        }
        return fitted_experiment(experiment, limits, refused)

    def _now_of(self, experiment: str) -> bytes:
        return self.content_of_experiment(experiment).encode()

    def experiments_begun(self) -> frozenset[str]:
        """Names of experiments into which something was sent, or was about to be: a run, or their own values."""
        sql = """
            select distinct experiment from run
            where id in (select run from receipt where target = ? and item = ?)
        """
        rows = self._all(sql, (self._number, RunItem.CREATE.value))
        own = {item.name for item in self.receipts(OWNER) if isinstance(item, ExperimentItem)}
        return frozenset({name for (name,) in rows} | own)

    def expect_experiment(self, name: str) -> None:
        """A run goes into an experiment: that it was absent when somebody looked says nothing any more. Repeatable."""
        whole = f"experiment {name}"
        if any(one.what == whole and one.kind == "absent" for one in self.findings_of(Topic(Way.EXPERIMENT, name))):
            self.drop_evidence([name], Way.EXPERIMENT)

    def experiments_with_runs(self) -> frozenset[str]:
        """Names of experiments into which a run was sent, or was about to be, that `undo` has not taken back since."""
        sql = """
            select distinct experiment from run where id in (
              select run from receipt c where target = ?1 and item = ?2 and not exists (
                select 1 from receipt u where u.target = ?1 and u.run = c.run and u.item = ?3 and u.state = 'sent'
              )
            )
        """
        rows = self._all(sql, (self._number, RunItem.CREATE.value, RunItem.UNDONE.value))
        return frozenset(name for (name,) in rows)

    def put_probe(self, document: Json) -> None:
        """Keep what the throw-away run showed of the target. Repeatable."""
        with self._transaction():
            clean = dumps(redact.redact(document)[0]).decode()
            self._execute("update target set probe = ? where id = ?", (clean, self._owner()))

    def probe(self) -> Json | None:
        """The document of `put_probe`, None where there is none."""
        row = self._one("select probe from target where id = ?", (self._number,))
        document: Json = loads(row[0]) if row and row[0] else None
        return document

    def root(self) -> str:
        """Of what was sent and what was found there, as kept with every write; `check` reckons it anew."""
        return self._kept_root(self._number)

    def hidden(self) -> int:
        """The number of runs that `undo` took back, or whose unit's job it archived."""
        return int(self._one(_TAKEN_BACK, (self._number,))[0])

    def deleted(self) -> int:
        """The number of runs that `undo` removed for good, or whose unit's job, and that were not created since."""
        return int(self._one(_DELETED, (self._number,))[0])

    def progress(self) -> TargetProgress:
        """How much of the archive the target has, counted now."""
        created, finished, submitted, points, files, own_files, size_bytes, jobs, refused, unsettled = self._one(
            _OF_RECEIPTS, (self._number,)
        )
        return TargetProgress(
            runs_created=created,
            runs_finished=finished,
            runs_compared=self._one(_COMPARED, (self._number,))[0],
            runs_with_findings=self._one(_WITH_FINDINGS, (self._number,))[0],
            jobs_submitted=submitted,
            jobs_standing=self._one(_JOBS_STANDING, (self._number,))[0] if jobs else 0,
            points=points,
            files=files,
            own_files=own_files,
            bytes=size_bytes,
            items_refused=self._by_jobs() + (self._refused_now() if refused else 0),
            items_unsettled=unsettled,
        )

    def _refused_now(self) -> int:
        """Refusals count as long as the archive holds what was refused."""
        homes = [one.item for one in self.refused([OWNER]).get(OWNER, ()) if self._is_now(one)]
        of_runs = self._all(_OF_RUNS, (self._number,))
        runs = sum(int(count) for generation, digest, count in of_runs if digest == of_generation(generation))
        return len(homes) + runs + int(self._one(_NOT_STAGED, (self._number,))[0])

    def _by_jobs(self) -> int:
        return int(self._one(_BY_JOBS, (self._number,))[0])

    def _is_now(self, refusal: Receipt) -> bool:
        of = refusal.item.experiment if isinstance(refusal.item, ValueItem) else None
        return of is not None and refusal.digest == self._now_of(of)

    def refused_by_job(self, runs: Sequence[RunId]) -> list[Omission]:
        """What jobs that stand for these runs were refused when they ran, as the last look left it."""
        rows = self._among(
            "select whose, what, reason from planned_omission where whose in", runs, _OF_JOB, (self._number,)
        )
        return [Omission(RunId(run), what, reason) for run, what, reason in rows]


def _token(name: str) -> str:
    """Stands for a name, which may hold what looks like a secret."""
    return of_value(name, []).hex()[:16]


_MADE = (
    f"item glob '{FILE_PREFIX}{OWN_FOLDER}*' and not item glob '{FILE_PREFIX}{MOVED_FOLDER}*'"
    f" and not item glob '{FILE_PREFIX}{UNINDEXED_FOLDER}*'"
)
"""Files that we make."""
# One look at each receipt: a query for each figure took 0.45 s for 100,000 runs with six receipts each, this 0.2.
_OF_RECEIPTS = f"""
    select {
    ", ".join(
        f"ifnull(sum({figure}), 0)"
        for figure in (
            f"state = 'sent' and item = '{RunItem.CREATE.value}'",
            f"state = 'sent' and item = '{RunItem.FINISH.value}'",
            f"state = 'sent' and item glob '{JOB_PREFIX}*'",
            f"case when state = 'sent' and item glob '{CHUNK_PREFIX}*' then rows end",
            f"state = 'sent' and item glob '{FILE_PREFIX}*'",
            f"state = 'sent' and {_MADE}",
            f"case when state = 'sent' and item glob '{FILE_PREFIX}*' then size_bytes end",
            f"state = 'sent' and item = '{RunItem.JOB.value}'",
            "state = 'refused'",
            "state = 'sending'",
        )
    )
} from receipt where target = ? and run not glob '{Way.ASSET.value} *'
"""  # noqa: S608  # our own words
_JOBS_STANDING = f"""
    select count(*) from receipt j where target = ? and state = 'sent' and item = '{RunItem.JOB.value}' and exists (
        select 1 from receipt s where s.target = j.target and s.run = j.run and s.item = '{RunItem.SHAPE.value}'
    ) and not exists (
        select 1 from receipt u where u.target = j.target and u.run = j.run
        and u.item = '{RunItem.JOB_UNDONE.value}' and u.state = 'sent'
    )
"""  # noqa: S608  # our own words
_TAKEN_BACK = f"""
    select count(*) from run where selected and generation > 0 and (
      id in (select run from receipt where target = ?1 and item = '{RunItem.UNDONE.value}' and state = 'sent')
      or unit in (select run from receipt where target = ?1 and item = '{RunItem.JOB_UNDONE.value}' and state = 'sent')
    )
"""  # noqa: S608  # our own words
_DELETED = f"""
    select count(*) from run where selected and generation > 0
    and not exists (select 1 from receipt c where c.target = ?1 and c.run = run.id
                    and c.item in ('{RunItem.CREATE.value}', '{RunItem.JOB.value}'))
    and (
      id in (select run from receipt where target = ?1 and item = '{RunItem.DELETED.value}' and state = 'sent')
      or unit in (select run from receipt where target = ?1 and item = '{RunItem.JOB_DELETED.value}' and state = 'sent')
    )
"""  # noqa: S608  # our own words
_OF_JOB = f"and target = ? and way = 'job' and what not glob 'file *' and reason glob '{REFUSED}*'"
"""Omissions that steps tell; those of files that were not staged have a receipt each."""
_BY_JOBS = f"select count(*) from planned_omission where true {_OF_JOB}"  # noqa: S608  # our own words
_NOT_STAGED = (
    f"select count(*) from receipt where target = ? and state = 'refused' and item glob '{STAGED_PREFIX}outputs/*'"  # noqa: S608
)
_OF_RUNS = f"""
    select generation, digest, count(*) from receipt join run on run.id = receipt.run
    where target = ? and receipt.state = 'refused' and item not glob '{STAGED_PREFIX}*' group by generation, digest
"""  # noqa: S608  # our own words
_COMPARED = """
    select count(distinct whose) from evidence where target = ? and way in ('run', 'job') and fields is not null
"""
_WITH_FINDINGS = """
    select count(distinct whose) from finding where target = ? and way in ('run', 'job') and kind <> 'accepted'
"""
