"""Judges a trained model. Runs as the last step of a pipeline."""

from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path

import mlflow
import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    arguments = parser.parse_args()
    wine = np.load(arguments.prepared / "wine.npz")
    model = pickle.loads((arguments.model / "model.pkl").read_bytes())  # noqa: S301 - the step before wrote it
    predicted = model.predict(wine["x_test"])
    accuracy = float(accuracy_score(wine["y_test"], predicted))
    table = confusion_matrix(wine["y_test"], predicted).tolist()
    mlflow.log_metric("accuracy", accuracy)
    mlflow.set_tag("verdict", "good" if accuracy > 0.9 else "poor")
    mlflow.log_dict({"columns": [0, 1, 2], "data": table}, "confusion.json")
    (arguments.report / "report.json").write_text(json.dumps({"accuracy": accuracy, "confusion": table}))


if __name__ == "__main__":
    main()
