"""Fits a straight line by gradient descent at one rate, and logs the loss. Runs as a sweep's trial."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import mlflow
import numpy as np
from sklearn.datasets import load_diabetes


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True)
    rate = parser.parse_args().rate
    x, y = load_diabetes(return_X_y=True)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()
    weights, loss = np.zeros(x.shape[1]), 1.0
    mlflow.log_param("rate", rate)
    for epoch in range(10):
        error = x @ weights - y
        loss = float(error @ error) / len(y)
        mlflow.log_metric("loss", loss, step=epoch)
        weights -= rate * 2 / len(y) * (x.T @ error)
    Path("outputs/weights.json").write_text(json.dumps({"rate": rate, "weights": weights.tolist(), "loss": loss}))


if __name__ == "__main__":
    main()
