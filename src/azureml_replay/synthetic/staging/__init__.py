"""Writes what the steps of jobs will read into the target's storage beforehand."""
