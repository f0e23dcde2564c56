"""MLflow's documents: its keys are spelt here alone."""
