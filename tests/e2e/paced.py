"""`azureml-replay`, with terms of a lease as short as a storage allows: a test that waits for one waits 15 seconds."""

from __future__ import annotations

from azureml_replay.cli import main
from azureml_replay.target import lease
from azureml_replay.workspace.lease import LeasePace

if __name__ == "__main__":
    lease.PACE = LeasePace(term_s=15, renewed_after_s=6, margin_s=3)
    main()
