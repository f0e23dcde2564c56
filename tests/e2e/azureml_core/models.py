"""Models as the old SDK registers them from a run, and finds them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -I does not

from azureml.core import Experiment, Model
from login import workspace


def main() -> None:
    """Two versions of one run's file, and one of another name; what the SDK says of them."""
    home = workspace()
    run = Experiment(home, "old-sdk").start_logging(outputs=None, snapshot_directory=None, run_id="r1")
    run.upload_file("outputs/model.pkl", io.BytesIO(b"weights"))
    for tags in ({"a": "1"}, {"a": "2"}):
        run.register_model("own", model_path="outputs/model.pkl", tags=tags, properties={"p": "1"})
    run.register_model("other", model_path="outputs/model.pkl")
    run.complete()
    found = [Model(home, "own"), Model(home, "own", version=1), Model(home, "own", tags=[["a", "1"]])]
    told = [(model.name, model.version, model.run_id, model.experiment_name, model.tags) for model in found]
    everything = sorted((model.name, model.version) for model in Model.list(home))
    sys.stdout.write(
        json.dumps({"found": told, "all": everything, "latest": [m.version for m in Model.list(home, latest=True)]})
    )


main()
