"""Says how far an archive is, from its ledger alone: no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.reading import Totals
from azureml_replay.archive.target_ledger import TargetProgress
from azureml_replay.verification.verdict import Verdict, verdict
from azureml_replay.workspace.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """What has reached one target."""

    target: Place
    progress: TargetProgress
    verdict: Verdict | None
    """By the evidence of earlier verifications, of everything that the archive is to carry; None: not asked for."""
    proof_root: str
    """Of what was sent and what was found there, as kept with every write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is in the archive and what has reached which target."""

    source: Place
    totals: Totals
    targets: tuple[TargetStatus, ...]
    named_outputs: int | None
    """Named outputs of jobs whose bytes lie beside their runs: no archive and no target has them. None: not counted."""
    content_root: str
    """Of all values from the source, as kept with every write; `check` reckons it anew."""
    unknown: Mapping[str, int]
    """Keys of the service that this version does not know, as `run novelty`, and how many times each was answered."""


def status(archive: Archive, *, at_a_glance: bool = False) -> Status:
    """The state of an archive, from its ledger; works while another process writes.

    `at_a_glance` leaves out what each run has to be read for, verdicts and named outputs.
    """
    return Status(
        source=archive.source,
        totals=archive.totals(),
        targets=tuple(_of_target(archive, target, proven=not at_a_glance) for target in archive.targets()),
        named_outputs=None if at_a_glance else sum(1 for _ in archive.named_outputs()),
        content_root=archive.content_root(),
        unknown=archive.unknown(),
    )


def _of_target(archive: Archive, target: Place, *, proven: bool) -> TargetStatus:
    ledger = archive.ledger(target)
    return TargetStatus(
        target=target,
        progress=ledger.progress(),
        verdict=verdict(archive, ledger) if proven else None,
        proof_root=ledger.root(),
    )
