"""`azureml-replay status`: a table of the targets, what came last, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from azureml_replay.cli import leftovers, next_step, results
from azureml_replay.cli.options import ArchiveArgument, takes, terminal_flags
from azureml_replay.connection import config_named
from azureml_replay.counting import (
    counted,
    experiments_in_words,
    files_in_words,
    not_extracted,
    of_source,
    omissions_in_words,
    refused_in_words,
)
from azureml_replay.errors import Exit, UserError
from azureml_replay.terminal.hints import hint, retyped
from azureml_replay.terminal.layout import Branch, Grid
from azureml_replay.terminal.terminal import Terminal
from azureml_replay.terminal.text import Line, amount, duration, moment
from azureml_replay.verification.wording import equal_but, mend_first

if TYPE_CHECKING:
    from azureml_replay.archive.archive import Archive
    from azureml_replay.state import Failure, LastCommand, Next, Status, TargetStatus
    from azureml_replay.verification.wording import Mend
    from azureml_replay.workspace.place import Place

COLUMNS = ("extracted", "sent", "verified", "differing", "left", "failed", "omitted", "hidden", "deleted")
"""Fields of a target's status that are columns of the table."""
ONLY_IF_ANY = frozenset({"differing", "omitted", "hidden", "deleted"})


@takes(terminal=terminal_flags)
def status(
    *,
    archive: ArchiveArgument,
    terminal: Terminal,
    failed: Annotated[
        bool, typer.Option("--failed", help="List the runs that could not be brought or sent, each with its error.")
    ] = False,
) -> Exit:
    """Show how far an archive is, target by target, and what to type next. No network, nothing written."""
    from azureml_replay.archive.archive import Archive
    from azureml_replay.state import failures
    from azureml_replay.state import status as state_of

    with Archive.open(archive, write=False) as opened:
        if failed:
            listed = tuple(failures(opened))
            terminal.result(listed, failed_lines(listed))
            return Exit.OK
        now = state_of(opened)
        typed = AsTyped.of(opened)
    terminal.result(now, lines(now, archive, typed))
    leftovers.tell([archive], terminal)
    return Exit.OK


def failed_lines(listed: Sequence[Failure]) -> Iterator[Line]:
    """One branch for what could not be extracted, and one for each target."""
    groups = dict.fromkeys(one.target for one in listed)
    for target in groups:
        rows = tuple(Branch(f"{one.run}: {one.error}") for one in listed if one.target == target)
        runs = counted(len(rows), "run")
        yield Branch(f"{runs} not extracted" if target is None else f"{runs} not complete in {target}", rows)
    if not listed:
        yield "nothing failed, or it was mended since"


def lines(now: Status, folder: Path, typed: AsTyped) -> Iterator[Line]:
    """What each side holds, then the table, then what came last and what to type next: where the eye ends."""
    yield Branch(f"source {now.source}", tuple(map(Branch, _held(now))) + results.unknown_keys(now.unknown))
    for target in now.targets:
        yield Branch(f"target {target.target}", tuple(_reached(target)))
    if now.targets:
        yield ""
        yield table(now.targets)
        yield ""
    if now.last_command is not None:
        yield Branch(f"last command: {_ended(now.last_command)}")
    for target in now.targets:
        of = f" of {target.name}" if len(now.targets) > 1 else ""
        yield Branch(f"last proof{of}: {_proof(target)}")
    if now.failed or any(target.failed for target in now.targets):
        yield f"what failed, and why: {hint('status', folder, '--failed')}"
    yield from _next(now, folder, typed)


def table(targets: Sequence[TargetStatus]) -> Grid:
    """A row for each target; a column that nobody expects is left out where it has no number."""
    shown = [name for name in COLUMNS if name not in ONLY_IF_ANY or any(getattr(one, name) for one in targets)]
    rows = tuple((one.name, *(f"{getattr(one, name):,}" for name in shown)) for one in targets)
    return Grid(("target", *shown), rows)


def _held(now: Status) -> Iterator[str]:
    has = now.totals
    runs, experiments = counted(has.runs, "run"), experiments_in_words(has.experiments, has.empty_experiments)
    waiting = f", {has.pending:,} to extract" if has.pending else ""
    failed = f", {now.failed:,} failed" if now.failed else ""
    yield f"{runs} chosen in {experiments}: {has.extracted:,} extracted{waiting}{failed}"
    size = amount("bytes", has.bytes)
    kept = f", of which the archive keeps {has.files_kept:,}" if has.files else ""
    metrics = counted(has.series, "metric")
    yield f"{counted(has.points, 'point')} of {metrics}, {of_source(has.files)} ({size}){kept}"
    if has.omissions:
        yield not_extracted(has.omissions)
    yield f"content root {now.content_root}"


def _reached(target: TargetStatus) -> Iterator[Branch]:
    has = target.progress
    jobs = [f"{counted(has.jobs_standing, 'job')} (of {has.jobs_submitted:,} submitted)"] if has.jobs_submitted else []
    files = f"{files_in_words(has.files, has.own_files)}, {amount('bytes', has.bytes)}"
    rows = [counted(has.points, "point"), files] if has.runs_created or not jobs else []
    yield Branch(f"sent: {', '.join([*jobs, *rows])}")
    yield from results.proven(target.verdict)
    if target.verdict.omissions:
        omitted = omissions_in_words(target.verdict.omissions, target.name, target.verdict.items_refused)
        yield Branch(omitted, results.reasons_of(target.verdict.reasons, results.FEW))
    if has.items_refused != target.verdict.items_refused:  # some that no look has made omissions of yet
        yield Branch(refused_in_words(has.items_refused))
    if has.items_unsettled:
        yield Branch(f"{counted(has.items_unsettled, 'item')} may have arrived: the next replay asks the target")
    yield Branch(f"proof root {target.proof_root}")


def _ended(last: LastCommand) -> str:
    from azureml_replay.state import DONE, Ending

    whole = f"{last.command}, {moment(last.began)}"
    if last.ended is None:
        told = {Ending.AT_WORK.value: "at work now", Ending.CUT_OFF.value: "did not come to its end"}
        return f"{whole}: {told.get(last.outcome, last.outcome)}"
    took = duration(last.ended.seconds_after(last.began))
    if last.outcome == DONE:
        failed = f", {counted(last.failed, 'run')} failed" if last.failed else ""
        return f"{whole}: done in {took}{failed}"
    if last.outcome == "interrupted":
        return f"{whole}: interrupted after {took}"
    return f"{whole}: ended with an error after {took} ({last.outcome})"


def _proof(target: TargetStatus) -> str:
    if target.last_proof is None:
        return "never"
    told = target.verdict
    now = (
        counted(told.findings, "finding")
        if told.findings
        else equal_but(told.accepted)
        if told.proves
        else "not proven now"
    )
    return f"{moment(target.last_proof)}: {now}"


def _next(now: Status, folder: Path, typed: AsTyped) -> Iterator[str]:
    from azureml_replay.state import Next

    if now.next is Next.WAIT:
        yield "Next: wait until that has ended"
    elif now.next is Next.AGAIN and now.last_command is not None:
        yield f"Next: {retyped(now.last_command.words)}"
    elif now.next in (Next.EXTRACT, Next.PLAN):
        yield f"Next: {_command(now.next, folder, now.source, None, typed)}"
    else:
        busy = [one for one in now.targets if one.next is not Next.REPORT]
        for target in busy or now.targets[:1]:
            mend = mend_first(target.verdict.groups) if target.next is Next.MEND else None
            if mend is not None:
                yield from _mended(mend, folder, now.source, target.target, typed)
                continue
            named = target.target if target.next is not Next.REPORT or len(now.targets) > 1 else None
            yield f"Next: {_command(target.next, folder, now.source, named, typed)}"


def _mended(mend: Mend, folder: Path, source: Place, target: Place, typed: AsTyped) -> Iterator[str]:
    """The words with which `verify` ends."""

    def line(command: str, *flags: str) -> str:
        return hint(command, folder, *_ends(command, source, target, typed), *flags)

    step = next_step.mending(mend, line)
    first, *others = step.lines() if isinstance(step, next_step.NextSteps) else [step]
    yield f"Next: {first}"
    yield from others


def _command(what: Next, folder: Path, source: Place, target: Place | None, typed: AsTyped) -> str:
    from azureml_replay.state import Next

    if what is Next.EXTRACT:
        return hint("extract", "--source", typed.source(source), "--archive", folder)
    verb, *flags = what.value.split()
    return hint(verb, folder, *_ends(verb, source, target, typed), *flags)


def _ends(verb: str, source: Place, target: Place | None, typed: AsTyped) -> list[str]:
    """The options of a command that name its workspaces; the source where the archive alone does not say it."""
    ends = ["--target", typed.target(target)] if target is not None else []
    if verb == "replay" and typed.source(source) != source.name:
        ends += ["--source", typed.source(source)]
    return ends


@dataclass(frozen=True, slots=True)
class AsTyped:
    """How workspaces were named in earlier command lines: a file may say more than a name, as how to log in."""

    sources: Mapping[Place, str]
    targets: Mapping[Place, str]

    @classmethod
    def of(cls, archive: Archive) -> AsTyped:
        """By the newest lines, so far as what they name is there and means the same still."""
        lines = [line.words for line in archive.command_lines()]
        return cls(_named(lines, "--source"), _named(lines, "--target"))

    def source(self, place: Place) -> str:
        """What to write behind `--source`."""
        return self.sources.get(place, place.name)

    def target(self, place: Place) -> str:
        """What to write behind `--target`."""
        return self.targets.get(place, place.name)


def _named(lines: Sequence[Sequence[str]], flag: str) -> dict[Place, str]:
    found: dict[Place, str] = {}
    for name in dict.fromkeys(name for words in lines for name in _values(words, flag)):
        try:
            found.setdefault(config_named(name).ref, name)
        except UserError:
            continue
    return found


def _values(words: Sequence[str], flag: str) -> Iterator[str]:
    yield from (after for word, after in pairwise(words) if word == flag)
    yield from (word.removeprefix(f"{flag}=") for word in words if word.startswith(f"{flag}="))
