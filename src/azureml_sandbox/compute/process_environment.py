"""The environment variables of a job's process. Their names are those that azureml-mlflow and azureml-core read."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from azureml_sandbox import instants
from azureml_sandbox.compute.site import Site
from azureml_sandbox.protocol.login import ARM
from azureml_sandbox.world import Document

TOKEN_S = 21 * 86_400
"""Three weeks, as the recorded run token."""

_PASSED = ("HOME", "LANG", "LC_ALL", "LOGNAME", "SHELL", "TMPDIR", "TZ", "USER")
"""The server's own variables that are passed on; PYTHONPATH and credentials are not among them."""


def variables(
    site: Site, run: Document, experiment: str, ports: Mapping[str, str], submitted: Mapping[str, str]
) -> dict[str, str]:
    """All variables of a run's process; `ports` are those of inputs and outputs, `submitted` the job's own."""
    workspace, run_id = site.workspace, run["runId"]
    token = site.login.mint(workspace.tenant_id, ARM, TOKEN_S, run_id=run_id)
    expiry = instants.now() // instants.SECOND + TOKEN_S
    tracking = f"azureml://{workspace.region}.api.azureml.ms/mlflow/v1.0{workspace.arm_id}"
    return {
        **_machine(),
        **site.surroundings,
        "MLFLOW_TRACKING_URI": tracking,
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_RUN_ID": run_id,
        "MLFLOW_EXPERIMENT_ID": run["experimentId"],
        "MLFLOW_EXPERIMENT_NAME": experiment,
        "AZUREML_RUN_ID": run_id,
        "AZUREML_ROOT_RUN_ID": run["rootRunId"],
        "AZUREML_RUN_TOKEN": token,
        "AZUREML_RUN_TOKEN_EXPIRY": str(expiry),
        "AZUREML_EXPERIMENT_ID": run["experimentId"],
        "AZUREML_ARM_SUBSCRIPTION": workspace.subscription_id,
        "AZUREML_ARM_RESOURCEGROUP": workspace.resource_group,
        "AZUREML_ARM_WORKSPACE_NAME": workspace.name,
        "AZUREML_ARM_PROJECT_NAME": experiment,
        "AZUREML_WORKSPACE_ID": workspace.guid,
        "AZUREML_SERVICE_ENDPOINT": workspace.api,
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{workspace.api}/discovery",
        "AZUREML_TARGET_TYPE": "amlcompute",
        **ports,
        **submitted,
    }


def _machine() -> dict[str, str]:
    """The variables of this machine; the server's own Python comes first, as an environment's does on a node."""
    own = {name: os.environ[name] for name in _PASSED if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**own, "PATH": path, "PYTHONUNBUFFERED": "1"}
