"""A part of an archive for a worker, and what came of it: rows of some runs, as they lie, from one into the other.

Whoever holds the whole archive hands a run out to one worker at a time, and changes nothing of it meanwhile. So rows
come back as they are, in place of those that went; what an archive became that was left behind, nobody knows: `merge`
brings it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from azureml_replay.archive.database import Database, uri_of
from azureml_replay.archive.merging.beside import BesideFold, BytesFold
from azureml_replay.archive.merging.both import Other, listed
from azureml_replay.archive.objects import held_in
from azureml_replay.archive.records import lender_of, unpack
from azureml_replay.disk.outputs import private_folder
from azureml_replay.model import RunId
from azureml_replay.planning.parts import weight_of
from azureml_replay.workspace.place import Place


class Brought(Enum):
    """What a worker changes of its runs."""

    CONTENT = "content"
    """All that an extraction brings."""
    SENT = "sent"
    """What was sent, and which files the source was seen to have otherwise than they were listed."""
    SEEN = "seen"
    """What was looked at in a target."""


_CONTENT = {
    "run": "x.id",
    "job": "x.name",
    "asset_ref": "x.owner = 'run' and x.whose",
    **dict.fromkeys(("run_version", "series", "chunk", "artifact", "omission"), "x.run"),
}
"""Tables with rows of a run -> what names it."""
_LEDGER = {
    **dict.fromkeys(("receipt", "sent_run", "sent_file", "target_points", "edit"), "x.run"),
    **dict.fromkeys(("evidence", "finding", "planned_omission"), "x.way in ('run', 'job') and x.whose"),
}
"""The same of a target's."""
_WHOLE = (
    *("experiment", "asset", "asset_container", "asset_lack", "asset_extraction", "asset_naming"),
    *("code", "examination", "studio"),
)
_WHOLE_OF_TARGET = ("look", "binding", "asset_receipt")
_CHANGED = {
    Brought.CONTENT: tuple(_CONTENT),
    Brought.SENT: ("run", "artifact", "omission", *_LEDGER, "binding"),
    Brought.SEEN: tuple(_LEDGER),
}
_KEYS = _CONTENT | _LEDGER | {"binding": "x.run"}
_OF_TARGET = frozenset((*_LEDGER, *_WHOLE_OF_TARGET))


class Parting(Database):
    """The part of an archive that hands out runs, and takes them back."""

    def unit_weights(self, *, pending: bool) -> dict[RunId, float]:
        """The units of selected runs, in the order of the listing -> how much work they are, as last known.

        `pending`: by the runs that have to be extracted alone.
        """
        state = "listed" if pending else "extracted"
        rows = self._all(
            """
            select unit, count(*),
              sum((select ifnull(sum(rows), 0) from series s where s.run = r.id and s.generation = r.generation)),
              sum((select ifnull(sum(size_bytes), 0) from artifact a where a.run = id and a.generation = r.generation))
            from run r where selected and state = ? group by age, unit order by age, unit
            """,
            (state,),
        )
        return {RunId(unit): weight_of(runs, points, size_bytes) for unit, runs, points, size_bytes in rows}

    @property
    def keeps_bytes(self) -> bool:
        """True where it holds the bytes of a file."""
        return self._one("select 1 from object limit 1") is not None

    @property
    def bytes_held(self) -> int:
        """Those of all files that it holds, each content once."""
        return int(self._one("select ifnull(sum(size_bytes), 0) from object")[0])

    def runs_of_units(self, units: Sequence[RunId]) -> list[RunId]:
        """All runs that are listed below some roots."""
        return [RunId(run) for (run,) in self._among("select id from run where unit in", units)]

    def unit_links(self) -> Iterator[tuple[RunId, RunId]]:
        """Pairs of units, one of which has a run that shows files of the other's: of all selected runs."""
        sql = """
            select v.run, record, unit from run_version v join run r on r.id = v.run
            where selected and v.run > ?
              and v.generation = (select max(generation) from run_version w where w.run = v.run)
            order by v.run limit ?
        """
        for run, record, unit in self._pages(sql, (), ("",)):
            lender = lender_of(run, unpack(record, f"run {run}"))
            owner = lender and self._one("select unit from run where id = ?", (lender,))
            if owner and owner[0] != unit:
                yield RunId(unit), RunId(owner[0])

    def take_part(self, whole: Other, runs: Sequence[RunId], target: Place | None, containers: Collection[str]) -> None:
        """Fill this empty archive with some runs of another one, and all that is known of them in a target.

        `containers`: those of the storage's listing that come along. Bytes that the other one keeps are linked here.
        """
        with self._beside(whole.folder), self._transaction():
            self._name(runs)
            self._execute("insert or replace into archive select * from theirs.archive")
            for table in ("redact_glob", *_WHOLE):
                self._execute(f"insert or replace into {table} select * from theirs.{table}")  # noqa: S608  # our own words
            for table in _CONTENT:
                self._copy(table, "")
            if target is not None:
                self._take_ledger(target)
            self._execute("create temp table if not exists shown (id text primary key) without rowid")
            self._executemany("insert or ignore into temp.shown values (?)", ((one,) for one in containers))
            self._execute(
                "insert into stored_file select x.* from temp.shown s join theirs.stored_file x on x.container = s.id"
            )
            self._take_bytes(whole.folder)

    def take_home(self, part: Other, runs: Sequence[RunId], target: Place | None, what: Brought) -> None:
        """Take what became of these runs in a part, in one transaction; bytes come first."""
        with self._beside(part.folder):
            BytesFold(self.folder, self._db, part).copy()
            with self._transaction(durable=True):
                self._name(runs)
                number = self._number_of(target)
                for table in _CHANGED[what]:
                    of_target = f"and x.target = {number}" if table in _OF_TARGET else ""
                    self._execute(
                        f"delete from {table} as x where {_KEYS[table]} in (select id from temp.mine) {of_target}"  # noqa: S608
                    )
                    self._copy(table, of_target)
                BesideFold(self.folder, self._db, part).fold_contents()

    @contextmanager
    def _beside(self, folder: Path) -> Iterator[None]:
        self._execute("attach database ? as theirs", (uri_of(folder / "archive.db", write=False),))
        try:
            yield
        finally:
            self._execute("detach database theirs")

    def _name(self, runs: Sequence[RunId]) -> None:
        self._execute("create temp table if not exists mine (id text primary key) without rowid")
        self._execute("delete from temp.mine")
        self._executemany("insert or ignore into temp.mine values (?)", ((run,) for run in runs))

    def _number_of(self, target: Place | None) -> int:
        """The same in both: a part is given the row as it is."""
        key = ("", "") if target is None else (target.kind, target.key)
        row = self._one("select id from target where kind = ? and key = ?", key)
        return int(row[0]) if row else -1

    def _take_ledger(self, target: Place) -> None:
        which = "kind = ? and key = ?"
        self._execute(f"insert into target select * from theirs.target where {which}", (target.kind, target.key))  # noqa: S608
        number = self._number_of(target)
        for table in _LEDGER:
            self._copy(table, f"and x.target = {number}")
        for table in _WHOLE_OF_TARGET:
            self._execute(f"insert into {table} select * from theirs.{table} x where target = ?", (number,))  # noqa: S608
        for table in ("receipt", "sent_run"):
            beside = "target = ? and (run = '' or run like 'experiment %')"
            self._execute(f"insert or ignore into {table} select * from theirs.{table} where {beside}", (number,))  # noqa: S608

    def _copy(self, table: str, of_target: str) -> None:
        self._execute(
            f"insert into {table} ({listed(table)}) select {listed(table, 'x.')} from theirs.{table} x "  # noqa: S608
            f"where {_KEYS[table]} in (select id from temp.mine) {of_target}"
        )

    def _take_bytes(self, folder: Path) -> None:
        """Which object has the bytes of a file or of code, with these bytes."""
        self._execute(
            "insert into content select distinct c.* from artifact a join theirs.content c "
            "on c.datastore = a.datastore and c.path = a.location where c.sha256 is not null"
        )
        self._execute(
            "insert into object select * from theirs.object where sha256 in "
            "(select sha256 from content union all select sha256 from code)"
        )
        for sha256, size_bytes, md5 in self._all("select sha256, size_bytes, md5 from object order by sha256"):
            name = (sha256, size_bytes, md5)
            _link(held_in(folder, *name).file, held_in(self.folder, *name).file)


def _link(file: Path, other: Path) -> None:
    """The same bytes under another name, without a copy where the disk can; what is lost is missed by who reads it."""
    private_folder(other.parent)
    try:
        os.link(file, other)
    except FileNotFoundError:
        return
    except OSError:
        shutil.copyfile(file, other)
