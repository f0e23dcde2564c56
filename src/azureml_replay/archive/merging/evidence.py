"""What was compared in a target: each aspect as whoever looked later saw it, where it is here as it was looked at.

A look counts where nothing was sent that its side does not know of, and where the archive now holds what it was
compared with. Findings of a side that has no such look of its own stand until somebody looks again. Where the other
side looked later and found something, or began to and was interrupted, ours is old, whatever becomes of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from azureml_replay.archive.canonical import document_cell
from azureml_replay.archive.evidence import OTHERS, Aspect, Compared, Kept, Look, Topic, Way
from azureml_replay.archive.items import ExperimentItem, ValueItem
from azureml_replay.archive.merging.assets import AssetLedgers
from azureml_replay.archive.merging.both import columns
from azureml_replay.archive.merging.receipts import EVERYONE, MergedReceipts, ReceiptRow, SentBy, sent_by
from azureml_replay.archive.records import dumps
from azureml_replay.archive.sums import ROOT_PART
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.model import Json, RunId
from azureml_replay.planning.plan import FILES, SHOWS, as_carried, is_left
from azureml_replay.workspace.place import Place

OF_EXPERIMENT = "experiment "
"""Before the name of an experiment, where values of runs and experiments lie together."""
FindingRow = tuple[str, str, str, str]
"""What, kind, expected, actual."""
_CELLS = tuple(aspect.value for aspect in Aspect)


@dataclass(frozen=True, slots=True)
class TopicRows:
    """What one ledger says of a topic."""

    kept: Kept
    findings: Mapping[Aspect, Sequence[FindingRow]]

    @property
    def empty(self) -> bool:
        """Nothing was ever sent or seen."""
        return self.kept.carried is None and not self.kept.compared and not any(self.findings.values())


@dataclass(slots=True)
class MergedTopic:
    """What is to be kept of a topic."""

    carried: Json | None = None
    compared: dict[Aspect, Compared] = field(default_factory=dict)
    findings: dict[Aspect, Sequence[FindingRow]] = field(default_factory=dict)
    from_theirs: set[Aspect] = field(default_factory=set)
    """Aspects of which the other side tells."""


class EvidenceFold(AssetLedgers):
    """The part of a merge about looks. One target at a time, which `begin_target` names."""

    def begin_target(self, target: Place, here: int, there: int) -> None:
        """Bring its looks that ended. One that was interrupted there leaves what it did not come to not compared."""
        self.here, self.there = here, there
        self.ours, self.theirs = TargetLedger(self.folder, self._db, target), self.other.ledger(target)
        self.open_ours, self.open_theirs = self.ours.open_looks(), self.theirs.open_looks()
        self.began, self.began_there = (
            dict(self._all(f"select number, began from {archive}.look where target = ? and ended is null", (target,)))  # noqa: S608
            for archive, target in self._sides()
        )
        self.__dict__.pop("families", None)
        cells = "began, ended, aspects, units, experiments"
        known = {tuple(row): number for number, *row in self._looks("main", here)}
        self.looks: dict[int, int] = {}
        for number, *row in self._looks("theirs", there):
            if tuple(row) not in known:
                put = self._execute(f"insert into look (target, {cells}) values (?, ?, ?, ?, ?, ?)", (here, *row))  # noqa: S608
                known[tuple(row)] = int(put.lastrowid or 0)
            self.looks[number] = known[tuple(row)]

    def _looks(self, archive: str, target: int) -> list[tuple[int, str, str, str, str | None, str | None]]:
        sql = f"select number, began, ended, aspects, units, experiments from {archive}.look"  # noqa: S608
        return self._all(f"{sql} where target = ? and ended is not null order by number", (target,))

    # Topics

    def fold_evidence_of(self, run: RunId, found: MergedReceipts | None) -> None:
        """One run, in both ways in which it may stand; without `found` all that is known of it came from there."""
        for way in (Way.RUN, Way.JOB):
            sent = found.ways[way is Way.JOB] if found else EVERYONE
            topic = self._fold(Topic(way, run), sent)
            if way is Way.RUN and found and topic:
                self._fold_edits(run, came=Aspect.FIELDS in topic.from_theirs)
                if Aspect.POINTS in topic.from_theirs:
                    self._replace_rows("target_points", "run = ?", (run,))

    def fold_evidence_beside(self, before: Sequence[ReceiptRow]) -> None:
        """Experiments, by receipts as ours had them `before`, homes of jobs, and all other experiments."""
        receipts = [self.receipts_of(archive, number, "") for archive, number in self._sides()]
        sql = "select way, whose from theirs.evidence where target = ? and way in ('experiment', 'home', 'others')"
        for way, name in self._all(f"{sql} order by way, whose", (self.there,)):
            topic, sent = Topic(Way(way), name), EVERYONE
            if topic.way is Way.EXPERIMENT:
                now, theirs = ([row for row in rows if _is_of(row, name)] for rows in receipts)
                sent = sent_by([row for row in before if _is_of(row, name)], theirs, now)
            merged = self._fold(topic, sent)
            if topic.way is Way.EXPERIMENT and merged:
                self._fold_edits(f"{OF_EXPERIMENT}{name}", came=Aspect.FIELDS in merged.from_theirs)
        self._fold_assets()

    def _fold_assets(self) -> None:
        """What either saw of assets last, since they were sent; and what either chose."""
        sent = self.fold_asset_receipts(self.here, self.there)
        if chosen := self.theirs.asset_choices():
            self.ours.put_asset_choices(chosen)
        if stores := self.theirs.stores():
            self.ours.put_stores({**stores, **self.ours.stores()})
        if earlier := self.theirs.earlier_assets():
            ours = {one.there: one for one in self.ours.earlier_assets()}
            self.ours.put_earlier_assets(list({**{one.there: one for one in earlier}, **ours}.values()))
        sql = "select whose from theirs.evidence where target = ? and way = 'asset' and whose <> '' order by whose"
        for (name,) in self._all(sql, (self.there,)):
            self._fold(Topic(Way.ASSET, name), sent.get(name, EVERYONE))
        for name, one in sent.items():
            self._drop_before(name, one.newest)

    def _drop_before(self, name: str, newest: int) -> None:
        """Looks that are older than what was written last: nobody has looked since."""
        topic = Topic(Way.ASSET, name)
        kept = self.ours.kept(topic)
        left = {aspect: one for aspect, one in kept.compared.items() if one.at.ticks >= newest}
        for table in ("evidence", "finding", "planned_omission") if len(left) < len(kept.compared) else ():
            sql = f"delete from {table} where target = ? and way = ? and whose = ?"  # noqa: S608  # our tables
            self._execute(sql, (self.here, topic.way.value, name))

    def receipts_of(self, archive: str, target: int, name: str) -> list[ReceiptRow]:
        """Of a run, or of no run."""
        sql = f"select {', '.join(ReceiptRow._fields)} from {archive}.receipt where target = ? and run = ?"  # noqa: S608
        return [ReceiptRow(*row) for row in self._all(f"{sql} order by item", (target, name))]

    def _sides(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return ("main", self.here), ("theirs", self.there)

    def _fold(self, topic: Topic, sent: SentBy) -> MergedTopic | None:
        """None where the other ledger says nothing, and ours stays as it is."""
        ours, theirs = self._rows(topic, self.ours.kept(topic), 0), self._rows(topic, self.theirs.kept(topic), 1)
        if theirs.empty and sent.ours:
            return None
        if sent.taken_back and not sent.ours:
            ours = TopicRows(Kept(topic, None, {}), {})
        if sent.taken_back and not sent.theirs:
            theirs = TopicRows(Kept(topic, None, {}), {})
        merged = MergedTopic(_joined(ours.kept.carried, theirs.kept.carried))
        for aspect in Aspect:
            self._choose(aspect, ours, theirs, sent, merged)
        self._put(topic, merged)
        if ours.empty or Aspect.FIELDS in merged.from_theirs:
            key = (topic.way.value, topic.name)
            self._replace_rows("planned_omission", "way = ? and whose = ?", key)
        return merged

    def _rows(self, topic: Topic, kept: Kept, side: int) -> TopicRows:
        archive, target = self._sides()[side]
        sql = f"select aspect, what, kind, expected, actual from {archive}.finding where target = ? and way = ?"  # noqa: S608
        rows = self._all(f"{sql} and whose = ? order by aspect, number", (target, topic.way.value, topic.name))
        found: dict[Aspect, list[FindingRow]] = {}
        for aspect, *row in rows:
            found.setdefault(Aspect(aspect), []).append((row[0], row[1], row[2], row[3]))
        return TopicRows(kept, found)

    def _choose(self, aspect: Aspect, ours: TopicRows, theirs: TopicRows, sent: SentBy, merged: MergedTopic) -> None:
        """The later look of those that count, with its findings."""
        one, other = ours.kept.compared.get(aspect), theirs.kept.compared.get(aspect)
        come = self._as_here(theirs.kept, aspect, other, sent) if other else None
        stays = one if one and sent.our_look_counts(one.at.ticks) else None
        found, there = ours.findings.get(aspect, ()), theirs.findings.get(aspect, ())
        if come and (stays is None or stays.at < come.at):
            merged.compared[aspect] = come
            merged.from_theirs.add(aspect)
            merged.findings[aspect] = _once(there, () if one else found)
            return
        later = other is not None and bool(there) and (one is None or one.at < other.at)
        if stays and not later and not self._is_left_there(ours.kept.subject, aspect, stays):
            merged.compared[aspect] = stays
        about_the_same = other is None or (later and self._is_same(theirs.kept, aspect))
        merged.findings[aspect] = _once(found, there if ours.empty or about_the_same else ())

    # Does a look count?

    def _as_here(self, kept: Kept, aspect: Aspect, look: Compared, sent: SentBy) -> Compared | None:
        """A look of theirs, in the numbers and contents of here; None where it does not count."""
        if not sent.their_look_counts(look.at.ticks) or self._is_left(kept.subject, aspect, look):
            return None
        if look.against != self._content(self.theirs, kept, aspect) or not self._is_same(kept, aspect):
            return None
        against, number = self._content(self.ours, kept, aspect), self.looks.get(look.look)
        return replace(look, against=against, look=number) if number is not None else None

    def _content(self, ledger: TargetLedger, kept: Kept, aspect: Aspect) -> str:
        """What an aspect has to be compared with."""
        topic = kept.subject
        if topic.way is Way.ASSET:  # a value alone, the same in every archive: a verdict holds it against what is here
            return kept.compared[aspect].against
        if topic.way in (Way.RUN, Way.JOB):
            return ledger.content_carried(ledger.content_of(RunId(topic.name)), kept.carried)
        if aspect is Aspect.CHILDREN:
            return self.families[ledger is self.theirs]
        return ledger.content_of_experiment(topic.name)

    def _is_same(self, kept: Kept, aspect: Aspect) -> bool:
        """True where it is here as it is there, whichever zlib compressed it."""
        topic = kept.subject
        if topic.way is Way.ASSET:
            return True
        if topic.way in (Way.RUN, Way.JOB):
            owner = kept.carried.get(SHOWS) if isinstance(kept.carried, Mapping) else None
            return self.is_same_run(topic.name) and (owner is None or self.is_same_run(str(owner)))
        if aspect is Aspect.CHILDREN:
            return self.families[0] == self.families[1]
        return self.is_same_experiment(topic.name)

    @cached_property
    def families(self) -> tuple[str, str]:
        """Of the runs that are here by now, and of theirs."""
        return self.ours.content_of_families(), self.theirs.content_of_families()

    def is_same_experiment(self, name: str) -> bool:
        """True where the archives hold the same of an experiment itself."""
        return self._experiment("main", name) == self._experiment("theirs", name)

    def is_same_run(self, run: str) -> bool:
        """True where the archives hold the same of a run and its job."""
        one, other = (self._run(archive, run) for archive in ("main", "theirs"))
        return one == other

    def _run(self, archive: str, run: str) -> Sequence[object]:
        row = self._one(
            f"select substr(content_digest, 1, {ROOT_PART}), j.record, j.code "  # noqa: S608  # our own words
            f"from {archive}.run r left join {archive}.job j on j.name = r.id where r.id = ?",
            (run,),
        )
        if row is None:
            return ()
        digest, record, code = row
        return digest, None if record is None else document_cell(record), code

    def _experiment(self, archive: str, name: str) -> Sequence[object]:
        rows = self._all(f"select id, record from {archive}.experiment where name = ? order by id", (name,))  # noqa: S608
        return [(identity, document_cell(record)) for identity, record in rows]

    def _is_left(self, topic: Topic, aspect: Aspect, look: Compared) -> bool:
        """True where a verification that was interrupted was to look at it anew: theirs after it, or ours."""
        if not self.open_ours and not self.open_theirs:
            return False
        unit, experiment = self._about(topic)
        if any(one.left(aspect, look, unit=unit, experiment=experiment) for one in self.open_theirs):
            return True
        return self._is_before(topic, aspect, look, self.open_ours, self.began)

    def _is_left_there(self, topic: Topic, aspect: Aspect, look: Compared) -> bool:
        """The same of a look of ours: a verification of theirs that began after it was interrupted."""
        return self._is_before(topic, aspect, look, self.open_theirs, self.began_there)

    def _is_before(
        self, topic: Topic, aspect: Aspect, look: Compared, opened: Sequence[Look], began: Mapping[int, str]
    ) -> bool:
        """True where one of the other side's verifications that did not end began after a look, and was about it."""
        later = [one for one in opened if str(look.at) < began[one.number]]
        if not later:
            return False
        unit, experiment = self._about(topic)
        before = replace(look, look=-1)  # numbers of two ledgers say nothing of each other
        return any(one.left(aspect, before, unit=unit, experiment=experiment) for one in later)

    def _about(self, topic: Topic) -> tuple[str | None, str | None]:
        """The unit of a run, or the name of an experiment."""
        is_run = topic.way in (Way.RUN, Way.JOB)
        unit = self._one("select unit from theirs.run where id = ?", (topic.name,)) if is_run else None
        return unit and unit[0], None if is_run or topic == OTHERS else topic.name

    # Rows

    def _put(self, topic: Topic, merged: MergedTopic) -> None:
        key = (self.here, topic.way.value, topic.name)
        cells = [_cell(merged.compared.get(aspect)) for aspect in Aspect]
        carried = None if merged.carried is None else dumps(merged.carried).decode()
        self._execute(
            f"insert or replace into evidence (target, way, whose, carried, {', '.join(_CELLS)}) "  # noqa: S608
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, carried, *cells),
        )
        self._execute("delete from finding where target = ? and way = ? and whose = ?", key)
        rows = [
            (*key, aspect.value, number, *finding)
            for aspect, findings in merged.findings.items()
            for number, finding in enumerate(findings)
        ]
        self._executemany("insert into finding values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _replace_rows(self, table: str, which: str, values: Sequence[str]) -> None:
        """Theirs in place of ours, as they are."""
        self._execute(f"delete from {table} where target = ? and {which}", (self.here, *values))  # noqa: S608
        names = ", ".join(name for name in columns(table) if name != "target")
        self._execute(
            f"insert into {table} (target, {names}) select ?, {names} from theirs.{table} where target = ? and {which}",  # noqa: S608
            (self.here, self.there, *values),
        )

    def _fold_edits(self, run: str, *, came: bool) -> None:
        """What somebody changed, as the later look at its fields saw it; what either side accepted of it stays so."""
        said = self._accepted(run)
        if came:
            self._replace_rows("edit", "run = ?", (run,))
        for what, sent, wanted, found, by, at in said:
            self._execute(
                "update edit set accepted_by = ?, accepted_at = ? where target = ? and run = ? and what = ? "
                "and (sent, wanted, found) = (?, ?, ?) and accepted_at is null",
                (by, at, self.here, run, what, sent, wanted, found),
            )
        self._execute(
            f"""
            update finding set kind = '{ACCEPTED}' where target = ?1 and aspect = 'fields' and kind <> '{ACCEPTED}'
            and ?2 = case way when 'run' then whose when 'experiment' then '{OF_EXPERIMENT}' || whose end
            and whose = ?3 and what in (
              select what from edit where target = ?1 and run = ?2 and accepted_at is not null
            )
            """,  # noqa: S608  # our own words
            (self.here, run, run.removeprefix(OF_EXPERIMENT)),
        )

    def _accepted(self, run: str) -> list[tuple[object, ...]]:
        told = "select what, sent, wanted, found, accepted_by, accepted_at from {0}.edit where target = ? and run = ?"
        return [
            row
            for archive, target in self._sides()
            for row in self._all(f"{told.format(archive)} and accepted_at is not null", (target, run))
        ]


def _joined(ours: Json | None, theirs: Json | None) -> Json | None:
    """What was to go, by either."""
    if ours is None or theirs is None or is_left(theirs):
        return theirs if ours is None else ours
    if is_left(ours):
        return theirs
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping) or FILES not in theirs:
        return ours
    joined = as_carried(ours).joined(as_carried(theirs))
    return ours if joined == as_carried(ours) else {**theirs, **ours, FILES: joined.to_json()}


def _once(findings: Sequence[FindingRow], more: Sequence[FindingRow]) -> Sequence[FindingRow]:
    """With those of the others that are about something else."""
    known = {what for what, *_ in findings}
    return [*findings, *(one for one in more if one[0] not in known)]


def _cell(look: Compared | None) -> str | None:
    if look is None:
        return None
    told: dict[str, Json] = {"against": look.against, "look": look.look, "at": look.at.ticks, "counts": {**look.counts}}
    return dumps(told).decode()


def _is_of(row: ReceiptRow, experiment: str) -> bool:
    """True for what was sent of an experiment itself."""
    item = row.read
    if isinstance(item, ValueItem):
        return item.experiment == experiment
    return item == ExperimentItem(experiment)
