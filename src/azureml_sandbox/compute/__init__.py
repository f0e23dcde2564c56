"""What runs submitted jobs: local processes, a few at a time.

`jobs.understood` turns a submission into a drive, `Cluster` lets it compute, `Record` tells run history how it goes.
"""

NODES = 2
"""Commands that run at a time, where nothing else is asked for: the cores of a small machine."""
