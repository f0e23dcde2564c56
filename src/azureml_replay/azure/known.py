"""The keys of the wire that decoding knows: what a service adds later is noticed, and listed in the report."""

from __future__ import annotations

from azureml_replay.fidelity import keys

KNOWN_RUN = keys("Run")
KNOWN_EXPERIMENT = keys("Experiment")
KNOWN_ARTIFACT = keys("Artifact")
