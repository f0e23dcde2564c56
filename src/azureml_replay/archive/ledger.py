"""What reached a target, and what was found there: proof that survives a power cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from azureml_replay import redact
from azureml_replay.archive.database import Database, now
from azureml_replay.archive.records import dumps, loads
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, Json, Omission, RunId
from azureml_replay.workspace.place import WorkspaceRef

CREATE = "create"
FINISH = "finish"
"""Items of a run; a chunk of points and a file are named by the functions below. `progress` counts by these names."""

CONTAINER = "container"
"""A run was created with the container of another one; those that have a receipt of `CREATE` alone were not."""
WHOLE = "whole"
"""The receipt of a run all of whose items are sent: what it was, so that a later call need not look at each."""
UNDONE, JOB_UNDONE = "undone", "job undone"
"""A run, or the job that stands for it, that `undo` took back; dropped before anything of it is sent anew."""


def points_item(seq: int | str) -> str:
    """The receipt's name of a chunk; of the empty text: how all these names begin."""
    return f"points/{seq}"


def file_item(path: str) -> str:
    """The receipt's name of a file."""
    return f"file/{path}"


class State(Enum):
    """How far one item has come."""

    SENDING = "sending"
    """It may have arrived: ask the target."""
    SENT = "sent"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof that one item of a run reached the target, or the intent to send it."""

    item: str
    state: State
    digest: bytes | None
    """Of what was sent, as the sender counts it."""
    detail: str | None
    at: Instant


@dataclass(frozen=True, slots=True)
class Verification:
    """A run that was read back and compared."""

    run: RunId
    at: Instant
    counts: Mapping[str, int]
    """What was compared: `points`, `files`, `unverifiable`, …"""
    findings: int


@dataclass(frozen=True, slots=True)
class TargetProgress:
    """How much of the archive a target has."""

    created: int
    """Runs, as are the next two."""
    finished: int
    verified: int
    with_findings: int
    points: int
    """Rows of the chunks that were sent."""
    files: int
    refused: int
    """Items that the service will not take."""
    unsettled: int
    """Items that were being sent when a command stopped."""


class Ledger(Database):
    """The part of an archive that replay and verify write, apart for each target."""

    def receipts(self, target: WorkspaceRef, run: RunId) -> dict[str, Receipt]:
        """By item."""
        rows = self._all(
            "select item, state, digest, detail, at from receipt where target = ? and run = ? order by item",
            (self._target(target), run),
        )
        return {row[0]: _receipt(*row) for row in rows}

    def receipt(self, target: WorkspaceRef, run: RunId, item: str) -> Receipt | None:
        """None where nothing was sent."""
        row = self._one(
            "select item, state, digest, detail, at from receipt where target = ? and run = ? and item = ?",
            (self._target(target), run, item),
        )
        return row and _receipt(*row)

    def mark(
        self,
        target: WorkspaceRef,
        run: RunId,
        items: Mapping[str, bytes | None] | Iterable[str],
        state: State,
        detail: str | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """Intent or receipt. Items without digest keep the one they have. Repeatable.

        `durable`: on the disk when this returns. Only the intent of what may not be sent twice must be: where a power
        cut takes a receipt along, the target is asked or what is repeatable is sent again (a killed process loses
        nothing either way). With every mark on the disk, waiting for it took 27 s of a replay's 75 (460 runs).
        """
        digests = items if isinstance(items, Mapping) else dict.fromkeys(items)
        text, at = detail and redact.text(detail), now().ticks
        with self._transaction(durable=durable):
            owner = self._owner(target)
            self._executemany(
                """
                insert into receipt values (?, ?, ?, ?, ?, ?, ?)
                on conflict do update set state = excluded.state, digest = coalesce(excluded.digest, digest),
                                          detail = excluded.detail, at = excluded.at
                """,
                ((owner, run, item, state.value, digest, text, at) for item, digest in digests.items()),
            )

    def mark_sending(self, target: WorkspaceRef, items: Mapping[tuple[RunId, str], bytes]) -> None:
        """Intents of many runs by run and item, on the disk when this returns: one wait for all. Repeatable."""
        at = now().ticks
        with self._transaction(durable=True):
            owner = self._owner(target)
            self._executemany(
                "insert or replace into receipt values (?, ?, ?, ?, ?, null, ?)",
                ((owner, run, item, State.SENDING.value, digest, at) for (run, item), digest in items.items()),
            )

    def mark_runs(self, target: WorkspaceRef, item: str, digests: Mapping[RunId, bytes], state: State) -> None:
        """One item of many runs, as a bulk request sends it: one transaction, as `mark`. Repeatable."""
        at = now().ticks
        with self._transaction(durable=True):
            owner = self._owner(target)
            self._executemany(
                "insert or replace into receipt values (?, ?, ?, ?, ?, null, ?)",
                ((owner, run, item, state.value, digest, at) for run, digest in digests.items()),
            )

    def targets(self) -> list[WorkspaceRef]:
        """Every workspace that this archive was replayed into, in the order of first use."""
        rows = self._all("select subscription_id, resource_group, workspace from target order by id")
        return [WorkspaceRef(*row) for row in rows]

    def bind(self, target: WorkspaceRef, pairs: Mapping[RunId, RunId]) -> None:
        """Which run of the target stands for a run of the source; durable. Repeatable."""
        with self._transaction(durable=True):
            owner = self._owner(target)
            rows = ((owner, run, there) for run, there in pairs.items())
            self._executemany("insert or replace into binding values (?, ?, ?)", rows)

    def target_id(self, target: WorkspaceRef, run: RunId) -> RunId | None:
        """What `bind` said, None where it was never said."""
        row = self._one("select target_run from binding where target = ? and run = ?", (self._target(target), run))
        return row and RunId(row[0])

    def target_ids(self, target: WorkspaceRef, runs: Iterable[RunId]) -> dict[RunId, RunId]:
        """What `bind` said of so many runs; those that it never named are left out."""
        number = self._target(target)
        if self._one("select 1 from binding where target = ? limit 1", (number,)) is None:
            return {}  # as most targets are: then not even the names are gathered
        sql = "select run, target_run from binding where run in"
        rows = self._among(sql, list(dict.fromkeys(runs)), "and target = ?", (number,))
        return {RunId(run): RunId(there) for run, there in rows}

    def created_alone(self, target: WorkspaceRef, runs: Sequence[RunId]) -> frozenset[RunId]:
        """Those of the runs that were created, or may have been, without the container of another one."""
        rows = self._among(
            "select run from receipt where run in",
            runs,
            "and target = ? and item in (?, ?) group by run having max(item = ?) and not max(item = ?)",
            (self._target(target), CREATE, CONTAINER, CREATE, CONTAINER),
        )
        return frozenset(RunId(run) for (run,) in rows)

    def source_id(self, target: WorkspaceRef, there: RunId) -> RunId:
        """Which run of the source a run of the target stands for; the same id where `bind` never named it."""
        sql = "select run from binding where target = ? and target_run = ?"
        row = self._one(sql, (self._target(target), there))
        return RunId(row[0]) if row else there

    def stands_for(self, target: WorkspaceRef, run: RunId) -> RunId | None:
        """The run or job of a target that a run of the source was sent as; None where none was."""
        sql = """
            select case when item = 'job' then detail
                        else ifnull((select target_run from binding b where b.target = r.target and b.run = r.run), run)
                   end
            from receipt r where target = ? and run = ? and item in (?, 'job') and state = 'sent' order by item desc
        """
        row = self._one(sql, (self._target(target), run, CREATE))
        return row and row[0] and RunId(row[0])

    def bindings(self, target: WorkspaceRef) -> Iterator[tuple[RunId, RunId]]:
        """Source run and target run, by source run."""
        sql = "select run, target_run from binding where target = ? and run > ? order by run limit ?"
        return ((RunId(run), RunId(there)) for run, there in self._pages(sql, (self._target(target),), ("",)))

    def put_findings(self, target: WorkspaceRef, run: RunId, findings: Sequence[Finding]) -> None:
        """Takes the place of the run's former ones. Repeatable."""
        rows = [(f.what, f.kind, f.expected, f.actual) for f in findings]
        self._replace("finding", target, run, [tuple(map(redact.text, row)) for row in rows])

    def findings(self, target: WorkspaceRef) -> Iterator[Finding]:
        """By run."""
        sql = """
            select run, number, what, kind, expected, actual from finding
            where target = ? and (run, number) > (?, ?) order by run, number limit ?
        """
        for run, _, *rest in self._pages(sql, (self._target(target),), ("", -1)):
            yield Finding(run, *rest)

    def verified(self, target: WorkspaceRef, run: RunId, counts: Mapping[str, int] | None = None) -> None:
        """Records that the run was compared just now. Repeatable."""
        with self._transaction():
            row = (self._owner(target), run, str(now()), dumps(counts or {}).decode())
            self._execute("insert or replace into verification values (?, ?, ?, ?)", row)

    def verifications(self, target: WorkspaceRef) -> Iterator[Verification]:
        """Every run that was compared, by run."""
        sql = """
            select run, at, counts, (select count(*) from finding f where f.target = v.target and f.run = v.run)
            from verification v where target = ? and run > ? order by run limit ?
        """
        for run, at, counts, findings in self._pages(sql, (self._target(target),), ("",)):
            yield Verification(RunId(run), Instant.parse(at), loads(counts), findings)

    def put_planned_omissions(self, target: WorkspaceRef, run: RunId, omissions: Sequence[Omission]) -> None:
        """What the plan says the target will not have of a run; takes the place of the former ones. Repeatable."""
        rows = [(redact.text(omission.what), redact.text(omission.reason)) for omission in omissions]
        self._replace("planned_omission", target, run, rows)

    def planned_omissions(self, target: WorkspaceRef) -> Iterator[Omission]:
        """By run."""
        sql = """
            select run, number, what, reason from planned_omission
            where target = ? and (run, number) > (?, ?) order by run, number limit ?
        """
        for run, _, what, reason in self._pages(sql, (self._target(target),), ("", -1)):
            yield Omission(run, what, reason)

    def put_probe(self, target: WorkspaceRef, told: Json) -> None:
        """What the throw-away run of the target told. Repeatable."""
        with self._transaction():
            clean = dumps(redact.redact(told)[0]).decode()
            self._execute("update target set probe = ? where id = ?", (clean, self._owner(target)))

    def probe(self, target: WorkspaceRef) -> Json | None:
        """What `put_probe` kept, None where it never did."""
        row = self._one("select probe from target where id = ?", (self._target(target),))
        told: Json = loads(row[0]) if row and row[0] else None
        return told

    def put_file_choice(self, target: WorkspaceRef, told: Json) -> None:
        """Which files the last replay into a target was to carry. Repeatable."""
        with self._transaction():
            row = (dumps(told).decode(), self._owner(target))
            self._execute("update target set files = ? where id = ?", row)

    def file_choice(self, target: WorkspaceRef) -> Json | None:
        """What `put_file_choice` kept, None where it never did."""
        row = self._one("select files from target where id = ?", (self._target(target),))
        told: Json = loads(row[0]) if row and row[0] else None
        return told

    def put_examination(self, workspace: WorkspaceRef, side: str, rows: Json) -> None:
        """What `doctor` saw of a workspace; takes the place of what it saw before. Repeatable."""
        with self._transaction():
            clean = dumps(redact.redact(rows)[0]).decode()
            row = (workspace.arm_id.lower(), side, str(now()), clean)
            self._execute("insert or replace into examination values (?, ?, ?, ?)", row)

    def examination(self, workspace: WorkspaceRef, side: str) -> Json | None:
        """What `put_examination` kept, None where it never did."""
        sql = "select rows from examination where arm_id = ? and side = ?"
        row = self._one(sql, (workspace.arm_id.lower(), side))
        seen: Json = loads(row[0]) if row else None
        return seen

    def progress(self, target: WorkspaceRef) -> TargetProgress:
        """Counted now, from the ledger alone."""
        number = self._target(target)
        sent = "from receipt where target = ? and state = 'sent' and item"
        queries = {
            "created": f"select count(*) {sent} = '{CREATE}'",
            "finished": f"select count(*) {sent} = '{FINISH}'",
            "files": f"select count(*) {sent} glob 'file/*'",
            "refused": "select count(*) from receipt where target = ? and state = 'refused'",
            "unsettled": "select count(*) from receipt where target = ? and state = 'sending'",
            "verified": "select count(*) from verification where target = ?",
            "with_findings": "select count(distinct run) from finding where target = ?",
            "points": """
                select ifnull(sum(c.rows), 0) from receipt r join run on run.id = r.run
                join chunk c on c.run = r.run and c.generation = run.generation and r.item = 'points/' || c.seq
                where target = ? and r.state = 'sent'
            """,
        }
        return TargetProgress(**{name: self._one(sql, (number,))[0] for name, sql in queries.items()})

    def _replace(self, table: str, target: WorkspaceRef, run: RunId, rows: Sequence[tuple[str, ...]]) -> None:
        with self._transaction():
            owner = self._owner(target)
            self._execute(f"delete from {table} where target = ? and run = ?", (owner, run))  # noqa: S608  # our tables
            for number, row in enumerate(rows):
                marks = ", ".join("?" * (3 + len(row)))
                self._execute(f"insert into {table} values ({marks})", (owner, run, number, *row))  # noqa: S608

    def _target(self, target: WorkspaceRef) -> int | None:
        """The target's number here; None, which equals nothing in SQL, while it has none."""
        row = self._one("select id from target where arm_id = ?", (target.arm_id.lower(),))
        return row and int(row[0])

    def _owner(self, target: WorkspaceRef) -> int:
        names = (target.subscription_id, target.resource_group, target.name, target.arm_id.lower())
        self._execute(
            "insert or ignore into target (subscription_id, resource_group, workspace, arm_id) values (?, ?, ?, ?)",
            names,
        )
        found = self._target(target)
        if found is None:
            raise LookupError(f"target {target} vanished from the ledger")
        return found


def _receipt(item: str, state: str, digest: bytes | None, detail: str | None, at: int) -> Receipt:
    return Receipt(item, State(state), digest, detail, Instant(at))
