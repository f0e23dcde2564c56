"""Runs: whole wire documents (`Run` of run-history.json), with columns for what queries ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from azureml_sandbox import instants
from azureml_sandbox.world.database import Database, Document, dumps, loads

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Column = Literal["run_id", "status", "hidden", "created", "started", "ended", "parent_run_id"]

_CHUNK = 500  # ids in one statement


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column, or a path into the document (`$.tags."a"`), against a value.

    A value of None asks for null: a path that is absent is neither null nor anything else.
    """

    subject: Column | str
    operator: Operator
    value: str | int | None

    def sql(self) -> tuple[str, list[object]]:
        """The SQL condition and the values bound to it."""
        if self.value is None:
            return self._null()
        left, bound = ("json_extract(document, ?)", [self.subject]) if self._path else (self.subject, [])
        return f"{left} {self.operator} ?", [*bound, self.value]

    @property
    def _path(self) -> bool:
        return self.subject.startswith("$")

    def _null(self) -> tuple[str, list[object]]:
        if self._path:
            return f"json_type(document, ?) {self.operator} 'null'", [self.subject]
        return f"{self.subject} is {'not ' if self.operator == '!=' else ''}null", []


@dataclass(frozen=True, slots=True)
class Every:
    """A condition that holds where all of the conditions hold; without conditions it always holds."""

    conditions: tuple[Condition, ...] = ()

    def sql(self) -> tuple[str, list[object]]:
        """The SQL condition and the values bound to it."""
        return _joined(self.conditions, " and ", "true")


@dataclass(frozen=True, slots=True)
class Either:
    """A condition that holds where one of the conditions holds."""

    conditions: tuple[Condition, ...]

    def sql(self) -> tuple[str, list[object]]:
        """The SQL condition and the values bound to it."""
        return _joined(self.conditions, " or ", "false")


Condition = Comparison | Every | Either


def _joined(conditions: Sequence[Condition], word: str, empty: str) -> tuple[str, list[object]]:
    parts = [condition.sql() for condition in conditions]
    return "(" + (word.join(text for text, _ in parts) or empty) + ")", [value for _, bound in parts for value in bound]


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Runs of one experiment that meet a condition; in the order of one column, ties by creation."""

    experiment_id: str
    where: Condition = Every()
    order: Column = "created"
    descending: bool = False


def _ticks(document: Document, key: str) -> int | None:
    value = document.get(key)
    return instants.parse(value) if value else None


class Runs:
    """The runs of every workspace; a run id is unique in its workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, workspace: str, run_id: str) -> Document | None:
        """The whole stored document, `inputs`, `outputs` and `runDefinition` included."""
        return self._database.document("select document from run where workspace = ? and run_id = ?", workspace, run_id)

    def many(self, workspace: str, run_ids: Iterable[str]) -> Mapping[str, Document]:
        """The runs that exist among these ids, by id."""
        wanted, found = list(run_ids), dict[str, Document]()
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            marks = ",".join("?" * len(part))
            query = f"select run_id, document from run where workspace = ? and run_id in ({marks})"  # noqa: S608 only question marks
            found |= {row["run_id"]: loads(row["document"]) for row in self._database.all(query, workspace, *part)}
        return found

    def put(self, workspace: str, document: Document) -> None:
        """Insert or replace by `runId`, keeping every key.

        Needs `runId`, `experimentId` and `createdUtc`; a run without `parentRunId` becomes a job that ARM lists, unless
        that was deleted.
        """
        run_id, parent, created = document["runId"], document.get("parentRunId"), instants.parse(document["createdUtc"])
        hidden = bool(document.get("hidden"))
        with self._database.transaction():
            self._database.run(
                "insert into run (workspace, run_id, experiment_id, parent_run_id, status, hidden, created, started,"
                " ended, document) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " on conflict (workspace, run_id) do update set experiment_id = excluded.experiment_id,"
                " parent_run_id = excluded.parent_run_id, status = excluded.status, hidden = excluded.hidden,"
                " created = excluded.created, started = excluded.started, ended = excluded.ended,"
                " document = excluded.document",
                workspace,
                run_id,
                document["experimentId"].lower(),
                parent,
                document.get("status"),
                hidden,
                created,
                _ticks(document, "startTimeUtc"),
                _ticks(document, "endTimeUtc"),
                dumps(document),
            )
            if parent is None:
                self._database.run(
                    "insert into job (workspace, name, archived, created) select ?, ?, ?, ? where not exists"
                    " (select 1 from deletion where workspace = ? and name = ? and done)"
                    " on conflict (workspace, name) do update set archived = excluded.archived",
                    workspace,
                    run_id,
                    hidden,
                    created,
                    workspace,
                    run_id,
                )

    def children(
        self, workspace: str, run_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[tuple[int, Document]]:
        """Direct children in the order of creation, each with the position to go on `after`."""
        rows = self._database.all(
            "select seq, document from run where workspace = ? and parent_run_id = ? and seq > ? order by seq limit ?",
            workspace,
            run_id,
            after,
            limit,
        )
        return [(row["seq"], loads(row["document"])) for row in rows]

    def query(self, workspace: str, query: RunQuery, *, skip: int = 0, limit: int = 100) -> Sequence[Document]:
        """One page of an experiment's runs, children and hidden ones included unless `where` says otherwise."""
        condition, bound = query.where.sql()
        way = "desc" if query.descending else "asc"
        rows = self._database.all(
            f"select document from run where workspace = ? and experiment_id = ? and {condition}"  # noqa: S608 columns and operators are literals of the types above
            f" order by {query.order} {way}, seq {way} limit ? offset ?",
            workspace,
            query.experiment_id.lower(),
            *bound,
            limit,
            skip,
        )
        return [loads(row["document"]) for row in rows]

    def of_experiment(self, workspace: str, experiment_id: str) -> Iterator[Document]:
        """Every run of an experiment in the order of creation, read one by one."""
        rows = self._database.sql.execute(
            "select document from run where workspace = ? and experiment_id = ? order by created, seq",
            (workspace, experiment_id.lower()),
        )
        return (loads(row["document"]) for row in rows)

    def delete(self, workspace: str, run_id: str) -> None:
        """Remove the run and its job; metrics and artifacts of its container stay."""
        with self._database.transaction():
            self._database.run("delete from run where workspace = ? and run_id = ?", workspace, run_id)
            self._database.run("delete from job where workspace = ? and name = ?", workspace, run_id)
