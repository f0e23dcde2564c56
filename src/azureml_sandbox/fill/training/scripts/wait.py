"""Logs one epoch, then waits for an hour. Runs as a job that somebody cancels."""

from __future__ import annotations

import time

import mlflow

mlflow.log_metric("loss", 1.0, step=0)
print("waiting for more data")  # noqa: T201 - a job's log is its output
time.sleep(3_600)
