"""What was to be carried into a target, what of it was compared, and what came of that: a row a run and way.

A row begins when something is sent, and says what was to go. Each aspect that is compared apart has a column, which a
look fills: against which content, when, how much. Whatever is sent empties the columns of its run, so a filled one is
about what is there now, as far as this archive knows. Findings stand until their aspect is looked at again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Any

from azureml_replay import redact
from azureml_replay.archive.cells import CARRIED, read_back, shaped
from azureml_replay.archive.database import now
from azureml_replay.archive.edits import Edits
from azureml_replay.archive.reading import BEFORE_ALL, GONE_FROM_SOURCE
from azureml_replay.archive.records import dumps, loads
from azureml_replay.archive.stand_ins import content_of_both, content_of_cells, digest_of_cells
from azureml_replay.comparison.three_way import ACCEPTED, Fate
from azureml_replay.instants import Instant
from azureml_replay.model import Finding, Json, Omission, RunId
from azureml_replay.planning.plan import SHOWS


class Way(Enum):
    """How something stands in a target. The value is the text on the disk."""

    RUN = "run"
    """As the run it was."""
    JOB = "job"
    """As a job that logged what the original had logged."""
    EXPERIMENT = "experiment"
    HOME = "home"
    """An experiment in which jobs stand: it carries nothing, and must hide none of them nor have one twice."""
    OTHERS = "others"
    """Experiments of the target that the archive does not have: no run of ours may have got a child there."""
    ASSET = "asset"
    """What runs refer to; the one without a name says which choices were made of them."""


class Aspect(Enum):
    """What is compared apart. The value is the name of its column."""

    FIELDS = "fields"
    POINTS = "points"
    FILES = "files"
    """Which files there are, their sizes and checksums."""
    BYTES = "bytes"
    CHILDREN = "children"
    """That there is nothing below which nobody sent."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a row of evidence is about."""

    way: Way
    name: str
    """A run's id in the source, an experiment's or an asset's name, or nothing."""


OTHERS = Topic(Way.OTHERS, "")


@dataclass(frozen=True, slots=True)
class Compared:
    """One aspect of a subject, as it was looked at last."""

    against: str
    """Stands for the archive's content at that time: `Evidence.content` makes it."""
    look: int
    """The verification's number."""
    at: Instant
    counts: Mapping[str, int] = field(default_factory=dict)
    """How much was compared: `points`; `files`, `own_files`, `bytes`, `unverifiable`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The evidence of one subject."""

    subject: Topic
    carried: Json | None
    """What was to go, as `carry` was given it; None where nothing was sent."""
    compared: Mapping[Aspect, Compared]


@dataclass(frozen=True, slots=True)
class Look:
    """A verification that began and did not end: what it was to look at and did not is not compared."""

    number: int
    aspects: frozenset[Aspect]
    units: frozenset[str] | None
    """Roots of the units that it was about; None: all."""
    experiments: frozenset[str] | None
    """Names; None: all."""

    def left(self, aspect: Aspect, compared: Compared, *, unit: str | None, experiment: str | None) -> bool:
        """True where this verification was to look at an aspect anew, of a unit or of an experiment, and did not."""
        if compared.look >= self.number or aspect not in self.aspects:
            return False
        if unit is not None:
            return self.units is None or unit in self.units
        return self.experiments is None or (experiment is not None and experiment in self.experiments)


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """A run of the archive that should be in a target, with the evidence of it."""

    run: RunId
    unit: RunId
    experiment: str
    extracted: bool
    pending: bool
    """The source listed it as new or changed, and it was not extracted since."""
    gone: bool
    """The source does not have it any more."""
    content: str
    kept: Mapping[Way, Kept]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at one aspect found."""

    findings: Sequence[Finding] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    part: bool = False
    """True where only a part of the aspect was looked at, which compares nothing as a whole."""
    names: frozenset[str] = frozenset()
    """What findings about the files that were looked at are called; of other aspects none."""


_COLUMNS = tuple(aspect.value for aspect in Aspect)
_OF_WAY = f"""
    (select json_array(carried, {", ".join(_COLUMNS)}) from evidence e
     where e.target = ?1 and e.way = '{{}}' and e.whose = r.id)
"""  # noqa: S608  # our own words
_OF_BOTH_WAYS = ", ".join(_OF_WAY.format(way.value) for way in (Way.RUN, Way.JOB))
CHOSEN = f"""
    experiment, generation, content_digest, j.record, j.code,
    r.state = 'listed', exists ({GONE_FROM_SOURCE}), {_OF_BOTH_WAYS}
    from run r left join job j on j.name = r.id where selected
"""  # our own words
_PLANNED = """
    from planned_omission p where target = ? and not (way = 'job' and exists (
      select 1 from planned_omission o where o.target = p.target and o.way = 'run' and o.whose = p.whose
      and o.what = p.what and o.reason = p.reason
    ))
"""
_BEFORE_ALL_UNITS = (-(2**63), "", *BEFORE_ALL)


class Evidence(Edits):
    """The part of a target's ledger that replay begins, verify fills, and every verdict reads."""

    def carry(self, carried: Mapping[RunId, Json], way: Way, *, anew: bool = False) -> None:
        """Note what is about to be sent of runs: nothing of it counts as compared any more. Repeatable.

        Findings about bytes stand until bytes are looked at again; `anew`: none does. On the disk when this returns.
        """
        if not carried:
            return
        with self._transaction(durable=True):
            owner = self._owner()
            rows = [(owner, way.value, run, dumps(what).decode()) for run, what in carried.items()]
            self._executemany("insert or replace into evidence (target, way, whose, carried) values (?, ?, ?, ?)", rows)
            self._executemany(
                "delete from finding where target = ? and way = ? and whose = ? and (? or aspect <> 'bytes')",
                ((*row[:3], anew) for row in rows),
            )

    def carried(self, runs: Sequence[RunId], way: Way = Way.RUN) -> dict[RunId, Json]:
        """Run -> what `carry` noted; runs of which it noted nothing are left out."""
        rows = self._among(
            "select whose, carried from evidence where whose in",
            runs,
            "and target = ? and way = ? and carried is not null",
            (self._number, way.value),
        )
        return {RunId(run): loads(carried) for run, carried in rows}

    def drop_evidence(self, names: Iterable[str], way: Way) -> None:
        """Forget what was to be carried, and what was found, of what is taken back or written anew. Repeatable."""
        with self._transaction(durable=True):
            rows = [(self._owner(), way.value, name) for name in names]
            if way is Way.RUN:
                self._forget_edits(name for _, _, name in rows)
            for table in ("evidence", "finding", "planned_omission"):
                sql = f"delete from {table} where target = ? and way = ? and whose = ?"  # noqa: S608  # our tables
                self._executemany(sql, rows)

    # Looking

    def begin_look(
        self, aspects: Collection[Aspect], units: Collection[str] | None, experiments: Collection[str] | None
    ) -> int:
        """Note which aspects of which units and experiments are looked at from now on; None: of all. Its number.

        Among the units stand the owners of the files of assets that are looked at, too.
        """
        lists = [[one.value for one in aspects], units, experiments]
        told = [None if names is None else dumps(sorted(names)).decode() for names in lists]
        with self._transaction(durable=True):
            sql = "insert into look (target, began, aspects, units, experiments) values (?, ?, ?, ?, ?)"
            return int(self._execute(sql, (self._owner(), str(now()), *told)).lastrowid or 0)

    def end_look(self, number: int) -> None:
        """Note that everything was looked at. Repeatable."""
        with self._transaction():
            self._execute("update look set ended = ? where number = ?", (str(now()), number))

    def open_looks(self) -> list[Look]:
        """Verifications that did not end."""
        sql = "select number, aspects, units, experiments from look where target = ? and ended is null"
        return [
            Look(number, frozenset(map(Aspect, loads(aspects))), _names(units), _names(experiments))
            for number, aspects, units, experiments in self._all(sql, (self._number,))
        ]

    def looked_at(self) -> Instant | None:
        """When the newest verification that came to its end ended; None where none did."""
        ended: str | None = self._one("select max(ended) from look where target = ?", (self._number,))[0]
        with read_back("the end of a verification"):
            return Instant.parse(ended) if ended else None

    def put_outcomes(
        self, subject: Topic, look: int, against: Mapping[Aspect, str], outcomes: Mapping[Aspect, Looked]
    ) -> None:
        """Replace what is known of these aspects of a subject; of the others it stays. Repeatable.

        `against` stands for what each aspect was compared with.
        """
        at = now().ticks
        with self._transaction():
            key = (self._owner(), subject.way.value, subject.name)
            self._execute("insert or ignore into evidence (target, way, whose) values (?, ?, ?)", key)
            seen = {aspect: outcome.counts for aspect, outcome in outcomes.items() if not outcome.part}
            cells = {
                aspect.value: dumps({"against": against[aspect], "look": look, "at": at, "counts": counts}).decode()
                for aspect, counts in seen.items()
            }
            if cells:
                columns = ", ".join(f"{name} = ?" for name in cells)
                sql = f"update evidence set {columns} where target = ? and way = ? and whose = ?"  # noqa: S608
                self._execute(sql, (*cells.values(), *key))
            for aspect, outcome in outcomes.items():
                self._put_findings((*key, aspect.value), outcome.findings)

    def _put_findings(self, key: tuple[int, str, str, str], findings: Sequence[Finding]) -> None:
        self._execute("delete from finding where target = ? and way = ? and whose = ? and aspect = ?", key)
        for number, one in enumerate(findings):
            what, *shown = self.words(one.what, one.expected, one.actual)
            row = (*key, number, what, one.kind, *shown)
            self._execute("insert into finding values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    # Reading

    def kept(self, subject: Topic) -> Kept:
        """The evidence of one subject; without a row nothing was sent, and nothing looked at."""
        sql = f"select carried, {', '.join(_COLUMNS)} from evidence where target = ? and way = ? and whose = ?"  # noqa: S608
        row = self._one(sql, (self._number, subject.way.value, subject.name))
        return _kept(subject, row or [None] * (1 + len(_COLUMNS)))

    def subjects(self, way: Way) -> Iterator[Topic]:
        """Everything of which there is evidence in one way, by name."""
        sql = "select whose from evidence where target = ? and way = ? and whose > ? order by whose limit ?"
        return (Topic(way, name) for (name,) in self._pages(sql, (self._number, way.value), ("",)))

    def chosen(self, roots: Iterable[RunId] | None = None) -> Iterator[ChosenRun]:
        """The runs that the target should have, of these units or of all, with the evidence; unit by unit.

        Runs that are to be extracted still are among them.
        """
        if roots is not None:
            return (one for root in roots for one in self._chosen_of(root))
        sql = f"""
            select age, unit, depth, born, r.id, {CHOSEN} and (age, unit, depth, born, r.id) > (?, ?, ?, ?, ?)
            order by age, unit, depth, born, r.id limit ?
        """  # our own words
        rows = self._pages(sql, (self._number,), _BEFORE_ALL_UNITS)
        return (chosen_run(unit, run, *rest) for _, unit, _, _, run, *rest in rows)

    def _chosen_of(self, root: RunId) -> Iterator[ChosenRun]:
        sql = f"""
            select depth, born, r.id, {CHOSEN} and age = (select age from run where id = ?2) and unit = ?2
            and (depth, born, r.id) > (?, ?, ?) order by depth, born, r.id limit ?
        """  # noqa: S608  # our own words
        rows = self._pages(sql, (self._number, root), BEFORE_ALL)
        return (chosen_run(root, run, *rest) for _, _, run, *rest in rows)

    def content_of(self, run: RunId) -> str:
        """Stands for everything that the archive holds of a run."""
        sql = "select content_digest, j.record, j.code from run r left join job j on j.name = r.id where r.id = ?"
        row = self._one(sql, (run,))
        return content_of_cells(*row) if row else ""

    def content_carried(self, content: str, carried: Json | None) -> str:
        """The same as `content` of a run, and for what it shows of another one, by what `carry` noted of it."""
        owner = carried.get(SHOWS) if isinstance(carried, Mapping) else None
        return content_of_both(content, self.content_of(RunId(str(owner)))) if owner else content

    def content_of_experiment(self, name: str) -> str:
        """Stands for everything that the archive holds of an experiment itself."""
        rows = self._all("select id, record from experiment where name = ? order by id", (name,))
        return digest_of_cells(*(cell for row in rows for cell in row))

    def content_of_families(self) -> str:
        """Stands for which runs the archive has, and which of the target's they are: others below them are extra."""
        told = blake2b(digest_size=12)
        for sql, values in (
            ("select id, '' from run where generation > 0 and id > ? order by id limit ?", ()),
            ("select run, target_run from binding where target = ? and run > ? order by run limit ?", (self._number,)),
        ):
            with read_back("which runs stand for which"):
                for pair in self._pages(sql, values, ("",)):
                    told.update(dumps(list(pair)))
        return told.hexdigest()

    # Findings

    def findings(self) -> Iterator[Finding]:
        """All findings, by what they are about."""
        return (finding for _, _, finding in self.findings_about())

    def findings_about(self) -> Iterator[tuple[Topic, Aspect, Finding]]:
        """All findings with what they are about, in the order of that."""
        sql = f"""
            select way, whose, aspect, number, what, kind, expected, actual, {_SINCE} from finding f
            where target = ? and (way, whose, aspect, number) > (?, ?, ?, ?) order by way, whose, aspect, number limit ?
        """  # noqa: S608  # our own words
        for way, whose, aspect, _, *rest in self._pages(sql, (self._number,), ("", "", "", -1)):
            subject = Topic(Way(way), whose)
            yield subject, Aspect(aspect), _finding(subject, *rest)

    def findings_of(self, subject: Topic, aspect: Aspect | None = None) -> list[Finding]:
        """The findings about one subject, or about one aspect of it; in the order in which verify made them."""
        rows = self._all(
            f"select what, kind, expected, actual, {_SINCE} from finding f where target = ? and way = ? and whose = ? "  # noqa: S608
            "and ifnull(?, aspect) = aspect order by aspect, number",
            (self._number, subject.way.value, subject.name, aspect and aspect.value),
        )
        return [_finding(subject, *row) for row in rows]

    def findings_of_run(self, run: RunId) -> list[Finding]:
        """The findings about a run, in whatever way it stands in the target."""
        return [one for way in (Way.RUN, Way.JOB) for one in self.findings_of(Topic(way, run))]

    # What the target will not have, as planned

    def put_planned_omissions(self, subject: Topic, omissions: Iterable[Omission]) -> None:
        """Replace what the plan says that the target will not have of a subject. Repeatable."""
        with self._transaction():
            key = (self._owner(), subject.way.value, subject.name)
            self._execute("delete from planned_omission where target = ? and way = ? and whose = ?", key)
            for number, one in enumerate(dict.fromkeys(omissions)):
                words = redact.text(one.what), redact.text(one.reason)
                self._execute("insert into planned_omission values (?, ?, ?, ?, ?, ?)", (*key, number, *words))

    def planned_omissions(self) -> Iterator[Omission]:
        """All planned omissions, by what they are of; one that both ways of a run share once."""
        sql = f"select way, whose, number, what, reason {_PLANNED} and (way, whose, number) > (?, ?, ?)"
        sql += " order by way, whose, number limit ?"
        for way, whose, _, what, reason in self._pages(sql, (self._number,), ("", "", -1)):
            yield Omission(run_of(Topic(Way(way), whose)), what, reason)

    def planned_omission_reasons(self) -> dict[str, int]:
        """Reason -> number of `planned_omissions`."""
        return dict(self._all(f"select reason, count(*) {_PLANNED} group by reason", (self._number,)))

    def planned_omissions_of(self, run: RunId) -> list[Omission]:
        """The planned omissions of one run, those that two ways share once."""
        sql = """
            select what, reason from planned_omission where target = ? and whose = ? and way in ('run', 'job')
            order by way desc, number
        """
        return list(dict.fromkeys(Omission(run, *row) for row in self._all(sql, (self._number, run))))


def run_of(subject: Topic) -> RunId:
    """The run that a subject is; of no run the empty id."""
    return RunId(subject.name if subject.way in (Way.RUN, Way.JOB) else "")


_SINCE = f"""
    (select since from edit e where e.target = f.target and e.what = f.what
     and e.run = case f.way when 'run' then f.whose else f.way || ' ' || f.whose end
     and f.kind in ('{Fate.EDITED.value}', '{Fate.CONFLICT.value}', '{ACCEPTED}'))
"""  # noqa: S608  # our own words


def _finding(subject: Topic, *row: Any) -> Finding:  # noqa: ANN401  # a row
    what, kind, expected, actual, since = row
    return Finding(run_of(subject), what, kind, expected, actual, None if since is None else Instant(since))


def _names(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(loads(text))


def chosen_run(unit: str, run: str, *rest: Any) -> ChosenRun:  # noqa: ANN401  # a row
    """A row of the columns `CHOSEN`."""
    experiment, generation, digest, record, code, pending, gone, *ways = rest
    kept = {
        way: _kept(Topic(way, run), loads(cells))
        for way, cells in zip((Way.RUN, Way.JOB), ways, strict=True)
        if cells is not None
    }
    return ChosenRun(
        run=RunId(run),
        unit=RunId(unit),
        experiment=experiment,
        extracted=generation > 0,
        pending=bool(pending),
        gone=bool(gone),
        content=content_of_cells(digest, record, code),
        kept=kept,
    )


def _kept(subject: Topic, cells: Sequence[str | None]) -> Kept:
    carried, *columns = cells
    whose = f"{subject.way.value} {subject.name}"
    with read_back(f"the evidence of {whose}"):
        compared = {
            aspect: _compared(loads(cell)) for aspect, cell in zip(Aspect, columns, strict=True) if cell is not None
        }
        return Kept(subject, None if carried is None else shaped(loads(carried), CARRIED, whose), compared)


def _compared(cell: Any) -> Compared:  # noqa: ANN401  # a document of `put_outcomes`
    return Compared(cell["against"], cell["look"], Instant(cell["at"]), cell["counts"])
