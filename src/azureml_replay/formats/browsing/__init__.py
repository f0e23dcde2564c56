"""An archive in MLflow's own window: read-only stores for MLflow, and the command that starts its server on them."""
