"""What storage refused to take for jobs: an omission with its words, not tried again while it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.archive.items import StagedItem
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import RunId
from azureml_replay.synthetic.staging.manifest import LaidFile, Layout, NotStaged


def not_staged(ledger: TargetLedger, run: RunId) -> Mapping[str, NotStaged]:
    """Of one original: place in its job, of points the name of the staged file -> what was refused."""
    return {
        one.item.place: NotStaged(one.digest or b"", one.detail or "")
        for one in ledger.refused([run]).get(run, ())
        if isinstance(one.item, StagedItem)
    }


def note(ledger: TargetLedger, run: RunId, place: str, refused: NotStaged) -> None:
    """Keep a refusal. Repeatable."""
    ledger.refuse(run, {StagedItem(place): refused.words}, refused.digest)


def forget(ledger: TargetLedger, run: RunId, place: str) -> None:
    """Drop the refusal of what is taken now. Repeatable."""
    ledger.forget(run, [StagedItem(place)])


def note_told(ledger: TargetLedger, run: RunId, laid: Layout, told: Mapping[str, str]) -> list[str]:
    """Keep what a job says that it was refused, place -> words, of what is planned; the places."""
    files: list[LaidFile] = [file for file in laid.files if file.to in told]
    for file in files:
        note(ledger, run, file.to, NotStaged(file.digest, told[file.to]))
    return [file.to for file in files]
