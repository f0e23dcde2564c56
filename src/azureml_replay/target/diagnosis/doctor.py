"""Examines, before the first run is carried, whether everything is there that a migration needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

from azureml_replay.archive.archive import Archive
from azureml_replay.errors import Exit
from azureml_replay.progress import SILENT, Progress
from azureml_replay.target.diagnosis.reads import ReadExamination
from azureml_replay.target.diagnosis.server import ServerReads, ServerWrites
from azureml_replay.target.diagnosis.sheet import Outcome, ProbeRow, Seen, Sheet
from azureml_replay.target.diagnosis.writes import WriteExamination
from azureml_replay.target.probe import Probe, keep_probe, known_probe
from azureml_replay.target.trial import bound_route, experiments_held
from azureml_replay.workspace.examined import Examined, Subject
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.profile import WriteRoute, of_kind
from azureml_replay.workspace.target import Target
from azureml_replay.workspace.tried import TriesItself


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The result of an examination, row by row."""

    rows: tuple[ProbeRow, ...]
    probe: Probe | None
    """What the target keeps, where a throw-away run could be written."""

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """Outcome -> number of checks."""
        return {outcome: sum(row.outcome is outcome for row in self.rows) for outcome in Outcome}

    @property
    def exit(self) -> Exit:
        """The exit code. Something missing counts before something unreachable: it may be why nobody answered."""
        if any(row.outcome is Outcome.MISSING for row in self.rows):
            return Exit.USER
        return Exit.SERVICE if any(row.unreachable for row in self.rows) else Exit.OK


async def doctor(
    source: Subject | None,
    target: Subject | None,
    *,
    planned: frozenset[str] = frozenset(),
    origin: Place | None = None,
    bound: WriteRoute | None = None,
    progress: Progress = SILENT,
) -> Diagnosis:
    """Examine what is given: read both workspaces, write one or two throw-away runs to the target and hide them.

    `planned` names experiments that a replay would write, `origin` the source that it would write them from, and
    `bound` the route by which it did so before.
    Repeatable: every call writes throw-away runs of its own. Errors of a service are not raised, but become rows.
    """
    rows: list[ProbeRow] = []
    reading = None
    if source is not None:
        sheet, reading = await _read(source, "source", progress)
        rows += sheet.rows
    probe = None
    if target is not None:
        sheet, writing = await _read(target, "target", progress)
        if writing is not None:
            progress.say(f"target {target.ref}: writing a throw-away run")
            probe = await _written(sheet, writing, reading, planned=planned, origin=origin, bound=bound)
        rows += sheet.rows
    return Diagnosis(rows=tuple(rows), probe=probe)


async def _written(
    sheet: Sheet,
    target: Target,
    source: Target | None,
    *,
    planned: frozenset[str],
    origin: Place | None,
    bound: WriteRoute | None,
) -> Probe | None:
    if not isinstance(target, TriesItself):
        return await WriteExamination(sheet, cast("Examined", target), source, planned, origin, bound).all()
    before = await experiments_held(target, origin, planned)
    probe = await ServerWrites(sheet, target).all()
    return replace(probe, experiments=before.own, made=before.made) if probe else None


async def diagnosed(
    source: Subject | None, target: Subject | None, archive: Archive | None, progress: Progress = SILENT
) -> Diagnosis:
    """The result of `doctor`, kept in the archive: replay and verify then go by what this target was seen to do."""
    planned = frozenset(one.name for one in archive.experiments()) if archive else frozenset[str]()
    origin = archive.source if archive else None
    bound = bound_route(archive.ledger(target.ref)) if archive and target else None
    found = await doctor(source, target, planned=planned, origin=origin, bound=bound, progress=progress)
    if archive is None:
        return found
    for side, subject in (("source", source), ("target", target)):
        if subject is not None:
            rows = [asdict(row) for row in found.rows if row.side == side]
            archive.put_examination(subject.ref, side, rows)
    if target is not None and found.probe is not None:
        ledger = archive.ledger(target.ref)
        keep_probe(ledger, found.probe.after(known_probe(ledger)))
    return found


async def _read(subject: Subject, side: str, progress: Progress) -> tuple[Sheet, Target | None]:
    progress.say(f"{side} {subject.ref}: login, workspace, lists, storage")
    sheet = Sheet(side, subject)
    workspace = await _enter(subject, sheet)
    if workspace is not None:
        if isinstance(workspace, TriesItself):
            await ServerReads(sheet, workspace).all()
        else:
            await ReadExamination(sheet, cast("Examined", workspace)).all()
    return sheet, workspace


async def _enter(subject: Subject, sheet: Sheet) -> Target | None:
    """Check login, workspace and data plane, each of which needs the one before; None where one fails."""
    found: list[Target] = []

    async def login() -> Seen:
        who = await subject.login()
        return Seen(f"as {who}" if who else "logged in")

    async def workspace() -> Seen:
        told = await subject.workspace()
        version = f", MLflow {told or 'of an unknown version'}" if of_kind(subject.ref).plain else ""
        return Seen(f"{subject.ref}{version}")

    async def hosts() -> Seen:
        found.append(await subject.enter())
        return Seen(subject.host)

    async def way() -> Seen:
        return Seen(subject.way())

    check = sheet.check
    await check("way", way)
    if not (await check("login", login) and await check("workspace", workspace)):
        return None
    return found[0] if await check("hosts", hosts) else None
