"""Changes that somebody made in a target, kept as they are: `verify --accept`, and its undoing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect, Topic, Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.verification.wording import Told, acceptable, told


def accept(archive: Archive, ledger: TargetLedger, *, look: int, by: str) -> tuple[Told, ...]:
    """Accept what this look found to be somebody's changes of tags, descriptions, names, or of hidden; each of them.

    Nothing that is not proven to be an edit, and nothing of a run that this look did not come to. Repeatable.
    """
    chosen: defaultdict[RunId, set[str]] = defaultdict(set)
    shown: list[Told] = []
    for subject, aspect, finding in ledger.findings_about():
        if subject.way is not Way.RUN or aspect is not Aspect.FIELDS or not acceptable(finding):
            continue
        if not _is_of(ledger, subject, look):
            continue
        run = archive.run(finding.run)
        chosen[finding.run].add(finding.what)
        shown.append(told(finding, (run.display_name if run else None) or ""))
    if chosen:
        ledger.accept(chosen, by)
    return tuple(shown)


def forget_accepted(archive: Archive, ledger: TargetLedger, roots: Collection[RunId] | None) -> None:
    """Take every acceptance back, of these units or of all: the next look finds the changes again. Repeatable."""
    runs = dict.fromkeys(run for run, _ in ledger.accepted())
    ledger.forget_accepted([run for run in runs if roots is None or archive.unit_of(run) in roots])


def _is_of(ledger: TargetLedger, subject: Topic, look: int) -> bool:
    compared = ledger.kept(subject).compared.get(Aspect.FIELDS)
    return compared is not None and compared.look == look
