"""Where the wire says something else than the interface files, and who says so. The one place for it.

A deviation that no longer occurs has to go: `test_wire.py` fails.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from interfaces.facts import Contradiction


class Known(NamedTuple):
    """A contradiction that evidence stands behind."""

    where: str
    """A regular expression that fits the whole of `METHOD route  place: what`."""
    source: str


REQUESTS = (
    Known(
        r"POST /metric/v2\.0/runs/\{run_id\}/batch  request/values\[\]/properties: unknown",
        "azureml-core and promptflow send uxMetricType there, and recorded answers have it",
    ),
    Known(
        r"PATCH /history/\S+/batch/runs  request/runs\[\]/(tags|properties)/\{\}: null",
        "the throw-away run asks whether null is taken, and runs with it follow (assumptions.md)",
    ),
)
ANSWERS = (
    Known(
        r"POST /data/v1\.0/\S+/batchGetResolvedUris  .*/legacyDatasetType: unknown",
        "recorded: pipe-child-run-download 26",
    ),
    Known(r".*/currentAttemptId: unknown", "recorded: pipe-details-completed"),
    Known(
        r"POST /data/v1\.0/\S+/createUnregistered(In|Out)put  .*/dataVersion/(isRegistered|runId): unknown",
        "recorded of getByAssetId, which tells of the same version",
    ),
    Known(
        r"POST /data/v1\.0/\S+/createUnregistered(In|Out)put  .*/dataVersion/mutableProps/stage: unknown",
        "recorded of getByAssetId, which tells of the same version",
    ),
    Known(r".*/scheduleId: unknown", "recorded: pipe-child-run-download"),
    Known(r".*/compute/(armId|instanceType|properties): unknown", "recorded: pipe-child-run-download"),
    Known(r".*/systemSettings: unknown", "recorded: pipe-child-run-download"),
    Known(r".*/error/debugInfo: unknown", "recorded: rh-rundata-404"),
    Known(r".*/properties/dataLocation: unknown", "recorded of lastvalues: rh-metrics-lastvalues"),
    Known(r".*/properties/secretsConfiguration: unknown", "recorded: cmd-ray-lifecycle"),
    Known(r"GET /datastores(/\{name\})?  .*/credentials/secrets: missing", "recorded: datastore-blob"),
    Known(r".*/(tags|properties)/\{\}: null", "answered as it was sent (assumption, with variants)"),
    Known(
        r"GET /jobs(/\{name\})?  .*/environmentId: null",
        "runs that ARM never saw submitted are shown as commands without one (assumption: history-runs-not-listed)",
    ),
)
ODD = (
    Known(r"GET /jobs  .*/autologgerSettings: unknown", "recorded: cmd-ray-lifecycle"),
    Known(r"GET /jobs  .*/distributionType: 'Ray' chooses no type", "recorded: cmd-ray-lifecycle"),
    Known(
        r"GET /jobs  .*/outputs/\{\}/(assetName|assetVersion|autoDeleteSetting): unknown", "recorded: cmd-ray-lifecycle"
    ),
    Known(r"GET /jobs  .*/queueSettings/priority: unknown", "recorded: cmd-local-startlocalrun-update"),
    Known(r"GET /jobs  .*/samplingAlgorithm/logbase: unknown", "recorded: sweep-await"),
    Known(r".*/error/details\[\]/debugInfo: unknown", "as the error above it"),
    Known(r".*/somethingNew: unknown", "the sample's run of a kind that nobody foresaw"),
)
"""Of the answers about a hostile sample, beside `ANSWERS`."""

WITHOUT: Mapping[str, str] = {
    r"GET ": "the workspace; its interface file is not among ours: recorded, ws-create-update-delete",
    r"GET /computes\S*": "as the workspace: recorded, compute-lifecycle",
    r"GET /mfeOperationResults/\S+": "recorded: cmd-builder-create-cancel",
    r"PATCH /history/v1\.0/runs/\{run_id\}/modify": "recorded: rh-modify-patch",
    r"GET /history/\S+/token": "azureml-mlflow",
    r"GET /history/\S+/metricsingest/wait\S*": "azureml-core",
    r"GET /history/\S+/artifacts/\S+\{path:path\}": "azureml-core: older forms, the path in the path",
    r"(GET|POST) /artifact/\S+\{path:path\}": "azureml-core: older forms, the path in the path",
    r"POST /artifact/v2\.0/artifacts/batch/metadata/\{origin\}/\{container\}": "azureml-core: an older form",
    r"POST /metric/v2\.0/runs/\{run_id\}/lastvalues": "recorded: rh-metrics-lastvalues",
    r"POST /metric/v2\.0/runs/\{run_id\}/batchsync": "promptflow",
    r"GET /dataset/v1\.0/datasets/query/savedDatasetId=\{saved_id\}": "azureml-core",
    r"(GET|POST) /modelregistry/\S+": "azure-ai-ml: model_dataplane",
    r"(GET|POST) /modelmanagement/\S+": "azureml-core: ml_models_operations, assets_operations",
    r"(GET|POST|PATCH|DELETE) /mlflow/\S+": "MLflow's own messages, which the sandbox reads and writes",
}
"""Routes that no interface file has: a regular expression, and where the route is known from."""


def unexplained(found: Contradiction, known: Collection[Known]) -> bool:
    """Whether nothing known stands behind a contradiction."""
    return not any(re.fullmatch(one.where, str(found)) for one in known)
