"""Whether a value of the target's is an edit that stays."""

from __future__ import annotations

import pytest

from azureml_replay.comparison.three_way import BEGUN, Fate, fates
from azureml_replay.model import Editable, Run, RunId


@pytest.mark.parametrize("sent", [None, BEGUN, {"status": "Completed", "hidden": False}])
def test_a_status_that_still_moves_is_no_edit(sent: Editable | None) -> None:
    """The end that was sent has not come, or a service shows it late: it is sent, whatever was sent before."""
    wanted, found = (Run(id=RunId("r"), status=status) for status in ("Completed", "NotStarted"))

    assert fates(wanted, found, sent) == {"status": Fate.SEND}
