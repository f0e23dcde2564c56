"""Writes on a replayed run where it comes from (pure).

One tag, `original_job_id`, which people search for, and one property, `azureml_replay`, which holds as JSON what
the server owns and cannot be told: creation time, creator, type. Properties are immutable on the service, so the
property is what says that a run is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from azureml_replay import json_text
from azureml_replay.model import Editable, Experiment, Run, RunId
from azureml_replay.version import __version__
from azureml_replay.workspace.limits import Limits
from azureml_replay.workspace.mark import IN_TAG, LINEAGE, SENT_TAG, SOURCE_TAG, UNDO_TAG, SentMark
from azureml_replay.workspace.place import Place

TAG = "original_job_id"
PROPERTY = LINEAGE
JOB_PROPERTY = "azureml_replay_job"
"""A property of jobs that synthetic replay submitted: such a job stands for the original, without its history.
Its value is `job_mark`: another value was carried along from a source, and says nothing of the run that has it."""


SENT = "sent"
"""The fact of what was sent with the run: no more is known of it than of a mark."""
EXPERIMENT_TAG = PROPERTY
"""A tag of experiments that replay made: the source, its name, and whether `undo` archived it.

Every replay writes it anew."""


def of_experiment(source: Place, name: str, sent: Editable | None = None, *, taken_back: bool = False) -> str:
    """The value of the tag; with `taken_back` that of an experiment that `undo` archives.

    `sent`: values that a replay sent last. Of the 52 that an experiment can have the tokens are 312 characters.
    """
    marked = {SENT: "".join(sorted(SentMark.of(sent, None).tokens))} if sent else {}
    undone = {"undo": "archived"} if taken_back else {}
    return encode({"workspace": source.key, "experiment": name, **marked, **undone})


def sent_of_another(there: Experiment, source: Place) -> SentMark | None:
    """What the target's experiment says that a replay from `source` sent of it last, by whichever archive."""
    told = decoded(there.tags.get(EXPERIMENT_TAG)).get(SENT)
    return SentMark.of_tokens(told) if isinstance(told, str) and made_experiment(there, source) else None


def says_more(there: Experiment, source: Place) -> bool:
    """True where the tag has another text than one of ours, whatever it says was sent: also the word of `undo`."""
    facts = decoded(there.tags.get(EXPERIMENT_TAG))
    return encode({key: value for key, value in facts.items() if key != SENT}) != of_experiment(source, there.name)


def made_experiment(experiment: Experiment, source: Place) -> bool:
    """True where the experiment says that a replay from `source` made it, of whichever archive.

    Not with tags that were copied from another one; early versions named none.
    """
    facts = decoded(experiment.tags.get(EXPERIMENT_TAG))
    named = facts.get("experiment", experiment.name) == experiment.name
    return named and str(facts.get("workspace", "")).lower() == source.key


def is_taken_back(experiment: Experiment, source: Place) -> bool:
    """True where `undo` archived an experiment that a replay from `source` made, and nobody has shown it since.

    What an early version wrote, which named no experiment, does not do: what is there would be overwritten.
    """
    archived = experiment.archived is not None and made_experiment(experiment, source)
    return archived and {"undo", "experiment"} <= decoded(experiment.tags.get(EXPERIMENT_TAG)).keys()


def without_lineage(experiment: Experiment) -> Experiment:
    """What the experiment has of its own."""
    return replace(experiment, tags={key: value for key, value in experiment.tags.items() if key != EXPERIMENT_TAG})


def lineage_of(run: Run, source: Place, *, times: bool = False) -> dict[str, Any]:
    """The facts for the property; keys without a value are left out. `times`: start and end are among them."""
    facts = {
        "workspace": source.key,
        "run": run.id,
        "type": run.kind,
        "created": str(run.created) if run.created else None,
        "creator": run.creator,
        "version": __version__,
        "before": _before(run),
        "start": str(run.start) if times and run.start else None,
        "end": str(run.end) if times and run.end else None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def encode(facts: dict[str, Any]) -> str:
    """The facts as compact JSON: the service stores 1,000 characters."""
    return json_text.compact(facts)


def job_mark(source: Place, original: RunId, job: str | None) -> str:
    """Sixteen hex digits for the run and the workspace that a job of that name stands for.

    A copy that somebody makes of the job in Studio takes the property along under another name, and is theirs. Early
    versions named no job: None.
    """
    told = f"{source.key}/{original}" + (f"/{job.lower()}" if job else "")
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def source_mark(source: Place) -> str:
    """The value of SOURCE_TAG: sixteen hex digits for the workspace that a run comes from."""
    return hashlib.blake2b(source.key.encode(), digest_size=8).hexdigest()


def made(run: Run, source: Place) -> Run:
    """The run with what it is made with under an id that is not ours: whatever else it has is sent later."""
    return replace(
        Run(id=run.id, parent=run.parent, experiment=run.experiment),
        start=run.start,
        creator=run.creator,
        display_name=run.display_name,
        tags={TAG: run.tags[TAG], SOURCE_TAG: source_mark(source)},
    )


def is_our_job(run: Run, source: Place, original: RunId) -> bool:
    """True where `run` is a job that synthetic replay submitted for `original` of `source`."""
    return run.properties.get(JOB_PROPERTY) in [job_mark(source, original, name) for name in (run.id, None)]


def is_ours(run: Run, source: Place, original: RunId, *, properties_kept: bool = True) -> bool:
    """True where `run` says that it was written from `original` of `source`, by whichever archive; not for a job.

    Without `properties_kept` the target was seen to drop properties: then the tag has to do, which names no workspace.
    A run that was made, and of which no more was sent, has another tag for that: whether it is one, or a copy of such a
    run, planning/candidates.py tells. A copy of the property has the mark of the run that it was copied from.
    """
    if is_our_job(run, source, original):
        return False
    facts = decoded(run.properties.get(PROPERTY))
    if not facts and (not properties_kept or run.tags.get(SOURCE_TAG) == source_mark(source)):
        return run.tags.get(TAG) == original
    named = str(facts.get("workspace", "")).lower() == source.key and facts.get("run") == original
    return named and (SENT not in facts or is_marked(run))


def is_marked(run: Run) -> bool:
    """True where the property says what was sent with this very run."""
    facts = decoded(run.properties.get(PROPERTY))
    return SentMark.of_text(facts.get(SENT), RunId(str(facts.get("run"))), run.id) is not None


def signed(run: Run, mark: SentMark, most: int) -> Run:
    """The run whose property also says what is sent with it, where that has room in `most` characters."""
    facts = decoded(run.properties.get(PROPERTY))
    told = encode({**facts, SENT: mark.to_text(RunId(str(facts.get("run"))), run.id)})
    if not facts or len(told) > most:
        return run
    return replace(run, properties={**run.properties, PROPERTY: told})


def sent_mark(run: Run, original: RunId, most: int) -> SentMark | None:
    """What a run of a target says was sent of it last, by whichever archive; None where nobody can tell.

    That of its creation holds until another was written: one with as many properties as it can have, which is `most`,
    could not say that it no longer does. A mark of another run says nothing.
    """
    mark = SentMark.of_text(run.tags.get(SENT_TAG), original, run.id)
    if mark is not None or SENT_TAG in run.properties or len(run.properties) >= most:
        return mark
    return SentMark.of_text(decoded(run.properties.get(PROPERTY)).get(SENT), original, run.id)


def with_mark(update: Run, there: Run, mark: SentMark, original: RunId, limits: Limits) -> Run:
    """The update of a run that is `there`, with its mark where the run has room for that, and for the one of `undo`.

    And with the property that says that the mark of its creation no longer holds, where it has one.
    """
    names = {*there.tags, *update.tags, UNDO_TAG}
    if SENT_TAG in there.tags or len(names) < limits.tags:
        update = replace(update, tags={**update.tags, SENT_TAG: mark.to_text(original, there.id)})
    if (
        SENT not in decoded(there.properties.get(PROPERTY))
        or len({*there.properties, *update.properties}) >= limits.properties
    ):
        return update
    return replace(update, properties={**update.properties, **IN_TAG})


def differences(expected: Run, actual: Run) -> Iterator[tuple[str, str, str]]:
    """What two runs say differently of the original: the fact, expected, actual.

    Which run of which workspace it was is for `is_ours` to judge; the version is that of whoever wrote the run first.
    """
    wanted, found = (decoded(run.properties.get(PROPERTY)) for run in (expected, actual))
    for fact in sorted(wanted.keys() | found.keys()):
        if fact not in ("workspace", "run", "version", SENT) and wanted.get(fact) != found.get(fact):
            yield fact, str(wanted.get(fact, "")), str(found.get(fact, ""))


def written_anew(expected: Run, there: Run) -> dict[str, str]:
    """The property of a run whose target takes it anew: what it says of the original now, and what was sent last.

    Empty where it says that already, and for a run that has none yet.
    """
    wanted, found = (run.properties.get(PROPERTY) for run in (expected, there))
    facts, before = decoded(wanted), decoded(found)
    if not facts or not before or is_alike(wanted, found):
        return {}
    return {PROPERTY: encode({**facts, **({SENT: before[SENT]} if SENT in before else {})})}


def is_alike(expected: str | None, actual: str | None) -> bool:
    """True where two values of the property say the same of the original, whichever version wrote them."""
    one, other = decoded(expected), decoded(actual)
    return bool(one) and {**one, "version": None, SENT: None} == {**other, "version": None, SENT: None}


def origin(run: Run) -> RunId | None:
    """The id that the run had where it was replayed from, None where it was not replayed."""
    found = decoded(run.properties.get(PROPERTY)).get("run")
    return RunId(found) if isinstance(found, str) else None


def _before(run: Run) -> object:
    """The origin that the source run itself names: a replay of a replay keeps the chain."""
    facts = decoded(run.properties.get(PROPERTY))
    if facts:
        return {key: value for key, value in facts.items() if key != SENT}
    tag = run.tags.get(TAG)
    return {"run": tag} if tag else None


def decoded(value: str | None) -> dict[str, Any]:
    """The facts in a value that `encode` made; none for any other text."""
    if not value:
        return {}
    try:
        facts = json_text.loads(value.encode())
    except ValueError:
        return {}  # a property of this name that is not ours: no reason to stop
    return facts if isinstance(facts, dict) else {}
