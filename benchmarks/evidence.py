"""Evidence in a ledger as verify leaves it, for archives that no workspace ever saw."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from azureml_replay.archive.evidence import OTHERS, Aspect, Looked, Topic, Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Finding, RunId

KINDS = {"metric": Aspect.POINTS, "file": Aspect.FILES}


def looked_at(
    ledger: TargetLedger, look: int, run: RunId, findings: Sequence[Finding] = (), *, points: int, files: int
) -> None:
    """One run in all aspects but bytes."""
    by: dict[Aspect, list[Finding]] = {}
    for one in findings:
        by.setdefault(KINDS.get(one.what.partition(" ")[0], Aspect.FIELDS), []).append(one)
    counts = {Aspect.FIELDS: {}, Aspect.POINTS: {"points": points}, Aspect.FILES: {"files": files}}
    outcomes = {aspect: Looked(by.get(aspect, ()), told) for aspect, told in counts.items()}
    against = dict.fromkeys(outcomes, ledger.content_of(run))
    ledger.put_outcomes(Topic(Way.RUN, run), look, against, outcomes)


def around(ledger: TargetLedger, look: int, experiments: Collection[str]) -> None:
    """Experiments, and what is beside them."""
    nothing = {Aspect.FIELDS: Looked(), Aspect.CHILDREN: Looked()}
    families = {Aspect.CHILDREN: ledger.content_of_families()}
    for name in experiments:
        against = {Aspect.FIELDS: ledger.content_of_experiment(name), **families}
        ledger.put_outcomes(Topic(Way.EXPERIMENT, name), look, against, nothing)
    ledger.put_outcomes(OTHERS, look, families, {Aspect.CHILDREN: Looked()})
