"""The prefix before the names of experiments, where a target has one: an archive sends to a server under one alone.

A server is one place whatever the prefix: runs that were sent under another one stay where they are, and differ.
"""

from __future__ import annotations

from typing import Protocol

from azureml_replay import redact
from azureml_replay.archive.items import RunItem
from azureml_replay.archive.receipts import State
from azureml_replay.archive.target_ledger import TargetLedger
from azureml_replay.errors import UserError
from azureml_replay.model import RunId
from azureml_replay.workspace.place import Place
from azureml_replay.workspace.target import Target, prefix_of

_NOBODY = RunId("")


class NamedTarget(Protocol):
    """A target, or what names one."""

    @property
    def ref(self) -> Place:
        """Its place."""
        ...


def refuse_other_prefix(ledger: TargetLedger, target: NamedTarget) -> None:
    """Raise UserError where the archive sent to this target under another prefix. Asks nothing."""
    known, given = ledger.receipt(_NOBODY, RunItem.PREFIX), prefix_of(target)
    if known is None or given is None or redact.text(given) == known.detail:
        return
    raise UserError(
        f'{target.ref}: what this archive sent there is under experiment_prefix "{known.detail}", not "{given}": name '
        f"a file with that prefix as --target, or extract into another archive for this one"
    )


def note_prefix(ledger: TargetLedger, target: Target) -> None:
    """Note the prefix before the first thing is sent. Of what an older version sent nobody noted it. Repeatable."""
    given = prefix_of(target)
    if given is not None and not ledger.began:
        ledger.mark(_NOBODY, [RunItem.PREFIX], State.SENT, given)
