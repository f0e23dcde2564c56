"""Logs three epochs, then raises. Runs as a job that fails."""

from __future__ import annotations

import mlflow

mlflow.log_param("rate", 1e6)
for epoch, loss in enumerate((1.0, 1e6, float("inf"))):
    mlflow.log_metric("loss", loss, step=epoch)
raise ArithmeticError("the loss is above that of guessing")
