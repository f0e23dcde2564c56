"""Runs of which the evidence says the same, counted by the database: 7 µs a run, where judging one takes 35.

A verdict is about every run of an archive, and of nearly all of them there is the same to say. Whatever is not plain
is `ODD`, and judged by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from azureml_replay.archive.evidence import CHOSEN, ChosenRun, Evidence, Way, chosen_run
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.reading import BEFORE_ALL, GONE_FROM_SOURCE
from azureml_replay.archive.records import loads
from azureml_replay.archive.stand_ins import content_of_both, content_of_cells
from azureml_replay.errors import IntegrityError
from azureml_replay.instants import Instant
from azureml_replay.json_text import spaced
from azureml_replay.model import RunId

MOST_ODD = 10_000
"""Runs that are judged one by one beside the others; where there are more, all are judged."""


class Plain(Enum):
    """What there is to say of a run. The value is the word in the query."""

    EQUAL = "equal"
    """It stands as a run alone, and everything of it was compared with what the archive holds, by the newest look."""
    OTHER = "other"
    """Everything was compared with something else than the archive holds now."""
    UNSEEN = "unseen"
    """It was sent, and nothing of it was ever looked at since."""
    UNSENT = "unsent"
    """Nothing was sent, nothing looked at."""
    LISTED = "listed"
    """It is to be extracted."""
    GONE = "gone"
    """It was never extracted, and the source does not have it any more."""
    ODD = "odd"
    """All others."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Runs of one experiment of which there is the same to say."""

    plain: Plain
    experiment: str
    sent: bool
    """Everything of them was sent, as the archive has it now, or the jobs that stand for them were put."""
    omitted: bool
    """As planned, nothing of them is carried."""
    runs: int
    counts: Mapping[str, int] = field(default_factory=Counter)
    """Where they are equal, how much was compared."""
    odd: tuple[RunId, ...] = ()
    read_at: Instant | None = None
    """When the bytes of those that are counted as `read_before` were read, the oldest of these moments."""


_JOBS = "(select o.unit from evidence x join run o on o.id = x.whose where x.target = ?1 and x.way = 'job')"
"""Units of which something stands as a job, or did: what is usual there is not told by one run."""
_STANDING = f"""
    (select j.run from receipt j where j.target = ?1 and j.item = '{RunItem.JOB.value}' and j.state = 'sent'
     and not exists (select 1 from receipt u where u.target = ?1 and u.run = j.run
                     and u.item = '{RunItem.JOB_UNDONE.value}' and u.state = 'sent'))
"""  # noqa: S608  # our own words
_OF_JOB = "select 1 from evidence y where y.target = ?1 and y.way = 'job' and y.whose = id and y.carried is not null"
# `limit -1` keeps SQLite from folding the queries into one, which would reckon the content once for each mention.
_RUNS = f"""
    select r.id, r.unit, r.experiment, generation, r.state, e.carried, fields, points, files, bytes,
      r.unit in {_JOBS} as jobs,
      generation = 0 and exists ({GONE_FROM_SOURCE}) as gone,
      r.id in (select whose from finding where target = ?1 and way = '{Way.RUN.value}'
               union all select run from receipt where target = ?1 and item = '{RunItem.UNREAD.value}') as found,
      json_type(e.carried, '$.left') is not null as leaves,
      json_extract(fields, '$.against') as against,
      iif(json_type(e.carried, '$.shows') is null, content(content_digest, j.record, j.code), both(
        content(content_digest, j.record, j.code),
        (select content(o.content_digest, k.record, k.code) from run o left join job k on k.name = o.id
         where o.id = json_extract(e.carried, '$.shows')))) as now,
      (select ifnull(detail, '') from receipt w where w.target = ?1 and w.run = r.id
       and w.item = '{RunItem.WHOLE.value}' and w.state = 'sent') as whole
    from run r left join job j on j.name = r.id
    left join evidence e on e.target = ?1 and e.way = '{Way.RUN.value}' and e.whose = r.id
    where selected limit -1
"""  # noqa: S608  # our own words
_READ = "json_extract(bytes, '$.against') is now"
_READ_NOW = "json_extract(bytes, '$.look') >= json_extract(files, '$.look')"
"""By the look that compared the list of files last, or since."""
_UNKNOWN = "ifnull(json_extract(bytes, '$.counts.unverifiable'), 0)"
"""Files that were sent and of which nobody has a checksum: reading them proved nothing."""
_JUDGED = f"""
    select id, experiment,
      case
        when jobs then 'odd'
        when generation = 0 then iif(gone, 'gone', 'listed')
        when state = 'listed' or found or leaves then 'odd'
        when fields is null and points is null and files is null then
          case when bytes is not null then 'odd' when carried is null then 'unsent' else 'unseen' end
        when fields is null or points is null or files is null then 'odd'
        when against is not json_extract(points, '$.against') then 'odd'
        when against is not json_extract(files, '$.against') then 'odd'
        when against is not now then 'other'
        when ?2 > 0 and ?2 > min(
          json_extract(fields, '$.look'), json_extract(points, '$.look'), json_extract(files, '$.look'),
          ifnull(json_extract(bytes, '$.look'), ?2)
        ) then 'odd'
        else 'equal'
      end as plain,
      (whole is not null and (whole = '' or whole = now) and not leaves)
        or (jobs and unit in {_STANDING} and exists ({_OF_JOB} and json_type(y.carried, '$.left') is null)) as sent,
      leaves or (jobs and exists ({_OF_JOB} and json_type(y.carried, '$.left') is not null)) as omitted,
      json_extract(points, '$.counts.points') as points, json_extract(files, '$.counts.files') as files,
      json_extract(files, '$.counts.own_files') as own_files, json_extract(files, '$.counts.bytes') as bytes,
      iif({_READ} and {_READ_NOW}, {_UNKNOWN}, json_extract(files, '$.counts.unverifiable')) as unverifiable,
      iif({_READ} and not {_READ_NOW}, max(json_extract(files, '$.counts.unverifiable') - {_UNKNOWN}, 0), 0)
        as read_before,
      json_extract(bytes, '$.at') as read_at
    from ({_RUNS}) limit -1
"""  # noqa: S608  # our own words
_COUNTS = ("points", "files", "own_files", "bytes", "unverifiable", "read_before")
_SUMS = f"""
    select plain, experiment, sent, omitted, count(*) as runs, {", ".join(f"sum({name})" for name in _COUNTS)},
      min(read_at) filter (where read_before > 0),
      json_group_array(id) filter (where plain = 'odd')
    from ({_JUDGED}) group by plain, experiment, sent, omitted order by plain, experiment, sent, omitted
"""  # noqa: S608  # our own words


class Alikes(Evidence):
    """The part of a target's ledger that says of all runs at once what there is to say."""

    def alike(self) -> list[Alike]:
        """All selected runs, each counted once. Raises IntegrityError."""
        self._db.create_function("content", 3, content_of_cells, deterministic=True)
        self._db.create_function("both", 2, content_of_both, deterministic=True)
        newest = max((look.number for look in self.open_looks()), default=0)
        try:
            rows = self._all(_SUMS, (self._number, newest))
        except IntegrityError:
            for _ in self.chosen():  # names the place
                pass
            raise
        return [
            Alike(
                Plain(plain),
                experiment,
                bool(sent),
                bool(omitted),
                runs,
                _compared(counts) if plain == Plain.EQUAL.value else Counter(),
                tuple(map(RunId, loads(odd))),
                Instant(read_at) if read_at is not None and plain == Plain.EQUAL.value else None,
            )
            for plain, experiment, sent, omitted, runs, *counts, read_at, odd in rows
        ]

    def apart(self, counted: Sequence[Alike]) -> tuple[list[Alike], Iterator[ChosenRun]]:
        """The runs of which there is a plain thing to say, but for those that are gone; and all others.

        None is plain where too many are not.
        """
        odd = [run for one in counted for run in one.odd]
        if len(odd) > MOST_ODD:
            return [], self.chosen()
        return [one for one in counted if one.plain not in (Plain.ODD, Plain.GONE)], self.chosen_among(odd)

    def chosen_among(self, runs: Sequence[RunId]) -> Iterator[ChosenRun]:
        """The runs that are named, with the evidence, in the order of `chosen`."""
        sql = f"""
            select age, unit, depth, born, r.id, {CHOSEN} and r.id in (select value from json_each(?2))
            and (age, unit, depth, born, r.id) > (?, ?, ?, ?, ?) order by age, unit, depth, born, r.id limit ?
        """  # noqa: S608  # our own words
        rows = self._pages(sql, (self._number, spaced(runs)), (-(2**63), "", *BEFORE_ALL)) if runs else ()
        return (chosen_run(unit, run, *rest) for _, unit, _, _, run, *rest in rows)


def _compared(counts: list[int | None]) -> Mapping[str, int]:
    return Counter({name: count for name, count in zip(_COUNTS, counts, strict=True) if count})
