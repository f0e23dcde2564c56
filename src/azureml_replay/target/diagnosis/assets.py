"""What `doctor` tries of assets: a few are made beside the throw-away run, read back, and archived.

Replay goes by each answer: no row here stops it. They tell beforehand what will be an omission.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

from azureml_replay.errors import Forbidden, Rejected, ServiceError
from azureml_replay.model import Run
from azureml_replay.target.diagnosis.sheet import Outcome, Seen, Sheet
from azureml_replay.target.probe import EXPERIMENT
from azureml_replay.workspace.asset import Asset, AssetKey
from azureml_replay.workspace.assets import AssetTarget
from azureml_replay.workspace.examined import TRIAL_FOLDER, Examined, TrialAssets
from azureml_replay.workspace.put_files import NewFile

OMITTED = "nothing: it is an omission of each asset that has one"
STAGE = "Production"
TAGS, TAG_LENGTH = 100, 1_000
_MODEL_FILE = b"artifact_path: probe model\nflavors:\n  python_function:\n    loader_module: azureml_replay_probe\n"
OVERWRITTEN = "what was there is overwritten"
NONE_MADE = Seen("the asset that it needs was not made", Outcome.UNKNOWN)


@dataclass(slots=True)
class AssetExamination:
    """Makes assets in a target. `run` is the throw-away run, which has ended."""

    sheet: Sheet
    target: Examined
    run: Run
    trial: TrialAssets = field(init=False)
    writing: AssetTarget = field(init=False)
    made: dict[AssetKey, Asset] = field(default_factory=dict)
    """As they were answered last."""

    async def all(self) -> None:
        """A row each; at the end all that was made is archived."""
        self.writing = cast("AssetTarget", self.target)
        self.trial = self.target.trial_assets(self.run.id)
        for probe, ask in (
            ("model places", self._model_places),
            ("model links", self._model_links),
            ("moved models", self._moved_models),
            ("component graphs", self._component_graphs),
            ("asset conflicts", self._conflicts),
            ("asset tags", self._tags),
            ("asset stages", self._stages),
            ("text versions", self._text_versions),
            ("model aliases", self._aliases),
            ("output data", lambda: self._made_twice(self.trial.output)),
            ("input data", lambda: self._made_twice(self.trial.input)),
            ("output models", lambda: self._made_twice(self.trial.output_model)),
            ("input models", lambda: self._made_twice(self.trial.input_model)),
            ("run outputs", self._run_outputs),
        ):
            await self._check(probe, ask)
        await self._archive()

    async def _check(self, probe: str, ask: Callable[[], Awaitable[Seen]]) -> None:
        """A refusal is about assets alone: no run waits for them."""

        async def asking() -> Seen:
            try:
                return await ask()
            except Forbidden as error:
                return self.sheet.forbidden(error, Outcome.WARNING)
            except Rejected as error:
                return Seen(f"refused: {error.in_words}", Outcome.WARNING, OMITTED)

        await self.sheet.check(probe, asking)

    async def _put(self, asset: Asset) -> Asset:
        answer = self.made[asset.key] = await self.writing.put_asset(asset, {})
        return answer

    async def _model_places(self) -> Seen:
        asset = self.trial.custom
        answer = await self._put(asset)
        if answer.content == asset.content:
            return Seen("a model may lie among the files of a run")
        return Seen("the target keeps another place of a model than it is sent", Outcome.WARNING, OMITTED)

    async def _model_links(self) -> Seen:
        answer = self.made.get(self.trial.custom.key)
        if answer is None:
            return NONE_MADE
        if answer.run == self.run.id:
            return Seen("a model keeps the run that it is sent with")
        todo = "nothing: the model's property azureml_replay names the run; an omission of each"
        return Seen("a model loses the run that it is sent with", Outcome.WARNING, todo)

    async def _moved_models(self) -> Seen:
        file = NewFile(path=f"{TRIAL_FOLDER}MLmodel", data=_MODEL_FILE, content_type="text/yaml")
        outcome = (await self.target.put_files(EXPERIMENT, self.run.id, [file])).get(file.path)
        if isinstance(outcome, ServiceError):
            raise outcome
        if outcome is not None:
            return Seen(f"no file for it could be written: {outcome.reason}", Outcome.UNKNOWN)
        asset = self.trial.flow
        answer = await self._put(asset)
        if answer.content == asset.content:
            return Seen("an MLflow model stays where it was sent to lie")
        todo = "nothing: its bytes are looked for where the answer says"
        return Seen("an MLflow model is copied to a place of the service's", Outcome.WARNING, todo)

    async def _component_graphs(self) -> Seen:
        await self._put(self.trial.environment)
        await self._put(self.trial.component)
        answer = await self._put(self.trial.tree)
        if answer.hidden is None:
            return Seen("a pipeline component is answered with its graph")
        return Seen(
            answer.hidden, Outcome.WARNING, "nothing: its graph is not compared; one of a source is an omission"
        )

    async def _conflicts(self) -> Seen:
        """Something else under the same name and version, of each kind."""
        await self._put(self.trial.data)
        other = self.target.trial_assets(self.run.id, other=True)
        told: dict[str, list[str]] = {}
        for asset in (other.custom, other.data, other.environment, other.component):
            told.setdefault(await self._second(asset), []).append(asset.key.kind.value)
        seen = "; ".join(f"{', '.join(kinds)}: {what}" for what, kinds in told.items())
        if OVERWRITTEN in told:
            return Seen(seen, Outcome.WARNING, "nothing: each name is asked for before it is written")
        return Seen(seen)

    async def _second(self, other: Asset) -> str:
        before = self.made.get(other.key)
        if before is None:
            return "was not made"
        try:
            answer = await self.writing.put_asset(other, {})
        except Rejected as error:
            if isinstance(error, Forbidden):
                raise
            return "refused"
        if answer.content == before.content:
            return "what was there stays, and the answer is good"
        await self.writing.put_asset(before, {})
        return OVERWRITTEN

    async def _tags(self) -> Seen:
        """On the environment, which has none."""
        asset = self.trial.environment
        if asset.key not in self.made:
            return NONE_MADE
        tags = {f"tag{at}": "x" * TAG_LENGTH for at in range(TAGS)}
        seen = f"{TAGS} tags of {TAG_LENGTH:,} characters"
        try:
            answer = await self._put(replace(asset, tags=tags))
        except Rejected as error:
            if isinstance(error, Forbidden):
                raise
            return Seen(f"{seen} are refused: {error.in_words}", Outcome.WARNING, OMITTED)
        await self._put(asset)
        if all(answer.tags.get(name) == value for name, value in tags.items()):
            return Seen(f"{seen} are kept")
        return Seen(f"{seen} are not kept", Outcome.WARNING, "verify has a finding of each asset with so many")

    async def _stages(self) -> Seen:
        asset = self.trial.custom
        if asset.key not in self.made:
            return NONE_MADE
        answer = await self._put(replace(asset, stage=STAGE, archived=True))
        if answer.stage == STAGE and answer.archived:
            return Seen("a model that is archived keeps its stage")
        lost = "stage" if answer.archived else "archived"
        todo = "verify has a finding of each archived model with a stage"
        return Seen(f"of stage and archived, sent together, {lost} is lost", Outcome.WARNING, todo)

    async def _text_versions(self) -> Seen:
        await self._put(self.trial.text)
        if await self.target.mlflow_shows(self.trial.text.key):
            return Seen("MLflow shows a model's version that is no number")
        todo = "nothing: it is there for Azure ML's own clients, as it is in the source"
        return Seen("MLflow shows no model's version that is no number", Outcome.WARNING, todo)

    async def _aliases(self) -> Seen:
        key = self.trial.flow.key
        if key not in self.made:
            return NONE_MADE
        if await self.target.takes_alias(key, "probe"):
            return Seen("MLflow's registry knows aliases")
        todo = "nothing: the model's property azureml_replay names them; an omission of each"
        return Seen("MLflow's registry knows no aliases", Outcome.WARNING, todo)

    async def _made_twice(self, asset: Asset) -> Seen:
        """As a replay does that was stopped in between."""
        first = await self._put(asset)
        second = await self.writing.put_asset(asset, {})
        if second.key == first.key:
            return Seen("a second making leads to the first")
        todo = "nothing: replay asks whether it is there before it makes it"
        return Seen("a second making makes another version", Outcome.WARNING, todo)

    async def _run_outputs(self) -> Seen:
        asset = self.made.get(self.trial.output.key)
        if asset is None:
            return NONE_MADE
        wanted = {"probe": self.target.reference(asset)}
        outcome = (await self.target.update_runs(EXPERIMENT, [replace(self.run, outputs=wanted)])).get(self.run.id)
        if isinstance(outcome, ServiceError):
            raise outcome
        found = (await self.target.details([self.run.id])).get(self.run.id)
        if outcome is None and found is not None and found.run.outputs.get("probe") == wanted["probe"]:
            return Seen("a run that has ended takes other outputs")
        why = f" ({outcome.reason})" if outcome is not None else ""
        todo = "nothing: what comes to the target later than its run is not named by it, and verify says of which"
        return Seen(f"a run that has ended takes no other outputs{why}", Outcome.WARNING, todo)

    async def _archive(self) -> None:
        """All but the data of an output, which is the service's own and in no list."""
        for asset in self.made.values():
            if not asset.is_port and not asset.archived:
                with suppress(ServiceError):
                    await self.writing.put_asset(replace(asset, archived=True), {})
