"""Splits and scales the wines. Runs as the first step of a pipeline."""

from __future__ import annotations

import argparse
from pathlib import Path

import mlflow
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    arguments = parser.parse_args()
    x, y = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=arguments.seed)
    scaler = StandardScaler().fit(x_train)
    parts = {"x_train": scaler.transform(x_train), "x_test": scaler.transform(x_test)}
    np.savez(arguments.prepared / "wine.npz", y_train=y_train, y_test=y_test, **parts)
    mlflow.log_params({"seed": arguments.seed, "rows": len(y)})
    mlflow.log_metrics({"train_rows": len(y_train), "test_rows": len(y_test)})


if __name__ == "__main__":
    main()
