"""The top of the page: the verdict in a sentence and in figures, and how the commands went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.database import now
from azureml_replay.archive.sessions import Session
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.three_way import ACCEPTED
from azureml_replay.connection import page_of_workspace
from azureml_replay.counting import counted, files_in_words, listed, of_source, omissions_in_words
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import Finding
from azureml_replay.planning.refused import refused_among
from azureml_replay.report_page.assets import ASSETS_SHOWN, AssetBook
from azureml_replay.report_page.choices import quiet
from azureml_replay.report_page.facts import Command, Head, Pair, RunVerdict, TreeRow
from azureml_replay.report_page.tree import Known
from azureml_replay.terminal.text import moment
from azureml_replay.verification.asset_standing import AssetsStanding
from azureml_replay.verification.found import FoundOfAll
from azureml_replay.verification.standing import earliest
from azureml_replay.verification.wording import Cause, by_size_in_words, equal_but, kind_of, sides_of, timed
from azureml_replay.version import __version__
from azureml_replay.workspace.place import Place

FINDINGS_PRINTED = 10_000
"""Findings on paper: some 200 pages. The others are counted."""
LOOSE_SHOWN = 500
"""Findings, and omissions, of no run that are shown; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is in this file."""

    left_out: int
    max_bytes: int
    sharded: bool
    blocks: int


@dataclass(slots=True)
class Sums:
    """The sums over all rows."""

    runs: int = 0
    points: int = 0
    files: int = 0
    bytes: int = 0
    findings: int = 0
    omissions: int = 0
    items_refused: int = 0
    """Those of the omissions that the target refused."""
    chosen: int = 0
    """Those of the omissions that the user asked for."""
    compared: Counter[str] = field(default_factory=Counter)
    """How much of it was compared: `points`; `files`, `own_files`, `bytes`, `unverifiable`, `read_before`."""
    read_at: Instant | None = None
    """When the bytes of those `read_before` were read."""
    left_out: int = 0
    """Runs that were left out whole: of these nothing was compared."""
    experiments_open: int = 0
    assets: AssetsStanding = field(default_factory=AssetsStanding)
    others_open: bool = False
    deleted: int = 0
    """Runs that `undo` removed for good, and that no replay created anew."""
    verdicts: Counter[RunVerdict] = field(default_factory=Counter)
    found: FoundOfAll = field(default_factory=FoundOfAll)
    """The findings, and accepted changes."""

    @classmethod
    def of(cls, rows: Iterable[TreeRow], known: Known, assets: AssetsStanding) -> Sums:
        """The sums over rows; findings and omissions that belong to no run count, too."""
        sums = cls(
            findings=known.findings + assets.findings,
            omissions=known.omissions.total() + len(assets.omissions),
            assets=assets,
            items_refused=refused_among(known.reasons + assets.reasons),
            chosen=known.chosen,
            compared=Counter(known.counts) + assets.counts,
            read_at=earliest((known.read_at, assets.read_at)),
            left_out=known.left_out,
            experiments_open=known.experiments_open,
            others_open=known.others_open,
        )
        for row in rows:
            sums.runs += 1
            sums.points += row.points
            sums.files += row.files
            sums.bytes += row.bytes
            sums.verdicts[row.verdict] += 1
        return sums


def head(
    archive: Archive,
    ledger: TargetLedger | None,
    rows: Sequence[TreeRow],
    known: Known,
    extent: Extent,
    *,
    book: AssetBook,
) -> Head:
    """The whole top of the page."""
    assets = book.standing
    sums = Sums.of(rows, known, assets)
    sums.deleted = ledger.deleted() if ledger else 0
    target = ledger.target if ledger else None
    loose = Loose.of(archive, ledger, known, {row.id for row in rows}, assets)
    sessions = [one for one in archive.sessions() if target is None or one.concerns(target)]
    busiest = next((one for one in reversed(sessions) if one.traffic), None)
    for one in ledger.findings() if ledger else ():
        sums.found.add(one)
    reasons = known.reasons + assets.reasons
    good, sentence = verdict(sums, target)
    return Head(
        version=__version__,
        made=str(now()),
        proved=str(looked) if ledger and (looked := ledger.looked_at()) else "",
        source=_end(archive, archive.source),
        target=_end(archive, target) if target else None,
        roots=(archive.content_root(), ledger.root() if ledger else ""),
        good=good,
        sentence=sentence,
        figures=_figures(sums, target),
        counts=tuple(sums.verdicts[one] for one in RunVerdict),
        reasons=tuple((why, size, quiet(why)) for why, size in reasons.most_common()),
        loose_findings=loose.findings[:LOOSE_SHOWN],
        loose_omissions=loose.omissions[:LOOSE_SHOWN],
        loose_of=(len(loose.findings), len(loose.omissions)),
        printed_findings=_printed(ledger) if ledger else (),
        accepted=tuple(islice(_accepted(ledger), FINDINGS_PRINTED)) if ledger else (),
        unknown=tuple(archive.unknown_keys()),
        commands=tuple(map(_command, sessions)),
        widths=_widths(busiest) if busiest else (),
        widths_of=f"{busiest.command}, {moment(busiest.began)}" if busiest else "",
        assets=book.shown,
        assets_of=len(book.entries),
        elsewhere=tuple(archive.outside_uses()[:ASSETS_SHOWN]),
        left_out=extent.left_out,
        max_bytes=extent.max_bytes,
        sharded=extent.sharded,
        blocks=extent.blocks,
    )


def _end(archive: Archive, workspace: Place) -> Pair:
    return str(workspace), page_of_workspace(workspace, archive.studio(workspace)) or ""


def _printed(ledger: TargetLedger) -> tuple[tuple[str, str, str, str, str], ...]:
    findings = islice((one for one in ledger.findings() if one.kind != ACCEPTED), FINDINGS_PRINTED)
    return tuple((one.run, timed(one.what), kind_of(one).value, *sides_of(one)) for one in findings)


def _accepted(ledger: TargetLedger) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Changes that somebody accepted, and that are there still: whose, what, expected, actual, by whom, when."""
    standing = {(one.run, one.what) for one in ledger.findings() if one.kind == ACCEPTED}
    for run, edit in ledger.accepted():
        if edit.accepted and (run, edit.what) in standing:
            sides = sides_of(Finding(run, edit.what, ACCEPTED, edit.expected, edit.actual))
            yield run, edit.what, *sides, edit.accepted.by, str(edit.accepted.at)


@dataclass(frozen=True, slots=True)
class Loose:
    """Findings and omissions that belong to no run of the tree."""

    findings: tuple[tuple[str, str, str, str], ...]
    omissions: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(
        cls, archive: Archive, ledger: TargetLedger | None, known: Known, ours: set[str], assets: AssetsStanding
    ) -> Loose:
        """Those of experiments, jobs without a run, runs that are not selected, assets, and the workspace."""
        every_finding = ledger.findings() if ledger else ()
        findings = [one for one in every_finding if one.run not in ours and one.kind != ACCEPTED]
        planned = ledger.planned_omissions() if ledger else ()
        every = chain(archive.omissions(), planned) if known.omissions.keys() - ours else ()
        return cls(
            tuple((timed(one.what), kind_of(one).value, *sides_of(one)) for one in findings),
            tuple((one.run, one.what, one.reason) for one in (*every, *assets.omissions) if one.run not in ours),
        )


def verdict(sums: Sums, target: Place | None) -> tuple[str, str]:
    """Whether all is equal (`yes`, `no` or `open`), and the sentence."""
    runs = counted(sums.runs, "run")
    omitted = omissions_in_words(sums.omissions, target.short if target else "", sums.items_refused)
    if target is None:
        known = counted(sums.omissions, "omission")
        return "open", f"{runs} archived; nothing has been written to a target yet. {known} known so far."
    open_runs = sums.verdicts[RunVerdict.UNVERIFIED] + sums.verdicts[RunVerdict.MISSING]
    open_items = [(open_runs, "run"), (sums.experiments_open, "experiment"), (sums.assets.not_compared, "asset")]
    others = ["what else the target holds"] if sums.others_open else []
    uncompared = listed([*(counted(*one) for one in open_items if one[0]), *others])
    left = f" Not compared: {uncompared}." if uncompared else ""
    left += f" undo --delete removed {counted(sums.deleted, 'run')} from the target." if sums.deleted else ""
    compared = sums.verdicts[RunVerdict.EQUAL] + sums.verdicts[RunVerdict.OMISSIONS] - sums.left_out
    compared += sums.assets.equal
    if sums.findings:
        found = f"{counted(sums.findings, 'finding')} {_where_found(sums, f' of {sums.runs:,}')}"
        return "no", f"Not equal: {found}: {sums.found.in_words(None)}.{left}"
    if uncompared:
        return "open", f"Not proven yet.{left}" + (" No finding in the others." if compared else "")
    if not compared:
        refused = f" {counted(sums.left_out, 'run')} left out: the reasons stand below." if sums.left_out else ""
        return "open", f"Nothing was there to compare.{refused}"
    planned = f"but for {omitted}" if sums.omissions else "nothing was left out"
    points = counted(sums.compared["points"], "point")
    files = files_in_words(sums.compared["files"], sums.compared["own_files"])
    by_size = by_size_in_words(sums.compared["unverifiable"], sums.compared["read_before"], sums.read_at)
    equal = equal_but(sums.found.causes[Cause.ACCEPTED]).capitalize()
    runs += f", {sums.left_out:,} of them left out" if sums.left_out else ""
    points = f"{counted(sums.assets.equal, 'asset')}, {points}" if sums.assets.equal else points
    whole = f"{equal}: {runs}, {points} and {files} were read back and compared, {planned}."
    return "yes", whole + (f" {by_size}." if by_size else "")


def _figures(sums: Sums, target: Place | None) -> tuple[tuple[str, float, str], ...]:
    held = (
        ("runs", sums.runs, ""),
        ("points", sums.points, "rows of metrics"),
        ("files", sums.files, ""),
        ("bytes", sums.bytes, "of the files"),
    )
    if target is None:
        return (*held, ("omissions known", sums.omissions, "so far; a plan has those of its target too"))
    return (
        ("runs", sums.runs, ""),
        ("points compared", sums.compared["points"], f"{sums.points:,} in the archive"),
        ("files compared", sums.compared["files"], f"with those that replay made; {of_source(sums.files)}"),
        ("bytes", sums.compared["bytes"], "of those files"),
        ("equal runs", sums.verdicts[RunVerdict.EQUAL], "in all that was chosen"),
        ("omitted", sums.omissions, _omitted(sums)),
        *(
            (("accepted", sums.found.causes[Cause.ACCEPTED], "changes in the target"),)
            if sums.found.causes[Cause.ACCEPTED]
            else ()
        ),
        ("findings", sums.findings, _where_found(sums)),
    )


def _where_found(sums: Sums, of_runs: str = "") -> str:
    """In how many runs and assets something differs; experiments, and runs that are nobody's, are neither."""
    runs, assets = sums.verdicts[RunVerdict.DIFFERS], len(list(sums.assets.differing()))
    told = [f"{counted(runs, 'run')}{of_runs}"] if runs else []
    told += [counted(assets, "asset")] if assets else []
    return f"in {listed(told or [counted(0, 'run')])}" if told or not sums.findings else "of no run"


def _omitted(sums: Sums) -> str:
    asked = f"{sums.chosen:,} of them as flags asked, " if sums.chosen else ""
    return f"as planned, {asked}for the reasons below"


def _command(one: Session) -> Command:
    return Command(
        command=one.command,
        began=str(one.began),
        outcome=one.outcome,
        seconds=round((one.ended.ticks - one.began.ticks) / TICKS_PER_SECOND, 1),
        parts=tuple((part.verb, part.seconds, dict(part.counts)) for part in one.parts),
        requests=sum(told.requests for told in one.traffic.values()),
        refused=sum(told.refused for told in one.traffic.values()),
    )


def _widths(one: Session) -> tuple[tuple[str, int, int, tuple[tuple[int, int], ...]], ...]:
    return tuple(
        (name, told.requests, told.refused, tuple((at, width) for at, width in told.widths))
        for name, told in sorted(one.traffic.items())
    )
