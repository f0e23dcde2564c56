"""Fits a straight line by gradient descent, and logs what a careful user logs. Runs as a job."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import mlflow
import numpy as np


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--report", type=Path, required=True)
    arguments = parser.parse_args()
    table = np.loadtxt(arguments.data, delimiter=",", skiprows=1)
    x, y = table[:, :-1], table[:, -1]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = (y - y.mean()) / y.std()
    mlflow.log_params({"rate": arguments.rate, "epochs": arguments.epochs, "rows": len(y)})
    mlflow.set_tags({"data": "diabetes", "purpose": "baseline"})
    weights, losses = np.zeros(x.shape[1]), []
    for epoch in range(arguments.epochs):
        error = x @ weights - y
        losses.append(float(error @ error) / len(y))
        mlflow.log_metric("loss", losses[-1], step=epoch)
        print(f"epoch {epoch}: loss {losses[-1]:.4f}")  # noqa: T201 - a job's log is its output
        weights -= arguments.rate * 2 / len(y) * (x.T @ error)
    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot(losses)
    axes.set(xlabel="epoch", ylabel="loss")
    mlflow.log_figure(figure, "plots/loss.png")
    mlflow.log_table({"feature": list(range(len(weights))), "weight": weights.tolist()}, "weights.json")
    np.save("outputs/weights.npy", weights)
    (arguments.report / "report.json").write_text(json.dumps({"loss": losses[-1]}))


if __name__ == "__main__":
    main()
