"""The routes for a run's files: the artifact index, and the data service that resolves the assets of outputs."""
