"""Replay as real jobs: pipelines and command jobs whose steps log what the originals logged."""
