"""Trains a classifier epoch by epoch and keeps the model. Runs as a step of a pipeline."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path

import mlflow
import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--alpha", type=float, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--model", type=Path, default=Path("outputs"))
    arguments = parser.parse_args()
    wine = np.load(arguments.prepared / "wine.npz")
    model = SGDClassifier(loss="log_loss", alpha=arguments.alpha, random_state=1)
    mlflow.log_params({"alpha": arguments.alpha, "loss": model.loss})
    for epoch in range(arguments.epochs):
        model.partial_fit(wine["x_train"], wine["y_train"], classes=np.unique(wine["y_train"]))
        loss = log_loss(wine["y_test"], model.predict_proba(wine["x_test"]))
        accuracy = model.score(wine["x_test"], wine["y_test"])
        mlflow.log_metrics({"loss": float(loss), "accuracy": float(accuracy)}, step=epoch)
    (arguments.model / "model.pkl").write_bytes(pickle.dumps(model))


if __name__ == "__main__":
    main()
