"""Metric series and their rows. Rows are only ever appended; a repeated `metricId` is a second row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from azureml_sandbox import instants
from azureml_sandbox.world.database import Database, Document, dumps, loads

SCALAR = "azureml.v1.scalar"


@dataclass(frozen=True, slots=True)
class Series:
    """The description that all rows logged under one name share."""

    container: str
    """`dataContainerId` of the run, for example `dcid.r1`: a reused step shares another run's."""
    name: str
    namespace: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    """Column name to type, for example {"loss": "Double"}."""
    properties: Document = field(default_factory=lambda: {"uxMetricType": SCALAR, "dataLocation": None})
    standard_schema_id: str | None = None
    rows: int = 0


def scalar(container: str, name: str) -> Series:
    """The series that MLflow's `log_metric` makes: one column of doubles under the metric's own name."""
    return Series(container, name, columns={name: "Double"})


class Metrics:
    """The metrics of every workspace, by data container."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, workspace: str, series: Series, rows: Iterable[Document], *, visible: int = 0) -> None:
        """Add rows `{"metricId", "createdUtc", "step", "data"}` as they are; they can be read from tick `visible` on.

        A series that exists keeps its columns and properties.
        """
        values = [(instants.parse(row["createdUtc"]), visible, dumps(row)) for row in rows]
        with self._database.transaction():
            found = self._database.one(
                "insert into series (workspace, container, namespace, name, document, rows, appears, settles)"
                " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (workspace, container, namespace, name) do update set"
                " rows = rows + excluded.rows, settles = max(settles, excluded.settles),"
                " appears = min(appears, excluded.appears) returning id",
                workspace,
                series.container,
                series.namespace,
                series.name,
                dumps(
                    {
                        "columns": series.columns,
                        "properties": series.properties,
                        "standardSchemaId": series.standard_schema_id,
                    }
                ),
                len(values),
                visible,
                visible,
            )
            assert found is not None  # noqa: S101 `returning` answers a row or raises
            self._database.sql.executemany(
                "insert into metric_row (series, created, visible, document) values (?, ?, ?, ?)",
                ((found["id"], *value) for value in values),
            )

    def get(self, workspace: str, container: str, name: str, namespace: str = "") -> Series | None:
        """One series, readable yet or not."""
        row = self._database.one(
            "select * from series where workspace = ? and container = ? and namespace = ? and name = ?",
            workspace,
            container,
            namespace,
            name,
        )
        return _series(row) if row is not None else None

    def of_container(self, workspace: str, container: str, *, visible: int | None = None) -> Sequence[Series]:
        """Every series of a container, in the order of first logging; with `visible`, those readable at that tick."""
        rows = self._database.all(
            "select * from series where workspace = ? and container = ? and appears <= ? order by id",
            workspace,
            container,
            visible if visible is not None else 1 << 62,
        )
        return [_series(row) for row in rows]

    def count(self, workspace: str, container: str) -> int:
        """The number of rows of all series of a container, readable yet or not."""
        found = self._database.one(
            "select coalesce(sum(rows), 0) as rows from series where workspace = ? and container = ?",
            workspace,
            container,
        )
        return int(found["rows"]) if found is not None else 0

    def rows(
        self,
        workspace: str,
        series: Series,
        *,
        after: int = 0,
        limit: int = 1000,
        start: int | None = None,
        end: int | None = None,
        visible: int | None = None,
    ) -> Sequence[tuple[int, Document]]:
        """Rows in the order of logging, each with the position to go on `after`; `start` and `end` are inclusive."""
        found = self._database.all(
            "select id, document from metric_row where series = (select id from series where workspace = ?"
            " and container = ? and namespace = ? and name = ?) and id > ? and created >= ? and created <= ?"
            " and visible <= ? order by id limit ?",
            workspace,
            series.container,
            series.namespace,
            series.name,
            after,
            start if start is not None else -(1 << 62),
            end if end is not None else 1 << 62,
            visible if visible is not None else 1 << 62,
            limit,
        )
        return [(row["id"], loads(row["document"])) for row in found]

    def last(self, workspace: str, container: str, *, visible: int | None = None) -> Sequence[tuple[Series, Document]]:
        """Each series of a container with its last row; with `visible`, the last row readable at that tick."""
        found = self._database.all(
            "select series.*, (select document from metric_row where metric_row.series = series.id and visible <= ?"
            " order by id desc limit 1) as latest from series where workspace = ? and container = ? order by id",
            visible if visible is not None else 1 << 62,
            workspace,
            container,
        )
        return [(_series(row), loads(row["latest"])) for row in found if row["latest"] is not None]

    def settled(self, workspace: str, container: str, at: int) -> bool:
        """Whether everything appended to the container can be read at that tick."""
        lagging = self._database.one(
            "select 1 from series where workspace = ? and container = ? and settles > ?", workspace, container, at
        )
        return lagging is None

    def delete(self, workspace: str, container: str) -> None:
        """Remove every series of a container."""
        self._database.run("delete from series where workspace = ? and container = ?", workspace, container)


def _series(row: sqlite3.Row) -> Series:
    document = loads(row["document"])
    return Series(
        row["container"],
        row["name"],
        row["namespace"],
        document["columns"],
        document["properties"],
        document["standardSchemaId"],
        row["rows"],
    )
