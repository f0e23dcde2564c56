"""A run as a plain MLflow server can hold it: before the limits, which are those of any target (pure).

Properties are tags there; parameters are texts; a name may have only some characters; tags that MLflow reads have its
meaning. What that changes is an omission each, and the original lies whole in the overflow file or in `names.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from azureml_replay import json_text
from azureml_replay.model import AssetReference, Json, Run
from azureml_replay.planning.fit import Fitting
from azureml_replay.planning.made_files import NAMES_FILE
from azureml_replay.planning.names import fit_name, fit_text
from azureml_replay.workspace.limits import Limits
from azureml_replay.workspace.profile import NAME_TAG, NOTE_TAG, PARENT_TAG, PROPERTY_BEGINS, NameRule, TargetProfile

USER_TAG = "mlflow.user"
RENAMED = f"an MLflow server takes no such name; {NAMES_FILE} has it"
NULL = "a tag has a text there: its value null is the empty one"
RESERVED = "MLflow reads this tag: the target's own stands there"
AS_TEXT = "a parameter is a text there: it is written as JSON"
CLEANED = "no server keeps NUL, and halves of surrogate pairs: others stand for them"
CUT = "longer than {most} characters: cut"
CODE_AND_MESSAGE = "a tag has room for the code and the message of the error"
_RESERVED = (PROPERTY_BEGINS, "azureml_replay.")
"""Beginnings of names of tags that mean something in the target."""


@dataclass(slots=True)
class Renamed:
    """Names that a target does not take -> what stands for them there."""

    names: dict[str, dict[str, str]] = field(default_factory=dict)
    """Kind -> original name -> name in the target."""

    def of(self, kind: str, name: str, rule: NameRule | None, fitting: Fitting, *, reserved: bool = False) -> str:
        """The name there; notes a new one with its omission."""
        made = fit_name(name, rule, reserved=_RESERVED if reserved else ())
        if made != name and name not in self.names.setdefault(kind, {}):
            self.names[kind][name] = made
            fitting.omit(f"name of {kind} {name}, which is {made} there", RENAMED)
        return made

    def document(self) -> Json:
        """The content of `names.json`."""
        return {kind: dict(names) for kind, names in self.names.items() if names}


def as_plain(run: Run, fitting: Fitting, profile: TargetProfile, renamed: Renamed) -> Run:
    """The run in a plain server's terms; as it is for any other target."""
    if not profile.plain:
        return run
    plain = _Plain(run, fitting, profile, renamed)
    tags = plain.tags()
    error, origin = plain.error()
    return replace(
        run,
        display_name=plain.name(),
        description=plain.text("description", run.description if run.description is not None else tags.get(NOTE_TAG)),
        tags={key: value for key, value in tags.items() if key != NOTE_TAG},
        properties=plain.pairs("property", run.properties),
        parameters=plain.parameters(),
        inputs=plain.assets("input", run.inputs),
        outputs=plain.assets("output", run.outputs),
        error=error,
        error_origin=origin,
    )


@dataclass(frozen=True, slots=True)
class _Plain:
    run: Run
    fitting: Fitting
    profile: TargetProfile
    renamed: Renamed

    @property
    def _limits(self) -> Limits:
        return self.profile.limits

    def name(self) -> str | None:
        most, whole = self._limits.display_name, self.text("display name", self.run.display_name)
        if whole is None or len(whole) <= most:
            return whole
        self.fitting.over("text", "display name", self.run.display_name, CUT.format(most=most))
        return whole[: most - 1] + "…"

    def text(self, what: str, text: str | None, kind: str = "text") -> str | None:
        made = None if text is None else fit_text(text)
        if made != text:
            self.fitting.over(kind, what, text, CLEANED)
        return made

    def tags(self) -> dict[str, str | None]:
        """The source's own, but those that MLflow reads and this run has otherwise; with its creator."""
        run, own = self.run, dict(self.run.tags)
        means = {NAME_TAG: run.display_name, PARENT_TAG: run.parent, NOTE_TAG: run.description}
        for key, value in means.items():
            if key in own and (key != NOTE_TAG or value is not None):
                told = own.pop(key)
                if told != value:
                    self.fitting.over("tag", key, told, RESERVED)
        pairs = self.pairs("tag", own)
        if run.creator:
            pairs.setdefault(USER_TAG, fit_text(run.creator))
        return pairs

    def pairs(self, kind: str, pairs: Mapping[str, str | None]) -> dict[str, str | None]:
        made: dict[str, str | None] = {}
        for key, value in pairs.items():
            there = self.renamed.of(kind, key, self.profile.names, self.fitting, reserved=kind == "tag")
            if value is None:
                self.fitting.over(kind, key, None, NULL)
            made[there] = self.text(key, value or "", kind)
        return made

    def parameters(self) -> dict[str, Json]:
        made: dict[str, Json] = {}
        for key, value in self.run.parameters.items():
            there = self.renamed.of("parameter", key, self.profile.names, self.fitting)
            text = value if isinstance(value, str) else json_text.compact(value)
            if text is not value:
                self.fitting.omit(f"type of parameter {key}", AS_TEXT)
            if text and len(text) > self._limits.parameter:
                why = f"value longer than {self._limits.parameter} characters"
                self.fitting.over("parameter", key, value, why)
            elif len(there) > self._limits.parameter_key:
                why = f"key longer than {self._limits.parameter_key} characters"
                self.fitting.over("parameter", key, value, why)
            else:
                made[there] = self.text(key, text, "parameter")
        return made

    def assets(self, kind: str, held: Mapping[str, AssetReference]) -> dict[str, AssetReference]:
        made = {}
        for key, one in held.items():
            there = AssetReference(fit_text(one.asset_id), None if one.type is None else fit_text(one.type))
            if there != one:
                self.fitting.over(kind, key, {"asset_id": one.asset_id, "type": one.type}, CLEANED)
            made[self.renamed.of(kind, key, self.profile.names, self.fitting)] = there
        return made

    def error(self) -> tuple[Json, Json]:
        """Code and message; the rest lies in the overflow file."""
        error, origin = self.run.error, self.run.error_origin
        told: Any = error if isinstance(error, Mapping) else {}
        kept = {key: told[key] for key in ("code", "message") if isinstance(told.get(key), str)}
        if origin or any(value for key, value in told.items() if key not in kept):
            rest: dict[str, Json] = {"error": error, "origin": origin}
            self.fitting.over("text", "error", rest, CODE_AND_MESSAGE)
        made: dict[str, Json] = {key: self.text(f"error {key}", value) for key, value in kept.items()}
        return made or None, None
