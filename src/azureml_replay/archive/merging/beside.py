"""What stands beside runs: experiments, omissions of none, bytes of files and code, and what tells of moments."""

from __future__ import annotations

from azureml_replay.archive.merging.both import Both, listed, within
from azureml_replay.archive.objects import held_in
from azureml_replay.archive.reading import GONE

_REFERRED = "sha256 in (select sha256 from {0}.content union all select sha256 from {0}.code)"
_LACKING = f"""
    from theirs.object x where {_REFERRED.format("theirs")} and not exists (
      select 1 from main.object o where o.sha256 = x.sha256
    )
"""  # noqa: S608  # our own words
_SESSION = "command, began, ended, outcome, parts, traffic"


class BytesFold(Both):
    """The part of a merge that copies bytes, before any row says that they are here."""

    def lacking(self) -> tuple[int, int]:
        """Contents of files that the other archive holds and ours does not: number and bytes."""
        count, size = self._one(f"select count(*), ifnull(sum(size_bytes), 0) {_LACKING}")
        return count, size

    def copy(self) -> None:
        """All of them. Repeatable: what was copied, and is sound, is not copied again. Raises IntegrityError."""
        self.progress.expect("bytes copied", self.lacking()[1])
        sql = f"select sha256, size_bytes, md5 {_LACKING} and sha256 > ? order by sha256 limit ?"
        for row in self._pages(sql, (), (b"",)):
            held = held_in(self.other.folder, *row)
            self.adopt(held)
            self.progress.done("bytes copied", held.size_bytes)


class BesideFold(Both):
    """The part of a merge about all that is no run's, once runs came."""

    def fold_experiments(self) -> None:
        """Of an experiment that both have, the one that was listed later, as far as sessions tell."""
        newer = self._listed_at("theirs") > self._listed_at("main")
        come = "select name from theirs.experiment x where ? or not exists"
        come += " (select 1 from main.experiment o where o.name = x.name and o.id = x.id)"
        notes = f"origin = 'experiment' and run in (select 'experiment ' || name from ({come}))"  # noqa: S608
        self._execute(f"delete from main.omission where {notes}", (newer,))  # noqa: S608  # our own words
        self._execute(f"insert or ignore into omission select * from theirs.omission where {notes}", (newer,))  # noqa: S608
        what = "replace" if newer else "ignore"
        self._execute(f"insert or {what} into experiment select * from theirs.experiment")  # noqa: S608  # our own words
        self._told()

    def _listed_at(self, archive: str) -> str:
        """When the last command ended that listed the source; empty where no session tells."""
        sql = f"""
            select ifnull(max(ended), '') from {archive}.session s
            where exists (select 1 from json_each(s.parts) where json_extract(value, '$.verb') = 'extract')
        """  # noqa: S608  # our own words
        return str(self._one(sql)[0])

    def fold_omissions(self) -> None:
        """Of runs that were left out, unless they came by now; and of runs that the source has no more."""
        key = "run, origin, generation, what, reason"
        for span in self._spans("omission", key):
            told = f"select * from theirs.omission where origin = 'workspace' and {within(key)}"  # noqa: S608
            self._execute(f"insert or ignore into omission {told}", span)
        self._execute(
            "delete from omission where origin = 'workspace' and reason not in (?, ?) "
            "and run in (select id from run where selected)",
            GONE,
        )
        self._execute(
            "update or replace omission set reason = ? where origin = 'workspace' and reason = ? "
            "and run in (select id from run where generation > 0)",
            GONE,
        )

    def fold_contents(self) -> None:
        """Which object holds what, where ours does not know; then the objects that something refers to."""
        for span in self._spans("content", "datastore, path"):
            self._execute(
                f"""
                insert or replace into content select x.* from theirs.content x
                left join main.content o on o.datastore = x.datastore and o.path = x.path
                where x.sha256 is not null and o.sha256 is null and {within("x.datastore, x.path")}
                """,  # noqa: S608  # our own words
                span,
            )
        for span in self._spans("code", "reference"):
            self._execute(
                f"""
                insert or replace into code select x.* from theirs.code x
                left join main.code o on o.reference = x.reference
                where o.sha256 is null and (o.reference is null or x.sha256 is not null)
                  and {within("x.reference")}
                """,  # noqa: S608  # our own words
                span,
            )
        for span in self._spans("object", "sha256"):
            referred = _REFERRED.format("main")
            self._execute(
                f"insert or ignore into object select * from theirs.object where {within('sha256')} and {referred}",  # noqa: S608
                span,
            )

    def fold_notes(self) -> None:
        """Sessions and command lines, by their moments; addresses that ours lacks; what doctor saw last."""
        for table, cells, by in (("session", _SESSION, "began"), ("command_log", "at, command", "at")):
            new = f"select {cells} from theirs.{table} except select {cells} from main.{table}"  # noqa: S608
            self._execute(f"insert into {table} ({cells}) select {cells} from ({new}) order by {by}")  # noqa: S608
        self._execute("insert or ignore into studio select * from theirs.studio")
        self._execute("insert or ignore into asset_naming select * from theirs.asset_naming")
        self._execute(
            f"""
            insert or replace into examination select {listed("examination", "x.")} from theirs.examination x
            left join main.examination o on o.place = x.place and o.side = x.side where o.at is null or o.at < x.at
            """  # noqa: S608  # our own words
        )

    def fold_globs(self) -> int:
        """What the other takes out, ours does from now on; how many runs have to be read again for it."""
        new = "select glob from theirs.redact_glob except select glob from main.redact_glob"
        if self._one(new) is None:
            return 0
        self._execute(f"insert into redact_glob {new}")
        (runs,) = self._one("select count(*) from run where selected and generation > 0")
        self._execute("update run set state = 'listed'")
        return int(runs)
