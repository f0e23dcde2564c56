"""An archive in others' formats: tables, the jobs.json of the original tool, MLflow's own window."""
