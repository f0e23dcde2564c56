"""What is in a job, or below it, that it did not make or log itself: it would go along where the job is deleted.

The job and all runs of it are held against what is planned of them, as their verification does; properties, inputs and
outputs are the service's there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from azureml_replay import redact
from azureml_replay.archive.archive import Archive
from azureml_replay.archive.evidence import Aspect
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.comparison.rows import NONE_EXTRA
from azureml_replay.model import Finding, RunId
from azureml_replay.synthetic.expected import DISPLAY_NAME, OWN_VALUES, expected_of, texts_of
from azureml_replay.synthetic.found import Found
from azureml_replay.synthetic.mend import DESCRIPTION, TAG, sent_texts
from azureml_replay.synthetic.options import trees_of
from azureml_replay.synthetic.refused import JobRefusals
from azureml_replay.synthetic.tree.nodes import Tree
from azureml_replay.synthetic.verify import JobCheck
from azureml_replay.verification.proof import Proof
from azureml_replay.workspace.target import Target

UNKNOWN_JOB = "what nobody knows any more: its plan is not in the archive"
_OF_PEOPLE = (TAG, "property ", "parameter ", DESCRIPTION, DISPLAY_NAME)
"""Beginnings of what somebody can have changed of a job's run; its status and place are the service's."""
_OF_SERVICE = ("outputs/", "logs/", "user_logs/", "system_logs/", "azureml-logs/")
"""Folders of a job's run: the first is compared with the plan, into the others the service writes its own."""


@dataclass(frozen=True, slots=True)
class JobStrangers:
    """Looks before a job is asked to go."""

    archive: Archive
    ledger: TargetLedger
    target: Target

    async def in_job(self, root: RunId, name: RunId) -> tuple[list[RunId], list[str]]:
        """The runs below a job that it made itself, the lowest first; and what is there that it did not make or log."""
        roots = [root] if self.archive.unit_of(root) == root else []  # it may have got a parent since
        tree, shape = next(trees_of(self.archive, self.ledger, roots, None), (None, None))
        if tree is None or shape is None:
            return [], [UNKNOWN_JOB]
        check = JobCheck(
            Proof(self.archive, self.ledger, 0), self.target, JobRefusals(self.archive, self.ledger, self.target)
        )
        held, findings = await check.look(tree, name, shape)
        as_sent = set(self._as_sent(tree, held, name))
        strange = [
            *[f"{one.what} below it" for one in findings.get(Aspect.CHILDREN, ())],
            *[one.what for one in findings.get(Aspect.FIELDS, ()) if _is_of_people(one) and one.what not in as_sent],
            *[one.what for one in findings.get(Aspect.POINTS, ()) if _is_there(one)],
            *[one.what for one in findings.get(Aspect.FILES, ()) if _is_there(one)],
            *[path async for path in self._beside(held)],
        ]
        keys = sorted(held.runs, key=lambda key: -key.count("/"))
        return [held.runs[key].id for key in keys if held.runs[key].id != name], list(dict.fromkeys(strange))

    def _as_sent(self, tree: Tree, held: Found, job: RunId) -> Iterator[str]:
        """What of a job's runs is as it was sent, and planned otherwise now."""
        sent: Mapping[RunId, Mapping[str, Mapping[str, str]]] = sent_texts(self.ledger, tree, job)
        for wanted in expected_of(tree):
            run, texts = held.runs.get(wanted.key), sent.get(wanted.source, {}).get(wanted.slot, {})
            theirs = texts_of(run) if run is not None else {}
            yield from (wanted.what + redact.text(name) for name, one in theirs.items() if texts.get(name) == one)

    async def _beside(self, held: Found) -> AsyncIterator[str]:
        """Files in folders of a job's runs that neither its steps nor the service write into."""
        for run in held.runs.values():
            async for page in self.target.stored(run.lender or run.id):
                for one in page:
                    if not one.path.startswith(_OF_SERVICE):
                        yield f"file {one.path}"


def _is_of_people(finding: Finding) -> bool:
    return finding.kind in ("extra", "differs") and finding.what.removeprefix(OWN_VALUES).startswith(_OF_PEOPLE)


def _is_there(finding: Finding) -> bool:
    """True where the target has something that is not planned; a step that was cut short lacks rows and files."""
    return finding.kind != "absent" and finding.actual != NONE_EXTRA
