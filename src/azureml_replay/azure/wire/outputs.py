"""The named outputs of a run whose bytes are no files of the run: `outputs: model: uri_folder` of a job (pure).

A run definition tells the place (pipe-child-run-download.json), a job's document where its author gave one; without
one it is `azureml/${{name}}/{output}/` of the workspace's blob store. Run history tells ids of assets alone, for a
pipeline's and a reused step's outputs those of the step that wrote them (responses.md 4.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from azureml_replay.azure.wire.places import ARTIFACT_STORE, RUN_FILES
from azureml_replay.model import Job, Json, Run, RunDetails

_STORE = "workspaceblobstore"
_OWN = "default"
"""The name under which every run shows its own container."""
_ASSET = re.compile(r".*/data/(?P<name>[^/]+)/versions/(?P<version>[^/]+)\Z")
_WRITTEN = re.compile(r"azureml_(?P<run>.+)_output_data_(?P<output>.+)\Z")
_PATH = re.compile(r"(?:azureml:)?.*/datastores/(?P<store>[^/]+)/(?:paths/)?(?P<path>.*)")


def outputs_of(details: RunDetails, job: Job | None) -> Mapping[str, str]:
    """Output -> the place of its bytes, `workspaceblobstore: azureml/r1/model/`, or its asset where only that is known.

    Outputs that lie in the container of a run are left out: their bytes are files of that run.
    """
    run, said = details.run, _mapping(_mapping(job.document if job else None).get("properties"))
    if not run.outputs and not details.definition and not said:
        return {}
    found = {name: _of_asset(str(asset.asset_id)) for name, asset in run.outputs.items()}
    if run.start or run.status == "Completed":
        found |= _declared(run, said, known=found)
    found |= _defined(run, _mapping(_mapping(details.definition).get("outputData")))
    return {name: place for name, place in found.items() if place and not place.startswith(_CONTAINERS)}


_CONTAINERS = f"{ARTIFACT_STORE}: {RUN_FILES}/"


def _of_asset(asset: str) -> str:
    """The place that an asset's name tells, for it is made of the run and the output that wrote it.

    Empty for a run's own container, and for models, whose bytes usually are files of the run (assets.md).
    """
    found = _ASSET.match(asset)
    written = _WRITTEN.match(found["name"]) if found else None
    if written and written["output"] == _OWN:
        return ""
    if written:
        return _default(written["run"], written["output"])
    return f"data asset {found['name']} version {found['version']}" if found else ""


def _declared(run: Run, said: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Outputs of a job. A pipeline's without a place are written by steps, which tell of them."""
    found: dict[str, str] = {}
    for name, output in _mapping(said.get("outputs")).items():
        if uri := _mapping(output).get("uri"):
            found[name] = _placed(str(uri), run, name)
        elif name not in known and name != _OWN and said.get("jobType") != "Pipeline":
            found[name] = _default(run.id, name)
    return found


def _defined(run: Run, data: Mapping[str, Any]) -> dict[str, str]:
    """Outputs in the definition of a step, by URI or, from the older SDK, by datastore and path.

    Those of a reused step would be named by its own id, while they lie with the run that wrote them.
    """
    found: dict[str, str] = {}
    for name, output in data.items() if run.lender is None else ():
        location = _mapping(_mapping(output).get("outputLocation"))
        uri, at = _mapping(location.get("uri")).get("path"), _mapping(location.get("dataPath"))
        if uri:
            found[name] = _placed(str(uri), run, name)
        elif at:
            found[name] = f"{at.get('datastoreName')}: {at.get('relativePath')}"
    return found


def _placed(uri: str, run: Run, output: str) -> str:
    filled = uri.replace("${{name}}", run.id).replace("${{output_name}}", output)
    found = _PATH.match(filled)
    return f"{found['store']}: {found['path']}" if found else filled


def _default(run: str, output: str) -> str:
    return f"{_STORE}: azureml/{run}/{output}/"


def _mapping(value: Json) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
