"""What reached each target: receipts, which run stands for which, values and files as they were sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from azureml_replay.archive.digests import of_generation
from azureml_replay.archive.evidence import Way
from azureml_replay.archive.items import FILE_PREFIX, RunItem, ValueItem
from azureml_replay.archive.merging.both import columns, within
from azureml_replay.archive.merging.evidence import OF_EXPERIMENT, EvidenceFold
from azureml_replay.archive.merging.receipts import MergedReceipts, ReceiptRow, merged
from azureml_replay.archive.reading import Reading
from azureml_replay.archive.sums import ROOT_PART
from azureml_replay.errors import UserError
from azureml_replay.json_text import spaced
from azureml_replay.model import RunId
from azureml_replay.planning.plan import SHOWS
from azureml_replay.workspace.place import Place

OWNER = ""
"""Under it lie the receipts of what is no run's."""
_OF_RUN = ("receipt", "sent_run", "sent_file", "edit", "target_points")
_OF_TOPIC = ("evidence", "finding", "planned_omission")
_RECEIPT = ", ".join(ReceiptRow._fields)
_PAIRS = (
    ("run", "target_run", "run {0} stands there as {1}, by {3} as {2}"),
    ("target_run", "run", "{0} stands there for run {1}, by {3} for run {2}"),
)


class LedgerFold(EvidenceFold, Reading):
    """The part of a merge about targets, once runs came. `count` has how many receipts came."""

    count: int = 0

    def refuse_other_bindings(self) -> None:
        """Raise UserError where a run stands as two, which no ledger can say."""
        for a, b, words in _PAIRS:
            found = self._one(
                f"""
                select t.name, o.{a}, o.{b}, x.{b} from theirs.binding x
                join theirs.target y on y.id = x.target join main.target t on t.kind = y.kind and t.key = y.key
                join main.binding o on o.target = t.id and o.{a} = x.{a} where o.{b} <> x.{b} limit 1
                """  # noqa: S608  # our own words
            )
            if found:
                target, *names = found
                told = words.format(*names, self.other.folder)
                raise UserError(
                    f"archive {self.other.folder} and {self.folder} both brought runs into {target}: {told}. "
                    "no ledger can say both, so keep these archives apart"
                )

    def fold_ledgers(self) -> None:
        """Of every target that the other archive knows."""
        for number, *place in self._all("select id, kind, key, name from theirs.target order by id"):
            target = Place(*place)
            self._execute("insert or ignore into target (kind, key, name) values (?, ?, ?)", place)
            self._execute(
                "update target set probe = (select probe from theirs.target where id = ?) "
                "where kind = ? and key = ? and probe is null",
                (number, target.kind, target.key),
            )
            (here,) = self._one("select id from target where kind = ? and key = ?", (target.kind, target.key))
            self._fold_bindings(here, number)
            self._fold_target(target, here, number)

    def _fold_bindings(self, here: int, there: int) -> None:
        for span in self._spans("binding", "target, run"):
            self._execute(
                "insert or ignore into binding select ?, run, target_run from theirs.binding where target = ? "  # noqa: S608
                f"and {within('target, run')}",
                (here, there, *span),
            )

    def _fold_target(self, target: Place, here: int, there: int) -> None:
        """Run by run what was sent, then what was compared: this counts by all runs that are here."""
        self.begin_target(target, here, there)
        self._name_all(there)
        before = self.receipts_of("main", here, OWNER)
        self._merge(here, there, OWNER)
        for batch in self._batches("select name from temp.named where name > ? order by name limit ?", ()):
            plain = self._plain(here, batch)
            self._bring(here, there, plain)
            for name in plain:
                self.fold_evidence_of(RunId(name), None)
            for name in sorted({*batch}.difference(plain)):
                if not name.startswith(OF_EXPERIMENT):  # goes with the receipts of no run
                    self.fold_evidence_of(RunId(name), self._merge(here, there, name))
        self.fold_evidence_beside(before)

    def _name_all(self, there: int) -> None:
        """Everything of which the other's ledger of a target says something."""
        self._execute("create temp table if not exists named (name text primary key) without rowid")
        self._execute("create temp table if not exists plain (name text primary key) without rowid")
        self._execute("delete from temp.named")
        for table in _OF_RUN:
            sql = f"insert or ignore into temp.named select distinct run from theirs.{table} where target = ?"  # noqa: S608
            self._execute(sql, (there,))
        for table in _OF_TOPIC:
            sql = f"insert or ignore into temp.named select distinct whose from theirs.{table} where target = ?"  # noqa: S608
            self._execute(f"{sql} and way in ('run', 'job')", (there,))

    def _plain(self, here: int, names: Sequence[str]) -> list[str]:
        """Those of which our ledger says nothing, and whose chunks have the numbers that they have there."""
        ours = " or ".join(
            f"exists (select 1 from main.{table} o where o.target = ?1 and o.{key} = n.value)"  # noqa: S608
            for tables, key in ((_OF_RUN, "run"), (_OF_TOPIC, "whose"))
            for table in tables
        )
        sql = f"""
            select value from json_each(?2) n where not ({ours}) and (
              exists (select 1 from temp.taken t where t.id = n.value and t.theirs = t.generation)
              or not exists (select 1 from main.run r where r.id = n.value)
            )
        """  # noqa: S608  # our own words
        return [name for (name,) in self._all(sql, (here, spaced(names)))]

    def _bring(self, here: int, there: int, names: Sequence[str]) -> None:
        """All rows of these, as they are."""
        self._execute("delete from temp.plain")
        self._executemany("insert into temp.plain values (?)", ((name,) for name in names))
        for table in _OF_RUN:
            cells = ", ".join(f"x.{name}" for name in columns(table) if name != "target")
            come = self._execute(
                f"insert into {table} ({', '.join(columns(table))}) select ?, {cells} "  # noqa: S608  # our own words
                f"from temp.plain p join theirs.{table} x on x.target = ? and x.run = p.name",
                (here, there),
            )
            self.count += come.rowcount if table == "receipt" else 0

    def _merge(self, here: int, there: int, name: str) -> MergedReceipts:
        """One run that both know, or whose rows have other numbers here."""
        ours, theirs = self.receipts_of("main", here, name), self.receipts_of("theirs", there, name)
        contents = self._owner_of(here, there, name) or name
        chunks = {seq: one.digest for seq, one in self.chunk_payloads(RunId(contents)).items()} if name else {}
        same = self._is_as_there(name) and self._is_as_there(contents)
        found = merged(ours, list(self._with_refusals(name, theirs)), chunks, whole=same)
        self._put_receipts(here, name, ours, found.rows)
        self._put_sent(here, there, name, ours, found)
        return found

    def _owner_of(self, here: int, there: int, name: str) -> str | None:
        """The run whose points and files were carried as this one's; None where it has its own."""
        sql = """
            select json_extract(carried, ?1) as owner from (
              select carried from main.evidence where target = ?2 and way = ?4 and whose = ?5
              union all select carried from theirs.evidence where target = ?3 and way = ?4 and whose = ?5
            ) where owner is not null
        """
        row = self._one(sql, (f"$.{SHOWS}", here, there, Way.RUN.value, name))
        return row and str(row[0])

    def _is_as_there(self, name: str) -> bool:
        """True where the run is here as it is there, under the same generation."""
        sql = f"""
            select 1 from main.run o join theirs.run x using (id) where id = ? and o.generation = x.generation
            and substr(o.content_digest, 1, {ROOT_PART}) is substr(x.content_digest, 1, {ROOT_PART})
        """  # noqa: S608  # our own words
        return self._one(sql, (name,)) is not None

    def _with_refusals(self, name: str, theirs: Sequence[ReceiptRow]) -> Sequence[ReceiptRow]:
        """Refusals are of a generation, or of an experiment as it was: of another one they are tried again."""
        return [
            row if row.state != "refused" else row._replace(digest=digest)
            for row in theirs
            if (digest := self._refused_as(name, row)) is not None or row.state != "refused"
        ]

    def _refused_as(self, name: str, row: ReceiptRow) -> bytes | None:
        """The digest that says of which content here something was refused; None for content that is not here."""
        if row.state != "refused":
            return row.digest
        generations = self._one(
            "select x.generation, o.generation, "  # noqa: S608  # our own words
            f"substr(o.content_digest, 1, {ROOT_PART}) is substr(x.content_digest, 1, {ROOT_PART}) "
            "from theirs.run x join main.run o using (id) where id = ?",
            (name,),
        )
        if generations is None:
            return self._refused_of_experiment(row)
        there, here, same = generations
        return of_generation(here) if same and row.digest == of_generation(there) else None

    def _refused_of_experiment(self, row: ReceiptRow) -> bytes | None:
        item = row.read
        name = item.experiment if isinstance(item, ValueItem) else None
        if name is None or row.digest != self.theirs.content_of_experiment(name).encode():
            return row.digest
        return self.ours.content_of_experiment(name).encode() if self.is_same_experiment(name) else None

    def _put_receipts(self, here: int, name: str, before: Sequence[ReceiptRow], after: Sequence[ReceiptRow]) -> None:
        gone, new = {*before}.difference(after), {*after}.difference(before)
        sql = "delete from receipt where target = ? and run = ? and item = ?"
        self._executemany(sql, [(here, name, row.item) for row in gone])
        put = f"insert into receipt (target, run, {_RECEIPT}) values (?, ?, {', '.join('?' * len(ReceiptRow._fields))})"  # noqa: S608
        self._executemany(put, [(here, name, *row) for row in new])
        self.count += len(new)

    def _put_sent(self, here: int, there: int, name: str, ours: Sequence[ReceiptRow], found: MergedReceipts) -> None:
        """Values with the newer receipt of the run, or of an experiment; of each file with its own."""
        before, left = {row.item for row in ours}, {row.item for row in found.rows}
        for owner, items in _owners(name, before | left):
            if before.intersection(items) and not left.intersection(items):
                self._execute("delete from sent_run where target = ? and run = ?", (here, owner))
            elif found.theirs.intersection(items) or self._lacks_sent(here, owner):
                self._execute(
                    "insert or replace into sent_run select ?, run, record, record_bytes from theirs.sent_run "
                    "where target = ? and run = ?",
                    (here, there, owner),
                )
        paths = [item.removeprefix(FILE_PREFIX) for item in found.theirs if item.startswith(FILE_PREFIX)]
        self._executemany(
            "insert or replace into sent_file select ?, run, path, size_bytes, md5 from theirs.sent_file "
            "where target = ? and run = ? and path = ?",
            ((here, there, name, path) for path in paths),
        )
        gone = [(here, name, item.removeprefix(FILE_PREFIX)) for item in before - left if item.startswith(FILE_PREFIX)]
        self._executemany("delete from sent_file where target = ? and run = ? and path = ?", gone)

    def _lacks_sent(self, here: int, owner: str) -> bool:
        return self._one("select 1 from sent_run where target = ? and run = ?", (here, owner)) is None


_VALUES = frozenset({RunItem.CREATE.value, RunItem.FINISH.value})
"""Items with which values of a run are sent."""


def _owners(name: str, items: Collection[str]) -> Sequence[tuple[str, frozenset[str]]]:
    """Under which names sent values lie, each with the items whose receipts they go with."""
    if name != OWNER:
        return [(name, _VALUES)]
    return [(item, frozenset({item})) for item in sorted(items) if item.startswith(OF_EXPERIMENT)]
