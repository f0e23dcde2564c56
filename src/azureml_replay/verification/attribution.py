"""Who changed what differs: findings told apart by what was sent last (sync.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from azureml_replay.archive.items import FileItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.files import alike
from azureml_replay.comparison.shown import shown
from azureml_replay.comparison.three_way import GONE_REASON, RUN_TYPE, Fate, fates
from azureml_replay.model import Editable, Finding, Omission, Run, RunId, StoredFile
from azureml_replay.planning.plan import Step


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings of one run, and what it lost at the source since it was sent."""

    findings: Sequence[Finding]
    gone: Sequence[Omission]
    unverifiable: int = 0
    """Files of equal size without a checksum on either side."""


def judged(
    ledger: TargetLedger,
    step: Step,
    actual: Run,
    findings: Sequence[Finding],
    *,
    wanted: Mapping[str, StoredFile],
    there: Mapping[str, StoredFile],
) -> Judged:
    """`wanted` and `there` are the run's files by path. Findings stay as they are where nobody knows what was sent."""
    sent = ledger.sent(step.source)
    if sent is None:
        return Judged(findings, ())
    if sent.get(RUN_TYPE, actual.kind) != actual.kind:
        told_type = Finding(step.source, RUN_TYPE, "differs", str(sent[RUN_TYPE]), shown(actual.kind))
        findings = [*findings, told_type]
    if not findings:
        return Judged(findings, ())
    told = {shown(name): fate for name, fate in fates(step.run, actual, sent).items()}
    told |= {shown(f"file {path}"): fate for path, fate in _files(ledger, step.source, wanted, there)}
    found: list[Finding] = []
    gone: list[Omission] = []
    for finding in findings:
        fate = _fate(finding, told, sent)
        if fate is Fate.GONE:
            gone.append(Omission(step.source, finding.what, GONE_REASON))
        else:
            found.append(replace(finding, kind=fate.value) if fate in (Fate.EDITED, Fate.CONFLICT) else finding)
    return Judged(found, gone)


def _fate(finding: Finding, told: Mapping[str, Fate], sent: Editable) -> Fate | None:
    if finding.kind == "extra" and finding.what.startswith("metric ") and finding.what in sent:
        return Fate.GONE
    return told.get(finding.what)


def _files(
    ledger: TargetLedger,
    run: RunId,
    wanted: Mapping[str, StoredFile],
    there: Mapping[str, StoredFile],
) -> Iterator[tuple[str, Fate]]:
    """Files that the target has. One that lacks there is a finding whoever removed it."""
    receipts = ledger.receipts(run)
    for path, found in there.items():
        sent = ledger.sent_file(run, path) if FileItem(path) in receipts else None
        if sent is None:
            continue
        theirs, ours = alike(sent, found), path in wanted and alike(sent, wanted[path])
        if path not in wanted:
            yield path, Fate.GONE if theirs else Fate.EDITED
        elif not theirs:
            yield path, Fate.EDITED if ours else Fate.CONFLICT
