"""The workspace that the command line names, opened as users of the old SDK open it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from azureml.core import Workspace
from azureml.core.authentication import ServicePrincipalAuthentication


def workspace() -> Workspace:
    """With the service principal of the environment."""
    named = json.loads(Path(sys.argv[1]).read_bytes())
    principal = (os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"])
    auth = ServicePrincipalAuthentication(named["tenant_id"], *principal)
    return Workspace(named["subscription_id"], named["resource_group"], named["workspace_name"], auth=auth)
