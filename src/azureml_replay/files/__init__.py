"""The files of runs: which there are, their bytes, and those that we make."""
