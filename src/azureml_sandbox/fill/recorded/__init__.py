"""Recorded traffic of the real service: read from files, moved into another workspace, gathered, completed."""
