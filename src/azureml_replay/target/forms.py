"""Which forms of a run a target lets its clients end: there, a run's status may be the system's affair.

"Status for this run is system managed" was reported in 2023 (recommenders-team/recommenders#1876), of which runs is not
known: the type is the suspect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from azureml_replay.errors import ServiceError
from azureml_replay.model import RunForm
from azureml_replay.target.probe import EXPERIMENT
from azureml_replay.target.throw_away import throw_away_run
from azureml_replay.workspace.target import Refused, Target

NEUTRAL_FORMS = (RunForm.NEUTRAL, RunForm.EXTERNAL)
"""What runs are written as, the first that the target lets be ended; their own type only where somebody wants that."""


async def forms_refused(target: Target, forms: Iterable[RunForm] = RunForm) -> Mapping[RunForm, Refused]:
    """The forms of which the target does not let a client end runs, by throw-away runs of each; all in two requests.

    A refusal that is about something else counts for none. Raises Rejected, Unavailable.
    """
    runs = {form: replace(throw_away_run(form=form), error=None, status="Completed") for form in forms}
    made = await target.put_runs(EXPERIMENT, list(runs.values()))
    there = [run for run in runs.values() if made.get(run.id) is None]
    ended = await target.finish_runs(EXPERIMENT, there) if there else {}
    open_ones = [run.id for run in there if ended.get(run.id) is not None]
    if open_ones:
        await target.hide_runs(EXPERIMENT, open_ones, hidden=True)
    outcomes = {form: ended.get(run.id, made.get(run.id)) for form, run in runs.items()}
    for outcome in outcomes.values():
        if isinstance(outcome, ServiceError):
            raise outcome
    return {form: one for form, one in outcomes.items() if isinstance(one, Refused) and one.of_status}
