"""Says how far an archive is, from its ledger alone: no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from azureml_replay.archive.alike import Alike, Plain
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import Totals
from azureml_replay.archive.sessions import CommandLine, Session
from azureml_replay.archive.target_ledger import TargetProgress
from azureml_replay.errors import UserError
from azureml_replay.instants import Instant
from azureml_replay.model import RunId
from azureml_replay.verification.verdict import Verdict, verdict_of_all
from azureml_replay.verification.wording import mend_first
from azureml_replay.workspace.place import Place


class Next(Enum):
    """What is to be done next. The value is the command."""

    EXTRACT = "extract"
    PLAN = "plan"
    REPLAY = "replay"
    SUBMIT = "replay --mode synthetic"
    NEW_IDS = "replay --ids new"
    VERIFY = "verify"
    MEND = "mend"
    """What verify says to do about findings of their kind."""
    REPORT = "report"
    WAIT = "wait"
    """A command is at work."""
    AGAIN = "again"
    """The last command did not come to its end: the same again continues it."""


DONE = "done"
"""The outcome of a command that came to its end."""


class Ending(Enum):
    """How the last command ended, where it said nothing itself."""

    AT_WORK = "at work"
    CUT_OFF = "cut off"
    """Its process was killed, or the machine went down: the same command continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCommand:
    """The last command that moved something, or compared it."""

    command: str
    began: Instant
    ended: Instant | None
    outcome: str
    """`done`, `interrupted`, the kind of error that ended it, or a value of `Ending`."""
    failed: int = 0
    """Runs that it could not bring or send."""
    words: tuple[str, ...] = ()
    """The command line as it was typed, the program first; without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """What has reached one target. Counts are of runs; `sent`, `omitted` and `left` add up to those that are chosen."""

    name: str
    """The shortest that no other target of the archive has."""
    target: Place
    extracted: int
    sent: int
    """Everything of them is there, as the archive has it now."""
    verified: int
    """Equal, by the newest look at them."""
    differing: int
    left: int
    """To be sent, those that are to be extracted first among them."""
    failed: int
    """Of those left: runs that a replay tried to send and could not, each with its error in `failures`."""
    omitted: int
    """Nothing of them is carried, as planned."""
    hidden: int
    """Of those left: `undo` took them back, and a replay shows them again."""
    deleted: int
    """Of those left: `undo --delete` removed them, and a replay creates them anew."""
    last_proof: Instant | None
    """When the newest verification ended that came to its end."""
    next: Next
    progress: TargetProgress
    verdict: Verdict
    """By the evidence of earlier verifications, of everything that the archive is to carry."""
    proof_root: str
    """Of what was sent and what was found there, as kept with every write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is in the archive and what has reached which target."""

    source: Place
    totals: Totals
    failed: int
    """Runs that could not be extracted."""
    targets: tuple[TargetStatus, ...]
    last_command: LastCommand | None
    next: Next
    """Before anything at a target."""
    content_root: str
    """Of all values from the source, as kept with every write; `check` reckons it anew."""
    unknown: Mapping[str, int]
    """Keys of the service that this version does not know, as `run novelty`, and how many times each was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that could not be brought, or sent."""

    target: str | None
    """The target's name; None: it could not be extracted."""
    run: RunId
    error: str


def status(archive: Archive) -> Status:
    """The state of an archive, from its ledger; works while another process writes."""
    totals, last = archive.totals(), _last(archive)
    named = names(archive.targets())
    targets = tuple(_of_target(archive, target, name) for target, name in named.items())
    return Status(
        source=archive.source,
        totals=totals,
        failed=len(archive.failures()),
        targets=targets,
        last_command=last,
        next=_next(totals, targets, last),
        content_root=archive.content_root(),
        unknown=archive.unknown(),
    )


def failures(archive: Archive) -> Iterator[Failure]:
    """What failed and was not mended since: first what could not be extracted, then target by target."""
    for run, why in archive.failures().items():
        yield Failure(target=None, run=run, error=why)
    for target, name in names(archive.targets()).items():
        yield from (Failure(target=name, run=run, error=why) for run, why in archive.ledger(target).failed())


def names(places: Sequence[Place]) -> dict[Place, str]:
    """The shortest ending of each place's name that no other one's has: `ws`, `group/ws`, or the whole."""
    parts = {place: place.name.split("/") for place in places}
    return {
        place: _shortest(whole, [other for other in parts.values() if other != whole]) for place, whole in parts.items()
    }


def _shortest(whole: Sequence[str], others: Sequence[Sequence[str]]) -> str:
    lengths = range(1, len(whole))
    told = next((size for size in lengths if all(other[-size:] != whole[-size:] for other in others)), len(whole))
    return "/".join(whole[-told:])


def _of_target(archive: Archive, target: Place, name: str) -> TargetStatus:
    ledger = archive.ledger(target)
    counted = ledger.alike()
    told, progress = verdict_of_all(archive, ledger, counted), ledger.progress()
    chosen = [one for one in counted if one.plain is not Plain.GONE]
    omitted = _runs(one for one in chosen if one.omitted and not one.sent)
    sent = _runs(one for one in chosen if one.sent and not one.omitted)
    left = _runs(chosen) - sent - omitted
    return TargetStatus(
        name=name,
        target=target,
        extracted=_runs(one for one in chosen if one.plain is not Plain.LISTED),
        sent=sent,
        verified=told.equal,
        differing=told.differing,
        left=left,
        failed=sum(1 for _ in ledger.failed()),
        omitted=omitted,
        hidden=ledger.hidden(),
        deleted=ledger.deleted(),
        last_proof=ledger.looked_at(),
        next=_next_at(left, progress, told),
        progress=progress,
        verdict=told,
        proof_root=ledger.root(),
    )


def _runs(alike: Iterator[Alike] | Sequence[Alike]) -> int:
    return sum(one.runs for one in alike)


def _next_at(left: int, progress: TargetProgress, told: Verdict) -> Next:
    if left and not told.proves:  # else another archive of the same source sent it, and all of it was compared
        return Next.SUBMIT if progress.jobs_standing and not progress.runs_created else Next.REPLAY
    if not told.findings and not told.complete:
        return Next.VERIFY
    if told.wants_new_ids:
        return Next.NEW_IDS
    return Next.MEND if mend_first(told.groups) else Next.REPORT


def _next(totals: Totals, targets: Sequence[TargetStatus], last: LastCommand | None) -> Next:
    if last is not None and last.outcome == Ending.AT_WORK.value:
        return Next.WAIT
    if last is not None and last.outcome not in (DONE, UserError.__name__) and last.words:
        return Next.AGAIN
    if totals.pending or not totals.runs:
        return Next.EXTRACT
    return next((one.next for one in targets if one.next is not Next.REPORT), Next.REPORT if targets else Next.PLAN)


def _last(archive: Archive) -> LastCommand | None:
    ended = next(iter(archive.sessions(1)), None)
    begun = next((line for line in archive.command_lines() if _verb(line)), None)
    if begun is not None and (ended is None or begun.at > ended.began):
        outcome = Ending.AT_WORK if archive.in_use else Ending.CUT_OFF
        return LastCommand(command=_verb(begun), began=begun.at, ended=None, outcome=outcome.value, words=begun.words)
    return _of_session(ended, begun.words if begun else ()) if ended is not None else None


def _of_session(ended: Session, words: tuple[str, ...]) -> LastCommand:
    return LastCommand(
        command=ended.command,
        began=ended.began,
        ended=ended.ended,
        outcome=ended.outcome,
        failed=sum(part.counts.get("failed", 0) for part in ended.parts),
        words=words,
    )


_VERBS = ("extract", "replay", "verify", "migrate", "undo", "merge")
_OLD = {"extract_jobs": "extract", "build_pipeline": "replay --mode synthetic"}
"""The original tool's two commands."""


def _verb(line: CommandLine) -> str:
    """What a command line asks for; empty for one that keeps no session."""
    old = next((_OLD[stem] for word in line.words[:1] if (stem := PurePath(word).stem) in _OLD), "")
    return old or next((word for word in line.words[1:2] if word in _VERBS), "")
