"""Histories that fill a workspace: recorded ones, made-up ones of any size, and trainings by real clients."""
