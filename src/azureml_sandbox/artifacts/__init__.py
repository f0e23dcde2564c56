"""The artifact index, and data assets of runs."""
