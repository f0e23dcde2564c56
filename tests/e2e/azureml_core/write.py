"""A history as the old SDK writes it: every kind of metric, files, children that end in three ways, an archive."""

from __future__ import annotations

import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # python -I does not

from azureml.core import Experiment, Run
from login import workspace

_MATRIX = {"class_labels": ["0", "1"], "matrix": [[3, 1], [0, 4]]}
_RESIDUALS = {"bin_edges": [0, 1, 2], "bin_counts": [3, 4], "mean": 0.1, "stddev": 1, "res": 1}
_PREDICTIONS = {"bin_averages": [1, 2], "bin_errors": [0.1, 0.2], "bin_counts": [3, 4], "bin_edges": [0, 1, 2]}


def _schema(kind: str, data: dict[str, object]) -> dict[str, object]:
    return {"schema_type": kind, "schema_version": "v1", "data": data}


def _metrics(run: Run) -> None:
    for at in range(60):  # more than one request: 50 metrics go together
        run.log("loss", 1 / (at + 1), step=at * 10)
    run.log("best", 0.25)
    run.log("flag", value=True)
    run.log("word", "hello")
    run.log_list("list", [1, 2.5, -0.0])
    run.log_row("row", x=1, y=2.5, note="a")
    run.log_row("row", x=2, y=3.5, note="b")
    run.log_table("table", {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]})
    run.log_confusion_matrix("matrix", _schema("confusion_matrix", _MATRIX))
    run.log_residuals("residuals", _schema("residuals", _RESIDUALS))
    run.log_predictions("predictions", _schema("predictions", _PREDICTIONS))
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    run.log_image("image", path="picture.png")


def main() -> None:
    """One tree of seven runs, and an archived experiment with one run."""
    home = workspace()
    run = Experiment(home, "old-sdk").start_logging(outputs=None, snapshot_directory=None, display_name="as before")
    _metrics(run)
    run.tag("team", "blue")
    run.tag("without a value")
    run.add_properties({"kept": "True"})
    run.upload_file("outputs/deep/b.txt", io.BytesIO(b"x" * 3000))
    run.upload_file("logs/train.log", io.BytesIO(b"epoch 1\n"))
    child = run.child_run(name="child")
    child.log("loss", 0.5)
    child.child_run(name="grandchild").complete()
    child.complete()
    for each in run.create_children(count=2):
        each.complete()
    run.child_run(name="failed").fail("it broke", "E1")
    run.child_run(name="canceled").cancel()
    run.complete()
    old = Experiment(home, "put-away")
    old.start_logging(outputs=None, snapshot_directory=None).complete()
    old.archive()


if __name__ == "__main__":
    main()
