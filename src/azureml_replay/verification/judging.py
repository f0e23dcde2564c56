"""What becomes of each item that should be in the target: a judgement by the evidence that is kept of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from azureml_replay.archive.asset_receipts import owner_of_topic
from azureml_replay.archive.evidence import OTHERS, Aspect, ChosenRun, Compared, Kept, Topic, Way
from azureml_replay.archive.items import ExperimentItem, RunItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.model import RunId
from azureml_replay.planning.experiments import OWNER
from azureml_replay.planning.plan import LEFT, TAKEN, is_left
from azureml_replay.verification.standing import Item, Part, Standing, earliest

NOT_EXTRACTED = "not extracted: extract again to continue"
CHANGED = "changed at the source, and not extracted since: extract again to continue"
NEVER = "not looked at since it was sent"
OTHER_CONTENT = "compared with what the archive held before the last extract"
INTERRUPTED = "the verification that was to look at it was interrupted"
UNREAD = "files were sent over such as differed byte by byte: verify --deep reads them back"
NEVER_SENT = "never sent, or taken back, and not looked for since"
"""Reasons for which something is not compared."""


def items(ledger: TargetLedger, roots: Collection[RunId] | None = None, *, deep: bool = False) -> Iterator[Item]:
    """Every run that should be in the target, of these units or of all; then experiments; then what is beside them."""
    return judged(ledger, ledger.chosen(roots), set(), deep=deep, whole=roots is None)


def judged(
    ledger: TargetLedger, runs: Iterable[ChosenRun], experiments: set[str], *, deep: bool, whole: bool = True
) -> Iterator[Item]:
    """These runs; then the experiments, which carry runs that stand as they were; `whole`: what is beside them, too.

    A job makes its experiment, and carries nothing of it.
    """
    judge = Judge(ledger, deep=deep)
    homes: set[str] = set()
    """Of root runs that stand as jobs."""
    for unit in _by_unit(runs):
        # Of a unit that stands as a job alone, a run that came to the archive later should be in that job.
        usual = list(dict.fromkeys(way for run in unit for way in _ways(run))) or [Way.RUN]
        for run in unit:
            if run.extracted or not run.gone:
                ways = _ways(run) or usual
                if Way.RUN in ways and run.extracted and not _is_left(run):
                    experiments.add(run.experiment)
                if Way.JOB in ways and run.run == run.unit and run.extracted:
                    homes.add(run.experiment)
                yield judge.run(run, ways)
    if whole:
        experiments = experiments | {item.name for item in ledger.receipts(OWNER) if isinstance(item, ExperimentItem)}
    for name in sorted(experiments):
        yield judge.experiment(name, Way.EXPERIMENT)
    for name in sorted(homes):
        yield judge.experiment(name, Way.HOME)
    if whole and experiments:
        yield judge.others()


def _ways(run: ChosenRun) -> list[Way]:
    """In which a run was to be carried; where that was taken back, those in which it was looked for."""
    return [way for way, kept in run.kept.items() if kept.carried is not None] or list(run.kept)


def _is_left(run: ChosenRun) -> bool:
    return Way.RUN in run.kept and is_left(run.kept[Way.RUN].carried)


def _by_unit(runs: Iterable[ChosenRun]) -> Iterator[list[ChosenRun]]:
    """The runs unit by unit, in their order. The ids and the evidence of one unit are in memory."""
    unit: list[ChosenRun] = []
    for run in runs:
        if unit and unit[0].unit != run.unit:
            yield unit
            unit = []
        unit.append(run)
    if unit:
        yield unit


class Judge:
    """Judges one item at a time."""

    def __init__(self, ledger: TargetLedger, *, deep: bool) -> None:
        """Reads which findings there are."""
        self.ledger, self.deep = ledger, deep
        self.looks = ledger.open_looks()
        self.found: dict[Topic, Counter[Aspect]] = {}
        self.unread = frozenset(ledger.runs_with(RunItem.UNREAD))
        self.accepted = Counter[Topic]()
        for subject, aspect, finding in ledger.findings_about():
            if finding.kind == ACCEPTED:
                self.accepted[subject] += 1
            else:
                self.found.setdefault(subject, Counter())[aspect] += 1

    def run(self, run: ChosenRun, ways: Sequence[Way]) -> Item:
        """One run, in every way in which it should be there."""
        subject = Topic(Way.RUN, run.run)
        if not run.extracted:
            return Item(subject=subject, standing=Standing.NOT_COMPARED, reason=NOT_EXTRACTED)
        parts = [self._part(run, way) for way in ways]
        counts = Counter[str]()
        for part in parts:
            counts.update(part.counts)
        worst = min(parts, key=lambda part: _WORST.index(part.standing))
        reason = next((part.reason for part in parts if part.standing is Standing.NOT_COMPARED), worst.reason)
        findings = sum(part.findings for part in parts)
        accepted = sum(part.accepted for part in parts)
        standing = worst.standing
        if run.pending and not run.gone:
            reason, standing = CHANGED, Standing.DIFFERS if findings else Standing.NOT_COMPARED
        return Item(
            subject=subject,
            standing=standing,
            reason=reason,
            findings=findings,
            accepted=accepted,
            refused=worst.refused,
            counts=counts,
            parts=[one for part in parts for one in part.parts],
            read_at=earliest(part.read_at for part in parts),
        )

    def _part(self, run: ChosenRun, way: Way) -> Item:
        subject = Topic(way, run.run)
        kept = run.kept.get(way) or Kept(subject, None, {})
        if isinstance(kept.carried, Mapping) and LEFT in kept.carried:
            reason = str(kept.carried[LEFT])
            refused = way is Way.RUN and reason != TAKEN
            return Item(subject=subject, standing=Standing.LEFT, reason=reason, refused=refused)
        aspects = [Aspect.FIELDS, Aspect.POINTS, Aspect.FILES]
        if way is Way.JOB and run.run == run.unit:
            aspects.append(Aspect.CHILDREN)
        unread = way is Way.RUN and run.run in self.unread
        if self.deep or unread or self.found.get(subject, Counter())[Aspect.BYTES]:
            aspects.append(Aspect.BYTES)
        content = self.ledger.content_carried(run.content, kept.carried)
        return self._item(kept, dict.fromkeys(aspects, content), unit=run.unit)

    def experiment(self, name: str, way: Way) -> Item:
        """An experiment's own values, and that nobody else put anything below our runs, or beside our jobs, in it."""
        kept = self.ledger.kept(Topic(way, name))
        against = {Aspect.FIELDS: self.ledger.content_of_experiment(name), Aspect.CHILDREN: self.families}
        return self._item(kept, against, experiment=name)

    def asset(self, subject: Topic, content: str, *, files: bool = True) -> Item:
        """What runs refer to; `content` stands for all that is to be there of it. A name has no files."""
        aspects = [Aspect.FIELDS, Aspect.FILES] if files else [Aspect.FIELDS]
        if (files and self.deep) or self.found.get(subject, Counter())[Aspect.BYTES]:
            aspects.append(Aspect.BYTES)
        return self._item(self.ledger.kept(subject), dict.fromkeys(aspects, content), unit=owner_of_topic(subject))

    def others(self) -> Item:
        """What the target's other experiments have below runs of ours."""
        return self._item(self.ledger.kept(OTHERS), {Aspect.CHILDREN: self.families})

    @cached_property
    def families(self) -> str:
        """With which runs of ours in mind the children of runs have to be looked at."""
        return self.ledger.content_of_families()

    def _item(
        self,
        kept: Kept,
        against: Mapping[Aspect, str],
        *,
        unit: RunId | None = None,
        experiment: str | None = None,
    ) -> Item:
        findings = sum(self.found.get(kept.subject, Counter()).values())
        part = self._aspects(kept, against, unit, experiment)
        reason, counts = next(filter(None, part.open.values()), ""), Counter[str]()
        for told_of in part.counts.values():
            counts.update(told_of)
        counts["unverifiable"] = part.counts.get(Aspect.FILES, {}).get("unverifiable", 0)
        read = kept.compared.get(Aspect.BYTES)
        read_at = None
        if read is not None and self._is_current(kept, Aspect.BYTES, against.get(Aspect.FIELDS, ""), unit):
            unknown = read.counts.get("unverifiable", 0)
            if _is_of_last_look(kept):
                counts["unverifiable"] = unknown
            elif counts["unverifiable"] > unknown:
                counts["read_before"], read_at = counts["unverifiable"] - unknown, read.at
        standing = Standing.DIFFERS if findings else Standing.NOT_COMPARED if reason else Standing.EQUAL
        return Item(
            subject=kept.subject,
            standing=standing,
            reason=reason,
            findings=findings,
            accepted=self.accepted[kept.subject],
            counts=counts,
            parts=(part,),
            read_at=read_at,
        )

    def _aspects(self, kept: Kept, against: Mapping[Aspect, str], unit: RunId | None, experiment: str | None) -> Part:
        left, counts = dict[Aspect, str](), dict[Aspect, Mapping[str, int]]()
        for aspect, content in against.items():
            compared = kept.compared.get(aspect)
            why = self._why_not(compared, aspect, content, unit, experiment)
            if aspect is Aspect.BYTES and why == NEVER and kept.subject.name in self.unread:
                why = UNREAD
            of_unit = unit is not None and kept.subject.way is not Way.ASSET
            left[aspect] = NEVER_SENT if why == NEVER and kept.carried is None and of_unit else why
            if compared is not None and not why:
                counts[aspect] = compared.counts
        return Part(kept.subject, left, counts)

    def _is_current(self, kept: Kept, aspect: Aspect, content: str, unit: RunId | None) -> bool:
        compared = kept.compared.get(aspect)
        return compared is not None and not self._why_not(compared, aspect, content, unit, None)

    def _why_not(
        self, compared: Compared | None, aspect: Aspect, content: str, unit: str | None, experiment: str | None
    ) -> str:
        if compared is None:
            return NEVER
        if compared.against != content:
            return OTHER_CONTENT
        left = any(look.left(aspect, compared, unit=unit, experiment=experiment) for look in self.looks)
        return INTERRUPTED if left else ""


def _is_of_last_look(kept: Kept) -> bool:
    """True where the bytes were read by the look that compared the list of files last, or since."""
    files, read = kept.compared.get(Aspect.FILES), kept.compared.get(Aspect.BYTES)
    return read is not None and (files is None or read.look >= files.look)


_WORST = (Standing.DIFFERS, Standing.NOT_COMPARED, Standing.EQUAL, Standing.LEFT)
