"""The run history service: its routes for experiments and runs, run documents, events, filters."""
