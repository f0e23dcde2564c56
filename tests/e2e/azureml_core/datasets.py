"""The names of the workspace's datasets, as the old SDK lists them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -I does not

from azureml.core import Dataset
from login import workspace

sys.stdout.write(" ".join(sorted(each.name for each in Dataset.get_all(workspace()).registrations)))
