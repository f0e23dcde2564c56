"""Every item's verdict, one by one: what `verify --combined` and `--differ` write, by the fold that judges all of it.

Streams: in memory are the ids and the evidence of one family of runs, and the plan of one run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Way, run_of
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.rows import series_name
from azureml_replay.comparison.shown import shown
from azureml_replay.comparison.three_way import ACCEPTED, LOST, REMOVED
from azureml_replay.model import Finding, Omission, RunId, Series
from azureml_replay.planning.plan import Step, plan_units, some_units
from azureml_replay.selection import Selection
from azureml_replay.target.profile import known_profile
from azureml_replay.verification.assets import TO_COMPARE, AssetsStanding
from azureml_replay.verification.judging import NEVER, NOT_EXTRACTED, items
from azureml_replay.verification.standing import Item, Part, Standing
from azureml_replay.verification.wording import is_no_run, kind_of, sides_of, timed


class Said(StrEnum):
    """The verdict on one item."""

    EQUAL = "equal"
    DIFFERS = "differs"
    MISSING = "missing"
    EXTRA = "extra"
    ACCEPTED = "accepted"
    OMITTED = "omitted"
    NOT_COMPARED = "not compared"


DIFFER = frozenset({Said.DIFFERS, Said.MISSING, Said.EXTRA, Said.NOT_COMPARED})
"""What `--differ` lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """One item and its verdict."""

    verdict: Said
    level: str
    """`run`, `aspect`, `metric`, `file`, `value`, `experiment`, `asset` or `workspace`."""
    run: str = ""
    """The run's id in the source; nothing where it is about none."""
    name: str = ""
    """Its display name."""
    way: str = ""
    """`run`: as it was; `job`: as a job."""
    item: str = ""
    expected: str = ""
    actual: str = ""
    why: str = ""
    """Why it is not compared or omitted, or what kind of finding it is."""
    since: str = ""
    """For a change by somebody in the target: when it was not there yet (UTC)."""


def each(
    archive: Archive, ledger: TargetLedger, selection: Selection = Selection(), *, deep: bool = False
) -> Iterator[ItemLine]:
    """The verdict on everything that was planned and is chosen, whenever it was compared. Asks nobody, writes nothing.

    Arguments and errors are those of `verdict`.
    """
    roots = some_units(archive, selection)
    steps = _Steps(archive, ledger, roots)
    for item in items(ledger, roots, deep=deep):
        if item.subject.way is Way.RUN:
            step = steps.of(run_of(item.subject)) if item.reason != NOT_EXTRACTED else None
            yield from _Run(archive, ledger, item, step).lines()
        else:
            yield from _beside(ledger, item)
    yield from _of_assets(AssetsStanding.of(archive, ledger, selection))
    if roots is None:
        for omission in (*archive.omissions(), *ledger.planned_omissions()):
            if not omission.run:
                yield _omitted(omission)


class _Steps:
    """The plan of each run, asked for in the order in which verdicts come, which is the plan's own."""

    def __init__(self, archive: Archive, ledger: TargetLedger, roots: Collection[RunId] | None) -> None:
        self._coming = plan_units(archive, roots, None, known_profile(ledger))
        self._waiting: dict[RunId, Step] = {}

    def of(self, run: RunId) -> Step | None:
        """None for one without content; what was passed over waits."""
        if run in self._waiting:
            return self._waiting.pop(run)
        for step in self._coming:
            if step.source == run:
                return step
            self._waiting[step.source] = step
        return None


@dataclass(frozen=True, slots=True)
class _Run:
    archive: Archive
    ledger: TargetLedger
    item: Item
    step: Step | None

    @property
    def run(self) -> RunId:
        return run_of(self.item.subject)

    def lines(self) -> Iterator[ItemLine]:
        """The run as a whole, then what is known of its parts, then what it will not have."""
        name = (self.step.run.display_name if self.step else None) or ""
        verdict = self._whole(self.ledger.findings_of_run(self.run))
        yield ItemLine(verdict=verdict, level="run", run=self.run, name=name, item="run", why=self.item.reason)
        for part in self.item.parts:
            yield from self._part(part)
        omissions = (*self.archive.omissions_of(self.run), *self.ledger.planned_omissions_of(self.run))
        yield from (_omitted(one) for one in omissions if one.what != "run")

    def _whole(self, findings: Iterable[Finding]) -> Said:
        if any(map(is_no_run, findings)):
            return Said.MISSING
        if self.item.standing is Standing.EQUAL and self.item.accepted:
            return Said.ACCEPTED
        return _STANDINGS[self.item.standing]

    def _part(self, part: Part) -> Iterator[ItemLine]:
        found = {aspect: self.ledger.findings_of(part.subject, aspect) for aspect in Aspect}
        if any(is_no_run(one) for one in found[Aspect.FIELDS]):
            yield from self._lacking(part)
            return
        for aspect, why in part.open.items():
            yield self._line(part, _of_aspect(why, found[aspect]), "aspect", aspect.value, why)
        yield from (self._finding(part, one, "value") for one in found[Aspect.FIELDS])
        yield from self._metrics(part, part.open.get(Aspect.POINTS, ""), found[Aspect.POINTS])
        yield from self._files(part, part.open.get(Aspect.FILES, ""), [*found[Aspect.FILES], *found[Aspect.BYTES]])
        yield from (self._finding(part, one, "run") for one in found[Aspect.CHILDREN])

    def _lacking(self, part: Part) -> Iterator[ItemLine]:
        """Of a run that is not there nothing is."""
        metrics = [series_name(series) for series, _ in self.step.series] if self.step else []
        for level, names in (
            ("aspect", [aspect.value for aspect in part.open]),
            ("metric", metrics if part.subject.way is Way.RUN else []),
            ("file", [path for path, _ in self._planned(part)]),
        ):
            yield from (self._line(part, Said.MISSING, level, name, "") for name in names)

    def _metrics(self, part: Part, why: str, findings: Sequence[Finding]) -> Iterator[ItemLine]:
        """A line for each planned metric, and one for each row that differs."""
        for series, _ in self.step.series if self.step and part.subject.way is Way.RUN else ():
            found = [one for one in findings if _is_of(one, series)]
            yield self._line(part, _of_aspect(why, found), "metric", series_name(series), why)
        yield from (self._finding(part, one, "value") for one in findings)

    def _files(self, part: Part, why: str, findings: Sequence[Finding]) -> Iterator[ItemLine]:
        """A line for each planned file, and for each that nobody planned. Of a job only those with findings."""
        found, named = {one.what: one for one in reversed(findings)}, set[str]()
        for path, alone in self._planned(part):
            names = [redact.text(shown(f"file {path}{end}")) for end in _ENDS]
            mine = [found[name] for name in names if name in found]
            named.update(names)
            if mine:
                yield self._finding(part, mine[0], "file")
            else:
                yield self._line(part, _of_aspect(why, ()), "file", path, why or alone)
        yield from (self._finding(part, one, "file") for name, one in found.items() if name not in named)

    def _planned(self, part: Part) -> Iterator[tuple[str, str]]:
        """Path of each file that should be there, and what its being equal is worth."""
        if self.step is None or part.subject.way is not Way.RUN:
            return
        read = part.open.get(Aspect.BYTES) == ""
        for one in self.step.planned_files(self.archive):
            stored = one.artifact.stored if one.artifact else None
            if one.omission is None and (one.made or stored):
                yield one.path, BY_SIZE if stored and stored.md5 is None and not read else ""

    def _line(self, part: Part, verdict: Said, level: str, item: str, why: str) -> ItemLine:
        return ItemLine(verdict=verdict, level=level, run=self.run, way=part.subject.way.value, item=item, why=why)

    def _finding(self, part: Part, finding: Finding, level: str) -> ItemLine:
        return _told(finding, level, run=self.run, way=part.subject.way.value)


BY_SIZE = "by its size alone: the source has no checksum"
_ENDS = ("", ": index entry", ": bytes")
"""What follows a file's path in findings."""
_STANDINGS: Mapping[Standing, Said] = {
    Standing.EQUAL: Said.EQUAL,
    Standing.DIFFERS: Said.DIFFERS,
    Standing.LEFT: Said.OMITTED,
    Standing.NOT_COMPARED: Said.NOT_COMPARED,
}
_KINDS: Mapping[str, Said] = {
    **dict.fromkeys(("absent", LOST, REMOVED), Said.MISSING),
    "extra": Said.EXTRA,
    ACCEPTED: Said.ACCEPTED,
}


def _of_aspect(why: str, findings: Sequence[Finding]) -> Said:
    if any(one.kind != ACCEPTED for one in findings):
        return Said.DIFFERS
    if why:
        return Said.NOT_COMPARED
    return Said.ACCEPTED if findings else Said.EQUAL


def _is_of(finding: Finding, series: Series) -> bool:
    """A row of another metric whose name begins alike counts too: what is called equal is equal."""
    name = redact.text(series_name(series))
    return f"metric {name}" in finding.what


def _beside(ledger: TargetLedger, item: Item) -> Iterator[ItemLine]:
    """An experiment, or what is beside all of them."""
    level = "workspace" if item.subject.way is Way.OTHERS else "experiment"
    name, findings = item.subject.name, ledger.findings_of(item.subject)
    yield ItemLine(verdict=_STANDINGS[item.standing], level=level, item=name or "other experiments", why=item.reason)
    yield from (_told(one, "run" if one.what.startswith(("run ", "job ")) else "value") for one in findings)


def _of_assets(assets: AssetsStanding) -> Iterator[ItemLine]:
    """A line for each that is to be compared, its findings, and those that are not there."""
    for receipt in (*assets.receipts, *assets.names):
        if receipt.state in TO_COMPARE:
            compared = assets.is_compared(receipt)
            seen, why = (Said.EQUAL, "") if compared else (Said.NOT_COMPARED, NEVER)
            yield ItemLine(
                verdict=Said.DIFFERS if receipt.found else seen, level="asset", item=str(receipt.key), why=why
            )
            yield from (_told(one, "value") for one in receipt.found)
    yield from map(_omitted, assets.omissions)


def _told(finding: Finding, level: str, run: str = "", way: str = "") -> ItemLine:
    expected, actual = sides_of(finding)
    return ItemLine(
        verdict=_KINDS.get(finding.kind, Said.DIFFERS),
        level=level,
        run=run,
        way=way,
        item=timed(finding.what).removeprefix("file " if level == "file" else ""),
        expected=expected,
        actual=actual,
        why=kind_of(finding).value,
        since="" if finding.since is None else str(finding.since),
    )


def _omitted(one: Omission) -> ItemLine:
    level, _, path = one.what.partition(" ")
    if level not in ("file", "metric"):
        level, path = "value", one.what
    return ItemLine(verdict=Said.OMITTED, level=level, run=one.run, item=path, why=one.reason)
