"""Rows of series that differ in a target: thinned, so that a report can draw them beside what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from azureml_replay.archive import series as codec
from azureml_replay.archive.cells import read_back
from azureml_replay.archive.clean_points import clean_points, clean_series
from azureml_replay.archive.digests import of_bytes
from azureml_replay.archive.of_target import OfTarget
from azureml_replay.archive.records import series_of, series_row
from azureml_replay.errors import IntegrityError
from azureml_replay.model import Differing, RunId
from azureml_replay.redact import NEWEST


class TargetRows(OfTarget):
    """The part of a target's ledger that verify fills for runs with findings."""

    def put_target_points(self, run: RunId, kept: Sequence[Differing]) -> None:
        """Replace the kept rows of a run. Repeatable."""
        if not kept and next(self.target_points(run), None) is None:
            return  # true of nearly every run
        with self._transaction():
            owner = self._owner()
            self._execute("delete from target_points where target = ? and run = ?", (owner, run))
            for number, one in enumerate(kept):
                held = (one.held, one.expected, one.actual, one.absent, one.extra)
                pieces = [clean_points(piece, NEWEST) for piece in held]
                data = codec.encode(pieces, range(len(pieces)))
                row = (
                    owner,
                    run,
                    number,
                    *series_row(clean_series(one.series, NEWEST)),
                    one.rows,
                    one.differing,
                    of_bytes(data),
                    data,
                )
                self._execute("insert into target_points values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def target_points(self, run: RunId) -> Iterator[Differing]:
        """The kept rows of each series that differs, in the order of `put_target_points`. Raises IntegrityError."""
        rows = self._all(
            "select name, namespace, columns, ux_type, schema_id, rows, differing, digest, data from target_points "
            "where target = ? and run = ? order by number",
            (self._number, run),
        )
        for *shape, count, differing, expected_digest, data in rows:
            if of_bytes(data) != expected_digest:
                raise IntegrityError(f"archive {self.folder}: the target's points of run {run} are damaged")
            series = series_of(*shape)
            with read_back(f"a curve of run {run} in {self.target}"):
                held, expected, actual, absent, extra = codec.decode(data, lambda _, series=series: series)  # type: ignore[misc]
            yield Differing(
                series=series,
                rows=count,
                differing=differing,
                held=held,
                expected=expected,
                actual=actual,
                absent=absent,
                extra=extra,
            )

    def target_points_bytes(self) -> int:
        """The bytes that all kept rows of the target take."""
        sql = "select ifnull(sum(length(data)), 0) from target_points where target = ?"
        return int(self._one(sql, (self._number,))[0])
