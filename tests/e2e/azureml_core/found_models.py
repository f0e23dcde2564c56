"""What the old SDK says of the models of a workspace."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -I does not

from azureml.core import Model
from login import workspace


def main() -> None:
    """Name, version, run and tags of each."""
    found = [(model.name, model.version, model.run_id, model.tags) for model in Model.list(workspace())]
    sys.stdout.write(json.dumps(sorted(found)))


main()
