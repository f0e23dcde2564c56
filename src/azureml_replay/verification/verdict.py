"""The verdict: a fold over what was planned and chosen, by the evidence of each item; never over what was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from azureml_replay.archive.alike import Alike, Plain
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import OTHERS, Topic, Way, run_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.errors import Exit
from azureml_replay.instants import Instant
from azureml_replay.model import RunId
from azureml_replay.planning.experiments import OWNER
from azureml_replay.planning.plan import some_units
from azureml_replay.planning.refused import NEW_IDS, refused_among
from azureml_replay.selection import Selection
from azureml_replay.verification.asset_standing import AssetsStanding
from azureml_replay.verification.found import FoundOfAll
from azureml_replay.verification.judging import NEVER, NEVER_SENT, NOT_EXTRACTED, OTHER_CONTENT, items, judged
from azureml_replay.verification.standing import Item, Standing, earliest
from azureml_replay.verification.wording import Cause, Told, told

NameOf = Callable[[RunId], str]
"""The display name of a run, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was to be compared, and what came of it."""

    runs: int
    """Runs that were planned and chosen."""
    equal: int
    differing: int
    """Runs with findings."""
    left_out: int
    """Runs of which, as planned, nothing was to be carried: each is an omission."""
    not_compared: int
    """Runs that were never looked at, or not since they changed; they may have findings too."""
    experiments_not_compared: int
    uncompared: Mapping[str, int]
    """Reason -> number of runs, experiments and assets that are not compared, and once for what else is there."""
    points: int
    """Points that were compared, whenever that was; so are the files and the bytes."""
    files: int
    """Files compared, `own_files` among them."""
    own_files: int
    """Files that replay made, below `replay/` of their run; the others are the source's."""
    bytes: int
    unverifiable: int
    """Files without a checksum on one of the sides, whose bytes the last look did not read; `deep` does."""
    omissions: int
    """As planned: each is listed with its reason."""
    findings: int
    """Differences of any kind, without those that were accepted."""
    reasons: Mapping[str, int]
    """Omissions by reason."""
    items_refused: int = 0
    """Those among the omissions that the target refused."""
    read_before: int = 0
    """Of the unverifiable ones, those whose bytes an earlier look had read, and found equal."""
    read_at: Instant | None = None
    """When that was, the oldest of these moments."""
    refused: int = 0
    """Of the runs that are left out, those that the target would not have, themselves or for what is above them."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """Keys of the service that this version does not know, as `run novelty`: what they say was not compared."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Findings by kind."""
    groups: Mapping[str, int] = field(default_factory=dict)
    """The same by what people can do about them, in the words of headings."""
    first: Sequence[Told] = ()
    """Some of each kind, in words too; the archive has all."""
    faults: int = 0
    """Findings that nobody's edit explains: what was to be carried is not as it should be."""
    changes: int = 0
    """Findings that are proven to be somebody's: the target was seen to have what was sent, and has something else."""
    since: Instant | None = None
    """When none of these changes was there yet."""
    unseen: int = 0
    """Findings that may be either: not as sent, and nobody looked since."""
    accepted: int = 0
    """Changes by somebody that were accepted: no findings, and told all the same."""
    others_not_compared: bool = False
    """The target's other experiments were not looked through for what somebody put below runs of ours."""
    assets: int = 0
    """Assets that were to be there: of these so many were compared, and are equal:"""
    assets_equal: int = 0
    assets_not_compared: int = 0
    accepted_now: Sequence[Told] = ()
    """Those that the call accepted, each."""

    @property
    def complete(self) -> bool:
        """Nothing that was planned and chosen is missing from the comparison."""
        runs = self.not_compared or self.experiments_not_compared or self.others_not_compared
        return not (runs or self.assets_not_compared)

    @property
    def proves(self) -> bool:
        """Something was compared, nothing is missing from it, and all is equal but for what was accepted."""
        return self.equal + self.assets_equal > 0 and self.complete and not self.findings

    @property
    def exit(self) -> Exit:
        """What a command that ends with this verdict ends with: differences before what was not compared.

        Where the target refused every run nothing was compared: that is no success.
        """
        if self.findings:
            return Exit.FINDINGS
        return Exit.OK if self.complete and not self.none_taken else Exit.SERVICE

    @property
    def none_taken(self) -> bool:
        """The target refused every run that was not left out for another reason."""
        return self.refused > 0 and not self.equal and not self.differing

    @property
    def wants_new_ids(self) -> bool:
        """The target took no run, and the ids alone may be why."""
        return self.none_taken and any(NEW_IDS in why for why in self.reasons)


def verdict(
    archive: Archive, ledger: TargetLedger, selection: Selection = Selection(), *, deep: bool = False
) -> Verdict:
    """What the evidence says now of everything that was planned and is chosen. Asks nobody, writes nothing.

    `deep`: bytes have to be compared too; otherwise where a finding about bytes stands. Raises UserError for a
    selection that names something that is not there.
    """
    roots = some_units(archive, selection)
    if roots is None and not deep:
        return verdict_of_all(archive, ledger, ledger.alike())
    fold = _Fold(
        names=None if roots is None else {OWNER},
        assets=AssetsStanding.of(archive, ledger, selection, deep=deep),
    )
    for item in items(ledger, roots, deep=deep):
        fold.add(item)
    omissions = chain(archive.omissions(), ledger.planned_omissions())
    reasons = Counter(one.reason for one in omissions if fold.names is None or one.run in fold.names)
    reasons += fold.omitted()
    return fold.verdict(ledger, reasons, archive.unknown(), _names(archive))


def verdict_of_all(archive: Archive, ledger: TargetLedger, counted: Sequence[Alike]) -> Verdict:
    """The verdict of everything: what is alike was counted together, and every other item is judged."""
    fold = _Fold(names=None, assets=AssetsStanding.of(archive, ledger, Selection()))
    plain, odd = ledger.apart(counted)
    for one in plain:
        fold.add_alike(one)
    experiments = {one.experiment for one in plain if one.plain in _IN_EXPERIMENTS}
    for item in judged(ledger, odd, experiments, deep=False):
        fold.add(item)
    reasons = Counter(archive.omission_reasons()) + Counter(ledger.planned_omission_reasons()) + fold.omitted()
    return fold.verdict(ledger, reasons, archive.unknown(), _names(archive))


def _names(archive: Archive) -> NameOf:
    def name_of(run: RunId) -> str:
        known = archive.run(run) if run else None
        return (known.display_name if known else None) or ""

    return name_of


@dataclass(slots=True)
class _Fold:
    names: set[str] | None
    """The chosen runs and the empty id, where not all are chosen."""
    standings: Counter[Standing] = field(default_factory=Counter)
    runs: int = 0
    runs_open: int = 0
    experiments_open: set[str] = field(default_factory=set)
    """Names: one that carries runs and jobs is looked at for both."""
    others_open: bool = False
    uncompared: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    accepted: int = 0
    read_at: Instant | None = None
    differing: set[Topic] = field(default_factory=set)
    assets: AssetsStanding = field(default_factory=AssetsStanding)

    def omitted(self) -> Counter[str]:
        """Reasons why assets are not there, or not whole."""
        return self.assets.reasons

    def add(self, item: Item) -> None:
        is_run = item.subject.way in (Way.RUN, Way.JOB)
        if is_run:
            self.runs += 1
            self.standings[item.standing] += 1
            if self.names is not None:
                self.names.add(item.subject.name)
        self.refused += item.refused
        if item.findings:
            self.differing.add(item.subject)
        if item.reason and item.standing is not Standing.LEFT:
            self._leave_open(item, is_run=is_run)
        self.accepted += item.accepted
        self.counts.update(item.counts)
        self.read_at = earliest((self.read_at, item.read_at))

    def _leave_open(self, item: Item, *, is_run: bool) -> None:
        if item.subject == OTHERS:
            self.others_open = True
        elif is_run:
            self.runs_open += 1
        elif item.subject.name in self.experiments_open:
            return
        else:
            self.experiments_open.add(item.subject.name)
        self.uncompared[item.reason] += 1

    def add_alike(self, alike: Alike) -> None:
        """As if each of these runs were added."""
        standing, reason = _PLAINLY[alike.plain]
        self.runs += alike.runs
        self.standings[standing] += alike.runs
        if reason:
            self.uncompared[reason] += alike.runs
            self.runs_open += alike.runs
        self.counts.update(alike.counts)
        self.read_at = earliest((self.read_at, alike.read_at))

    def _add_assets(self) -> None:
        self.differing.update(one.subject for one in self.assets.differing())
        self.uncompared += self.assets.open
        self.counts += self.assets.counts
        self.read_at = earliest((self.read_at, self.assets.read_at))

    def verdict(
        self, ledger: TargetLedger, reasons: Counter[str], unknown: Mapping[str, int], name_of: NameOf
    ) -> Verdict:
        self._add_assets()
        found = self._found(ledger)
        return Verdict(
            runs=self.runs,
            equal=self.standings[Standing.EQUAL],
            differing=self.standings[Standing.DIFFERS],
            left_out=self.standings[Standing.LEFT],
            not_compared=self.runs_open,
            experiments_not_compared=len(self.experiments_open),
            others_not_compared=self.others_open,
            uncompared=dict(self.uncompared),
            points=self.counts["points"],
            files=self.counts["files"],
            own_files=self.counts["own_files"],
            bytes=self.counts["bytes"],
            unverifiable=self.counts["unverifiable"],
            read_before=self.counts["read_before"],
            read_at=self.read_at,
            refused=self.refused,
            omissions=reasons.total(),
            findings=found.kinds.total(),
            reasons=dict(reasons),
            items_refused=refused_among(reasons),
            unknown=unknown,
            kinds=dict(found.kinds),
            groups={kind.value: count for kind, count in found.groups.items()},
            first=tuple(told(one, name_of(one.run)) for one in found.shown),
            faults=found.causes[Cause.FAULT],
            changes=found.causes[Cause.CHANGE],
            since=found.since,
            unseen=found.causes[Cause.UNSEEN],
            accepted=self.accepted,
            assets=self.assets.compared,
            assets_equal=self.assets.equal,
            assets_not_compared=self.assets.not_compared,
        )

    def _found(self, ledger: TargetLedger) -> FoundOfAll:
        found, runs = FoundOfAll(), {one.name for one in self.differing if one.way in (Way.RUN, Way.JOB)}
        for subject, _, finding in ledger.findings_about() if self.differing else ():
            chosen = (subject.name in runs) if run_of(subject) else (subject in self.differing)
            if chosen and finding.kind != ACCEPTED:
                found.add(finding)
        return found


_PLAINLY: Mapping[Plain, tuple[Standing, str]] = {
    Plain.EQUAL: (Standing.EQUAL, ""),
    Plain.OTHER: (Standing.NOT_COMPARED, OTHER_CONTENT),
    Plain.UNSEEN: (Standing.NOT_COMPARED, NEVER),
    Plain.UNSENT: (Standing.NOT_COMPARED, NEVER_SENT),
    Plain.LISTED: (Standing.NOT_COMPARED, NOT_EXTRACTED),
}
"""What the judge says of such a run."""
_IN_EXPERIMENTS = frozenset({Plain.EQUAL, Plain.OTHER, Plain.UNSEEN, Plain.UNSENT})
"""Runs that stand, or should stand, as they were."""
