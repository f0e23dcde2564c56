"""Evidence in a ledger as verify leaves it, for tests that need no workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from azureml_replay.archive.archive import Archive
from azureml_replay.archive.asset_receipts import topic_of
from azureml_replay.archive.evidence import OTHERS, Aspect, Looked, Topic, Way
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.model import Finding, RunId
from azureml_replay.planning.asset_names import digest_of_name
from azureml_replay.planning.plan import FILES
from azureml_replay.selection import Selection
from azureml_replay.target.asset_plans import expected_assets, expected_names
from azureml_replay.verification.verdict import Verdict
from azureml_replay.workspace.asset import AssetKey

LOOKED_AT = (Aspect.FIELDS, Aspect.POINTS, Aspect.FILES)


def looked_at(
    ledger: TargetLedger, run: RunId, findings: Sequence[Finding] = (), counts: Mapping[str, int] | None = None
) -> None:
    """One run, whole, as a verification of its own sees it; `findings` by the aspect that their words name."""
    look = ledger.begin_look(LOOKED_AT, [run], [])
    outcomes = {
        aspect: Looked([one for one in findings if aspect_of(one) is aspect], _counts(aspect, counts or {}))
        for aspect in LOOKED_AT
    }
    against = dict.fromkeys(outcomes, ledger.content_of(run))
    ledger.put_outcomes(Topic(Way.RUN, run), look, against, outcomes)
    ledger.end_look(look)


def all_looked_at(archive: Archive, ledger: TargetLedger, findings: Mapping[RunId, Sequence[Finding]]) -> None:
    """Every run that is extracted, every experiment, and what is beside them."""
    names = set()
    for run in [run for root in archive.units() for run in archive.unit(root)]:
        names.add(run.experiment)
        looked_at(ledger, run.id, findings.get(run.id, ()), {"files": archive.artifact_totals(run.id).files})
    look = ledger.begin_look([Aspect.FIELDS, Aspect.CHILDREN], None, None)
    nothing = {Aspect.FIELDS: Looked(), Aspect.CHILDREN: Looked()}
    for name in sorted(names):
        against = {Aspect.FIELDS: ledger.content_of_experiment(name), Aspect.CHILDREN: ledger.content_of_families()}
        ledger.put_outcomes(Topic(Way.EXPERIMENT, name), look, against, nothing)
    families = {Aspect.CHILDREN: ledger.content_of_families()}
    ledger.put_outcomes(OTHERS, look, families, {Aspect.CHILDREN: Looked()})
    ledger.end_look(look)


def assets_looked_at(archive: Archive, ledger: TargetLedger, findings: Mapping[AssetKey, Sequence[Finding]]) -> None:
    """Every asset that is expected there, and the names of those that were made."""
    look, nothing = ledger.begin_look(LOOKED_AT, None, None), Looked()
    expected = expected_assets(archive, ledger, Selection())
    for one in expected:
        outcomes = {Aspect.FIELDS: Looked(findings.get(one.key, ())), Aspect.FILES: nothing}
        ledger.put_outcomes(topic_of(one.key), look, dict.fromkeys(outcomes, one.content), outcomes)
    for key in expected_names(expected):
        against = digest_of_name(archive.asset_container(key.kind, key.name))
        ledger.put_outcomes(topic_of(key), look, {Aspect.FIELDS: against}, {Aspect.FIELDS: nothing})
    ledger.end_look(look)


def carried(archive: Archive, ledger: TargetLedger) -> None:
    """Every run that is extracted is noted as sent."""
    runs = [run.id for root in archive.units() for run in archive.unit(root)]
    ledger.carry({run: {FILES: {"artifacts": True, "most_bytes": None, "globs": []}} for run in runs}, Way.RUN)


def aspect_of(finding: Finding) -> Aspect:
    """By the finding's words."""
    kinds = {"metric": Aspect.POINTS, "file": Aspect.FILES}
    return kinds.get(finding.what.partition(" ")[0], Aspect.FIELDS)


def _counts(aspect: Aspect, counts: Mapping[str, int]) -> Mapping[str, int]:
    own = {"points"} if aspect is Aspect.POINTS else counts.keys() - {"points"} if aspect is Aspect.FILES else set()
    return {name: count for name, count in counts.items() if name in own}


def a_verdict(**figures: int | Mapping[str, int] | Sequence[Finding]) -> Verdict:
    """With nothing in what is not named."""
    nothing = dict.fromkeys((field.name for field in fields(Verdict) if field.type == "int"), 0)
    return Verdict(**{"uncompared": {}, "reasons": {}, **nothing, **figures})  # type: ignore[arg-type]
