"""The results of commands as lines for people. With `--json` the same values are written whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from azureml_replay.cli.quoting import quoted
from azureml_replay.comparison.three_way import OF_ANOTHER
from azureml_replay.counting import counted
from azureml_replay.errors import Exit
from azureml_replay.model import Finding
from azureml_replay.planning.fit import OWN_FOLDER
from azureml_replay.terminal.layout import Branch
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from azureml_replay.direct.replay import Replayed
    from azureml_replay.extraction.extract import Extracted
    from azureml_replay.planning.summary import PlanSummary
    from azureml_replay.state import Status
    from azureml_replay.verbs import Migrated
    from azureml_replay.verification.verdict import Verdict

KINDS = {
    "differs": "differing",
    "absent": "absent in the target",
    "extra": "extra in the target",
    "plan changed since it was submitted": "of a job whose plan changed since it was submitted: "
    "replay --mode synthetic --resubmit changed submits it anew",
}
"""Kinds of findings in the words of a sentence; other kinds are such words already."""
KEPT_FIGURES = {
    "runs": "runs chosen",
    "extracted": "runs extracted",
    "pending": "runs to extract, or to extract again",
    "series": "metrics",
    "files_kept": "files whose bytes are kept here",
}
"""Words of `status` for fields of `Totals` whose own names do not say enough."""
SENT_FIGURES = {
    "points": "points sent",
    "files": "files sent, replay's own included",
    "bytes": "bytes sent",
    "items_refused": "items that the target refused",
    "items_unsettled": "items that may have arrived, and will be asked about",
}
"""The same for fields of `TargetProgress`."""
VALUE = 80
"""Characters of a value that a verdict shows: two lines of a narrow terminal."""
FEW = 8
"""Reasons that a verdict shows, which shall be short; `plan` and the report have all."""
SHOWN = 20
"""Lines shown of one list; the rest is counted, and `--json` has all."""


def lines_of(done: Extracted | PlanSummary | Replayed) -> Iterator[Line]:
    """The lines of one verb of `migrate`."""
    from azureml_replay.extraction.extract import Extracted
    from azureml_replay.planning.summary import PlanSummary

    if isinstance(done, Extracted):
        return extracted(done)
    return planned(done) if isinstance(done, PlanSummary) else replayed(done)


def extracted(done: Extracted) -> Iterator[str]:
    """The lines of `extract`: what came now."""
    yield f"extracted: {counted(done.units, 'job')} chosen; {_carried(done)} of the source came now"
    if done.kept:
        yield f"{counted(done.kept, 'file')} kept in the archive: {amount('bytes', done.kept_bytes)} came now"
    if done.gone:
        yield f"{counted(done.gone, 'run')} disappeared at the source: archive and targets keep what they have"
    if done.active:
        yield f"{counted(done.active, 'run')} still active: their jobs wait for a later call"
    yield from _failures(done)


def planned(plan: PlanSummary) -> Iterator[Line]:
    """The lines of `plan`: a tree of counts; what the target will not have stands last, where the eye ends."""
    yield Branch(
        f"plan: {counted(plan.units, 'job')}, {counted(plan.runs, 'run')}",
        (
            Branch(counted(plan.points, "metric point")),
            Branch(f"{counted(plan.files, 'file')} of the source, {amount('bytes', plan.bytes)}"),
            Branch(f"{counted(plan.own_files, 'file')} beside them that replay makes ({OWN_FOLDER}...)"),
            _table(counted(len(plan.experiments), "experiment"), plan.experiments),
            _table(counted(len(plan.statuses), "kind of status", "kinds of status"), plan.statuses),
            *_unknown(plan.unknown),
            left_out(plan.omissions, plan.reasons, plan.overflow),
        ),
    )


def left_out(omissions: int, reasons: Mapping[str, int], overflow: int = 0) -> Branch:
    """The omissions by reason, the most frequent first."""
    if not omissions:
        return Branch("nothing will be omitted")
    kept = f" ({overflow:,} whole in replay/overflow.json of their run)" if overflow else ""
    return Branch(f"{counted(omissions, 'omission')}{kept}", reasons_of(reasons))


def reasons_of(reasons: Mapping[str, int], most: int = SHOWN) -> tuple[Branch, ...]:
    """Lines like `12 x code: left out (no --code)`, the most frequent first."""
    rows = [Branch(f"{count:,} x {reason}") for reason, count in by_size(reasons)]
    rest = len(rows) - most
    return (*rows[:most], *([Branch(f"and {counted(rest, 'reason')} more")] if rest > 0 else []))


def replayed(done: Replayed) -> Iterator[str]:
    """The lines of `replay`: what went now."""
    yield f"replayed: {_carried(done)} ({amount('bytes', done.bytes)}; replay's own included) went now"
    for run in done.conflicts[:SHOWN]:
        yield f"id {run} is taken in the target by a run that is not ours: its job was left alone"
    yield from _more(done.conflicts)
    for run, what in done.kept[:SHOWN]:
        yield f"{_why_kept(run, what)} (--prefer source sends)"
    yield from _more(done.kept)
    yield from refused(done.refused)
    yield from _failures(done)


def _why_kept(run: str, what: str) -> str:
    name = what.removesuffix(OF_ANOTHER)
    if name == what:
        return f"{what} of run {run} changed in both workspaces: the target's stays"
    return f"{name} of run {run} was sent by another archive from a newer state of the source: it stays, extract again"


def refused(told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The lines of `replay` about values that the target would not have."""
    for run, what in told[:SHOWN]:
        yield f"{what} of run {run} was refused by the target: an omission, the rest was carried"
    yield from _more(told)


def verified(verdict: Verdict, archive: Path, again: Sequence[str] = (), deep: str = "--deep") -> Iterator[Line]:
    """The lines of `verify`: the verdict in one sentence, what qualifies it, and the command that shows all.

    `again` is the command that would compare what is not compared; `deep` is how bytes are compared: the command that
    shows these lines may have no such flag.
    """
    yield f"{_compared(verdict)}; {counted(verdict.omissions, 'omission')}, as planned"
    yield from _to_compare(verdict, again)
    if verdict.bytes:
        yield f"the files hold {amount('bytes', verdict.bytes)}"
    for kind, count in by_size(verdict.kinds):
        yield _findings(kind, count, [one for one in verdict.first if one.kind == kind])
    if verdict.unverifiable:
        yield f"{counted(verdict.unverifiable, 'file')} without a checksum: only {deep} can compare them"
    if verdict.reasons:
        yield Branch("omitted as planned", reasons_of(verdict.reasons, FEW))
    yield from _unknown(verdict.unknown)
    if verdict.findings or verdict.omissions:
        yield f"each of them: {quoted(['azureml-replay', 'report', str(archive)])}"


def proven(verdict: Verdict, again: Sequence[str]) -> Iterator[Line]:
    """What the evidence says after a replay: most often that `again` has to be typed."""
    yield _compared(verdict)
    yield from _to_compare(verdict, again)


def _to_compare(verdict: Verdict, again: Sequence[str]) -> Iterator[Line]:
    yield from uncompared(verdict)
    if again and not verdict.complete:
        yield f"Next: {quoted(list(again))}"  # a line by itself: in a tree it would wrap, and could not be pasted


def uncompared(verdict: Verdict) -> Iterator[Branch]:
    """What is missing from the comparison, by reason; nothing where all was compared."""
    if verdict.complete:
        return
    items = [(verdict.not_compared, "run"), (verdict.experiments_not_compared, "experiment")]
    told = " and ".join(counted(*one) for one in items if one[0])
    are = "is" if sum(count for count, _ in items) == 1 else "are"
    yield Branch(f"{told} {are} not compared", reasons_of(verdict.uncompared, FEW))


def migrated(done: Migrated, archive: Path, again: Sequence[str]) -> Iterator[Line]:
    """The lines of `migrate`: the verdict, and what failed before it."""
    yield from verified(done.verdict, archive, again)
    for verb, failed in (("extracted", done.extracted.failed), ("replayed", done.replayed.failed)):
        if failed:
            run, why = failed[0]
            yield f"{counted(len(failed), 'run')} could not be {verb}: {run}: {why}"


def _compared(verdict: Verdict) -> str:
    """The verdict's sentence, which claims no equality where nothing was compared."""
    if not verdict.runs and not verdict.findings:
        return "nothing was there to compare"
    runs, held = counted(verdict.runs, "run"), contents_of(verdict)
    if verdict.findings:
        return f"{runs}, {held}: {counted(verdict.findings, 'finding')}"
    if not verdict.complete:
        return f"{verdict.equal:,} of {runs} equal, {held}: not proven yet"
    if not verdict.equal:
        return f"{runs}: nothing of them was to be carried"
    left = f", {verdict.left_out:,} of them left out" if verdict.left_out else ""
    return f"{runs}{left}, {held}: all equal"


def contents_of(verdict: Verdict) -> str:
    """`305 points, 37 files (15 of them made by replay)`."""
    ours = f" ({verdict.own_files:,} of them made by replay)" if verdict.own_files else ""
    return f"{counted(verdict.points, 'point')}, {counted(verdict.files, 'file')}{ours}"


def _findings(kind: str, count: int, first: Sequence[Finding]) -> Branch:
    rows = [Branch(finding_text(one)) for one in first]
    rest = count - len(rows)
    return Branch(f"{count:,} {KINDS.get(kind, kind)}", (*rows, *([Branch(f"and {rest:,} more")] if rest else [])))


def finding_text(finding: Finding) -> str:
    """`run a: tag owner: expected 'x', found 'y'`; long values are cut, the report has them whole."""
    if finding.what == "run":
        return f"run {finding.run}"  # absent as a whole: otherwise its id would stand here three times
    whose = f"run {finding.run}: " if finding.run else ""
    values = [
        f"{word} {_cut(value)}" for word, value in (("expected", finding.expected), ("found", finding.actual)) if value
    ]
    return f"{whose}{finding.what}" + (f": {', '.join(values)}" if values else "")


def _cut(value: str) -> str:
    return value if len(value) <= VALUE else value[: VALUE - 3] + "..."


def shown_status(now: Status) -> Iterator[Line]:
    """The lines of `status`."""
    kept = f"{now.totals.files_kept:,} of {now.totals.files:,}"
    figures = _figures(now.totals, KEPT_FIGURES, files_kept=kept)
    root = Branch(f"content root {now.content_root}")
    named = counted(now.named_outputs or 0, "named output")
    outputs = (Branch(f"{named} of jobs, whose bytes are not carried"),) if now.named_outputs else ()
    yield Branch(f"source {now.source}", (*figures, *outputs, *_unknown(now.unknown), root))
    for target in now.targets:
        root = Branch(f"proof root {target.proof_root}")
        told = target.verdict
        proof = (Branch(_compared(told)), *uncompared(told)) if told else ()
        yield Branch(f"target {target.target}", (*_figures(target.progress, SENT_FIGURES), *proof, root))


def _figures(counts: DataclassInstance, words: Mapping[str, str], **otherwise: str) -> tuple[Branch, ...]:
    """A line for each field of `counts`; `otherwise` has what is to be shown instead of a field's plain number."""
    shown = {field.name: amount(field.name, getattr(counts, field.name)) for field in fields(counts)} | otherwise
    return tuple(Branch(f"{words.get(name, name.replace('_', ' '))}: {figure}") for name, figure in shown.items())


def _carried(done: Extracted | Replayed) -> str:
    return f"{counted(done.runs, 'run')}, {counted(done.points, 'point')}, {counted(done.files, 'file')}"


def _table(label: str, counts: Mapping[str, int]) -> Branch:
    rows = [Branch(f"{name or '(none)'}: {count:,}") for name, count in by_size(counts)]
    rest = len(rows) - SHOWN
    return Branch(label, tuple(rows[:SHOWN] + ([Branch(f"and {rest:,} more")] if rest > 0 else [])))


def _unknown(keys: Mapping[str, int]) -> tuple[Branch, ...]:
    """A branch with the unknown keys of the service, none where every key was known."""
    label = f"{counted(len(keys), 'key')} of the service that this version does not know"
    return (_table(label, keys),) if keys else ()


def by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _failures(done: Extracted | Replayed) -> Iterator[str]:
    for run, why in done.failed[:SHOWN]:
        yield f"failed: {run}: {why}"
    yield from _more(done.failed)
    yield from done.remedies
    if done.failed:
        yield f"{counted(len(done.failed), 'run')} failed: run the same command again to continue"


def _more(items: Sequence[object]) -> Iterator[str]:
    if len(items) > SHOWN:
        yield f"and {len(items) - SHOWN:,} more (--json lists all)"


def names_told(code: Exit, unknown: Iterable[str], terminal: Terminal) -> Exit:
    """What the command ends with: 2 where all else went well and a name of --include was none."""
    told = list(unknown)
    for line in told:
        terminal.error(f"error: {line}; the others were taken")
    return Exit.USER if told and code is Exit.OK else code
