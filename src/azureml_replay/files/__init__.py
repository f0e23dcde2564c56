"""The files of runs: their lists, their bytes, and the files that we make."""
