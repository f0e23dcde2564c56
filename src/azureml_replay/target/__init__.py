"""Finds out what a target keeps, and how to treat it."""
