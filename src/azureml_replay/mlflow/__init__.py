"""An MLflow server as a workspace, over its REST interface alone: MLflow's own package is not imported here."""
