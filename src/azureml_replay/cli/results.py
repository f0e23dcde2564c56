"""The results of commands as lines for people. With `--json` the same values are written whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from azureml_replay.cli.asset_lines import planned_assets, sent_assets
from azureml_replay.comparison.three_way import OF_ANOTHER
from azureml_replay.counting import (
    counted,
    experiments_in_words,
    files_in_words,
    listed,
    of_source,
    omissions_in_words,
)
from azureml_replay.errors import Exit
from azureml_replay.instants import Instant
from azureml_replay.planning.refused import refused_among
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount
from azureml_replay.verification.wording import MENDS, Kind, Told, by_size_in_words, differences, equal_but, kind_of
from azureml_replay.workspace.profile import WriteRoute

if TYPE_CHECKING:
    from azureml_replay.cli.next_step import CommandLine
    from azureml_replay.connection import Config
    from azureml_replay.direct.options import Replayed
    from azureml_replay.extraction.extract import Extracted
    from azureml_replay.planning.left import Left
    from azureml_replay.planning.summary import PlanSummary
    from azureml_replay.verbs import Migrated
    from azureml_replay.verification.verdict import Verdict

BY_MLFLOW = "by MLflow's routes, under ids of the target's own"
WAITING = "to be sent once a run above is extracted: extract again to continue"
FEW = 8
"""Reasons that a verdict shows, which shall be short; `plan` and the report have all."""
SHOWN = 20
"""Lines shown of one list; the rest is counted, and `--json` has all."""


def lines_of(done: Extracted | PlanSummary | Replayed, target: str) -> Iterator[Line]:
    """The lines of one verb of `migrate`; `target` is the short name."""
    from azureml_replay.extraction.extract import Extracted
    from azureml_replay.planning.summary import PlanSummary

    if isinstance(done, Extracted):
        return extracted(done)
    return planned(done, target) if isinstance(done, PlanSummary) else replayed(done)


def extracted(done: Extracted) -> Iterator[Line]:
    """The lines of `extract`: what came now."""
    carried = f"{counted(done.runs, 'run')}, {counted(done.points, 'point')}, {of_source(done.files)}"
    yield Branch(f"extracted: {counted(done.units, 'job')} chosen; {carried} came now")
    if done.kept:
        yield Branch(f"{counted(done.kept, 'file')} kept in the archive: {amount('bytes', done.kept_bytes)} came now")
    if done.assets:
        yield Branch(f"{counted(done.assets, 'asset')} read: models, environments, data, components and code")
    if done.gone:
        yield Branch(f"{counted(done.gone, 'run')} disappeared at the source: archive and targets keep what they have")
    if done.active:
        yield Branch(f"{counted(done.active, 'run')} still active: their jobs wait for a later call")
    yield from _failures(done)


def planned(plan: PlanSummary, target: str = "") -> Iterator[Line]:
    """The lines of `plan`: a tree of counts; what the target will not have stands last, where the eye ends.

    `target` is its short name, where one was given.
    """
    yield Branch(
        f"plan: {counted(plan.units, 'job')}, {counted(plan.runs, 'run')}",
        (
            *([Branch(f"{counted(plan.waiting, 'run')} {WAITING}")] if plan.waiting else []),
            Branch(counted(plan.points, "point")),
            Branch(
                files_in_words(plan.files + plan.own_files, plan.own_files),
                (Branch(f"{of_source(plan.files)}, {amount('bytes', plan.bytes)}"),),
            ),
            _table(experiments_in_words(len(plan.experiments), plan.empty_experiments), plan.experiments),
            _table(counted(len(plan.statuses), "kind of status", "kinds of status"), plan.statuses),
            *planned_assets(plan.assets),
            *unknown_keys(plan.unknown),
            *([Branch(BY_MLFLOW)] if plan.write_route is WriteRoute.MLFLOW else []),
            *map(Branch, plan.staying()),
            *(Branch(f"warning: {one}") for one in plan.near_limits),
            left_out(plan.reasons, plan.overflow, target),
        ),
    )
    if plan.left is not None:
        yield to_send(plan.left, plan.runs)


def to_send(left: Left, runs: int) -> Branch:
    """What is left to send of a plan of so many runs, and what is not, so that the two add up."""
    goes = {
        "new": left.new,
        "begun and not complete": left.begun,
        "changed since": left.changed,
        "hidden by undo, to be shown again": left.hidden,
        "of them may have arrived in part: the target is asked first": left.unsettled,
    }
    more = [
        *(f"{count:,} {what}" for what, count in goes.items() if count),
        *([counted(left.points, "point")] if left.points else []),
        *([files_in_words(files, left.own_files)] if (files := left.files + left.own_files) else []),
        *([f"{of_source(left.files)}, {amount('bytes', left.bytes)}"] if left.files else []),
        *([f"{counted(left.experiments, 'experiment')}, with those of no chosen run"] if left.experiments else []),
    ]
    stays = {
        "there already": left.there,
        "there, but for values edited in the target, which stay (--prefer source sends)": left.edited,
        "refused by the target": left.refused,
        WAITING: left.waiting,
    }
    rest = [f"{counted(count, 'run')} {what}" for what, count in stays.items() if count]
    label = f"to send: {left.runs:,} of {counted(runs, 'run')}" if more else "0 to send"
    return Branch(label, tuple(map(Branch, [*more, *rest])))


def going(plan: PlanSummary) -> Branch:
    """`to send: 68 of 400 runs, 90,000 points, 300 files (1.2 MB)`: what a replay says first."""
    left = plan.left
    if left is None or not left.runs:
        return Branch(f"to send: 0 of {counted(plan.runs, 'run')}")
    files = f"{counted(left.files + left.own_files, 'file')} ({amount('bytes', left.bytes)} of the source's)"
    return Branch(f"to send: {left.runs:,} of {counted(plan.runs, 'run')}, {counted(left.points, 'point')}, {files}")


def left_out(reasons: Mapping[str, int], overflow: int = 0, target: str = "") -> Branch:
    """The omissions by reason, the most frequent first."""
    kept = f" ({overflow:,} whole in replay/overflow.json of their run)" if overflow else ""
    whole = omissions_in_words(sum(reasons.values()), target, refused_among(reasons))
    return Branch(f"{whole}{kept}", reasons_of(reasons))


def reasons_of(reasons: Mapping[str, int], most: int = SHOWN) -> tuple[Branch, ...]:
    """Lines like `12 x code: left out (no --code)`, the most frequent first."""
    rows = [Branch(f"{count:,} x {reason}") for reason, count in by_size(reasons)]
    rest = len(rows) - most
    return (*rows[:most], *([Branch(f"and {counted(rest, 'reason')} more")] if rest > 0 else []))


def replayed(done: Replayed) -> Iterator[Line]:
    """The lines of `replay`: what went now."""
    files = files_in_words(done.files, done.own_files)
    carried = f"{counted(done.runs, 'run')}, {counted(done.points, 'point')}, {files}, {amount('bytes', done.bytes)}"
    yield Branch(f"replayed: {carried} went now")
    for run in done.conflicts[:SHOWN]:
        yield Branch(f"id {run} is taken in the target by a run that is not ours, or by its own job: it was left alone")
    yield from _more(done.conflicts)
    for run, what in done.kept[:SHOWN]:
        yield Branch(_why_kept(run, what))
    yield from _more(done.kept)
    yield from refused(done.refused)
    yield from sent_assets(done.assets)
    yield from _failures(done)


def _why_kept(run: str, what: str) -> str:
    name = what.removesuffix(OF_ANOTHER)
    if name == what:
        return f"{what} of run {run} changed in both workspaces: the target's stays (--prefer source sends)"
    return f"{name} of run {run} was sent by another archive from a newer state of the source: it stays, extract again"


def refused(told: Sequence[tuple[str, str]]) -> Iterator[Line]:
    """The lines of `replay` about values that the target would not have."""
    for run, what in told[:SHOWN]:
        if what == "run":
            yield Branch(f"run {run} was refused by the target: an omission, and nothing of it was carried")
        else:
            yield Branch(f"{what} of run {run} was refused by the target: an omission, the rest was carried")
    yield from _more(told)


def verified(verdict: Verdict, target: Config | None = None, deep: str = "--deep") -> Iterator[Branch]:
    """The lines of `verify`: the verdict in one sentence, and what qualifies it; `mends` says what to do about it.

    `deep` is how bytes are compared: the command that shows these lines may have no such flag.
    """
    left = omissions_in_words(verdict.omissions, target.ref.short if target else "", verdict.items_refused)
    yield Branch(f"{_compared(verdict)}; {left}")
    yield from uncompared(verdict)
    if verdict.assets:
        yield Branch(f"{verdict.assets_equal:,} of {counted(verdict.assets, 'asset')} equal")
    if verdict.bytes:
        yield Branch(f"the files hold {amount('bytes', verdict.bytes)}")
    for kind in _kinds(verdict):
        yield _findings(kind, verdict.groups[kind.value], [one for one in verdict.first if kind_of(one) is kind])
    if verdict.unverifiable:
        yield Branch(by_size_in_words(verdict.unverifiable, verdict.read_before, verdict.read_at, deep))
    if verdict.reasons:
        yield Branch("omitted as planned", reasons_of(verdict.reasons, FEW))
    yield from unknown_keys(verdict.unknown)


def _kinds(verdict: Verdict) -> list[Kind]:
    """The kinds of its findings, the most frequent first."""
    return sorted(
        (kind for kind in Kind if verdict.groups.get(kind.value)), key=lambda kind: -verdict.groups[kind.value]
    )


def mends(verdict: Verdict, line: CommandLine) -> Iterator[Line]:
    """What to do, for each kind of finding; commands stand by themselves, outside of any frame, to be pasted."""
    for kind, mend in MENDS.items():
        if verdict.groups.get(kind.value):
            yield Branch(mend.sentence)
            yield from (f"  {line(*command)}" for command in mend.commands)


def accepted(changes: Iterable[Told], who: str) -> Iterator[Line]:
    """Each change that this call accepts: nothing is accepted that is not shown."""
    rows = tuple(Branch(one.text) for one in changes)
    if rows:
        yield Branch(f"{counted(len(rows), 'change')} accepted by {who}", rows)
    else:
        yield Branch(
            "nothing to accept: no finding is proven to be somebody's change of a tag, description, name or hidden"
        )


def proven(verdict: Verdict) -> Iterator[Branch]:
    """What the evidence says after a replay: most often that nothing was looked at since."""
    yield Branch(_compared(verdict))
    yield from uncompared(verdict)


def uncompared(verdict: Verdict) -> Iterator[Branch]:
    """What is missing from the comparison, by reason; nothing where all was compared."""
    if verdict.complete:
        return
    items = [
        (verdict.not_compared, "run"),
        (verdict.experiments_not_compared, "experiment"),
        (verdict.assets_not_compared, "asset"),
    ]
    told = [counted(*one) for one in items if one[0]]
    if verdict.others_not_compared:
        told.append("what else the target holds")
    are = "is" if sum(count for count, _ in items) + verdict.others_not_compared == 1 else "are"
    yield Branch(f"{listed(told)} {are} not compared", reasons_of(verdict.uncompared, FEW))


def migrated(done: Migrated, target: Config) -> Iterator[Branch]:
    """The lines of `migrate`: the verdict, and what failed before it."""
    yield from verified(done.verdict, target)
    for verb, failed in (("extracted", done.extracted.failed), ("replayed", done.replayed.failed)):
        if failed:
            run, why = failed[0]
            yield Branch(f"{counted(len(failed), 'run')} could not be {verb}: {run}: {why}")


def _compared(verdict: Verdict) -> str:
    """The verdict's sentence, which claims no equality where nothing was compared."""
    if not verdict.runs + verdict.assets and not verdict.findings:
        return "nothing was there to compare"
    runs, held = counted(verdict.runs, "run"), contents_of(verdict)
    if verdict.findings:
        return f"{runs}, {held}: {_differences(verdict)}"
    if not verdict.complete:
        return f"{verdict.equal:,} of {runs} equal, {held}: not proven yet"
    if verdict.none_taken:
        return f"{runs}: the target refused {verdict.refused:,} of them, nothing was there to compare"
    if not verdict.equal + verdict.assets_equal:
        return f"{runs}: nothing of them was to be carried"
    left = f", {verdict.left_out:,} of them left out" if verdict.left_out else ""
    return f"{runs}{left}, {held}: {equal_but(verdict.accepted)}"


def _differences(verdict: Verdict) -> str:
    return differences(
        faults=verdict.faults,
        changes=verdict.changes,
        since=verdict.since,
        unseen=verdict.unseen,
        accepted=verdict.accepted,
        kinds=verdict.kinds,
        now=Instant.of(datetime.now(UTC)),
    )


def contents_of(verdict: Verdict) -> str:
    """`305 points, 37 files (15 of them made by replay)`."""
    return f"{counted(verdict.points, 'point')}, {files_in_words(verdict.files, verdict.own_files)}"


def _findings(kind: Kind, count: int, first: Sequence[Told]) -> Branch:
    rows = [Branch(one.text) for one in first]
    rest = count - len(rows)
    return Branch(f"{count:,} {kind.value}", (*rows, *([Branch(f"and {rest:,} more")] if rest else [])))


def _table(label: str, counts: Mapping[str, int]) -> Branch:
    rows = [Branch(f"{name or '(none)'}: {count:,}") for name, count in by_size(counts)]
    rest = len(rows) - SHOWN
    return Branch(label, tuple(rows[:SHOWN] + ([Branch(f"and {rest:,} more")] if rest > 0 else [])))


def unknown_keys(keys: Mapping[str, int]) -> tuple[Branch, ...]:
    """A branch with the unknown keys of the service, none where every key was known."""
    label = f"{counted(len(keys), 'key')} of the service that this version does not know"
    return (_table(label, keys),) if keys else ()


def by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _failures(done: Extracted | Replayed) -> Iterator[Line]:
    for run, why in done.failed[:SHOWN]:
        yield Branch(f"failed: {run}: {why}")
    yield from _more(done.failed)
    yield from done.remedies  # whole: each ends with a command
    if done.failed:
        yield Branch(f"{counted(len(done.failed), 'run')} failed: run the same command again to continue")


def _more(items: Sequence[object]) -> Iterator[str]:
    if len(items) > SHOWN:
        yield f"and {len(items) - SHOWN:,} more (--json lists all)"


def names_told(code: Exit, unknown: Iterable[str], terminal: Terminal) -> Exit:
    """What the command ends with: 2 where all else went well and a name of --include was none."""
    told = list(unknown)
    for line in told:
        terminal.error(f"error: {line}; the others were taken")
    return Exit.USER if told and code is Exit.OK else code
