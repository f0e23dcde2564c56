"""The experiments of a server: found, made, written, deleted and restored.

Deleting an experiment deletes its runs, everybody's, and restoring it shows them all again, those too that were deleted
one by one before. So a run that is hidden for itself bears a tag, and is hidden again where its experiment is restored.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace

from azureml_replay.errors import NotFound, Rejected
from azureml_replay.mlflow.not_ours import KEPT, not_ours_in
from azureml_replay.mlflow.rest import Rest
from azureml_replay.mlflow.wire import answers, ask, encode
from azureml_replay.mlflow.wire.ours import HIDDEN_TAG
from azureml_replay.model import Experiment
from azureml_replay.workspace.limits import MLFLOW_SERVER

MOST = MLFLOW_SERVER.experiment_name
"""Characters of an experiment's name: PostgreSQL refuses more, SQLite has 500. The prefix counts."""
WHOLE_NAME_TAG = "azureml_replay.experiment_name"
"""Has the name of which an experiment bears the beginning."""
HOME_TAG = "azureml_replay.experiment_prefix"
"""Of one that replay made: the prefix, and a star. Whatever name somebody gives it, it is of that target still."""
DIGITS = 8
EXISTS = "RESOURCE_ALREADY_EXISTS"
CLOSED = "the experiment {name} is deleted there: restore it first"


class Experiments:
    """The experiments of one server, with a prefix before the names that are written there."""

    def __init__(self, rest: Rest, prefix: str = "") -> None:
        """Nothing is asked yet."""
        self._rest, self._prefix = rest, prefix
        self._ids: dict[str, str] = {}
        """Name -> id, of those that were found or made."""
        self._turns: dict[str, asyncio.Lock] = {}
        """Name -> whoever looks for it and makes it: of many runs that are made at once, one asks for all."""

    async def found(self, name: str) -> Experiment | None:
        """An experiment by its name, deleted or not; None where there is none."""
        there = await self._rest.experiment(fit_name(self._prefix + name))
        if there is None:
            return None
        self._ids[name] = there.id
        return replace(self.as_asked(there), name=name)

    def as_asked(self, there: Experiment) -> Experiment:
        """A server's experiment under its whole name, without the prefix."""
        name = there.tags.get(WHOLE_NAME_TAG) or there.name
        whole = name if fit_name(name) == there.name else there.name  # somebody may have renamed it since
        tags = {key: value for key, value in without_home(there).tags.items() if key != WHOLE_NAME_TAG}
        return replace(there, name=whole.removeprefix(self._prefix), tags=tags)

    def may_be_renamed(self, there: Experiment, known: Collection[str]) -> bool:
        """True for one that was made with this prefix, or bears it, and has another name than those that are known."""
        home, has_prefix = there.tags.get(HOME_TAG), there.name.startswith(self._prefix)
        of_this = has_prefix if home is None else home == self._home
        return of_this and not (has_prefix and self.as_asked(there).name in known)

    @property
    def _home(self) -> str:
        return f"{self._prefix}*"

    async def id_of(self, name: str) -> str | None:
        """Its id; None where there is none."""
        if name not in self._ids:
            await self.found(name)
        return self._ids.get(name)

    async def made(self, name: str) -> str:
        """Its id; it is made where there is none. Repeatable. Raises Rejected where it is deleted."""
        async with self._turns.setdefault(name, asyncio.Lock()):
            if name in self._ids:
                return self._ids[name]
            there = await self.found(name)
            if there is not None and there.archived is not None:
                del self._ids[name]  # a run is made once somebody has restored it
                raise Rejected(CLOSED.format(name=name), status=400)
            return self._ids[name] if there is not None else await self._create(Experiment(id="", name=name))

    async def put(self, experiment: Experiment) -> None:
        """Write description and tags, then whether it is archived. Repeatable.

        Raises Rejected, before anything is written, where it is to be deleted and holds what is not ours.
        """
        there = await self.found(experiment.name)
        if there is not None and experiment.archived is not None and there.archived is None:
            await self._check_ours(there)
        if there is None:
            await self._create(replace(experiment, archived=None))
        else:
            await self._update(there, experiment)
        if experiment.archived is not None and (there is None or there.archived is None):
            await self._call("experiments/delete", encode.experiment(self._ids[experiment.name]), gone=True)

    async def made_first(self, experiment: Experiment) -> None:
        """Make an experiment, whose name the prefix is not for, unless there is one. NOT repeatable."""
        body = encode.created_experiment(experiment.name, experiment)
        try:
            await self._rest.send("POST", f"{ask.API}/experiments/create", json=body, repeatable=False)
        except Rejected as error:
            if error.code != EXISTS:
                raise

    async def _check_ours(self, there: Experiment) -> None:
        if what := await not_ours_in(self._rest, there):
            raise Rejected(KEPT.format(what=what), status=400)

    async def _update(self, there: Experiment, wanted: Experiment) -> None:
        held = encode.experiment_tags(there)
        tags = {key: value for key, value in encode.experiment_tags(wanted).items() if held.get(key) != value}
        if there.archived is not None and (wanted.archived is None or tags):
            await self._restore(there)
        for key, value in tags.items():
            await self._call("experiments/set-experiment-tag", encode.experiment_tag(there.id, key, value))
        if there.archived is not None and wanted.archived is not None and tags:
            await self._call("experiments/delete", encode.experiment(there.id), gone=True)

    async def _restore(self, there: Experiment) -> None:
        """Show it, and hide its runs again that were hidden for themselves."""
        await self._call("experiments/restore", encode.experiment(there.id), gone=True)
        async for page in self._rest.runs([there.id], {there.id: there.name}):
            for run in (one.run for one in page):
                if HIDDEN_TAG in run.tags and not run.hidden:
                    await self._call("runs/delete", encode.run(run.id))

    async def _create(self, experiment: Experiment) -> str:
        whole = self._prefix + experiment.name
        own = {HOME_TAG: self._home} | ({} if fit_name(whole) == whole else {WHOLE_NAME_TAG: whole})
        body = encode.created_experiment(fit_name(whole), replace(experiment, tags={**experiment.tags, **own}))
        try:
            answer = await self._rest.send("POST", f"{ask.API}/experiments/create", json=body)
        except Rejected as error:
            if error.code != EXISTS:
                raise
            there = await self.found(experiment.name)  # somebody was first, or an answer was lost
            if there is None:
                raise
            return there.id
        self._ids[experiment.name] = answers.created_experiment(answer.json())
        return self._ids[experiment.name]

    async def _call(self, call: str, body: Mapping[str, object], *, gone: bool = False) -> None:
        """A repeatable call. `gone`: that it is so already is answered as if it were not there."""
        try:
            await self._rest.send("POST", f"{ask.API}/{call}", json=body)
        except NotFound:
            if not gone:
                raise


def without_home(there: Experiment) -> Experiment:
    """A server's experiment without the note of its prefix: it says nothing of what it is."""
    return replace(there, tags={key: value for key, value in there.tags.items() if key != HOME_TAG})


def fit_name(name: str) -> str:
    """The name that a server takes; one that is cut ends with the beginning of its digest, and meets no other."""
    if len(name) <= MOST:
        return name
    return f"{name[: MOST - DIGITS - 1]}_{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}"


def hidden_by(experiment: Experiment | None) -> bool:
    """True where runs are not shown because their experiment is deleted."""
    return experiment is not None and experiment.archived is not None
