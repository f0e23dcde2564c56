"""The tree of runs, worst first: every run one row, parents right before their children."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import OTHERS, Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.instants import TICKS_PER_SECOND, Instant
from azureml_replay.model import Run, RunId
from azureml_replay.progress import Progress
from azureml_replay.report_page.choices import by_choice, quiet
from azureml_replay.report_page.facts import Index, RunVerdict, TreeRow
from azureml_replay.selection import TYPES
from azureml_replay.verification.judging import items
from azureml_replay.verification.standing import Item, Standing, earliest
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True)
class Known:
    """The evidence by run; an item that is no run is an experiment, or the workspace."""

    items: Mapping[str, Item]
    """Of runs, by their ids."""
    others: Sequence[Item]
    omissions: Counter[str]
    quiet: Counter[str]
    """Those of the omissions that change no run's verdict."""
    reasons: Counter[str]
    """Reason -> number of omissions."""
    counts: Counter[str]
    """How much was compared, by the names of `Item.counts`."""

    @classmethod
    def of(cls, archive: Archive, ledger: TargetLedger | None) -> Known:
        """What a ledger's evidence says; without one only what no target will have."""
        omissions, unworried, reasons = Counter[str](), Counter[str](), Counter[str]()
        for omission in chain(archive.omissions(), ledger.planned_omissions() if ledger else archive.named_outputs()):
            omissions[omission.run] += 1
            unworried[omission.run] += quiet(omission.reason)
            reasons[omission.reason] += 1
        found: dict[str, Item] = {}
        others, counts = list[Item](), Counter[str]()
        for item in items(ledger) if ledger else ():
            counts.update(item.counts)
            if item.subject.way is Way.RUN:
                found[item.subject.name] = _of_row(item)
            else:
                others.append(item)
        return cls(found, others, omissions, unworried, reasons, counts)

    @property
    def chosen(self) -> int:
        """Omissions that the user asked for."""
        return sum(size for reason, size in self.reasons.items() if by_choice(reason))

    @property
    def read_at(self) -> Instant | None:
        """When the bytes of files that are counted as `read_before` were read."""
        return earliest(item.read_at for item in chain(self.items.values(), self.others))

    @property
    def findings(self) -> int:
        """Of everything."""
        return sum(item.findings for item in chain(self.items.values(), self.others))

    @property
    def left_out(self) -> int:
        """Runs of which nothing was to be carried, or was taken: nobody compared them."""
        return sum(item.standing is Standing.LEFT for item in self.items.values())

    @property
    def verified(self) -> frozenset[str]:
        """Runs of which everything was compared."""
        compared = (Standing.EQUAL, Standing.DIFFERS)
        return frozenset(run for run, item in self.items.items() if item.standing in compared and not item.reason)

    @property
    def experiments_open(self) -> int:
        """Experiments that are not compared; one that carries runs and jobs is one."""
        return len({item.subject.name for item in self.others if item.reason and item.subject != OTHERS})

    @property
    def others_open(self) -> bool:
        """True where what else the target holds is not looked through."""
        return any(item.reason and item.subject == OTHERS for item in self.others)


def _of_row(item: Item) -> Item:
    """What rows and details ask of it: with what was compared, aspect by aspect, 100,000 take 150 MB more."""
    unknown = item.counts.get("unverifiable", 0)
    return replace(item, counts={"unverifiable": unknown} if unknown else _NOTHING, parts=())


_NOTHING: Mapping[str, int] = {}


WORDS = {kind: word for word, kinds in TYPES.items() for kind in kinds if kind}
"""`runType` in lower case -> the word that `--type` takes."""


def rows(archive: Archive, target: Place | None, known: Known, progress: Progress) -> list[TreeRow]:
    """Every selected run, about 1 KB each, in the order of the page."""
    found: dict[str, TreeRow] = {}
    for run, extracted in archive.overview():
        row = _row(run)
        item = known.items.get(run.id)
        row.findings, row.accepted = (item.findings, item.accepted) if item else (0, 0)
        row.omissions, row.quiet = known.omissions[run.id], known.quiet[run.id]
        row.verdict = _verdict(row, item, extracted=extracted, target=target)
        found[run.id] = row
        progress.done("runs read")
    for run_id, holding in archive.holdings():
        row = found[run_id]
        row.series, row.points, row.files, row.bytes = holding.series, holding.points, holding.files, holding.bytes
    return list(_in_order(found))


def _row(run: Run) -> TreeRow:
    start, end = run.start or run.created, run.end
    return TreeRow(
        id=run.id,
        name=run.display_name or "",
        parent=run.parent,
        experiment=run.experiment,
        status=run.status,
        kind=WORDS.get((run.kind or "").lower(), run.kind or "mlflow"),
        start=_seconds(start),
        seconds=(end.ticks - start.ticks) / TICKS_PER_SECOND if start and end else None,
    )


def _seconds(moment: Instant | None) -> float | None:
    return round(moment.ticks / TICKS_PER_SECOND, 3) if moment else None


def _verdict(row: TreeRow, item: Item | None, *, extracted: bool, target: Place | None) -> RunVerdict:
    if row.findings:
        return RunVerdict.DIFFERS
    if not extracted:
        return RunVerdict.MISSING
    if target is None:
        return RunVerdict.ARCHIVED
    if item is None or item.standing is Standing.NOT_COMPARED:
        return RunVerdict.UNVERIFIED
    return RunVerdict.OMISSIONS if row.omissions > row.quiet or item.standing is Standing.LEFT else RunVerdict.EQUAL


def _in_order(found: dict[str, TreeRow]) -> Iterator[TreeRow]:
    """The rows, families with the worst run first, and so for siblings; equally bad ones keep the archive's order."""
    children: dict[str | None, list[TreeRow]] = {}
    for row in found.values():
        above = row.parent if row.parent in found and row.parent != row.id else None
        row.parent = above
        children.setdefault(above, []).append(row)
    worst = {row.id: row.verdict for row in found.values()}
    for row in reversed(found.values()):  # children come after their parents
        if row.parent is not None:
            worst[row.parent] = min(worst[row.parent], worst[row.id])
    waiting = [*_worst_first(children.get(None, ()), worst)]
    while waiting:
        row = waiting.pop()
        yield row
        waiting += _worst_first(children.get(row.id, ()), worst)


def _worst_first(siblings: Iterable[TreeRow], worst: dict[str, RunVerdict]) -> list[TreeRow]:
    """The siblings sorted worst last, as the last one is taken first."""
    return sorted(siblings, key=lambda row: worst[row.id])[::-1]


def index(ordered: list[TreeRow]) -> Index:
    """The rows by columns, each name written once."""
    experiments, statuses, kinds = (
        sorted({getattr(row, name) for row in ordered}) for name in ("experiment", "status", "kind")
    )
    places = {row.id: at for at, row in enumerate(ordered)}
    of = [{name: at for at, name in enumerate(names)} for names in (experiments, statuses, kinds)]
    return Index(
        experiments=experiments,
        statuses=statuses,
        kinds=kinds,
        id=[row.id for row in ordered],
        name=["" if row.name == row.id else row.name for row in ordered],
        parent=[-1 if row.parent is None else places[row.parent] for row in ordered],
        experiment=[of[0][row.experiment] for row in ordered],
        status=[of[1][row.status] for row in ordered],
        kind=[of[2][row.kind] for row in ordered],
        start=[row.start for row in ordered],
        seconds=[row.seconds for row in ordered],
        series=[row.series for row in ordered],
        points=[row.points for row in ordered],
        files=[row.files for row in ordered],
        findings=[row.findings for row in ordered],
        omissions=[row.omissions for row in ordered],
        quiet=[row.quiet for row in ordered],
        accepted=[row.accepted for row in ordered],
        verdict=[int(row.verdict) for row in ordered],
        place=[-1] * len(ordered),
    )


def by_priority(ordered: list[TreeRow]) -> list[RunId]:
    """The runs in the order in which details are written, as not all may fit: the worst verdict first."""
    return [RunId(row.id) for row in sorted(ordered, key=lambda row: row.verdict)]
