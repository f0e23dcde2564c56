"""The compute of the sandbox: submitted jobs run as local processes, a few at a time.

`jobs.understood` turns a submission into a `Drive`, a coroutine that runs it; `Cluster` runs drives; `Record` writes
their progress into run history.
"""

NODES = 2
"""The number of commands that run at a time by default: the cores of a small machine."""
