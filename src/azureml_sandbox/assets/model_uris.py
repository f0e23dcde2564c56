"""Where a model lies: the forms in which clients say it, and the one in which the service answers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from azureml_sandbox.assets import implicit
from azureml_sandbox.assets.places import long_uri
from azureml_sandbox.protocol.errors import Refused, run_not_found
from azureml_sandbox.protocol.route import Call
from azureml_sandbox.world import ARTIFACT_STORE, RUN_ORIGIN, Document, Workspace

_LONG = re.compile(
    r"azureml://subscriptions/(?P<sub>[^/]+)/resourcegroups/(?P<group>[^/]+)(?:/providers/[^/]+)?"
    r"/workspaces/(?P<name>[^/]+)/(?P<rest>datastores/.+)",
    re.IGNORECASE,
)
_OF_RUN = (
    re.compile(r"runs:/(?P<run>[^/]+)/(?P<path>.+)"),
    re.compile(r"azureml://experiments/[^/]+/runs/(?P<run>[^/]+)/artifacts/(?P<path>.+)"),
    re.compile(r"azureml://[^/]+/mlflow/.+/experiments/[^/]+/runs/(?P<run>[^/]+)/artifacts/(?P<path>.+)"),
    re.compile(r"azureml://jobs/(?P<run>[^/]+)/outputs/(?:artifacts|default)/paths/(?P<path>.+)"),
)
_OF_OUTPUT = re.compile(r"azureml://jobs/(?P<run>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths)?/?(?P<path>.*)")
_OF_INDEX = re.compile(r"azureml://artifacts/(?P<path>[^/]+/[^/]+/.+)")
_ELSEWHERE = ("https://", "wasbs://", "abfss://", "azureml://registries/")


@dataclass(frozen=True, slots=True)
class Located:
    """A model's place."""

    uri: str
    """As ARM answers it."""
    run_id: str | None = None
    """The run that the URI named."""
    path: str = ""
    """Below the run's container."""


def located(call: Call, uri: str) -> Located:
    """The place behind a URI. Raises Refused: 404 for a run that is not here, 400 for a URI of another form."""
    for form in _OF_RUN:
        if named := form.fullmatch(uri):
            run, path = _run(call, named["run"]), named["path"].rstrip("/")
            return Located(_of_index(call, f"{RUN_ORIGIN}/{run['dataContainerId']}/{path}"), run["runId"], path)
    if named := _OF_OUTPUT.fullmatch(uri):
        return _output(call, named)
    if named := _OF_INDEX.fullmatch(uri):
        return Located(_of_index(call, named["path"]))
    plain = long_model_uri(call.workspace, uri)
    if plain.startswith(_ELSEWHERE) or _LONG.fullmatch(plain):
        return Located(plain)
    raise Refused(400, f"The ModelUri {uri} is not valid.", ("UserError", "BadArgument", "ArgumentInvalid"))


def long_model_uri(workspace: Workspace, uri: str) -> str:
    """A datastore path in the long form of a model's, which spells `resourceGroups` so; any other URI as it is."""
    plain = long_uri(workspace, uri)
    named = _LONG.fullmatch(plain)
    if named is None:
        return plain
    scope = f"subscriptions/{named['sub']}/resourceGroups/{named['group']}/workspaces/{named['name']}"
    return f"azureml://{scope}/{named['rest']}"


def _output(call: Call, named: re.Match[str]) -> Located:
    """A named output of a job lies where its data or model does."""
    run = _run(call, named["run"])
    below = implicit.output_uri(call.world, call.workspace, run["runId"], named["output"])
    if below is None:
        words = f"Output {named['output']} of job {run['runId']} was not found."
        raise Refused(404, words, ("UserError", "NotFound"))
    below = long_model_uri(call.workspace, below).rstrip("/")
    return Located(f"{below}/{named['path']}".rstrip("/"), run["runId"], named["path"])


def _of_index(call: Call, path: str) -> str:
    return located(call, f"azureml://datastores/{ARTIFACT_STORE}/paths/{path}").uri


def _run(call: Call, run_id: str) -> Document:
    found = call.world.runs.get(call.workspace.guid, run_id)
    if found is None:
        raise run_not_found(run_id)
    return found
